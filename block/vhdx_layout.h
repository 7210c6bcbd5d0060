// Where things lie in a VHDX file ([MS-VHDX] 2.2 to 2.6): headers, regions, metadata. Numbers in a file are
// little-endian.
#pragma once

#include <array>

#include "block/image_file.h"

namespace relic86 {

using VhdxGuid = std::array<u8, 16>;

struct VhdxHeader {
  static constexpr u64 kSize = 4096;
  std::array<u8, kSize> bytes{};  // as it stands in the file
  bool second = false;            // which of the two
  u64 sequence = 0;
  VhdxGuid log_guid{};  // zeros: the log is empty
  u32 log_length = 0;
  u64 log_offset = 0;
};

struct VhdxLayout {
  u64 table_offset = 0, table_size = 0;  // the block allocation table, in bytes
  u64 disk_size = 0;
  u32 block_size = 0, sector_size = 0;
  // Entries of the table between two that are for sector bitmaps.
  u64 chunk_blocks() const { return (u64{1} << 23) * sector_size / block_size; }
};

// The current one of the two headers.
Result<VhdxHeader> read_vhdx_header(ImageFile& file);
// In place of the other header, which it makes the current one. The file is flushed.
Result<> write_vhdx_header(ImageFile& file, VhdxHeader& header);
// After the log was replayed.
Result<VhdxLayout> read_vhdx_layout(ImageFile& file);

}  // namespace relic86
