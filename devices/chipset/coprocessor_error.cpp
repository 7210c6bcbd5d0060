// Coprocessor error logic (82371SB PIIX3 datasheet 290550, 2.5.5 and the signals FERR#, IGNNE#; IBM PC/AT Technical
// Reference, ports F0h and F1h)
//
//   port  width  R/W  bits
//   F0h   1      W    any value: IRQ 13 falls; with FERR# active IGNNE# is asserted until FERR# goes inactive
//   F1h   1      W    any value: reset of an external 80287; without effect on a built-in unit
//   both  1      R    FFh
#include "devices/chipset/coprocessor_error.h"

namespace relic86 {

namespace {
constexpr unsigned kCoprocessorIrq = 13;
}  // namespace

Result<> CoprocessorError::attach(Attachment& board) {
  irq_ = board.isa_irq(kCoprocessorIrq);
  return board.ports(*this, 0, 0xF0, 2);
}

void CoprocessorError::set_ferr(bool active) {
  if (active && !ferr_) {
    latched_ = true;
    irq_.raise();
  }
  ferr_ = active;
  if (!active) ignore_ = false;
}

u64 CoprocessorError::read(RegionId, u64, unsigned) { return 0xFF; }

void CoprocessorError::write(RegionId, u64 offset, unsigned, u64) {
  if (offset != 0) return;
  ignore_ = ferr_;
  latched_ = false;
  irq_.lower();
}

void CoprocessorError::reset(ResetKind) {
  ferr_ = latched_ = ignore_ = false;
  irq_.lower();
}

void CoprocessorError::state(StateArchive& archive) {
  archive.field("ferr", ferr_);
  archive.field("latched", latched_);
  archive.field("ignore", ignore_);
}

}  // namespace relic86
