// The architectural state of one processor, laid out for 64-bit guests, XMM and direct use by translated code.
// What the translator knows of the layout is asserted at the end of this file.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>

#include "base/types.h"
#include "cpu/canonical.h"
#include "cpu/lazy_flags.h"
#include "memory/tlb.h"

namespace relic86 {

// General registers by their encoding. The slot behind the sixteen is always zero: "no base" and "no index" of an
// address.
enum Gpr : u8 { kEax, kEcx, kEdx, kEbx, kEsp, kEbp, kEsi, kEdi, kNoRegister = 16, kGprSlots = 17, kRipRegister = 17 };

// Segment registers by their encoding, then the system segments.
enum SegmentName : u8 {
  kEs,
  kCs,
  kSs,
  kDs,
  kFs,
  kGs,
  kSegmentRegisters,
  kLdtr = kSegmentRegisters,
  kTr,
  kSegmentCount
};

// What an access through a segment needs to be checked for: bits of Segment::kind.
enum SegmentKind : u8 {
  kSegmentReads = 1u << 0,
  kSegmentWrites = 1u << 1,
  // Expand-up, from a base that is a multiple of 4, so that aligned accesses cannot reach over the limit where it is
  // FFFFh (16-bit offsets: at least FFFFh) or FFFFFFFFh.
  kSegmentReaches64K = 1u << 2,
  kSegmentReaches4G = 1u << 3,
  kSegmentFlat = 1u << 4,  // reads and writes all of 4 GiB from 0 on
  // Expand-down, writable, from a base that is a multiple of 4: offsets from Segment::end to FFFFh or FFFFFFFFh.
  kSegmentExpandsDown = 1u << 5,
  kSegmentTop4G = 1u << 6,
};

// Hidden part of a segment register (SDM 3A 3.4.3).
struct Segment {
  u64 base = 0;
  u32 limit = 0;       // last valid byte, scaled by granularity
  u16 attributes = 0;  // descriptor bits 40-55 with the limit's bits cleared: type 3:0, S 4, DPL 6:5, P 7, AVL 12, L
                       // 13, D/B 14, G 15
  Selector selector{};
  // Derived by derive_limits() (cpu/segmentation.h): one past the last offset of a plain in-limit access, 0 when every
  // access must take the slow path (null, expand-down, wrong type). A flat 4 GiB segment has 2^32 and base 0.
  u64 read_end = 0;
  u64 write_end = 0;
  // For translated code, which does not take the ends above for alignment checks and data breakpoints: limit + 1, and
  // SegmentKind bits, 0 when every access must take the slow path. A register that holds no segment has the kind of
  // one with a limit, and an end that no access lies below: code that runs with GS null and with GS in use is
  // translated once.
  u64 end = 0;
  u64 kind = kSegmentReads | kSegmentWrites;

  unsigned type() const { return attributes & 15u; }
  bool is_code_or_data() const { return (attributes & 0x10) != 0; }
  bool is_code() const { return (attributes & 0x18) == 0x18; }
  unsigned dpl() const { return (attributes >> 5) & 3u; }
  bool present() const { return (attributes & 0x80) != 0; }
  bool usable() const { return present() && is_code_or_data(); }  // for accesses through it
  bool big() const { return (attributes & 0x4000) != 0; }         // D/B
  bool long_code() const { return (attributes & 0x2000) != 0; }   // L: of code in long mode
  bool flat() const { return base == 0 && read_end == u64{1} << 32 && write_end == u64{1} << 32; }
};

struct DescriptorTable {
  u64 base = 0;
  u32 limit = 0;
};

// x87, MMX and SSE state in the layout of FXSAVE (SDM 1 10.5.1), so that host instructions can use it in place.
struct alignas(16) FxState {
  u16 control = 0x37F;
  u16 status = 0;
  u8 tags = 0;  // abridged: bit n set = physical register Rn not empty
  u8 reserved = 0;
  u16 opcode = 0;       // FOP
  u32 instruction = 0;  // FIP
  u16 instruction_selector = 0;
  u16 instruction_high = 0;  // FIP bits 47:32 after 64-bit code; FXSAVE without REX.W stores zeros here
  u32 data = 0;              // FDP
  u16 data_selector = 0;
  u16 data_high = 0;
  u32 mxcsr = 0x1F80;
  u32 mxcsr_mask = 0xFFFF;
  struct alignas(16) Slot {
    u8 bytes[16];
  };
  Slot st[8] = {};    // stack order: st[0] is ST(0); 10 bytes used; MMn is st[(n - TOP) & 7]
  Slot xmm[16] = {};  // XMM8-15 for 64-bit guests
  u8 reserved4[96] = {};

