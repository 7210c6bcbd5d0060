// info mem and info tlb: what the page tables in memory say (SDM 3A 4.3 to 4.5), laid out as QEMU prints it.
#include <fmt/format.h>

#include <cstring>
#include <functional>

#include "control/monitor/monitor_commands.h"
#include "cpu/control_bits.h"

namespace relic86::monitor {
namespace {

enum PageBits : u64 {
  kPresent = 1u << 0,
  kWritable = 1u << 1,
  kUser = 1u << 2,
  kWriteThrough = 1u << 3,
  kCacheDisable = 1u << 4,
  kAccessed = 1u << 5,
  kDirty = 1u << 6,
  kLarge = 1u << 7,
  kGlobal = 1u << 8,
  kNoExecute = u64{1} << 63,
};
constexpr u64 kRights = kPresent | kWritable | kUser;

struct Mapping {
  u64 linear = 0;
  u64 size = 0;      // bytes
  u64 physical = 0;  // of the first byte
  u64 entry = 0;     // the last level's
  u64 rights = 0;    // of all levels together
};
using Visitor = std::function<void(const Mapping&)>;

class Tables {
 public:
  Tables(Machine& machine, Visitor visit) : machine_(machine), visit_(std::move(visit)) {}

  void walk() {
    const CpuState& state = machine_.cpu().state();
    if ((state.cr4 & kCr4Pae) == 0) return directory32(state.cr3 & ~u64{kPageSize - 1}, (state.cr4 & kCr4Pse) != 0);
    if (state.mode.long_mode) return level4(address(state.cr3));
    for (u64 i = 0; i < 4; i++) {
      const u64 pointer = read<u64>((state.cr3 & ~u64{31}) + i * 8);
      if ((pointer & kPresent) != 0) directory_pae(i << 30, address(pointer), kRights);
    }
  }

 private:
  template <class T>
  T read(u64 at) {
    T value{};
    machine_.bus().read_block(PhysAddr(at), {reinterpret_cast<u8*>(&value), sizeof value});
    return value;
  }
  static u64 address(u64 entry) { return entry & 0x000F'FFFF'FFFF'F000; }

  void directory32(u64 base, bool large_pages) {
    for (u64 i = 0; i < 1024; i++) {
      const u64 entry = read<u32>(base + i * 4);
      if ((entry & kPresent) == 0) continue;
      if (large_pages && (entry & kLarge) != 0) {
        // Bits 20:13 are address bits 39:32 (PSE-36).
        visit_({i << 22, 4u << 20, (entry & 0xFFC00000u) | (entry >> 13 & 0xFF) << 32, entry, entry & kRights});
        continue;
      }
      for (u64 k = 0; k < 1024; k++) {
        const u64 page = read<u32>((entry & 0xFFFFF000u) + k * 4);
        if ((page & kPresent) == 0) continue;
        visit_({i << 22 | k << 12, kPageSize, page & 0xFFFFF000u, page & ~u64{kLarge}, page & entry & kRights});
      }
    }
  }

  // Long mode: 512 entries of 512 GiB, each with 512 of 1 GiB. Linear addresses are canonical.
  void level4(u64 base) {
    constexpr u64 kUpperHalf = 256;
    for (u64 i = 0; i < 512; i++) {
      const u64 entry = read<u64>(base + i * 8);
      const u64 sign = i < kUpperHalf ? 0 : ~u64{0} << 48;
      if ((entry & kPresent) != 0) level3(sign | i << 39, address(entry), entry & kRights);
    }
  }

  void level3(u64 linear, u64 base, u64 rights) {
    constexpr u64 kSize = u64{1} << 30;
    for (u64 i = 0; i < 512; i++) {
      const u64 entry = read<u64>(base + i * 8);
      if ((entry & kPresent) == 0) continue;
      if ((entry & kLarge) != 0)
        visit_({linear | i << 30, kSize, address(entry) & ~(kSize - 1), entry, entry & rights});
      else
        directory_pae(linear | i << 30, address(entry), entry & rights);
    }
  }

  // rights: of the levels above.
  void directory_pae(u64 linear, u64 base, u64 rights) {
    for (u64 i = 0; i < 512; i++) {
      const u64 entry = read<u64>(base + i * 8);
      if ((entry & kPresent) == 0) continue;
      if ((entry & kLarge) != 0) {
        visit_({linear | i << 21, 2u << 20, address(entry) & ~u64{0x1FFFFF}, entry, entry & rights});
        continue;
      }
      for (u64 k = 0; k < 512; k++) {
        const u64 page = read<u64>(address(entry) + k * 8);
        if ((page & kPresent) == 0) continue;
        visit_({linear | i << 21 | k << 12, kPageSize, address(page), page & ~u64{kLarge}, page & entry & rights});
      }
    }
  }

  Machine& machine_;
  Visitor visit_;
};

bool paging(Machine& machine) { return (machine.cpu().state().cr0 >> 31 & 1) != 0; }

}  // namespace

// A line for each run of pages with the same rights.
std::string info_mem(Machine& machine) {
  if (!paging(machine)) return "PG disabled\n";
  std::string text;
  u64 start = 0, end = 0, rights = 0;
  const auto close_run = [&] {
    if (rights == 0) return;
    text += fmt::format("{:016x}-{:016x} {:016x} {}r{}\n", start, end, end - start, (rights & kUser) != 0 ? 'u' : '-',
                        (rights & kWritable) != 0 ? 'w' : '-');
  };
  Tables(machine, [&](const Mapping& mapping) {
    if (mapping.linear != end || mapping.rights != rights || end == 0) {
      close_run();
      start = mapping.linear;
      rights = mapping.rights;
    }
    end = mapping.linear + mapping.size;
  }).walk();
  close_run();
  return text;
}

// A line for each page, large or small.
std::string info_tlb(Machine& machine) {
  if (!paging(machine)) return "PG disabled\n";
  std::string text;
  Tables(machine, [&](const Mapping& mapping) {
    struct Letter {
      u64 bit;
      char letter;
    };
    static constexpr Letter kLetters[] = {{kNoExecute, 'X'},    {kGlobal, 'G'},   {kLarge, 'P'},
                                          {kDirty, 'D'},        {kAccessed, 'A'}, {kCacheDisable, 'C'},
                                          {kWriteThrough, 'T'}, {kUser, 'U'},     {kWritable, 'W'}};
    text += fmt::format("{:016x}: {:016x} ", mapping.linear, mapping.physical);
    for (const Letter& row : kLetters) text += (mapping.entry & row.bit) != 0 ? row.letter : '-';
    text += '\n';
  }).walk();
  return text;
}

}  // namespace relic86::monitor
