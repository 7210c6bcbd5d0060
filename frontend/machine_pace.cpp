#include "frontend/machine_pace.h"

#include <algorithm>

namespace relic86 {

namespace {
constexpr i64 kSecond = 1'000'000'000;
constexpr i64 kFull = 97;            // percent: the rest is the distance between two looks
constexpr unsigned kGaps = 90;       // percent: below it sound has gaps that are heard
constexpr unsigned kLongEnough = 3;  // seconds: a disk that was busy is no reason
constexpr i64 kToldAgain = 60 * kSecond;
}  // namespace

void MachinePace::look(bool runs, i64 got, i64 host) {
  host_ = host;
  if (!runs || (since_ && got < since_->got)) {  // a saved machine may have an earlier time
    since_.reset();
    percent_ = 100;
    slow_seconds_ = 0;
    return;
  }
  if (!since_) since_ = {got, host};
  const i64 passed = host - since_->host;
  if (passed < kSecond) return;
  const i64 measured = std::min<i64>(100, (got - since_->got) / (passed / 100));
  percent_ = static_cast<unsigned>(measured < kFull ? measured : 100);
  slow_seconds_ = percent_ < kGaps ? slow_seconds_ + 1 : 0;
  since_ = {got, host};
}

bool MachinePace::should_be_told() {
  if (slow_seconds_ < kLongEnough || (told_at_ && host_ - *told_at_ < kToldAgain)) return false;
  told_at_ = host_;
  return true;
}

}  // namespace relic86
