// System control port A (IBM PS/2 Model 80 Technical Reference; Intel 82371SB datasheet, Port 92 register)
//
//   port  width  R/W  bits
//   92h   1      RW   bit 0: 0 -> 1 pulses the processor's reset; bit 1: 1 opens the A20 gate; others: kept, no
//   function
#include "devices/chipset/port92.h"

namespace relic86 {

namespace {
constexpr u8 kFastReset = 1, kFastA20 = 2;
constexpr u8 kKept = 0x3D;  // bits 7:6 were disk lights; they and bit 1 are not stored here
}  // namespace

Result<> SystemControlA::attach(Attachment& board) { return board.ports(*this, 0, 0x92, 1); }

void SystemControlA::reset(ResetKind) {
  scratch_ = 0;
  // Open: the processor's first fetch is just below 4 GiB.
  a20_.set(true);
}

void SystemControlA::state(StateArchive& archive) {
  archive.field("scratch", scratch_);
  a20_.state(archive);
}

u64 SystemControlA::read(RegionId, u64, unsigned) { return static_cast<u8>(scratch_ | (a20_.open() ? kFastA20 : 0)); }

void SystemControlA::write(RegionId, u64, unsigned, u64 value) {
  const auto byte = static_cast<u8>(value);
  const bool reset = (byte & kFastReset) != 0 && (scratch_ & kFastReset) == 0;
  scratch_ = byte & kKept;
  a20_.set((byte & kFastA20) != 0);
  if (!reset) return;
  scratch_ &= static_cast<u8>(~kFastReset);  // the pulse ends by itself
  reset_pin_.pulse();
}

}  // namespace relic86
