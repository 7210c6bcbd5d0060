// A processor in protected mode with everything that rings need: descriptors of every kind, a TSS, an LDT, and an IDT
// whose handlers halt, so that a run ends where an exception or interrupt led and the test looks at the frame.
//
//   ProtectedMachine m;
//   m.ring3({0xFA});                      // CLI at CPL 3
//   EXPECT_EQ(m.run_to_handler(), 13);    // the vector whose handler was reached, -1: none
//   EXPECT_EQ(m.frame(0), 0u);            // error code, then EIP, CS, EFLAGS, ESP, SS
#pragma once

#include "tests/cpu/cpu_test_machine.h"

namespace relic86 {

class ProtectedMachine : public CpuTestMachine {
 public:
  // Selectors of the GDT. Slots from kSpare on are a test's own.
  static constexpr u16 kCode0 = 0x08, kData0 = 0x10, kCode3 = 0x1B, kData3 = 0x23, kConforming = 0x28, kCode1 = 0x31,
                       kData1 = 0x39, kCode16 = 0x40, kData16 = 0x48, kTss = 0x50, kLdt = 0x58, kOtherTss = 0x60,
                       kSpare = 0x68, kSpare2 = 0x70, kSpare3 = 0x78;
  static constexpr u32 kTssBase = 0x5000, kOtherTssBase = 0x6000, kLdtBase = 0x4000, kHandlers = 0xE00000;
  static constexpr u32 kStack0 = 0x8000, kStack1 = 0xA000, kStack3 = 0xC000, kCodeAt = 0x1000;

  explicit ProtectedMachine(const char* model = "pentium3") : ProtectedMachine(*find_cpu_model(model)) {}
  explicit ProtectedMachine(const CpuModel& model) : CpuTestMachine(model, present_host_units()) {
    flat32(kCodeAt, kStack0);
    state().gdtr.limit = 0xFF;
    descriptor(kCode0, 0, 0xFFFFF, 0x9B, 0xC);
    descriptor(kData0, 0, 0xFFFFF, 0x93, 0xC);
    descriptor(kCode3, 0, 0xFFFFF, 0xFB, 0xC);
    descriptor(kData3, 0, 0xFFFFF, 0xF3, 0xC);
    descriptor(kConforming, 0, 0xFFFFF, 0x9F, 0xC);
    descriptor(kCode1, 0, 0xFFFFF, 0xBB, 0xC);
    descriptor(kData1, 0, 0xFFFFF, 0xB3, 0xC);
    descriptor(kCode16, 0, 0xFFFF, 0x9B, 0);
    descriptor(kData16, 0x20000, 0xFFFF, 0x93, 0);
    descriptor(kTss, kTssBase, 0xFF, 0x8B, 0);
    descriptor(kLdt, kLdtBase, 0x3F, 0x82, 0);
    descriptor(kOtherTss, kOtherTssBase, 0x67, 0x89, 0);
    poke<u32>(kTssBase + 4, kStack0);
    poke<u16>(kTssBase + 8, kData0);
    poke<u32>(kTssBase + 12, kStack1);
    poke<u16>(kTssBase + 16, kData1);
    poke<u16>(kTssBase + 102, 0x88);  // I/O map: 32 bytes of interrupt redirection, then ports 0-3BFh
    load_hidden(kTr, kTss);
    load_hidden(relic86::kLdtr, kLdt);
    for (u32 vector = 0; vector < 256; ++vector) {
      gate(kIdt + vector * 8, kCode0, kHandlers + vector * 16, 0x8E);
      poke<u8>(kHandlers + vector * 16, 0xF4);
    }
  }