  unsigned top() const { return (status >> 11) & 7u; }
};
static_assert(sizeof(FxState) == 512 && offsetof(FxState, st) == 32 && offsetof(FxState, xmm) == 160);

// Mode facts derived from control registers and segments; recomputed by Cpu::update_mode() whenever one of those
// changes.
struct CpuMode {
  bool protected_mode = false;  // CR0.PE
  bool v86 = false;             // EFLAGS.VM
  bool code32 = false;          // CS.D
  bool stack32 = false;         // SS.B
  bool paging = false;          // CR0.PG
  bool long_mode = false;       // EFER.LMA
  bool code64 = false;          // EFER.LMA and CS.L: 64-bit mode
  u8 cpl = 0;                   // 3 in V86, 0 in real mode
  bool real_or_v86() const { return !protected_mode || v86; }
};

// Why the engine must look up between two instructions. Kept beside the budget: setting one also cuts the budget short.
enum PendingBits : u32 {
  kPendingIntr = 1u << 0,  // the interrupt controller asserts INTR
  kPendingNmi = 1u << 1,
  kPendingSmi = 1u << 2,
  kPendingInit = 1u << 3,
  kPendingReset = 1u << 4,
  kPendingStop = 1u << 5,         // the machine wants the engine to return (exit, power-off, pause)
  kPendingSingleStep = 1u << 6,   // TF trap after the present instruction
  kPendingDataBreak = 1u << 7,    // DR0-3 data or I/O breakpoint matched in the present instruction
  kPendingBreakpoints = 1u << 8,  // DR0-3 or DR7 changed: the engine looks where instruction breakpoints stand
  kPendingSecondNmi = 1u << 9,    // besides kPendingNmi (cpu/nmi_latch.h)
};

// Interruptibility (SDM 3A 6.8.3): set by STI, MOV SS, POP SS for the one instruction that follows.
enum ShadowBits : u8 { kShadowSti = 1, kShadowMovSs = 2 };

struct alignas(64) CpuState {
  std::array<u64, kGprSlots> gpr{};  // 32-bit guests use the low halves; upper halves are zero
  u64 rip = 0;  // offset in CS of the instruction being executed; it moves on when the instruction completes
  LazyFlags flags{};
  u32 system_flags = 0;  // EFLAGS without the six arithmetic flags and bit 1: TF IF DF IOPL NT RF VM AC VIF VIP ID
  u32 pending = 0;       // PendingBits
  u32 debug_status = 0;  // DR6 bits of data breakpoints hit since the last #DB (kPendingDataBreak)
  u8 shadow = 0;         // ShadowBits in force for the next instruction
  bool halted = false;
  bool monitor_armed = false;  // MONITOR was executed and nothing that wakes MWAIT has come since
  bool shutdown = false;       // triple fault: only RESET, INIT (and NMI) leave it
  CpuMode mode{};

  // Instructions left in the running slice, and how long the slice was: instruction_count = retired + slice -
  // remaining.
  i64 remaining = 0;
  i64 slice = 0;
  u64 retired = 0;

  std::array<Segment, kSegmentCount> segment{};
  DescriptorTable gdtr{};
  DescriptorTable idtr{};

  u64 cr0 = 0, cr2 = 0, cr3 = 0, cr4 = 0;
  std::array<u64, 8> dr{};

  FxState fx{};

  // Model-specific registers that have an effect (cpu/msr.cpp).
  u64 efer = 0;
  u64 sysenter_cs = 0, sysenter_esp = 0, sysenter_eip = 0;
  u64 tsc_offset = 0;  // TSC = guest time in TSC ticks + offset
  u64 pat = 0x0007040600070406;
  u64 mtrr_def_type = 0;
  std::array<u64, 16> mtrr_variable{};  // base, mask pairs
  std::array<u64, 11> mtrr_fixed{};
  u64 misc_enable = 0;
  u64 mcg_status = 0;
  u64 tsc_adjust = 0;  // what the guest added to the TSC
  u64 tsc_aux = 0;
  std::array<u64, 4> mc_control{}, mc_address{}, mc_misc{};        // by machine-check bank
  std::array<u64, 4> performance_select{}, performance_counter{};  // they count nothing
  u32 smbase = 0x30000;
  bool in_smm = false;
  bool nmi_blocked = false;
  bool nmi_blocked_before_smm = false;            // RSM goes back to it
  u64 star = 0, lstar = 0, cstar = 0, fmask = 0;  // SYSCALL and SYSRET
  u64 kernel_gs_base = 0;                         // SWAPGS
  // Between two parts of a repeated CMPS or SCAS: the arithmetic flags from before its first iteration, and
  // kRepeatRuns. Whatever comes between the parts (an interrupt, a trap, SMI) clears it.
  u32 repeat_flags = 0;
  static constexpr u32 kRepeatRuns = 1u << 31;

  // XSAVE and AVX: the states that are enabled (SDM 1 13.3), and bits 255:128 of YMM0 to YMM15.
  u64 xcr0 = 1;
  std::array<FxState::Slot, 16> ymm_high{};

  LinearWidth linear{};  // derived by Cpu::update_mode(), as mode is

  u32 gpr32(unsigned index) const { return static_cast<u32>(gpr[index]); }
  void set_gpr32(unsigned index, u32 value) { gpr[index] = value; }
  u32 eip() const { return static_cast<u32>(rip); }
};

// A register that an address is made of: general, RIP, or none.
static_assert(offsetof(CpuState, rip) == offsetof(CpuState, gpr) + kRipRegister * sizeof(u64));
inline u64 address_register(const CpuState& state, unsigned index) {
  u64 value = 0;
  std::memcpy(&value, reinterpret_cast<const u8*>(&state) + offsetof(CpuState, gpr) + index * sizeof value,
              sizeof value);
  return value;
}

// State and TLB tables stand in one lazily committed host mapping: translated code reaches both from one base register.
struct VcpuMemory {
  static constexpr std::size_t kLookupBytes = std::size_t{512} << 10;
  CpuState state;
  alignas(64) u8 engine[1024];            // the translator's own (jit/runtime/engine_area.h); zero-filled
  alignas(4096) u8 lookup[kLookupBytes];  // so is this (jit/runtime/lookup_table.h)
  alignas(4096) TlbTables tlb;
};

}  // namespace relic86
