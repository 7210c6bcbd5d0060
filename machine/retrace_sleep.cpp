#include "machine/retrace_sleep.h"

#include <algorithm>
#include <utility>

#include "cpu/cpu.h"
#include "cpu/port_wait.h"
#include "devices/video/display_adapter.h"

namespace relic86 {

namespace {

constexpr u32 kFewestReads = 64, kMostReads = 1 << 20;
constexpr u16 kStatusPorts[] = {0x3BA, 0x3DA};
// Of the status: whether a pixel is shown, which changes with each line.
constexpr u8 kDisabled = 1;

}  // namespace

RetraceSleep::RetraceSleep(DisplayAdapter& display, Cpu& cpu, std::function<void()> end_slice)
    : display_(display), cpu_(cpu), end_slice_(std::move(end_slice)), reads_(kFewestReads) {
  look_out();
}

void RetraceSleep::look_out() {
  display_.status_reads().tell_after(reads_, [this] {
    suspected_ = true;
    end_slice_();
  });
}

// Whatever else is due comes first.
bool RetraceSleep::waits() const {
  const CpuState& state = cpu_.state();
  const u32 held_back = (cpu_.eflags() & kIF) == 0 ? u32{kPendingIntr} : 0;
  if ((state.pending & ~held_back) != 0) return false;
  const auto wait = PortWait::at(cpu_);
  if (!wait || std::ranges::find(kStatusPorts, wait->port()) == std::end(kStatusPorts)) return false;
  const u8 status = display_.status();
  return wait->goes_on_with(status) && wait->goes_on_with(status ^ kDisabled);
}

std::optional<GuestTime> RetraceSleep::wait_ends() {
  if (!std::exchange(suspected_, false)) return std::nullopt;
  const bool waiting = waits();
  reads_ = waiting ? kFewestReads : std::min(2 * reads_, kMostReads);
  look_out();
  if (!waiting) return std::nullopt;
  return display_.next_retrace_change();
}

}  // namespace relic86
