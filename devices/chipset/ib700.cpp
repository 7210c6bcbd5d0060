// Watchdog timer of the IB700 (its manual, as Linux's ib700wdt has it)
//
//   port  width  R/W  bits
//   441h  1      W    anything: the timer stops
//   443h  1      W    3:0 the timer begins anew: 0 30 seconds, 1 28 and so on to 14 2; 15 at once
#include "devices/chipset/ib700.h"

namespace relic86 {

namespace {
constexpr u16 kDisablePort = 0x441, kEnablePort = 0x443;
constexpr u64 kCountBits = 0xF, kLongest = 30, kStep = 2;
constexpr GuestTime kSecond = 1'000'000'000;
}  // namespace

Result<> Ib700::attach(Attachment& board) {
  scheduler_ = &board.scheduler();
  timer_ = board.timer(*this, "timer", 0);
  if (auto done = board.ports(*this, kDisable, kDisablePort, 1); !done) return done;
  return board.ports(*this, kEnable, kEnablePort, 1);
}

void Ib700::reset(ResetKind) { scheduler_->cancel(timer_); }

void Ib700::write(RegionId region, u64, unsigned, u64 value) {
  if (region == kDisable) return scheduler_->cancel(timer_);
  scheduler_->schedule_in(timer_, static_cast<GuestTime>(kLongest - (value & kCountBits) * kStep) * kSecond);
}

}  // namespace relic86
