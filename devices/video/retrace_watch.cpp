#include "devices/video/retrace_watch.h"

#include <utility>

namespace relic86 {

namespace {
constexpr u64 kLongestLoop = 16;                      // instructions
constexpr u64 kFewestLooks = 1000, kFewestMore = 100;  // to find a wait, and to see that it goes on
constexpr u64 kShortSlice = 20'000, kShortestSlice = kFewestMore * kLongestLoop;  // instructions
constexpr u32 kOften = 2000;                          // slices
}  // namespace

u64 RetraceWatch::most_at_once() const {
  if (waiting_) return kShortestSlice;
  return slices_since_wait_ < kOften ? kShortSlice : ~u64{0};
}

bool RetraceWatch::slice_over(u64 instructions) {
  const u64 looks = std::exchange(looks_, 0);
  const u64 enough = waiting_ ? kFewestMore : kFewestLooks;
  const u64 loop = looks == 0 ? 0 : (instructions + looks / 2) / looks;
  const u64 wanted = loop * looks;
  // The slice begins and ends anywhere in the loop.
  waiting_ = looks >= enough && loop <= kLongestLoop && instructions + loop >= wanted && instructions <= wanted + loop;
  if (waiting_)
    slices_since_wait_ = 0;
  else if (slices_since_wait_ < kOften)
    slices_since_wait_++;
  return waiting_;
}

}  // namespace relic86
