// The way back in a replay. While it runs, states of the machine are kept every so many instructions; to get to an
// earlier instruction, the last state before it is put back and the run goes forward from there, as it did the first
// time.
//
// A run from a state that was put back begins with an empty TLB. For it to be the same run, recorder and replay drop
// the TLB at all places at which a state may be kept (kStride), whether one is or not.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "machine/debugger.h"
#include "machine/kept_state.h"

namespace relic86 {

class Machine;

class TimeTravel {
 public:
  static constexpr u64 kStride = u64{1} << 26;  // instructions

  explicit TimeTravel(Machine& machine) : machine_(machine) {}

  // From now on states are kept. Only in a replay.
  void enable() { enabled_ = true; }
  bool enabled() const { return enabled_; }
  // The run is at a place where a state may be kept, before anything happens there.
  void at_stride();
  // The drives hold other media from now on: nothing goes back beyond that.
  void media_changed() {
    states_.clear();
    near_.reset();
    spacing_ = kStride;
  }

  // What a debugger asks for: back by one instruction, or to the last breakpoint or watchpoint before. Carried out by
  // carry_out(), between two turns of the paused machine, which then reports its stop as any other.
  enum class Wish : u8 { StepBack, RunBack };
  void ask(Wish wish) { wish_ = wish; }
  bool asked() const { return wish_.has_value(); }
  void carry_out();

  // The run is where it has been before: what the guest says has been said.
  bool retracing() const;
  // A run that only looks for stops: they are noted, and it goes on.
  bool searching() const { return searching_; }
  void note_stop(const DebugStop& stop);

 private:
  struct Found {
    u64 instructions = 0;
    DebugStop stop;
  };
  // The last state at or before this instruction; null: none is kept.
  const KeptState* before(u64 instructions) const;
  void thin_out();
  bool put_back(const KeptState& state);
  void go_to(u64 instructions, const DebugStop& stop);
  void run_back();

  Machine& machine_;
  bool enabled_ = false;
  std::vector<std::shared_ptr<const KeptState>> states_;  // in their order
  u64 spacing_ = kStride;                                 // between kept states, at least
  std::shared_ptr<const KeptState> near_;                 // one more, shortly before the present instruction
  u64 furthest_ = 0;                                      // instruction that the run has been at
  std::optional<Wish> wish_;
  bool searching_ = false;
  u64 search_end_ = 0;
  std::optional<Found> found_;
};

}  // namespace relic86
