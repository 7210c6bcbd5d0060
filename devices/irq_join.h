// Wires that share interrupt lines: each line of the sink is high while any of its wires is.
#pragma once

#include <array>
#include <vector>

#include "base/state_archive.h"
#include "devices/irq_line.h"

namespace relic86 {

class IrqJoin final : public IrqSink {
 public:
  static constexpr unsigned kLines = 16;

  // Where the lines lead; until then levels are only kept.
  void connect(IrqSink* sink) { sink_ = sink; }

  unsigned new_wire(unsigned input) override;
  void set_irq(unsigned wire, bool level) override;
  bool level(unsigned line) const { return high_[line] > 0; }

  void state(StateArchive& archive);

 private:
  IrqSink* sink_ = nullptr;
  std::vector<u8> lines_;   // the line that each wire leads to
  std::vector<u8> levels_;  // of each wire
  std::array<unsigned, kLines> high_{};
};

}  // namespace relic86
