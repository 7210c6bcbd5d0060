// A processor and 256 KiB of RAM: small enough to be compared as a whole after every block.
#pragma once

#include "cpu/cpu.h"
#include "cpu/cpuid.h"
#include "cpu/segmentation.h"
#include "memory/backing_store.h"
#include "memory/io_space.h"
#include "memory/physical_bus.h"

namespace relic86::jit {

class SmallMachine {
 public:
  static constexpr u64 kRam = 256u << 10;

  SmallMachine()
      : model_(*find_cpu_model("pentium3")),
        store_(BackingStore::create(kRam, 0).value()),
        bus_(store_),
        cpu_(Cpu::Wiring{.bus = &bus_,
                         .io = &io_,
                         .clock = &clock_,
                         .interrupts = &interrupts_,
                         .model = &model_,
                         .host_units = present_host_units()}) {
    (void)bus_.map_fixed(bus_.new_key(), ram_range("ram", PhysAddr(0), kRam, BackingOffset(0)));
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