  // flags: G, D/B, L, AVL as the descriptor has them.
  void descriptor(u16 selector, u32 base, u32 limit, u8 access, u8 flags) {
    const u32 table = (selector & 4) != 0 ? kLdtBase : kGdt;
    poke<u64>(table + (selector & 0xFFF8u), u64{limit & 0xFFFF} | u64{base & 0xFFFFFF} << 16 | u64{access} << 40 |
                                                u64{limit >> 16 & 15} << 48 | u64{flags} << 52 | u64{base >> 24} << 56);
  }
  u8 access_byte(u16 selector) { return byte(((selector & 4) != 0 ? kLdtBase : kGdt) + (selector & 0xFFF8u) + 5); }
  // A gate at a linear address; the byte 4 is a call gate's parameter count.
  void gate(u32 at, u16 selector, u32 offset, u8 access, u8 parameters = 0) {
    poke<u64>(at, u64{offset & 0xFFFF} | u64{selector} << 16 | u64{parameters} << 32 | u64{access} << 40 |
                      u64{offset >> 16} << 48);
  }
  void call_gate(u16 selector, u16 target, u32 offset, u8 access, u8 parameters = 0) {
    gate(kGdt + (selector & 0xFFF8u), target, offset, access, parameters);
  }
  void interrupt_gate(u8 vector, u16 target, u32 offset, u8 access) {
    gate(kIdt + vector * 8u, target, offset, access);
  }

  static constexpr u32 handler(u8 vector) { return kHandlers + vector * 16u; }

  // Starts code at kCodeAt in the ring; the stack pointer is that ring's.
  void ring0(std::initializer_list<u8> bytes) {
    enter(kCode0, kData0, kStack0);
    code(bytes);
  }
  void ring3(std::initializer_list<u8> bytes, u32 iopl = 0) {
    enter(kCode3, kData3, kStack3);
    state().system_flags = iopl << 12 | kIF;
    code(bytes);
  }
  // Virtual-8086 mode at 0100:0000, SS:SP 0C00:0000+1000h.
  void v86(std::initializer_list<u8> bytes, u32 iopl = 0) {
    enter(kCode3, kData3, 0x1000);
    cpu().set_eflags(kVM | kIF | iopl << 12);
    const u16 selectors[] = {0x0E00, 0x0100, 0x0C00, 0x0D00, 0x0F00, 0x0F10};
    for (unsigned name = kEs; name < kSegmentRegisters; ++name)
      set_segment_real(cpu(), static_cast<SegmentName>(name), Selector(selectors[name]));
    state().rip = 0;
    cpu().update_mode();
    code(bytes);
  }
  void enter(u16 cs, u16 ss, u32 esp) {
    state().cr0 |= 1;
    cpu().set_eflags(0);
    state().halted = false;
    load_hidden(kCs, cs);
    load_hidden(kSs, ss);
    for (const SegmentName name : {kDs, kEs, kFs, kGs}) load_hidden(name, ss);
    state().rip = kCodeAt;
    reg(kEsp) = esp;
    cpu().update_mode();
  }
  // Hidden part from the table, unchecked.
  void load_hidden(SegmentName name, u16 selector) {
    const u64 raw = peek<u64>(((selector & 4) != 0 ? kLdtBase : kGdt) + (selector & 0xFFF8u));
    relic86::set_segment(cpu(), name, Selector(selector),
                         Descriptor{static_cast<u32>(raw), static_cast<u32>(raw >> 32)});
  }

  // The vector whose handler halted; -1: something else ended the run.
  int run_to_handler(u64 budget = 100) {
    // Work that comes up (a debug trap) ends a slice early.
    const u64 end = cpu().instruction_count() + budget;
    ExitReason reason = ExitReason::BudgetSpent;
    while (reason == ExitReason::BudgetSpent && cpu().instruction_count() < end)
      reason = run(end - cpu().instruction_count());
    if (reason != ExitReason::Halted) return -1;
    const u32 at = linear_ip() - 1;
    return at >= kHandlers && at < kHandlers + 256 * 16 && at % 16 == 0 ? static_cast<int>((at - kHandlers) / 16) : -1;
  }
  u32 frame(u32 index) {
    const Segment& ss = state().segment[kSs];
    return peek<u32>(static_cast<u32>(ss.base) + (state().gpr32(kEsp) & cpu().stack_mask()) + index * 4);
  }
  u16 frame16(u32 index) {
    const Segment& ss = state().segment[kSs];
    return peek<u16>(static_cast<u32>(ss.base) + (state().gpr32(kEsp) & cpu().stack_mask()) + index * 2);
  }
  u16 selector(SegmentName name) { return state().segment[name].selector.raw; }
  u32 ebx() { return state().gpr32(kEbx); }
};

}  // namespace relic86
