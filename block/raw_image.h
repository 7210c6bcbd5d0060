// A raw disk image: a host file, or host block device, whose byte n is the medium's byte n.
#pragma once

#include <memory>
#include <string>

#include "block/block_device.h"

namespace relic86 {

class RawImage final : public BlockDevice {
 public:
  enum class Access : u8 { ReadWrite, ReadOnly };
  enum class Format : u8 { Probe, Raw };  // Probe: refuse files that look like another format

  // Opens and locks the file: one writer, or any number of readers, in whatever process (QEMU's locks are the same).
  // The error message is "FILE: cause; mend": the caller puts the option's name before it.
  static Result<std::unique_ptr<RawImage>> open(const std::string& path, Access access, Format format = Format::Probe);
  ~RawImage() override;
  RawImage(const RawImage&) = delete;
  RawImage& operator=(const RawImage&) = delete;

  // A multiple of 512: what a file lacks in its last sector reads as zeros, and is added when it is written.
  u64 size_bytes() const override { return size_; }
  bool read_only() const override { return access_ == Access::ReadOnly; }
  Result<> read(u64 offset, std::span<u8> bytes) override;
  Result<> write(u64 offset, std::span<const u8> bytes) override;
  Result<> flush() override;

  const std::string& path() const { return path_; }
  // When the file's content was last changed, in nanoseconds since 1970; 0 if the host cannot tell.
  i64 modified_ns() const;

 private:
  RawImage(std::string path, int file, Access access) : path_(std::move(path)), file_(file), access_(access) {}
  Result<> find_size();
  Result<> lock();
  Result<> check_format() const;
  Error trouble(std::string_view what, int error) const;

  std::string path_;
  int file_;
  Access access_;
  u64 size_ = 0;       // as the guest sees it
  u64 file_size_ = 0;  // of the file; up to 511 bytes less
};

}  // namespace relic86
