// Messages among several local APICs: who takes what.
#include "devices/chipset/apic_bus.h"

#include <gtest/gtest.h>

#include "devices/chipset/local_apic.h"
#include "tests/devices/test_board.h"

namespace relic86 {
namespace {

using test::TestBoard;

constexpr u64 kApic = 0xFEE00000;
constexpr u32 kLogical = 0x800, kOthers = 0xC0000, kAll = 0x80000, kLowest = 0x100, kInit = 0x500, kStartup = 0x600;

struct Bus : ::testing::Test {
  static constexpr unsigned kProcessors = 4;
  Bus() {
    for (unsigned n = 0; n < kProcessors; n++) {
      apics.push_back(std::make_unique<LocalApic>(bus, LocalApic::Features{.x2apic = true}, n, static_cast<u8>(n)));
      EXPECT_TRUE(apics[n]->attach(board.attachment).ok());
      apics[n]->set_init([this, n] { inits[n]++; });
      apics[n]->set_startup([this, n](u8 vector) { startups[n] = vector; });
      apics[n]->set_nmi([this, n] { nmis[n]++; });
      apics[n]->reset(ResetKind::PowerOn);
      as(n);
      set(0xF0, 0x1FF);
      set(0xD0, 0x01000000u << n);
    }
    as(0);
  }
  void as(unsigned processor) { bus.set_running(processor); }
  void set(u32 offset, u32 value) { board.memory.write(PhysAddr(kApic + offset), 4, value); }
  u32 get(u32 offset) { return static_cast<u32>(board.memory.read(PhysAddr(kApic + offset), 4)); }
  void send(u32 destination, u32 command) {
    set(0x310, destination << 24);
    set(0x300, command);
  }
  // Which processors have this vector's request, a bit each; it is taken back.
  unsigned takers(u8 vector) {
    unsigned mask = 0;
    const unsigned sender = running();
    for (unsigned n = 0; n < kProcessors; n++) {
      as(n);
      if ((get(0x200 + vector / 32 * 16u) >> (vector & 31) & 1) == 0) continue;
      mask |= 1u << n;
      EXPECT_EQ(apics[n]->acknowledge(), vector);
      set(0xB0, 0);
    }
    as(sender);
    return mask;
  }
  unsigned running() const {
    unsigned n = 0;
    while (bus.apics()[n] != &bus.running()) n++;
    return n;
  }

