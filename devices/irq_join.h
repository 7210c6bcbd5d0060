// Wires that share interrupt lines: each line of the sink is high while any of its wires is.
#pragma once

#include <array>
#include <optional>
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
  void claim(unsigned wire, bool claimed) override;
  bool level(unsigned line) const { return shown(line); }

  // Before the state of those who claim lines.
  void state(StateArchive& archive);

 private:
  bool shown(unsigned line) const;
  void change(unsigned line, bool before);

  IrqSink* sink_ = nullptr;
  std::vector<u8> lines_;   // the line that each wire leads to
  std::vector<u8> levels_;  // of each wire
  std::array<unsigned, kLines> high_{};
  std::array<std::optional<unsigned>, kLines> claims_{};  // the wires that claim lines, set anew by their owners
};

}  // namespace relic86
