#include "machine/mapped_pages.h"

#include "cpu/canonical.h"
#include "cpu/control_bits.h"

namespace relic86 {
namespace {

using Visitor = std::function<void(const Mapping&)>;

class Tables {
 public:
  Tables(PhysicalBus& bus, const Visitor& visit) : bus_(bus), visit_(visit) {}

  void walk(const CpuState& state) {
    if ((state.cr4 & kCr4Pae) == 0) return directory32(state.cr3 & ~u64{kPageSize - 1}, (state.cr4 & kCr4Pse) != 0);
    if (state.mode.long_mode) {
      const bool five = (state.cr4 & kCr4La57) != 0;
      linear_bits_ = five ? kWideLinearBits : kLinearBits;
      return table(five ? 5 : 4, 0, address(state.cr3), kPageRights);
    }
    for (u64 i = 0; i < 4; i++) {
      const u64 pointer = read<u64>((state.cr3 & ~u64{31}) + i * 8);
      if ((pointer & kPagePresent) != 0) table(2, i << 30, address(pointer), kPageRights);
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

  // Linear addresses of long mode are canonical.
  u64 canonical(u64 linear) const {
    const unsigned beyond = 64 - linear_bits_;
    return static_cast<u64>(static_cast<i64>(linear << beyond) >> beyond);
  }

  // A table of entries of eight bytes. Level 1 has pages; rights: of the levels above.
  void table(unsigned level, u64 linear, u64 base, u64 rights) {
    constexpr unsigned kIndexBits = 9, kLargestPage = 3;
    const unsigned shift = kPageShift + kIndexBits * (level - 1);
    const u64 size = u64{1} << shift;
    for (u64 i = 0; i < u64{1} << kIndexBits; i++) {
      const u64 entry = read<u64>(base + i * 8);
      if ((entry & kPagePresent) == 0) continue;
      const u64 at = canonical(linear | i << shift);
      if (level == 1)
        visit_({at, size, address(entry), entry & ~u64{kPageLarge}, entry & rights});
      else if (level <= kLargestPage && (entry & kPageLarge) != 0)
        visit_({at, size, address(entry) & ~(size - 1), entry, entry & rights});
      else
        table(level - 1, at, address(entry), entry & rights);
    }
  }

  unsigned linear_bits_ = kLinearBits;
  PhysicalBus& bus_;
  const Visitor& visit_;
};

}  // namespace

bool paging(const CpuState& state) { return (state.cr0 >> 31 & 1) != 0; }

void for_each_mapping(PhysicalBus& bus, const CpuState& state, const std::function<void(const Mapping&)>& visit) {
  if (paging(state)) Tables(bus, visit).walk(state);
}

}  // namespace relic86
