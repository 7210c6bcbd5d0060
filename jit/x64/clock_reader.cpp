#include "jit/x64/clock_reader.h"

#include <x86intrin.h>

#include <algorithm>
#include <atomic>

namespace relic86::jit::x64 {

namespace {

template <class T>
T look(T& field) {
  return std::atomic_ref(field).load(std::memory_order_acquire);
}

// Processors see each other's readings in the order in which they were made.
GuestTime note_latest(GuestTime& latest, GuestTime time) {
  const std::atomic_ref shared(latest);
  GuestTime known = shared.load(std::memory_order_relaxed);
  while (known < time && !shared.compare_exchange_weak(known, time, std::memory_order_relaxed)) {
  }
  return std::max(known, time);
}

}  // namespace

std::optional<GuestTime> read_clock_line(ClockLine& line) {
  const u64 first = look(line.first), span = look(line.span), rate = look(line.rate);
  const GuestTime start = look(line.start);
  _mm_lfence();  // the counter after what the guest has read before, and after the line
  const u64 passed = __rdtsc() - first;
  if (passed >= span) return std::nullopt;
  _mm_lfence();
  // A line that has ended by now, or been drawn anew, may have been another one in the middle of this.
  if (look(line.span) == 0 || look(line.first) != first) return std::nullopt;
  return note_latest(line.latest, start + static_cast<GuestTime>(passed * rate >> 32));
}

}  // namespace relic86::jit::x64
