// A raw disk image: a file whose byte n is the medium's byte n.
#pragma once

#include <memory>
#include <string>

#include "block/disk_image.h"
#include "block/host_file.h"

namespace relic86 {

class RawImage final : public DiskImage {
 public:
  using Access = HostFile::Access;
  // Guessed: nobody said that it is raw. The guest must not write a first sector that would make it look like another
  // format the next time, and so open what files of the host it likes.
  enum class Origin : u8 { Said, Guessed };

  RawImage(std::unique_ptr<ImageFile> file, Origin origin);
  // The bytes of a file as they are, whatever they look like.
  static Result<std::unique_ptr<RawImage>> open(const std::string& path, Access access);

  // A multiple of 512: what a file lacks in its last sector reads as zeros, and is added when it is written.
  u64 size_bytes() const override { return size_; }
  bool read_only() const override { return file_->read_only(); }
  Result<> read(u64 offset, std::span<u8> bytes) override;
  Result<> write(u64 offset, std::span<const u8> bytes) override;
  Result<> flush() override { return file_->flush(); }
  Result<> discard(u64 offset, u64 length) override;
  Result<> write_zeroes(u64 offset, u64 length) override;
  bool take_host_full() override { return file_->take_full(); }
  bool ready_to_read(u64 offset, u64 length) override { return file_->ready_to_read(offset, length); }

  ImageInfo info() const override;
  i64 modified_ns() const override { return file_->modified_ns(); }
  Result<> resize(u64 size) override;
  Result<Extent> extent(u64 offset, u64 length) override;

 private:
  Result<> check_first_sector(u64 offset, std::span<const u8> bytes);

  std::unique_ptr<ImageFile> file_;
  Origin origin_;
  u64 size_;  // as the guest sees it; up to 511 bytes more than the file
};

}  // namespace relic86
