// A processor and 256 KiB of RAM: small enough to be compared as a whole after every block. Page tables lie beyond.
#pragma once

#include <cstring>

#include "cpu/cpu.h"
#include "cpu/cpuid.h"
#include "cpu/long_mode.h"
#include "cpu/segmentation.h"
#include "memory/backing_store.h"
#include "memory/io_space.h"
#include "memory/physical_bus.h"

namespace relic86::jit {

class SmallMachine {
 public:
  static constexpr u64 kRam = 256u << 10;
  // Where 64-bit code finds the RAM once more.
  static constexpr u64 kHigh = 0xFFFF'8000'0000'0000;

  explicit SmallMachine(const char* model = "pentium3")
      : model_(*find_cpu_model(model)),
        store_(BackingStore::create(kRam + kTables, 0).value()),
        bus_(store_),
        cpu_(Cpu::Wiring{.bus = &bus_,
                         .io = &io_,
                         .clock = &clock_,
                         .interrupts = &interrupts_,
                         .model = &model_,
                         .host_units = present_host_units()}) {
    (void)bus_.map_fixed(bus_.new_key(), ram_range("ram", PhysAddr(0), kRam, BackingOffset(0)));
  }

  // 64-bit mode of ring 0: the RAM from 0 and from kHigh on, all of it writable, accessed and dirty.
  void set_long_mode() {
    constexpr u64 kEntry = 0x67;
    (void)bus_.map_fixed(bus_.new_key(), ram_range("tables", PhysAddr(kRam), kTables, BackingOffset(kRam)));
    const auto put = [this](u64 table, u64 index, u64 entry) {
      std::memcpy(ram() + kRam + table * kPageSize + 8 * index, &entry, sizeof entry);
    };
    const auto table = [](u64 number) { return (kRam + number * kPageSize) | kEntry; };
    put(0, 0, table(1));
    put(0, kHigh >> 39 & 0x1FF, table(1));
    put(1, 0, table(2));
    put(2, 0, table(3));
    for (u64 page = 0; page < kRam / kPageSize; ++page) put(3, page, page * kPageSize | kEntry);
    CpuState& s = state();
    set_mode(true);
    constexpr u32 kPae = 1u << 5;
    constexpr u16 kLongCode = 0xA09B;
    s.cr0 |= u64{1} << 31;
    s.cr4 |= kPae;
    s.efer |= kEferLme | kEferLma;
    s.cr3 = kRam;
    s.segment[kCs].attributes = kLongCode;
    derive_limits(s, s.segment[kCs]);
    cpu_.update_mode();
    (void)cpu_.mmu().load_cr3(s.cr3);
  }

  Cpu& cpu() { return cpu_; }
  CpuState& state() { return cpu_.state(); }
  u8* ram() { return store_.host(BackingOffset(0)); }

  // Flat 32-bit protected mode in ring 0 without paging, or real-address mode with all segments at 0.
  void set_mode(bool code32) {
    CpuState& s = state();
    s.cr0 = code32 ? s.cr0 | 1u : s.cr0 & ~1u;
    for (unsigned name = kEs; name < kSegmentRegisters; ++name) {
      Segment& segment = s.segment[name];
      segment.selector = Selector(code32 ? (name == kCs ? 0x08 : 0x10) : 0);
      segment.base = 0;
      segment.limit = code32 ? 0xFFFFFFFF : 0xFFFF;
      segment.attributes = !code32 ? 0x93 : name == kCs ? 0xC09B : 0xC093;
      derive_limits(s, segment);
    }
    cpu_.update_mode();
  }

 private:
  static constexpr u64 kTables = 4 * kPageSize;

  const CpuModel model_;
  struct StoppedClock final : GuestClock {
    GuestTime now() const override { return 0; }
  };
  struct NoInterrupts final : InterruptAcknowledge {
    u8 acknowledge() override { return 0xFF; }
  };
  BackingStore store_;
  PhysicalBus bus_;
  IoSpace io_;
  StoppedClock clock_;
  NoInterrupts interrupts_;
  Cpu cpu_;
};

}  // namespace relic86::jit
