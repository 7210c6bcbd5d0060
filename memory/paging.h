// The page walker (SDM 3A chapter 4): 32-bit paging with 4 KiB and 4 MiB pages (PSE, PSE-36), PAE with 4 KiB and 2 MiB
// pages, 4-level and 5-level paging with 4 KiB, 2 MiB and 1 GiB pages. It takes a PagingMode value and knows nothing of
// the processor.
#pragma once

#include <array>

#include "base/types.h"
#include "memory/physical_bus.h"

namespace relic86 {

// MAXPHYADDR of processors without long mode: physical address bits that page tables may use; higher ones are reserved.
inline constexpr unsigned kPhysicalBits = 36;

struct PagingMode {
  bool enabled = false;              // CR0.PG
  bool write_protect = false;        // CR0.WP
  bool page_size = false;            // CR4.PSE
  bool pae = false;                  // CR4.PAE
  bool global_pages = false;         // CR4.PGE
  bool no_execute = false;           // EFER.NXE
  bool smep = false;                 // CR4.SMEP
  bool smap = false;                 // CR4.SMAP
  bool long_mode = false;            // EFER.LMA: 4-level paging, or 5-level
  bool five_levels = false;          // CR4.LA57
  bool giant_pages = false;          // 1 GiB pages: CPUID 80000001h, EDX bit 26
  u8 physical_bits = kPhysicalBits;  // MAXPHYADDR
  friend bool operator==(const PagingMode&, const PagingMode&) = default;
};

enum class Access : u8 { Read, Write, Execute };

// Page-fault error code bits (SDM 3A 4.7).
enum PageFaultBits : u32 { kFaultPresent = 1, kFaultWrite = 2, kFaultUser = 4, kFaultReserved = 8, kFaultFetch = 16 };

struct PageFault {
  LinAddr address{};
  u32 error_code = 0;
};

struct WalkRequest {
  LinAddr address{};
  Access access = Access::Read;
  bool user = false;
  bool smap_override = false;  // EFLAGS.AC set and the access is explicit: SMAP does not apply
};

struct WalkResult {
  bool ok = false;
  u32 error_code = 0;     // when !ok
  PhysAddr physical{};    // of the 4 KiB page's first byte
  bool writable = false;  // by the rights of every level; WP is not considered
  bool user = false;
  bool no_execute = false;
  bool dirty = false;  // D as it stands after the walk
  bool global = false;
  bool large = false;  // a 2 MiB, 4 MiB or 1 GiB page
  bool giant = false;  // a 1 GiB page
};

struct PageTables {
  u64 cr3 = 0;
  std::array<u64, 4> pdptes{};  // PAE: loaded with CR3 (SDM 3A 4.4.1)
};

// Walks. set_bits: sets A on every level used, and D for a write, if and only if the access is allowed.
WalkResult walk_pages(PhysicalBus& bus, const PagingMode& mode, const PageTables& tables, const WalkRequest& request,
                      bool set_bits);

// Reads the four PDPTEs that CR3 points to. False: a present one has reserved bits set (#GP(0) for MOV CR); nothing is
// stored then.
bool load_pdptes(PhysicalBus& bus, u64 cr3, unsigned physical_bits, std::array<u64, 4>& pdptes);

}  // namespace relic86
