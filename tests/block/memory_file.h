// A file in host memory that remembers every change, so that a test can have it as it would be after the host stopped
// anywhere: a program that is killed leaves what it wrote so far, a power cut any part of what was not flushed.
#pragma once

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "block/image_file.h"

namespace relic86::test {

struct FileChange {
  enum class Kind : u8 { Write, Flush, Resize } kind = Kind::Flush;
  u64 offset = 0;  // the new length, of Resize
  std::vector<u8> bytes;
};

// The bytes are shared with the test, which outlives the image.
struct MemoryFileContent {
  std::vector<u8> bytes;
  std::vector<FileChange> changes;
  bool recording = false;
  u64 fail_after_changes = ~u64{0};  // writes after that many changes fail, as on a full disk
  u64 longest = u64{64} << 20;       // writes beyond it fail, too
  bool read_only = false;

  static void apply(std::vector<u8>& to, const FileChange& change) {
    if (change.kind == FileChange::Kind::Resize) to.resize(static_cast<std::size_t>(change.offset));
    if (change.kind != FileChange::Kind::Write) return;
    to.resize(std::max<std::size_t>(to.size(), static_cast<std::size_t>(change.offset) + change.bytes.size()));
    std::copy(change.bytes.begin(), change.bytes.end(), to.begin() + static_cast<std::ptrdiff_t>(change.offset));
  }
};

class MemoryFile final : public ImageFile {
 public:
  explicit MemoryFile(std::shared_ptr<MemoryFileContent> content, std::string path = "memory.img")
      : content_(std::move(content)), path_(std::move(path)) {}

  const std::string& path() const override { return path_; }
  u64 size_bytes() const override { return content_->bytes.size(); }
  bool read_only() const override { return content_->read_only; }
  Result<> read(u64 offset, std::span<u8> bytes) override {
    if (offset > size_bytes() || bytes.size() > size_bytes() - offset) return Error{path_ + ": read beyond the end"};
    std::copy_n(content_->bytes.begin() + static_cast<std::ptrdiff_t>(offset), bytes.size(), bytes.begin());
    return {};
  }
  Result<> write(u64 offset, std::span<const u8> bytes) override {
    return change({FileChange::Kind::Write, offset, {bytes.begin(), bytes.end()}});
  }
  Result<> flush() override { return change({FileChange::Kind::Flush, 0, {}}); }
  Result<> resize(u64 size) override { return change({FileChange::Kind::Resize, size, {}}); }
  bool punch_hole(u64 offset, u64 length) override {
    const u64 end = std::min(offset + length, size_bytes());
    return offset >= end || write(offset, std::vector<u8>(static_cast<std::size_t>(end - offset))).ok();
  }
  u64 allocated_bytes() const override { return content_->bytes.size(); }
  i64 modified_ns() const override { return 0; }

 private:
  Result<> change(FileChange change) {
    if (content_->read_only) return Error{path_ + ": was opened read-only"};
    if (content_->fail_after_changes == 0 || change.offset + change.bytes.size() > content_->longest)
      return Error{path_ + ": writing failed (No space left on device)"};
    if (content_->fail_after_changes != ~u64{0}) content_->fail_after_changes--;
    MemoryFileContent::apply(content_->bytes, change);
    if (content_->recording) content_->changes.push_back(std::move(change));
    return {};
  }

  std::shared_ptr<MemoryFileContent> content_;
  std::string path_;
};

}  // namespace relic86::test
