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
  levels_[wire] = level ? 1 : 0;
  unsigned& high = high_[lines_[wire]];
  const bool before = high > 0;
  high = level ? high + 1 : high - 1;
  if ((high > 0) != before && sink_ != nullptr) sink_->set_irq(lines_[wire], high > 0);
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
