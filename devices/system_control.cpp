// Register (IBM PC/AT Technical Reference, system board I/O; 82371SB datasheet 290550, 2.5.5.1):
//
//   port  R/W  bits
//   61h   RW   0 GATE of timer channel 2, 1 speaker data, 2 parity check disable, 3 channel check disable
//         R    4 refresh toggle, 5 OUT of timer channel 2, 6 channel check (0), 7 parity check (0)
#include "devices/system_control.h"

#include "devices/i8254.h"

namespace relic86 {

namespace {
constexpr GuestTime kRefreshPeriod = 15085;  // ns: 18 ticks of the timer clock
}

Result<> SystemControlB::attach(Attachment& board) {
  scheduler_ = &board.scheduler();
  return board.ports(*this, 0, 0x61, 1);
}

void SystemControlB::reset(ResetKind) {
  control_ = 0;
  timer_.set_gate(2, false);
}

void SystemControlB::state(StateArchive& archive) { archive.field("control", control_); }

u64 SystemControlB::read(RegionId, u64, unsigned) {
  const bool toggle = (scheduler_->now() / kRefreshPeriod & 1) != 0;
  return control_ | (toggle ? 0x10u : 0u) | (timer_.output(2) ? 0x20u : 0u);
}

void SystemControlB::write(RegionId, u64, unsigned, u64 value) {
  control_ = static_cast<u8>(value & 15);
  timer_.set_gate(2, (control_ & 1) != 0);
}

}  // namespace relic86
