// What a writable image held when a machine was saved: blocks are kept here before they are first overwritten, so that
// loading can put them back. One file per saved machine and image.
//
//   header (4096 bytes)  "RELIC86J", u32 version, u32 length of the image's path, u64 generation, u64 image's size,
//                        i64 image's last change in ns, u64 1 while blocks are being put back, path
//   records              u64 block, u64 checksum of the content, 4096 bytes
//
// The journal speaks for the image as long as nothing else changes it: the image's last change is noted at every flush
// and at the end.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_set>

#include "base/result.h"
#include "block/block_device.h"

namespace relic86 {

class DiskJournal {
 public:
  static constexpr u32 kBlockSize = 4096;

  struct Image {
    std::string path;  // absolute
    u64 size = 0;
    i64 modified_ns = 0;
  };
  // A new, empty one; a file that was there is replaced.
  static Result<std::unique_ptr<DiskJournal>> create(const std::string& path, u64 generation, const Image& image);
  enum class Access : u8 { ReadWrite, ReadOnly };
  static Result<std::unique_ptr<DiskJournal>> open(const std::string& path, Access access);
  ~DiskJournal();
  DiskJournal(const DiskJournal&) = delete;
  DiskJournal& operator=(const DiskJournal&) = delete;

  const std::string& path() const { return path_; }
  u64 generation() const { return generation_; }
  const Image& image() const { return image_; }
  u64 block_count() const { return blocks_.size(); }
  // A load was interrupted while it put blocks back: the image is in between, whatever its last change.
  bool restoring() const { return restoring_; }
  // The image is as this journal knows it.
  bool describes(const Image& image) const {
    return image.size == image_.size && (restoring_ || image.modified_ns == image_.modified_ns);
  }

  // Before the image's bytes at offset change: keeps the blocks that are not kept yet. After an error the image must
  // not be changed.
  Result<> keep(BlockDevice& image, u64 offset, u64 length);
  void note_modified(i64 modified_ns);
  Result<> flush();

  // All records' checksums.
  Result<> verify() const;
  // Visits the kept blocks: offset in the image, and the content.
  using Visitor = std::function<Result<>(u64 offset, std::span<const u8> bytes)>;
  Result<> visit(const Visitor& visitor) const;
  Result<> begin_restoring();
  // The image is again as it was: nothing is kept any more.
  Result<> restored(i64 modified_ns);

 private:
  DiskJournal(std::string path, int file) : path_(std::move(path)), file_(file) {}
  Result<> read_header();
  Result<> read_records();
  Result<> write_header();
  bool read_at(u64 offset, std::span<u8> into) const;
  Result<> write_at(u64 offset, std::span<const u8> bytes);
  u64 block_length(u64 block) const;

  std::string path_;
  int file_;
  u64 generation_ = 0;
  Image image_;
  bool restoring_ = false;
  std::unordered_set<u64> blocks_;
  u64 records_ = 0;
};

}  // namespace relic86
