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
  const bool before = this->level(line);
  levels_[wire] = level ? 1 : 0;
  high_[line] = level ? high_[line] + 1 : high_[line] - 1;
  change(line, before);
}

void IrqJoin::change(unsigned line, bool before) {
  if (level(line) != before && sink_ != nullptr) sink_->set_irq(line, level(line));
}

void IrqJoin::claim(unsigned line, bool claimed) {
  if (claimed_[line] == claimed) return;
  const bool before = level(line);
  claimed_[line] = claimed;
  claimed_level_[line] = false;
  change(line, before);
}

void IrqJoin::drive_claimed(unsigned line, bool level) {
  RELIC86_ASSERT(claimed_[line]);
  const bool before = this->level(line);
  claimed_level_[line] = level;
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
