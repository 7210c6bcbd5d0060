// What processors of one instruction set do differently: where the manuals leave it open, or say it of one vendor only.
// The rows stand in cpu/vendor_behaviour.cpp; a processor model has one of them by its vendor, family and model.
//
// Sources. Manuals: SDM (Intel), APM (AMD). Captures: the native oracle (tests/native) on GenuineIntel family 6 model
// 207 stepping 2, AuthenticAMD family 25 model 1 stepping 1, and AuthenticAMD family 26 model 2 stepping 1; "captures"
// without more means all three.
#pragma once

#include "base/types.h"

namespace relic86 {

struct CpuModel;  // cpu/cpuid.h

// In what order CMPS accesses its operands shows when both of them fault.
enum class CompareOrder : u8 { SourceFirst, DestinationFirst };
// What SHLD and SHRD of 16 bits shift in when the count is above 16 (undefined: SDM 2, APM 3). Destination: the
// operands form a ring, DEST:SRC:DEST, and CF is the last bit that left it. Source: the source follows itself, CF is 0.
enum class DoubleShiftFill : u8 { Destination, Source };

struct VendorBehaviour {
  // An access that reaches over offset FFFFFFFFh of a segment with that limit goes on at offset 0; false: #GP or #SS.
  // SDM 3A 5.3 leaves it to the part, SDM 3B 22.33.1 tells the P6 family from the Pentium 4; captures.
  bool wraps_at_4g;
  // PUSH of a segment register with a 32-bit operand size stores 2 bytes and leaves the upper two of the stack's slot
  // alone; false: stores them as 0. POP reads 2 bytes, or 4, and RETF does of CS. SDM 3B 22.31.1, SDM 2 PUSH; captures.
  bool selectors_take_2_bytes;
  CompareOrder compare_order;  // captures
  // A fault within REPE or REPNE CMPS or SCAS leaves the arithmetic flags as they were before the instruction began;
  // false: those of the last comparison. SDM 2, REP; captures.
  bool repeat_fault_restores_flags;
  // RETF and IRET read an outer frame's SS:ESP before they look at CS. The manuals' pseudo-code looks at CS first;
  // captures.
  bool reads_outer_frame_first;
  // A near CALL through a register or memory stores the return address before its target meets CS's limit; captures.
  bool indirect_call_stores_first;
  // BOUND of an index below the lower bound does not read the upper one. GenuineIntel 6/207.
  bool bound_stops_at_lower;
  DoubleShiftFill double_shift_fill;  // captures
  // x87 stores that an unmasked exception keeps from storing do not access memory; false: it must be writable.
  // Captures.
  bool unmasked_store_skips_memory;
  // FBSTP, and FSTP to 10 bytes of an empty register or where the last 2 lie in different pages, store 8 of them before
  // they access these; false: all or none.
  // Captures.
  bool long_stores_in_parts;
  // An MMX store that faults has set TOP to 0 already; captures.
  bool faulting_mmx_store_clears_top;
  // MASKMOVDQU accesses the upper 8 bytes first; captures.
  bool masked_store_from_above;
  // #AC for MOVUPS, MOVUPD, MOVDQU and LDDQU. SDM 3A 6.15 (interrupt 17) leaves it to the part; captures.
  bool checks_alignment_of_16_bytes;
  // The 16 bytes that an SHA instruction reads must be aligned, as those of other SSE instructions. SDM 2 (SHA1MSG1,
  // exceptions type 4); AuthenticAMD 25/1 takes any.
  bool checks_alignment_of_sha;
  // In 64-bit mode 66 makes the operand size of near branches 16; false: it is ignored there. SDM 2 (near branches),
  // APM 3 (1.2.3); captures.
  bool narrows_near_branches;
  // F3 REX.B 90 is PAUSE in 64-bit mode; false: XCHG R8,RAX. SDM 2 and APM 3 do not say; GenuineIntel 6/207, and AMD's
  // parts for the other.
  bool pause_ignores_rex_b;
  // A repeated string instruction of 64-bit code with 32-bit addresses clears the upper half of RCX before anything
  // else, even if it then repeats no time or faults, and MOVS and STOS those of their index registers; false: each
  // iteration does. SDM 2 (REP) does not say; GenuineIntel 6/207.
  bool repeat_truncates_first;
  // A gather that faults has extended the sign of each element of its mask over the element (SDM 2, VPGATHERDD), and has
  // cleared what is above a vector of 16 bytes, of the destination if it has loaded an element; false: what it did not
  // come to is as it was. GenuineIntel 6/207; AuthenticAMD 25/1.
  bool gather_extends_mask;
  // Of what a masked store stores the first and the last byte are held against the segment's limit and, in pages of their
  // own, looked up first, which shows in CR2; false: element by element. GenuineIntel 6/207; AuthenticAMD 25/1.
  bool masked_store_checks_its_ends;
  // With 16-bit addresses each element of a masked move wraps at 64 KiB; false: none does. AuthenticAMD 25/1;
  // GenuineIntel 6/207.
  bool masked_elements_wrap;
  // #AC for VCVTPH2PS and VCVTPS2PH. SDM 3A 6.15 leaves it to the part; GenuineIntel 6/207, AuthenticAMD 25/1.
  bool checks_alignment_of_half_floats;
  // VCVTPS2PH raises its exceptions before it accesses memory; false: it must be writable. GenuineIntel 6/207,
  // AuthenticAMD 25/1.
  bool converts_before_storing;
  // VPEXTRD and VPINSRD ignore VEX.W outside 64-bit mode; false: #UD if it is set. SDM 2; AuthenticAMD 25/1.
  bool extract_ignores_w;
  // #AC comes before the fault of an access that begins at a canonical address and ends at none; false: after it.
  // GenuineIntel 6/207; not known of AMD's parts.
  bool checks_alignment_before_end;
  // In 64-bit mode an offset in FS or GS must be canonical before the base is added, and the sum must be; false: the
  // sum alone. AuthenticAMD 25/1; other parts are not known.
  bool checks_canonical_offsets;
  // With REX.W the operands of LFS, LGS, LSS and of indirect far JMP and CALL hold an offset of 64 bits; false: of 32.
  // SDM 2 (LDS, CALL), APM 3 (LFS, CALL far).
  bool far_pointers_of_64_bits;
  // SYSCALL and SYSRET exist in compatibility and legacy mode. APM 3; SDM 2 knows them in 64-bit mode alone.
  bool syscall_outside_64_bit_mode;
  // SYSRET to a target that is not canonical faults itself; false: the fetch there does. SDM 2, APM 3, SYSRET.
  bool sysret_checks_target;
  // SYSENTER and SYSEXIT exist in long mode. SDM 2; APM 3, SYSENTER.
  bool sysenter_in_long_mode;
  // MOVSXD with an operand size of 16 bits reads 4 bytes; false: 2. SDM 2 and APM 3 say 2; AuthenticAMD 25/1 reads 4.
  bool movsxd_reads_4_bytes;
  // MOV SS and POP SS hide a breakpoint on the next instruction. SDM 3A 6.8.3; on AMD's parts it is met, as
  // kvm-unit-tests (x86/emulator.c) expect of them.
  bool loading_ss_hides_code_breakpoints;
};

const VendorBehaviour& vendor_behaviour(const CpuModel& model);

}  // namespace relic86
