// Far transfers and interrupts while EFER.LMA is set, in 64-bit and in compatibility mode (SDM 3A 5.8, 6.14; SDM 2; APM
// 2 8.9). What the functions of cpu/far_transfer.cpp and cpu/interrupt_delivery.cpp hand on to.
#pragma once

#include "cpu/direct_transfers.h"
#include "cpu/segmentation.h"

namespace relic86 {

Flow jump_long(Cpu& cpu, Selector selector, u64 offset, const Insn& insn);
Flow call_long(Cpu& cpu, Selector selector, u64 offset, const Insn& insn);
Flow return_long(Cpu& cpu, const Insn& insn, u32 release);
Flow iret_long(Cpu& cpu, const Insn& insn);
// An exception or interrupt. False: cpu.fault() says why, and nothing has changed.
bool deliver_long(Cpu& cpu, const DeliveredEvent& event);

// The stack pointer that the 64-bit TSS holds at `offset`. False: #TS.
bool read_long_tss_stack(Cpu& cpu, u32 offset, u32 external, u64& pointer);
// Where the TSS holds RSP0 to RSP2, and IST1 to IST7 (SDM 3A figure 7-11).
constexpr u32 tss_stack_offset(unsigned privilege) { return 4 + privilege * 8; }
constexpr u32 tss_interrupt_stack_offset(unsigned number) { return 28 + number * 8; }
// Pushes quadwords on a stack that the processor has just taken, with the rights of `privilege`. False: #SS(external)
// of an address that is not canonical, or a page fault; pointer is as it was then.
bool push_long_frame(Cpu& cpu, u64& pointer, std::span<const u64> values, unsigned privilege, u32 external);
// The 64-bit code segment that a gate names. False: fault, with `external` in its error code.
bool fetch_gate_code(Cpu& cpu, Selector selector, u32 external, Descriptor& code);
// Loads CS in long mode and RIP with it. False: #GP(external) if the offset is not one of the segment.
bool enter_long_code(Cpu& cpu, Selector selector, Descriptor& code, unsigned privilege, u64 offset, u32 external);

}  // namespace relic86
