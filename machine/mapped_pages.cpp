#include "machine/mapped_pages.h"

#include "cpu/control_bits.h"

namespace relic86 {
namespace {

using Visitor = std::function<void(const Mapping&)>;

class Tables {
 public:
  Tables(PhysicalBus& bus, const Visitor& visit) : bus_(bus), visit_(visit) {}

  void walk(const CpuState& state) {
    if ((state.cr4 & kCr4Pae) == 0) return directory32(state.cr3 & ~u64{kPageSize - 1}, (state.cr4 & kCr4Pse) != 0);
    if (state.mode.long_mode) return level4(address(state.cr3));
    for (u64 i = 0; i < 4; i++) {
      const u64 pointer = read<u64>((state.cr3 & ~u64{31}) + i * 8);
      if ((pointer & kPagePresent) != 0) directory_pae(i << 30, address(pointer), kPageRights);
    }
  }

 private:
  template <class T>
  T read(u64 at) {
    T value{};
    bus_.read_block(PhysAddr(at), {reinterpret_cast<u8*>(&value), sizeof value});
    return value;
  }
  static u64 address(u64 entry) { return entry & 0x000F'FFFF'FFFF'F000; }

  void directory32(u64 base, bool large_pages) {
    for (u64 i = 0; i < 1024; i++) {
      const u64 entry = read<u32>(base + i * 4);
      if ((entry & kPagePresent) == 0) continue;
      if (large_pages && (entry & kPageLarge) != 0) {
        // Bits 20:13 are address bits 39:32 (PSE-36).
        visit_({i << 22, 4u << 20, (entry & 0xFFC00000u) | (entry >> 13 & 0xFF) << 32, entry, entry & kPageRights});
        continue;
      }
      for (u64 k = 0; k < 1024; k++) {
        const u64 page = read<u32>((entry & 0xFFFFF000u) + k * 4);
        if ((page & kPagePresent) == 0) continue;
        visit_({i << 22 | k << 12, kPageSize, page & 0xFFFFF000u, page & ~u64{kPageLarge}, page & entry & kPageRights});
      }
    }
  }

  // Long mode: 512 entries of 512 GiB, each with 512 of 1 GiB. Linear addresses are canonical.
  void level4(u64 base) {
    constexpr u64 kUpperHalf = 256;
    for (u64 i = 0; i < 512; i++) {
      const u64 entry = read<u64>(base + i * 8);
      const u64 sign = i < kUpperHalf ? 0 : ~u64{0} << 48;
      if ((entry & kPagePresent) != 0) level3(sign | i << 39, address(entry), entry & kPageRights);
    }
  }

  void level3(u64 linear, u64 base, u64 rights) {
    constexpr u64 kSize = u64{1} << 30;
    for (u64 i = 0; i < 512; i++) {
      const u64 entry = read<u64>(base + i * 8);
      if ((entry & kPagePresent) == 0) continue;
      if ((entry & kPageLarge) != 0)
        visit_({linear | i << 30, kSize, address(entry) & ~(kSize - 1), entry, entry & rights});
      else
        directory_pae(linear | i << 30, address(entry), entry & rights);
    }
  }

  // rights: of the levels above.
  void directory_pae(u64 linear, u64 base, u64 rights) {
    for (u64 i = 0; i < 512; i++) {
      const u64 entry = read<u64>(base + i * 8);
      if ((entry & kPagePresent) == 0) continue;
      if ((entry & kPageLarge) != 0) {
        visit_({linear | i << 21, 2u << 20, address(entry) & ~u64{0x1FFFFF}, entry, entry & rights});
        continue;
      }
      for (u64 k = 0; k < 512; k++) {
        const u64 page = read<u64>(address(entry) + k * 8);
        if ((page & kPagePresent) == 0) continue;
        visit_({linear | i << 21 | k << 12, kPageSize, address(page), page & ~u64{kPageLarge}, page & entry & rights});
      }
    }
  }

  PhysicalBus& bus_;
  const Visitor& visit_;
};

}  // namespace

bool paging(const CpuState& state) { return (state.cr0 >> 31 & 1) != 0; }

void for_each_mapping(PhysicalBus& bus, const CpuState& state, const std::function<void(const Mapping&)>& visit) {
  if (paging(state)) Tables(bus, visit).walk(state);
}

}  // namespace relic86
