// What stands where an image was that cannot be used now: whoever reads it is told why, and gets no zeros.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "block/disk_image.h"

namespace relic86 {

class AbsentImage final : public DiskImage {
 public:
  // below: what the image stood on, for when it comes back.
  AbsentImage(const DiskImage& image, std::string why, std::shared_ptr<DiskImage> below = nullptr)
      : info_(image.info()), size_(image.size_bytes()), why_(std::move(why)), below_(std::move(below)) {}
  u64 size_bytes() const override { return size_; }
  bool read_only() const override { return false; }
  Result<> read(u64, std::span<u8>) override { return gone(); }
  Result<> write(u64, std::span<const u8>) override { return gone(); }
  // Nothing was written.
  Result<> flush() override { return {}; }
  ImageInfo info() const override { return info_; }
  i64 modified_ns() const override { return 0; }
  std::shared_ptr<DiskImage> below() const override { return below_; }

 private:
  Result<> gone() const { return Error{info_.file + ": " + why_}; }

  ImageInfo info_;
  u64 size_;
  std::string why_;
  std::shared_ptr<DiskImage> below_;
};

}  // namespace relic86
