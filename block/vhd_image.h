// Microsoft's virtual hard disks (VHD), fixed, dynamic and differencing (Virtual Hard Disk Image Format Specification
// 1.0). Numbers in a file are big-endian.
//
//   fixed    the disk's bytes, footer
//   dynamic  copy of the footer, dynamic header, block allocation table, blocks (a bitmap of sectors, then data),
//   footer
#pragma once

#include <array>
#include <vector>

#include "block/sparse_image.h"

namespace relic86 {

class VhdImage final : public SparseImage {
 public:
  static Result<std::unique_ptr<VhdImage>> open(std::unique_ptr<ImageFile> file, const Neighbours& neighbours);
  ~VhdImage() override { flush_at_end(); }

  ImageInfo info() const override;

 private:
  enum class Type : u8 { Fixed = 2, Dynamic = 3, Differencing = 4 };
  static constexpr std::size_t kFooterSize = 512;

  explicit VhdImage(std::unique_ptr<ImageFile> file) : SparseImage(std::move(file)) {}
  Result<> read_footer();
  Result<> read_dynamic_header(const Neighbours& neighbours);
  Result<> open_parent(std::span<const u8> header, const Neighbours& neighbours);
  Result<> read_table(u64 offset, u32 entries);
  Result<Range> find(u64 offset) override;
  Result<Range> differing_range(u64 offset, u64 bitmap_offset, u64 data_offset);
  Result<u64> new_place(u64 block) override;
  Result<> enter(u64 block, u64 host) override;
  Result<> write_tables() override;

  std::array<u8, kFooterSize> footer_{};
  Type type_ = Type::Fixed;
  u64 header_offset_ = 0;
  u64 table_offset_ = 0;
  std::vector<u32> table_;  // the sectors where blocks begin
  u64 bitmap_size_ = 0;     // bytes before a block's data
  u64 end_ = 0;             // where the next block goes; the footer stands there until then
  u64 first_dirty_ = ~u64{0}, last_dirty_ = 0;
};

// A fixed image's signature is at its end, where any disk may have it: the footer's checksum must hold.
bool is_vhd_footer(std::span<const u8> footer);

}  // namespace relic86