  TestBoard board;
  ApicBus bus;
  std::vector<std::unique_ptr<LocalApic>> apics;
  std::array<unsigned, kProcessors> inits{}, nmis{};
  std::array<int, kProcessors> startups{-1, -1, -1, -1};
};

TEST_F(Bus, EachProcessorSeesItsOwnRegisters) {
  for (unsigned n = 0; n < kProcessors; n++) {
    as(n);
    EXPECT_EQ(get(0x20), n << 24);
    EXPECT_EQ(apics[n]->base(), 0xFEE00800u | (n == 0 ? 0x100u : 0));
    EXPECT_EQ(get(0x350), n == 0 ? 0x700u : 0x10000u) << "the 8259A pair is the bootstrap processor's";
  }
  as(2);
  EXPECT_TRUE(apics[2]->set_base(0xFEE00000));
  EXPECT_EQ(get(0x20), 0xFFFFFFFFu) << "its APIC is off";
  as(1);
  EXPECT_EQ(get(0x20), 0x01000000u);
}

TEST_F(Bus, DestinationsAndShorthands) {
  send(2, 0x41);
  EXPECT_EQ(takers(0x41), 0b0100u);
  send(7, 0x41);
  EXPECT_EQ(takers(0x41), 0u);
  send(0xFF, 0x41);
  EXPECT_EQ(takers(0x41), 0b1111u);
  send(0b1010, kLogical | 0x41);
  EXPECT_EQ(takers(0x41), 0b1010u);
  as(3);
  send(0, kOthers | 0x41);
  EXPECT_EQ(takers(0x41), 0b0111u);
  send(0, kAll | 0x41);
  EXPECT_EQ(takers(0x41), 0b1111u);
  send(0, 0x40000 | 0x41);
  EXPECT_EQ(takers(0x41), 0b1000u);
}

TEST_F(Bus, Clusters) {
  for (unsigned n = 0; n < kProcessors; n++) {
    as(n);
    set(0xE0, 0x0FFFFFFF);
    set(0xD0, n < 2 ? 0x01000000u << n : 0x11000000u << (n - 2));
  }
  as(0);
  send(0x13, kLogical | 0x41);
  EXPECT_EQ(takers(0x41), 0b0100u) << "of cluster 1 only the member that says 11h";
  send(0x03, kLogical | 0x41);
  EXPECT_EQ(takers(0x41), 0b0011u);
}

TEST_F(Bus, LowestPriorityGoesToOne) {
  send(0b1110, kLogical | kLowest | 0x41);
  EXPECT_EQ(takers(0x41), 0b0010u);
  as(1);
  set(0x80, 0x80);
  as(3);
  set(0x80, 0x20);
  as(0);
  send(0b1010, kLogical | kLowest | 0x41);
  EXPECT_EQ(takers(0x41), 0b1000u);
  as(2);
  set(0xF0, 0xFF);  // disabled by software: no candidate
  as(0);
  send(0b0110, kLogical | kLowest | 0x91);
  EXPECT_EQ(takers(0x91), 0b0010u);
}

TEST_F(Bus, InitStartupAndNmi) {
  send(0, kOthers | 0x4000 | kInit);
  EXPECT_EQ(inits, (std::array<unsigned, 4>{0, 1, 1, 1}));
  send(0, kOthers | 0x8000 | kInit);  // level de-assert does nothing
  EXPECT_EQ(inits, (std::array<unsigned, 4>{0, 1, 1, 1}));
  send(2, 0x4000 | kStartup | 0x9A);
  EXPECT_EQ(startups, (std::array<int, 4>{-1, -1, 0x9A, -1}));
  send(0, kAll | 0x400);
  EXPECT_EQ(nmis, (std::array<unsigned, 4>{1, 1, 1, 1}));
}

TEST_F(Bus, X2apicModeHasWideDestinations) {
  for (const auto& apic : apics) EXPECT_TRUE(apic->set_base(apic->base() | 1u << 10));
  u64 value = 0;
  EXPECT_TRUE(apics[3]->read_msr(0x80D, value));
  EXPECT_EQ(value, 8u);
  const auto takes = [&](unsigned n) {
    EXPECT_TRUE(apics[n]->read_msr(0x822, value));
    const bool taken = (value >> 1 & 1) != 0;
    if (taken) {
      EXPECT_EQ(apics[n]->acknowledge(), 0x41);
      EXPECT_TRUE(apics[n]->write_msr(0x80B, 0));
    }
    return taken;
  };
  EXPECT_TRUE(apics[0]->write_msr(0x830, u64{2} << 32 | 0x41));
  EXPECT_TRUE(takes(2) && !takes(1));
  EXPECT_TRUE(apics[0]->write_msr(0x830, u64{0xFF} << 32 | 0x41));
  EXPECT_FALSE(takes(0) || takes(1) || takes(2) || takes(3)) << "FFh is an ID like others";
  EXPECT_TRUE(apics[0]->write_msr(0x830, u64{0xFFFFFFFF} << 32 | 0x41));
  EXPECT_TRUE(takes(0) && takes(1) && takes(2) && takes(3));
  EXPECT_TRUE(apics[0]->write_msr(0x830, u64{0x6} << 32 | kLogical | 0x41));
  EXPECT_TRUE(!takes(0) && takes(1) && takes(2) && !takes(3));
  EXPECT_TRUE(apics[0]->write_msr(0x830, u64{0x10006} << 32 | kLogical | 0x41));
  EXPECT_FALSE(takes(1) || takes(2)) << "another cluster";
}

}  // namespace
}  // namespace relic86
