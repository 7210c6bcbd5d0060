// A board without a processor for device tests: clock, scheduler, ports, memory, recorded interrupts.
#pragma once

#include <array>
#include <random>

#include "base/state_archive.h"
#include "devices/attachment.h"
#include "devices/host_sinks.h"

namespace relic86::test {

class ManualClock final : public GuestClock {
 public:
  GuestTime now() const override { return time; }
  GuestTime time = 0;
};

class RecordingIrqs final : public IrqSink {
 public:
  void set_irq(unsigned input, bool level) override {
    if (level && !levels[input & 15]) rises[input & 15]++;
    levels[input & 15] = level;
  }
  std::array<bool, 16> levels{};
  std::array<unsigned, 16> rises{};
};

class RecordingControl final : public MachineControl {
 public:
  void request_reset() override { resets++; }
  void request_power_off() override { power_offs++; }
  void request_exit(u32 code) override { exit_code = code; }
  void request_suspend() override { suspends++; }
  void request_wake() override { wakes++; }
  void request_cpu_init() override { cpu_inits++; }
  void watchdog_expired() override { watchdogs++; }
  void guest_panicked() override { panics++; }
  unsigned watchdogs = 0, panics = 0;
  unsigned resets = 0, power_offs = 0, suspends = 0, wakes = 0, cpu_inits = 0;
  u32 exit_code = 0;
};

struct TestBoard {
  explicit TestBoard(u64 ram = u64{2} << 20, u64 extra = u64{4} << 20)
      : store(BackingStore::create(ram, extra).value()), memory(store) {}

  u32 in(u16 port, unsigned width = 1) { return io.read(IoPort(port), width); }
  void out(u16 port, u32 value, unsigned width = 1) { io.write(IoPort(port), width, value); }
  u32 config(unsigned slot, unsigned function, u8 offset, unsigned width) {
    out(0xCF8, 0x80000000u | slot << 11 | function << 8 | (offset & 0xFCu), 4);
    return in(static_cast<u16>(0xCFC + (offset & 3)), width);
  }
  void set_config(unsigned slot, unsigned function, u8 offset, unsigned width, u32 value) {
    out(0xCF8, 0x80000000u | slot << 11 | function << 8 | (offset & 0xFCu), 4);
    out(static_cast<u16>(0xCFC + (offset & 3)), value, width);
  }
  void pass(GuestTime nanoseconds) {
    clock.time += nanoseconds;
    scheduler.run_due();
  }
  // Resets devices as those of a machine that starts anew and loads another one's state: the timers are that one's.
  template <class Reset>
  void reset_but_timers(Reset reset) {
    StateWriter timers;
    scheduler.state(timers);
    reset();
    StateReader reader = StateReader::parse(timers.data()).value();
    scheduler.state(reader);
  }

  ManualClock clock;
  Scheduler scheduler{clock};
  IoSpace io;
  BackingStore store;
  PhysicalBus memory;
  RecordingIrqs irqs;
  RecordingControl control;
  Attachment attachment{scheduler, io, memory, irqs};
};

inline std::vector<u8> saved(Device& device) {
  StateWriter writer;
  device.state(writer);
  return writer.data();
}

// Loads bytes that saved() made; false with a complaint or malformed bytes.
inline bool load(Device& device, const std::vector<u8>& bytes) {
  auto reader = StateReader::parse(bytes);
  if (!reader.ok()) return false;
  device.state(reader.value());
  return reader.value().complaint().empty();
}

}  // namespace relic86::test
