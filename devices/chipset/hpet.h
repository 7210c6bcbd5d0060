// A high precision event timer (IA-PC HPET 1.0a) with three comparators.
#pragma once

#include <array>
#include <optional>

#include "devices/attachment.h"
#include "devices/device.h"
#include "devices/irq_join.h"

namespace relic86 {

class Hpet final : public Device {
 public:
  static constexpr u32 kAddress = 0xFED00000;
  static constexpr unsigned kComparators = 3;
  // How many inputs of the I/O APIC an interrupt can be routed to.
  static constexpr unsigned kInputs = 24;

  // join: where the board's lines meet.
  explicit Hpet(IrqJoin& join) : join_(join) {}

  std::string_view name() const override { return "hpet"; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind kind) override;
  void state(StateArchive& archive) override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32 id, GuestTime late) override;

 private:
  struct Comparator {
    u64 control = 0;
    u64 value = 0;
    u64 period = 0;  // what was written last: the distance of periodic interrupts
    TimerId timer = 0;
  };

  bool running() const;
  bool replaces_legacy() const;
  u64 counter() const;
  GuestTime time_of(u64 distance) const;  // from now on
  u64 read_register(u64 offset) const;
  void write_register(u64 offset, u64 value, u64 mask);
  void write_control(u64 value);
  void write_comparator_register(unsigned number, u64 offset, u64 value, u64 mask);
  void write_comparator(Comparator& comparator, u64 value, u64 mask);
  bool repeats(const Comparator& comparator) const;
  void rearm(const Comparator& comparator);
  void rearm_all();
  void drive_lines();
  std::optional<unsigned> line_of(unsigned number) const;
  void set_line(unsigned line, bool level);

  IrqJoin& join_;
  Scheduler* scheduler_ = nullptr;
  std::array<IrqLine, kInputs> lines_;
  std::array<Comparator, kComparators> comparators_;
  u64 control_ = 0;
  u32 interrupt_status_ = 0;
  u64 counter_ = 0;            // the counter's value at counts_from_, or while it is halted
  GuestTime counts_from_ = 0;  // when it was started, or written while it ran
};

}  // namespace relic86
