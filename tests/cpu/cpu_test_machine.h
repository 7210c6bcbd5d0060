// A processor with RAM and nothing else, for tests that bring their own instruction bytes. No assembler: bytes in,
// state out.
//
//   CpuTestMachine m;                       // real mode, everything reset
//   m.real_mode(0x1000, 0x0100);            // or m.flat32(): ring 0, flat 4 GiB segments
//   m.code({0x01, 0xD8});                   // at CS:EIP
//   m.reg(kEax) = 1; m.run(1);
//   EXPECT_EQ(m.state().gpr32(kEax), ...);
#pragma once

#include <initializer_list>
#include <span>
#include <vector>

#include "cpu/access.h"
#include "cpu/cpu.h"
#include "cpu/cpuid.h"
#include "cpu/instruction_table.h"
#include "cpu/interpreter.h"
#include "cpu/segmentation.h"
#include "memory/backing_store.h"
#include "memory/io_space.h"
#include "memory/physical_bus.h"

namespace relic86 {

class CpuTestMachine {
 public:
  static constexpr u64 kRamSize = 16u << 20;
  static constexpr u32 kGdt = 0xF00000, kIdt = 0xF01000, kHandler = 0xF02000;

  explicit CpuTestMachine(const char* model = "pentium3") : CpuTestMachine(*find_cpu_model(model)) {}
  explicit CpuTestMachine(const CpuModel& model, const HostUnits& host_units = present_host_units())
      : model_(model),
        store_(BackingStore::create(kRamSize, 0).value()),
        bus_(store_),
        cpu_(Cpu::Wiring{.bus = &bus_,
                         .io = &io_,
                         .clock = &clock_,
                         .interrupts = &interrupts_,
                         .model = &model_,
                         .host_units = host_units}),
        interpreter_(cpu_, bus_) {
    (void)bus_.map_fixed(bus_.new_key(), ram_range("ram", PhysAddr(0), kRamSize, BackingOffset(0)));
  }

  Cpu& cpu() { return cpu_; }
  CpuState& state() { return cpu_.state(); }
  PhysicalBus& bus() { return bus_; }
  IoSpace& io() { return io_; }
  Interpreter& interpreter() { return interpreter_; }
  u64& reg(Gpr index) { return state().gpr[index]; }

  // Real mode at cs:ip; DS, ES, SS, FS, GS stay what they are.
  void real_mode(u16 cs, u16 ip) {
    set_segment(kCs, cs);
    state().rip = ip;
    cpu_.update_mode();
  }
  void set_segment(SegmentName name, u16 selector) {
    Segment& segment = state().segment[name];
    segment.selector = Selector(selector);
    segment.base = u64{selector} << 4;
    segment.limit = 0xFFFF;
    segment.attributes = 0x93;
    derive_limits(state(), segment);
    cpu_.update_mode();
  }
  // Protected mode, ring 0, flat 4 GiB segments, paging off. GDT: 08 code, 10 data. Every vector of the IDT leads to a
  // HLT at kHandler, so an exception ends a run with ExitReason::Halted and cpu().fault() says which it was.
  void flat32(u32 eip = 0x1000, u32 esp = 0x8000) {
    state().cr0 |= 1;
    for (unsigned name = kEs; name < kSegmentRegisters; ++name) {
      Segment& segment = state().segment[name];
      segment.selector = Selector(name == kCs ? 0x08 : 0x10);
      segment.base = 0;
      segment.limit = 0xFFFFFFFF;
      segment.attributes = name == kCs ? 0xC09B : 0xC093;
      derive_limits(state(), segment);
    }
    poke<u64>(kGdt + 0x08, 0x00CF9B000000FFFF);
    poke<u64>(kGdt + 0x10, 0x00CF93000000FFFF);
    state().gdtr = {kGdt, 0x17};
    for (u32 vector = 0; vector < 256; ++vector) {
      poke<u64>(kIdt + vector * 8, u64{kHandler >> 16} << 48 | u64{0x8E00} << 32 | 0x00080000 | (kHandler & 0xFFFF));
    }
    state().idtr = {kIdt, 0x7FF};
    poke<u8>(kHandler, 0xF4);
    state().rip = eip;
    reg(kEsp) = esp;
    cpu_.update_mode();
  }

  u32 linear_ip() { return static_cast<u32>(state().segment[kCs].base + state().rip); }
  void code(std::initializer_list<u8> bytes) { write(linear_ip(), std::vector<u8>(bytes)); }
  void write(u32 physical, std::span<const u8> bytes) { bus_.write_block(PhysAddr(physical), bytes); }
  u8 byte(u32 physical) { return static_cast<u8>(bus_.read(PhysAddr(physical), 1)); }
  template <class T>
  T peek(u32 physical) {
    T value{};
    bus_.read_block(PhysAddr(physical), {reinterpret_cast<u8*>(&value), sizeof value});
    return value;
  }
  template <class T>
  void poke(u32 physical, T value) {
    bus_.write_block(PhysAddr(physical), {reinterpret_cast<const u8*>(&value), sizeof value});
  }
  ExitReason run(u64 count) { return interpreter_.run(count); }

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
  Interpreter interpreter_;
};

}  // namespace relic86
