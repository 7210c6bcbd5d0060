// Exceptions and interrupts into their handlers (SDM 3A chapter 6, 20.3).
#include "cpu/interrupt_delivery.h"

#include <gtest/gtest.h>

#include "tests/cpu/protected_machine.h"

namespace relic86 {
namespace {

using M = ProtectedMachine;

TEST(InterruptDelivery, SoftwareInterruptFromRing3) {
  M m;
  m.interrupt_gate(0x80, M::kCode0, M::kHandlers + 0x80 * 16, 0xEE);
  m.ring3({0xCD, 0x80});
  m.cpu().set_eflags(m.cpu().eflags() | kNT | kCF);
  EXPECT_EQ(m.run_to_handler(), 0x80);
  EXPECT_EQ(m.state().mode.cpl, 0);
  EXPECT_EQ(m.state().gpr32(kEsp), M::kStack0 - 20);
  EXPECT_EQ(m.frame(0), M::kCodeAt + 2);
  EXPECT_EQ(m.frame(1), M::kCode3);
  EXPECT_EQ(m.frame(2), kIF | kNT | kCF | kFixed1);
  EXPECT_EQ(m.frame(3), M::kStack3);
  EXPECT_EQ(m.frame(4), M::kData3);
  EXPECT_EQ(m.cpu().eflags(), kCF | kFixed1);  // IF and NT are cleared
  EXPECT_EQ(m.selector(kDs), M::kData3);       // data segments stay
}

TEST(InterruptDelivery, TrapGateKeepsIf) {
  M m;
  m.interrupt_gate(0x80, M::kCode0, M::kHandlers + 0x80 * 16, 0xEF);
  m.ring3({0xCD, 0x80});
  EXPECT_EQ(m.run_to_handler(), 0x80);
  EXPECT_NE(m.cpu().eflags() & kIF, 0u);
}

TEST(InterruptDelivery, SixteenBitGatePushesWords) {
  M m;
  m.interrupt_gate(0x80, M::kCode16, 0x40, 0xE6);
  m.poke<u8>(0x40, 0xF4);
  m.ring3({0xCD, 0x80});
  EXPECT_EQ(m.run(10), ExitReason::Halted);
  EXPECT_EQ(m.state().gpr32(kEsp), M::kStack0 - 10);
  EXPECT_EQ(m.frame16(0), M::kCodeAt + 2);
  EXPECT_EQ(m.frame16(1), M::kCode3);
  EXPECT_EQ(m.frame16(3), M::kStack3);
}

// INT 80h from ring 3 through a bad gate: error codes name gate (IDT bit) or selector.
struct GateCase {
  const char* what;
  u8 gate_access;
  u16 target;
  int vector;
  u32 error;
};
constexpr GateCase kGates[] = {
    {"gate of DPL 0", 0x8E, M::kCode0, 13, 0x80 * 8 + 2},
    {"gate not present", 0x6E, M::kCode0, 11, 0x80 * 8 + 2},
    {"call gate in the IDT", 0xEC, M::kCode0, 13, 0x80 * 8 + 2},
    {"null selector", 0xEE, 0, 13, 0},
    {"data selector", 0xEE, M::kData0, 13, M::kData0},
    {"beyond the GDT", 0xEE, 0x1000, 13, 0x1000},
    {"code not present", 0xEE, M::kSpare, 11, M::kSpare},
    {"task gate to something else", 0xE5, M::kData0, 13, M::kData0},
    {"task gate to a busy TSS", 0xE5, M::kTss, 13, M::kTss},
    {"task gate into the LDT", 0xE5, 0x0C, 13, 0x0C},
};

TEST(InterruptDelivery, GateChecks) {
  for (const GateCase& c : kGates) {
    SCOPED_TRACE(c.what);
    M m;
    m.descriptor(M::kSpare, 0, 0xFFFFF, 0x1B, 0xC);
    m.interrupt_gate(0x80, c.target, M::handler(0x80), c.gate_access);
    m.ring3({0xCD, 0x80});
    EXPECT_EQ(m.run_to_handler(), c.vector);
    EXPECT_EQ(m.frame(0), c.error);
    EXPECT_EQ(m.frame(1), M::kCodeAt);  // restartable
    EXPECT_EQ(m.frame(4), M::kStack3);
  }
}

TEST(InterruptDelivery, BeyondTheIdt) {
  M m;
  m.state().idtr.limit = 0x7F * 8 + 7;
  m.ring3({0xCD, 0x80});
  EXPECT_EQ(m.run_to_handler(), 13);
  EXPECT_EQ(m.frame(0), 0x402u);
}

TEST(InterruptDelivery, ErrorCodesOfEventsCarryExt) {
  M m;
  m.interrupt_gate(0x21, M::kData0, 0, 0x8E);
  m.ring3({0x90, 0x90});
  deliver_external_interrupt(m.cpu(), 0x21);
  EXPECT_EQ(m.run_to_handler(), 13);
  EXPECT_EQ(m.frame(0), M::kData0 | 1u);
}

TEST(InterruptDelivery, ExternalInterruptIgnoresGateDpl) {
  M m;
  m.ring3({0x90, 0x90});
  deliver_external_interrupt(m.cpu(), 0x21);
  EXPECT_EQ(m.run_to_handler(), 0x21);
  EXPECT_EQ(m.frame(0), M::kCodeAt);
}

TEST(InterruptDelivery, FaultsPushRf) {
  M m;
  m.ring3({0x0F, 0x0B});
  EXPECT_EQ(m.run_to_handler(), 6);
  EXPECT_EQ(m.frame(2) & kRF, kRF);
  EXPECT_EQ(m.cpu().eflags() & kRF, 0u);
}

TEST(InterruptDelivery, Int3AndIntoAreNotPrivileged) {
  for (const u8 opcode : {u8{0xCC}, u8{0xCE}}) {
    M m;
    const u8 vector = opcode == 0xCC ? 3 : 4;
    m.interrupt_gate(vector, M::kCode0, M::handler(vector), 0xEE);
    m.ring3({opcode});
    m.cpu().set_eflags(m.cpu().eflags() | kOF);
    EXPECT_EQ(m.run_to_handler(), vector);
    EXPECT_EQ(m.frame(0), M::kCodeAt + 1);
    EXPECT_EQ(m.frame(2) & kRF, 0u);
  }
}

TEST(InterruptDelivery, DoubleFaultFromContributoryPair) {
  M m;
  m.interrupt_gate(13, M::kData0, 0, 0x8E);  // #GP while delivering #GP
  m.ring3({0xF4});
  EXPECT_EQ(m.run_to_handler(), 8);
  EXPECT_EQ(m.frame(0), 0u);
  EXPECT_EQ(m.frame(1), M::kCodeAt);
}

TEST(InterruptDelivery, BenignThenContributoryIsServedInTurn) {
  M m;
  m.interrupt_gate(6, M::kData0, 0, 0x8E);  // #UD's gate is bad: a plain #GP
  m.ring3({0x0F, 0x0B});
  EXPECT_EQ(m.run_to_handler(), 13);
  EXPECT_EQ(m.frame(0), M::kData0 | 1u);
}

TEST(InterruptDelivery, TripleFaultShutsDown) {
  M m;
  m.interrupt_gate(13, M::kData0, 0, 0x8E);
  m.interrupt_gate(8, M::kData0, 0, 0x8E);
  m.ring3({0xF4});
  EXPECT_EQ(m.run(10), ExitReason::Shutdown);
  EXPECT_TRUE(m.state().shutdown);
}

// Identity-mapped first 16 MiB by 4 KiB pages; the IDT's page of vector 14 may be taken away.
void map_pages(M& m) {
  constexpr u32 kDirectory = 0x800000, kTables = 0x801000;
  for (u32 i = 0; i < 4; ++i) m.poke<u32>(kDirectory + i * 4, (kTables + i * 0x1000) | 7);
  for (u32 i = 0; i < 4096; ++i) m.poke<u32>(kTables + i * 4, i << 12 | 7);
  m.state().cr3 = kDirectory;
  m.cpu().mmu().load_cr3(kDirectory);
  m.state().cr0 |= 1u << 31;
  m.cpu().update_mode();
}
void unmap(M& m, u32 address) {
  m.poke<u32>(0x801000 + (address >> 12) * 4, 0);
  m.cpu().mmu().flush_all();
}

TEST(InterruptDelivery, PageFaultSetsCr2AndErrorCode) {
  M m;
  map_pages(m);
  unmap(m, 0x300000);
  m.ring3({0x89, 0x03});  // MOV [EBX],EAX
  m.reg(kEbx) = 0x300123;
  EXPECT_EQ(m.run_to_handler(), 14);
  EXPECT_EQ(m.frame(0), 6u);
  EXPECT_EQ(m.state().cr2, 0x300123u);
}

TEST(InterruptDelivery, PageFaultOnTheRing0StackIsADoubleFault) {
  M m;
  map_pages(m);
  unmap(m, 0x300000);
  unmap(m, M::kStack0 - 4);
  m.interrupt_gate(8, M::kOtherTss, 0, 0x85);
  m.poke<u32>(M::kOtherTssBase + 28, 0x800000);
  m.poke<u32>(M::kOtherTssBase + 32, M::kHandlers + 8 * 16);
  m.poke<u32>(M::kOtherTssBase + 56, 0x9000);
  m.poke<u16>(M::kOtherTssBase + 76, M::kCode0);
  m.poke<u16>(M::kOtherTssBase + 80, M::kData0);
  m.ring3({0x89, 0x03});
  m.reg(kEbx) = 0x300123;
  EXPECT_EQ(m.run_to_handler(), 8);
  EXPECT_EQ(m.frame(0), 0u);
  EXPECT_EQ(m.state().cr2, M::kStack0 - 4);
  EXPECT_EQ(m.peek<u32>(M::kTssBase + 32), M::kCodeAt);  // the interrupted program is whole
  EXPECT_EQ(m.peek<u32>(M::kTssBase + 56), M::kStack3);
  EXPECT_EQ(m.peek<u16>(M::kTssBase + 76), M::kCode3);
}

TEST(InterruptDelivery, PageFaultWhileDeliveringAnInterruptIsServed) {
  M m;
  map_pages(m);
  unmap(m, 0xA00000);
  m.ring3({0x90});
  m.state().segment[relic86::kLdtr].base = 0xA00000;  // where the handler's code segment is described
  m.interrupt_gate(0x21, 0x0C, 0, 0x8E);
  deliver_external_interrupt(m.cpu(), 0x21);
  EXPECT_EQ(m.run_to_handler(), 14);
  EXPECT_EQ(m.state().cr2, 0xA00008u);
  EXPECT_EQ(m.frame(0), 0u);  // a read by the processor itself, at supervisor privilege
  EXPECT_EQ(m.frame(1), M::kCodeAt);
  EXPECT_EQ(m.frame(2), M::kCode3);
}

// --- Virtual-8086 mode ---

TEST(InterruptDelivery, FromVirtual8086) {
  M m;
  m.v86({0xCD, 0x80}, 3);
  m.interrupt_gate(0x80, M::kCode0, M::handler(0x80), 0xEE);
  EXPECT_EQ(m.run_to_handler(), 0x80);
  EXPECT_FALSE(m.state().mode.v86);
  EXPECT_EQ(m.state().mode.cpl, 0);
  const u32 expected[] = {2, 0x0100, kVM | kIF | 0x3000 | kFixed1, 0x1000, 0x0C00, 0x0E00, 0x0D00, 0x0F00, 0x0F10};
  for (u32 i = 0; i < 9; ++i) EXPECT_EQ(m.frame(i), expected[i]) << i;
  EXPECT_EQ(m.state().gpr32(kEsp), M::kStack0 - 36);
  for (const SegmentName name : {kDs, kEs, kFs, kGs}) EXPECT_EQ(m.selector(name), 0);
}

TEST(InterruptDelivery, IntInVirtual8086NeedsIopl3) {
  M m;
  m.v86({0xCD, 0x80}, 2);
  EXPECT_EQ(m.run_to_handler(), 13);
  EXPECT_EQ(m.frame(0), 0u);
  EXPECT_EQ(m.frame(1), 0u);
}

TEST(InterruptDelivery, Int3InVirtual8086DoesNot) {
  M m;
  m.v86({0xCC}, 0);
  m.interrupt_gate(3, M::kCode0, M::handler(3), 0xEE);
  EXPECT_EQ(m.run_to_handler(), 3);
}

TEST(InterruptDelivery, Virtual8086HandlerMustBeRing0) {
  M m;
  m.v86({0xCD, 0x80}, 3);
  m.interrupt_gate(0x80, M::kCode1 & ~3, M::handler(0x80), 0xEE);
  EXPECT_EQ(m.run_to_handler(), 13);
  EXPECT_EQ(m.frame(0), M::kCode1 & ~3u);
  m.v86({0xCD, 0x80}, 3);
  m.interrupt_gate(0x80, M::kConforming, M::handler(0x80), 0xEE);
  EXPECT_EQ(m.run_to_handler(), 13);
  EXPECT_EQ(m.frame(0), M::kConforming);
}

// VME: INT n by the redirection bitmap (32 bytes below the I/O map).
TEST(InterruptDelivery, VmeRedirection) {
  for (const bool set : {false, true}) {
    for (const u32 iopl : {0u, 3u}) {
      SCOPED_TRACE(::testing::Message() << set << " IOPL " << iopl);
      M m;
      m.v86({0xCD, 0x21}, iopl);
      m.state().cr4 |= 1;
      m.state().system_flags |= kVIF;
      m.interrupt_gate(0x21, M::kCode0, M::handler(0x21), 0xEE);
      m.poke<u8>(M::kTssBase + 0x88 - 32 + 0x21 / 8, set ? 1u << (0x21 & 7) : 0);
      m.poke<u32>(0x21 * 4, 0x02000030);
      m.poke<u16>(0x2030, 0xFEEB);
      if (set) {
        EXPECT_EQ(m.run_to_handler(), iopl == 3 ? 0x21 : 13);
        continue;
      }
      EXPECT_EQ(m.run(1), ExitReason::BudgetSpent);
      EXPECT_TRUE(m.state().mode.v86);
      EXPECT_EQ(m.linear_ip(), 0x2030u);
      EXPECT_EQ(m.state().gpr32(kEsp), 0x0FFAu);
      EXPECT_EQ(m.frame16(0), 2);
      EXPECT_EQ(m.frame16(1), 0x100);
      EXPECT_EQ(m.frame16(2), 0x3000 | kIF | kFixed1);  // IOPL 3 and VIF in IF's place
      EXPECT_EQ(m.cpu().eflags() & (kIF | kVIF), iopl == 3 ? u32{kVIF} : u32{kIF});
    }
  }
}

TEST(InterruptDelivery, RealModeVectorTableLimit) {
  CpuTestMachine m;
  m.real_mode(0x100, 0);
  m.set_segment(kSs, 0x300);
  m.reg(kEsp) = 0x100;
  m.state().idtr.limit = 0x20 * 4 + 2;  // one byte short for vector 20h
  m.poke<u32>(13 * 4, 0x02000000);
  m.poke<u8>(0x2000, 0xF4);
  m.code({0xCD, 0x20});
  EXPECT_EQ(m.run(5), ExitReason::Halted);
  EXPECT_EQ(m.linear_ip(), 0x2001u);
  EXPECT_EQ(m.peek<u16>(0x30FA), 0);
}

TEST(InterruptDelivery, NmiWaitsForIret) {
  M m;
  m.interrupt_gate(2, M::kCode0, 0x3000, 0x8E);
  m.write(0x3000, std::vector<u8>{0x40, 0xCF});  // INC EAX; IRET
  m.ring0({0x43, 0x43, 0xF4});
  m.cpu().request_nmi();
  m.run(1);
  EXPECT_EQ(m.state().gpr32(kEax), 1u);
  m.cpu().request_nmi();
  m.run(1);  // IRET: the second one is blocked until here
  EXPECT_EQ(m.state().gpr32(kEax), 1u);
  m.run(1);
  EXPECT_EQ(m.state().gpr32(kEax), 2u);
}

TEST(InterruptDelivery, IretUnblocksNmiEvenIfItFaults) {
  M m;
  m.v86({0xCF});  // IRET with IOPL 0: #GP
  m.state().nmi_blocked = true;
  m.cpu().request_nmi();
  EXPECT_EQ(m.run_to_handler(), 2);
  EXPECT_EQ(m.frame(0), M::handler(13));  // before the first instruction of the handler
}

}  // namespace
}  // namespace relic86
