// Registers: mpu401.cpp. The interrupt line is high while a byte waits to be read.
#include "devices/sound/mpu401_card.h"

namespace relic86 {

Result<> Mpu401Card::attach(Attachment& board) {
  scheduler_ = &board.scheduler();
  irq_ = board.isa_irq(config_.irq);
  return board.ports(*this, 0, config_.port, 2);
}

void Mpu401Card::reset(ResetKind) {
  mpu_.reset(scheduler_->now());
  irq_.set(false);
}

void Mpu401Card::state(StateArchive& archive) {
  mpu_.state(archive, scheduler_->now());
  if (archive.loading()) irq_.set(mpu_.pending());
}

u64 Mpu401Card::read(RegionId, u64 offset, unsigned) {
  const u8 value = mpu_.read(offset);
  irq_.set(mpu_.pending());
  return value;
}

void Mpu401Card::write(RegionId, u64 offset, unsigned, u64 value) {
  mpu_.write(scheduler_->now(), offset, static_cast<u8>(value));
  irq_.set(mpu_.pending());
}

}  // namespace relic86
