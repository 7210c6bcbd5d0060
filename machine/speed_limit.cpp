#include "machine/speed_limit.h"

#include <algorithm>

namespace relic86 {

namespace {
constexpr double kSecond = 1e9;         // nanoseconds
constexpr double kSliceSeconds = 1e-3;  // the guest's timers notice no shorter pieces
constexpr double kMadeUpFor = 20e6;     // nanoseconds: a host's scheduling is evened out, a guest's sleep is not
constexpr double kShortestSlice = 50;   // instructions
}  // namespace

void SpeedLimit::set(double instructions_per_second) {
  rate_ = instructions_per_second;
  due_ = 0;
  most_at_once_ = rate_ == 0 ? ~u64{0} : static_cast<u64>(std::max(kShortestSlice, rate_ * kSliceSeconds));
}

i64 SpeedLimit::wait_after(u64 instructions, i64 now) {
  if (rate_ == 0) return 0;
  const auto present = static_cast<double>(now);
  const double took = static_cast<double>(instructions) * kSecond / rate_;
  due_ = std::max(due_, present - took - kMadeUpFor) + took;
  return static_cast<i64>(std::max(0.0, due_ - present));
}

}  // namespace relic86
