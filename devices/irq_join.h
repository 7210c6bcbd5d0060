// Wires that share interrupt lines: each line of the sink is high while any of its wires is.
#pragma once

#include <array>
#include <vector>

#include "base/state_archive.h"
#include "devices/irq_line.h"

namespace relic86 {

class IrqJoin final : public IrqSink {
 public:
  static constexpr unsigned kLines = 24;  // ISA lines 0 to 15, and inputs that only an I/O APIC has

  // Where the lines lead; until then levels are only kept.
  void connect(IrqSink* sink) { sink_ = sink; }

  unsigned new_wire(unsigned input) override;
  void set_irq(unsigned wire, bool level) override;
  bool level(unsigned line) const { return claimed_[line] ? claimed_level_[line] : high_[line] > 0; }
  // Nothing is heard of a line's wires while it is claimed: its level is the claimant's. Claims are no part of the
  // state: who makes them makes them again after loading.
  void claim(unsigned line, bool claimed);
  void drive_claimed(unsigned line, bool level);

  void state(StateArchive& archive);

 private:
  // Tells the sink if the line is not as it was.
  void change(unsigned line, bool before);

  IrqSink* sink_ = nullptr;
  std::vector<u8> lines_;   // the line that each wire leads to
  std::vector<u8> levels_;  // of each wire
  std::array<unsigned, kLines> high_{};
  std::array<bool, kLines> claimed_{}, claimed_level_{};
};

}  // namespace relic86
