// A host file, or host block device, that holds an image: opened and locked.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "block/image_file.h"

namespace relic86 {

// How far a transfer to or from an open file came: the number of bytes, and an errno if it ended early.
struct TransferProgress {
  std::size_t done = 0;
  int error = 0;
};
// pwrite until all is written; a file system that takes nothing more counts as full (ENOSPC).
TransferProgress write_all(int file, u64 offset, std::span<const u8> bytes);

class HostFile final : public ImageFile {
 public:
  enum class Access : u8 { ReadWrite, ReadOnly };

  // Opens and locks the file: one writer, or any number of readers, in whatever process (QEMU's locks are the same).
  // The error message is "FILE: cause; mend": the caller puts the option's name before it.
  enum class Locks : u8 { Taken, None };
  static Result<std::unique_ptr<HostFile>> open(const std::string& path, Access access, Locks locks = Locks::Taken);
  // One that may be empty, or not there yet, for a new image.
  static Result<std::unique_ptr<HostFile>> open_new(const std::string& path);
  ~HostFile() override;
  HostFile(const HostFile&) = delete;
  HostFile& operator=(const HostFile&) = delete;

  const std::string& path() const override { return path_; }
  u64 size_bytes() const override { return size_; }
  bool read_only() const override { return access_ == Access::ReadOnly; }
  Result<> read(u64 offset, std::span<u8> bytes) override;
  bool ready_to_read(u64 offset, u64 length) override;
  Result<> write(u64 offset, std::span<const u8> bytes) override;
  Result<> flush() override;
  Result<> resize(u64 size) override;
  bool punch_hole(u64 offset, u64 length) override;
  bool write_zeroes(u64 offset, u64 length) override;
  Run run_at(u64 offset, u64 length) override;
  bool take_full() override { return std::exchange(full_, false); }
  u64 allocated_bytes() const override;
  i64 modified_ns() const override;

  // Tells the file from others, whatever its name: device and inode.
  std::pair<u64, u64> identity() const;

 private:
  HostFile(std::string path, int file, Access access) : path_(std::move(path)), file_(file), access_(access) {}
  enum class Empty : u8 { Allowed, Refused };
  Result<> find_size(Empty empty);
  Result<> lock();
  Error trouble(std::string_view what, int error);

  std::string path_;
  int file_;
  Access access_;
  u64 size_ = 0;
  bool full_ = false;
};

}  // namespace relic86
