// VirtualBox's disk images (VDI), dynamic and static. A map of 32-bit numbers says which of the file's blocks holds
// each block of the disk. Numbers in a file are little-endian.
#pragma once

#include <vector>

#include "block/sparse_image.h"

namespace relic86 {

class VdiImage final : public SparseImage {
 public:
  static Result<std::unique_ptr<VdiImage>> open(std::unique_ptr<ImageFile> file, const Neighbours& neighbours);
  ~VdiImage() override { flush_at_end(); }

  ImageInfo info() const override { return common_info("vdi"); }

 private:
  explicit VdiImage(std::unique_ptr<ImageFile> file) : SparseImage(std::move(file)) {}
  Result<> read_header();
  Result<> read_map();
  Result<Range> find(u64 offset) override;
  Result<u64> new_place(u64 block) override;
  Result<> enter(u64 block, u64 host) override;
  Result<> write_tables() override;

  std::vector<u8> header_;  // with all that stands before the map
  u64 data_offset_ = 0;
  std::vector<u32> map_;
  u32 blocks_used_ = 0;
  u64 last_dirty_ = 0;  // in map_
};

}  // namespace relic86
