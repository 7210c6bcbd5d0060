#include "devices/irq_join.h"

#include "base/assert.h"

namespace relic86 {

unsigned IrqJoin::new_wire(unsigned input) {
  RELIC86_ASSERT(input < kLines);
  lines_.push_back(static_cast<u8>(input));
  levels_.push_back(0);
  return static_cast<unsigned>(lines_.size() - 1);
}

void IrqJoin::set_irq(unsigned wire, bool level) {
  RELIC86_ASSERT(wire < lines_.size());
  if ((levels_[wire] != 0) == level) return;
  const unsigned line = lines_[wire];
  const bool before = shown(line);
  levels_[wire] = level ? 1 : 0;
  high_[line] = level ? high_[line] + 1 : high_[line] - 1;
  change(line, before);
}

bool IrqJoin::shown(unsigned line) const { return claims_[line] ? levels_[*claims_[line]] != 0 : high_[line] > 0; }

void IrqJoin::change(unsigned line, bool before) {
  if (shown(line) != before && sink_ != nullptr) sink_->set_irq(line, shown(line));
}

void IrqJoin::claim(unsigned wire, bool claimed) {
  RELIC86_ASSERT(wire < lines_.size());
  const unsigned line = lines_[wire];
  const bool before = shown(line);
  claims_[line] = claimed ? std::optional(wire) : std::nullopt;
  change(line, before);
}

// The sink's own state holds the levels that it sees: loading does not drive it.
void IrqJoin::state(StateArchive& archive) {
  archive.bytes("levels", levels_);
  if (!archive.loading()) return;
  high_.fill(0);
  for (std::size_t wire = 0; wire < lines_.size(); wire++) {
    levels_[wire] &= 1;
    high_[lines_[wire]] += levels_[wire];
  }
}

}  // namespace relic86
