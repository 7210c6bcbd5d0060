#include "machine/time_travel.h"

#include <algorithm>

#include "base/log.h"
#include "machine/machine.h"

namespace relic86 {

namespace {
constexpr std::size_t kMostStates = 24;
}

bool TimeTravel::retracing() const { return enabled_ && machine_.cpu().instruction_count() < furthest_; }

void TimeTravel::at_stride() {
  if (!enabled_) return;
  const u64 now = machine_.cpu().instruction_count();
  const auto next = std::ranges::upper_bound(states_, now, {}, &KeptState::instructions);
  const KeptState* const last = next == states_.begin() ? nullptr : std::prev(next)->get();
  if (last != nullptr && last->instructions == now) return;
  auto kept = machine_.keep(last);
  if (!kept) return log::warning("a state of the replay cannot be kept: " + kept.message());
  near_ = std::move(kept).value();
  if (last != nullptr && now - last->instructions < spacing_) return;
  states_.insert(next, near_);
  if (states_.size() > kMostStates) thin_out();
}

// Every second one goes, but never the first.
void TimeTravel::thin_out() {
  std::size_t left = 0;
  for (std::size_t i = 0; i < states_.size(); i += 2) states_[left++] = states_[i];
  states_.resize(left);
  spacing_ *= 2;
}

const KeptState* TimeTravel::before(u64 instructions) const {
  const auto next = std::ranges::upper_bound(states_, instructions, {}, &KeptState::instructions);
  const KeptState* const last = next == states_.begin() ? nullptr : std::prev(next)->get();
  const bool nearer = last != nullptr && near_ != nullptr && near_->instructions <= instructions &&
                      near_->instructions > last->instructions;
  return nearer ? near_.get() : last;
}

bool TimeTravel::put_back(const KeptState& state) {
  const auto done = machine_.put_back(state);
  if (!done) log::warning("the replay cannot go back: " + done.message());
  return done.ok();
}

void TimeTravel::note_stop(const DebugStop& stop) {
  // A watchpoint is met by an instruction, which is then behind: the place before it is the one to go to.
  const u64 now = machine_.cpu().instruction_count();
  const u64 place = stop.cause == DebugStop::Cause::Watchpoint && now > 0 ? now - 1 : now;
  if (place < search_end_) found_ = Found{place, stop};
}

void TimeTravel::go_to(u64 instructions, const DebugStop& stop) {
  const std::shared_ptr<const KeptState> hold = near_;
  const KeptState* const from = before(instructions);
  if (from == nullptr) return machine_.debugger().stop_at({DebugStop::Cause::ReplayBegin});
  machine_.debugger().arm(Debugger::Armed::No);
  const bool there = put_back(*from) && machine_.retrace(instructions);
  machine_.debugger().arm(Debugger::Armed::Yes);
  machine_.debugger().stop_at(there ? stop : DebugStop{});
}

void TimeTravel::run_back() {
  u64 end = machine_.cpu().instruction_count();
  for (std::size_t i = states_.size(); i-- > 0;) {
    const std::shared_ptr<const KeptState> state = states_[i];
    if (state->instructions >= end) continue;
    found_.reset();
    search_end_ = end;
    searching_ = true;
    const bool there = put_back(*state) && machine_.retrace(end);
    searching_ = false;
    if (!there) return machine_.debugger().stop_at({});
    if (found_) return go_to(found_->instructions, found_->stop);
    end = state->instructions;
  }
  const u64 first = states_.empty() ? end : states_.front()->instructions;
  go_to(first, {DebugStop::Cause::ReplayBegin});
}

void TimeTravel::carry_out() {
  const Wish wish = *wish_;
  wish_.reset();
  const u64 now = machine_.cpu().instruction_count();
  furthest_ = std::max(furthest_, now);
  const bool nowhere = now == 0 || states_.empty();
  if (nowhere) {
    machine_.debugger().stop_at({DebugStop::Cause::ReplayBegin});
  } else if (wish == Wish::StepBack) {
    go_to(now - 1, {DebugStop::Cause::Step});
  } else {
    run_back();
  }
}

}  // namespace relic86
