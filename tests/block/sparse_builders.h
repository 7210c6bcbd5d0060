// Makes empty VDI, VHD, VMDK and VHDX images in memory, each from its format's description.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "base/byte_order.h"
#include "block/crc32c.h"

namespace relic86::test {

inline void put_text(std::vector<u8>& bytes, std::size_t at, const std::string& text) {
  std::copy(text.begin(), text.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
}

inline std::vector<u8> empty_vdi(u64 size, u32 block_size = 4096) {
  const u64 blocks = (size + block_size - 1) / block_size;
  const u64 data = 512 + (blocks * 4 + 511) / 512 * 512;
  std::vector<u8> bytes(static_cast<std::size_t>(data));
  put_text(bytes, 0, "<<< a test's VDI >>>\n");
  store_le<u32>(bytes, 0x40, 0xBEDA107F);
  store_le<u32>(bytes, 0x44, 0x00010001);
  store_le<u32>(bytes, 0x48, 0x190);
  store_le<u32>(bytes, 0x4C, 1);
  store_le<u32>(bytes, 0x154, 512);
  store_le<u32>(bytes, 0x158, static_cast<u32>(data));
  store_le<u32>(bytes, 0x168, 512);
  store_le<u64>(bytes, 0x170, size);
  store_le<u32>(bytes, 0x178, block_size);
  store_le<u32>(bytes, 0x180, static_cast<u32>(blocks));
  std::fill_n(bytes.begin() + 512, blocks * 4, u8{0xFF});
  return bytes;
}

inline u32 vhd_checksum(const std::vector<u8>& bytes, std::size_t from, std::size_t count) {
  u32 sum = 0;
  for (std::size_t i = from; i < from + count; i++) sum += bytes[i];
  return ~sum;
}
// type: 3 dynamic, 4 differencing, whose parent is the file "below.vhd" in the same folder.
inline std::vector<u8> empty_vhd(u64 size, u32 type = 3, u32 block_size = 4096) {
  const u32 blocks = static_cast<u32>((size + block_size - 1) / block_size);
  const std::size_t table = 512 + 1024 + 512, footer = table + (blocks * 4 + 511) / 512 * 512;
  std::vector<u8> bytes(footer + 512);
  put_text(bytes, 0, "conectix");
  store_be<u32>(bytes, 8, 2);
  store_be<u32>(bytes, 12, 0x00010000);
  store_be<u64>(bytes, 16, 512);
  put_text(bytes, 28, "win ");
  store_be<u64>(bytes, 40, size);
  store_be<u64>(bytes, 48, size);
  store_be<u32>(bytes, 60, type);
  store_be<u32>(bytes, 64, vhd_checksum(bytes, 0, 512));
  std::copy_n(bytes.begin(), 512, bytes.begin() + static_cast<std::ptrdiff_t>(footer));
  put_text(bytes, 512, "cxsparse");
  store_be<u64>(bytes, 512 + 8, ~u64{0});
  store_be<u64>(bytes, 512 + 16, table);
  store_be<u32>(bytes, 512 + 24, 0x00010000);
  store_be<u32>(bytes, 512 + 28, blocks);
  store_be<u32>(bytes, 512 + 32, block_size);
  if (type == 4) {
    const std::string name = "below.vhd";
    put_text(bytes, 512 + 576, "W2ru");
    store_be<u32>(bytes, 512 + 576 + 4, 512);
    store_be<u32>(bytes, 512 + 576 + 8, static_cast<u32>(name.size() * 2));
    store_be<u64>(bytes, 512 + 576 + 16, 512 + 1024);
    for (std::size_t i = 0; i < name.size(); i++) bytes[512 + 1024 + i * 2] = static_cast<u8>(name[i]);
  }
  store_be<u32>(bytes, 512 + 36, vhd_checksum(bytes, 512, 1024));
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(table), blocks * 4, u8{0xFF});
  return bytes;
}

// Grains of 8 sectors, tables of 16 entries; directories without tables.
inline std::vector<u8> empty_vmdk(u64 size, const std::string& more_text = "") {
  constexpr u64 kGrain = 8, kEntries = 16;
  const u64 tables = (size / 512 + kGrain * kEntries - 1) / (kGrain * kEntries);
  const u64 directory = (tables * 4 + 511) / 512;
  std::vector<u8> bytes(static_cast<std::size_t>((4 + 2 * directory) * 512));
  put_text(bytes, 0, "KDMV");
  store_le<u32>(bytes, 4, 1);
  store_le<u32>(bytes, 8, 3);
  store_le<u64>(bytes, 12, size / 512);
  store_le<u64>(bytes, 20, kGrain);
  store_le<u64>(bytes, 28, 1);
  store_le<u64>(bytes, 36, 3);
  store_le<u32>(bytes, 44, kEntries);
  store_le<u64>(bytes, 48, 4);
  store_le<u64>(bytes, 56, 4 + directory);
  store_le<u64>(bytes, 64, 4 + 2 * directory);
  put_text(bytes, 512,
           "# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\n"
           "createType=\"monolithicSparse\"\n" +
               more_text + "RW " + std::to_string(size / 512) + " SPARSE \"disk.vmdk\"\n");
  return bytes;
}

inline void put_vhdx_checksum(std::vector<u8>& bytes, std::size_t at, std::size_t length) {
  store_le<u32>(bytes, at + 4, 0);
  store_le<u32>(bytes, at + 4, crc32c(std::span(bytes).subspan(at, length)));
}
inline void put_guid(std::vector<u8>& bytes, std::size_t at, const std::string& digits) {
  constexpr std::size_t kOrder[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
  for (std::size_t i = 0; i < 16; i++)
    bytes[at + kOrder[i]] = static_cast<u8>(std::stoul(digits.substr(i * 2, 2), nullptr, 16));
}
// Log at 1 MiB, table of blocks at 2 MiB, metadata at 3 MiB.
inline std::vector<u8> empty_vhdx(u64 size, u32 block_size = 1 << 20) {
  constexpr std::size_t kMegabyte = 1 << 20;
  std::vector<u8> bytes(4 * kMegabyte);
  put_text(bytes, 0, "vhdxfile");
  for (std::size_t i = 0; i < 2; i++) {
    const std::size_t at = (i + 1) << 16;
    put_text(bytes, at, "head");
    store_le<u64>(bytes, at + 8, 5 + i);
    store_le<u16>(bytes, at + 66, 1);
    store_le<u32>(bytes, at + 68, kMegabyte);
    store_le<u64>(bytes, at + 72, kMegabyte);
    put_vhdx_checksum(bytes, at, 4096);
    const std::size_t regions = (i + 3) << 16;
    put_text(bytes, regions, "regi");
    store_le<u32>(bytes, regions + 8, 2);
    put_guid(bytes, regions + 16, "2DC27766F62342009D64115E9BFD4A08");
    store_le<u64>(bytes, regions + 32, 2 * kMegabyte);
    store_le<u32>(bytes, regions + 40, kMegabyte);
    store_le<u32>(bytes, regions + 44, 1);
    put_guid(bytes, regions + 48, "8B7CA20647904B9AB8FE575F050F886E");
    store_le<u64>(bytes, regions + 64, 3 * kMegabyte);
    store_le<u32>(bytes, regions + 72, kMegabyte);
    store_le<u32>(bytes, regions + 76, 1);
    put_vhdx_checksum(bytes, regions, 65536);
  }
  const std::size_t metadata = 3 * kMegabyte;
  put_text(bytes, metadata, "metadata");
  store_le<u16>(bytes, metadata + 10, 3);
  const auto item = [&](std::size_t row, const std::string& guid, u32 offset, u32 length) {
    put_guid(bytes, metadata + 32 + row * 32, guid);
    store_le<u32>(bytes, metadata + 32 + row * 32 + 16, offset);
    store_le<u32>(bytes, metadata + 32 + row * 32 + 20, length);
    store_le<u32>(bytes, metadata + 32 + row * 32 + 24, 4);
  };
  item(0, "CAA16737FA364D43B3B633F0AA44E76B", 65536, 8);
  item(1, "2FA54224CD1B4876B2115DBED83BF4B8", 65544, 8);
  item(2, "8141BF1DA96F4709BA47F233A8FAAB5F", 65552, 4);
  store_le<u32>(bytes, metadata + 65536, block_size);
  store_le<u64>(bytes, metadata + 65544, size);
  store_le<u32>(bytes, metadata + 65552, 512);
  return bytes;
}

}  // namespace relic86::test
