#include "machine/debugger.h"

#include <algorithm>
#include <utility>

namespace relic86 {

namespace {

constexpr std::size_t kMostPoints = 1024;
constexpr u32 kWidestWatch = 4096;  // bytes

bool is_breakpoint(PointKind kind) { return kind == PointKind::Software || kind == PointKind::Hardware; }

}  // namespace

bool Debugger::insert(PointKind kind, u64 address, u32 size) {
  if (points_.size() >= kMostPoints) return false;
  if (!is_breakpoint(kind) && (size == 0 || size > kWidestWatch)) return false;
  points_.push_back({kind, address, size});
  install(is_breakpoint(kind));
  return true;
}

bool Debugger::remove(PointKind kind, u64 address, u32 size) {
  const auto found = std::find(points_.begin(), points_.end(), Point{kind, address, size});
  if (found == points_.end()) return false;
  points_.erase(found);
  install(is_breakpoint(kind));
  return true;
}

void Debugger::clear() {
  const bool had_points = !points_.empty();
  points_.clear();
  stepping_ = false;
  install(true);
  install(false);
  if (had_points) processors_.flush_code();
}

// Hands the present points to the engine or the MMU.
void Debugger::install(bool breakpoint) {
  if (breakpoint) {
    std::vector<LinAddr> addresses;
    for (const Point& point : points_) {
      if (armed_ == Armed::Yes && is_breakpoint(point.kind)) addresses.emplace_back(point.address);
    }
    for (unsigned n = 0; n < processors_.count(); n++) processors_[n].engine().set_breakpoints(addresses);
    return;
  }
  std::vector<Mmu::Watchpoint> watched;
  for (const Point& point : points_) {
    if (armed_ == Armed::No || is_breakpoint(point.kind)) continue;
    watched.push_back(
        {point.address, point.size, point.kind != PointKind::WriteWatch, point.kind != PointKind::ReadWatch});
  }
  const auto met = [this](const Mmu::Watchpoint& hit) {
    // The first access of an instruction is the one to report.
    if (stop_ && stop_->cause == DebugStop::Cause::Watchpoint) return;
    const PointKind kind = !hit.reads   ? PointKind::WriteWatch
                           : hit.writes ? PointKind::AccessWatch
                                        : PointKind::ReadWatch;
    stop_ = DebugStop{DebugStop::Cause::Watchpoint, kind, hit.first};
    processors_.running().cpu().request(kPendingStop);
  };
  for (unsigned n = 0; n < processors_.count(); n++) processors_[n].cpu().mmu().set_watchpoints(watched, met);
}

u64 Debugger::linear_rip() const {
  const CpuState& state = processors_.running().cpu().state();
  const u64 linear = state.segment[kCs].base + state.rip;
  return state.mode.code64 ? linear : static_cast<u32>(linear);
}

const Debugger::Point* Debugger::breakpoint_at(u64 linear) const {
  const auto found = std::find_if(points_.begin(), points_.end(), [&](const Point& point) {
    return is_breakpoint(point.kind) && point.address == linear;
  });
  return found == points_.end() ? nullptr : &*found;
}

void Debugger::step(unsigned processor, Others others) { step_range(0, 0, processor, others); }

void Debugger::step_range(u64 first, u64 last, unsigned processor, Others others) {
  stepping_ = true;
  stepped_ = processor;
  others_ = others;
  range_first_ = first;
  range_last_ = last;
}

ExitReason Debugger::step_engine() {
  CpuState& state = processors_[stepped_].cpu().state();
  const u8 shadow = state.shadow;
  // The shadow of STI holds interrupts back for one instruction. A halted processor needs them.
  if (masks_interrupts_ && !state.halted) state.shadow |= kShadowSti;
  const ExitReason reason = processors_.single_step(stepped_);
  if (reason != ExitReason::BudgetSpent) state.shadow = shadow;  // no instruction took it
  if (others_ == Others::StandStill || (reason != ExitReason::BudgetSpent && reason != ExitReason::Halted))
    return reason;
  // The stop comes first, and is told of the processor that met it.
  if (stop_ || (state.pending & kPendingStop) != 0) return reason;
  const ExitReason met = processors_.let_others_run(stepped_);
  if (met != ExitReason::BudgetSpent && met != ExitReason::Halted) return met;
  // The halted one is still to make its step, and the others may bring its interrupt.
  return reason == ExitReason::Halted && met == ExitReason::BudgetSpent ? ExitReason::Stopped : reason;
}

ExitReason Debugger::step_by_turns() {
  const Cpu& cpu = processors_[stepped_].cpu();
  const u64 before = cpu.instruction_count();
  const ExitReason reason = processors_.run(1);
  if (reason != ExitReason::BudgetSpent && reason != ExitReason::Stopped) return reason;
  return cpu.instruction_count() != before ? ExitReason::BudgetSpent : ExitReason::Stopped;
}

bool Debugger::wants_stop(ExitReason reason) {
  if (stop_) return true;
  if (reason == ExitReason::Breakpoint) {
    const Point* const point = breakpoint_at(linear_rip());
    stop_ = DebugStop{DebugStop::Cause::Breakpoint, point != nullptr ? point->kind : PointKind::Software, linear_rip()};
    return true;
  }
  if (!stepping_ || reason == ExitReason::Halted || reason == ExitReason::Stopped) return false;
  const u64 rip = processors_.running().cpu().state().rip;
  if (const Point* const point = breakpoint_at(linear_rip()); point != nullptr && range_last_ != 0) {
    stop_ = DebugStop{DebugStop::Cause::Breakpoint, point->kind, linear_rip()};
  } else if (rip - range_first_ >= range_last_ - range_first_) {
    stop_ = DebugStop{DebugStop::Cause::Step, PointKind::Software, linear_rip()};
  }
  return stop_.has_value();
}

void Debugger::paused() {
  const DebugStop stop = stop_.value_or(DebugStop{});
  stop_.reset();
  stepping_ = false;
  if (listener_.stopped) listener_.stopped(stop);
}

std::optional<DebugStop> Debugger::take_stop() { return std::exchange(stop_, std::nullopt); }

void Debugger::arm(Armed armed) {
  armed_ = armed;
  install(true);
  install(false);
}

void Debugger::ended(int exit_code) {
  if (listener_.ended) listener_.ended(exit_code);
}

}  // namespace relic86
