// Microsoft's virtual hard disks of the second version (VHDX, [MS-VHDX]), fixed and dynamic. What the log of a file
// promises is carried out when it is opened for writing; a file with an empty log is written without it: the data of a
// new block is flushed before its one entry in the table is written.
#pragma once

#include <vector>

#include "block/sparse_image.h"
#include "block/vhdx_layout.h"

namespace relic86 {

class VhdxImage final : public SparseImage {
 public:
  static Result<std::unique_ptr<VhdxImage>> open(std::unique_ptr<ImageFile> file, const Neighbours& neighbours);
  ~VhdxImage() override { flush_at_end(); }

  ImageInfo info() const override { return common_info("vhdx"); }

 private:
  explicit VhdxImage(std::unique_ptr<ImageFile> file) : SparseImage(std::move(file)) {}
  Result<> read_table();
  std::size_t entry_of(u64 block) const { return static_cast<std::size_t>(block + block / layout_.chunk_blocks()); }
  Result<Range> find(u64 offset) override;
  Result<u64> new_place(u64 block) override;
  Result<> enter(u64 block, u64 host) override;
  Result<> write_tables() override;
  Result<> begin_changes() override;

  VhdxHeader header_;
  VhdxLayout layout_;
  std::vector<u64> table_;
  u64 end_ = 0;  // where the next block goes
  std::size_t first_dirty_ = ~std::size_t{0}, last_dirty_ = 0;
};

}  // namespace relic86
