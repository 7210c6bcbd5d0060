// What a debugger does to a machine, whatever protocol it speaks: breakpoints, watchpoints, single steps, and why the
// machine stopped. Nothing of it is seen by the guest or is part of the machine's state.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "machine/processors.h"

namespace relic86 {

// How a debugger asks for a point, by the numbers of gdb's Z packets.
enum class PointKind : u8 { Software, Hardware, WriteWatch, ReadWatch, AccessWatch };

struct DebugStop {
  enum class Cause : u8 {
    Request,  // somebody paused the machine
    Breakpoint,
    Watchpoint,
    Step,
    ReplayBegin,  // there is no way further back
    ReplayEnd,    // the recorded run ended here
  } cause = Cause::Request;
  PointKind kind = PointKind::Software;  // of the breakpoint or watchpoint met
  u64 address = 0;                       // linear: the breakpoint, or the watchpoint's first byte
};

class Debugger {
 public:
  explicit Debugger(Processors& processors) : processors_(processors) {}

  // Told on the machine's thread whenever the machine pauses, and once when its run has ended.
  struct Listener {
    std::function<void(const DebugStop&)> stopped;
    std::function<void(int exit_code)> ended;
  };
  void listen(Listener listener) { listener_ = std::move(listener); }

  // Linear addresses. Points may be set twice; removing takes one. insert: false if there are too many, or the size
  // does not fit (watchpoints: 1 to 4096 bytes). remove: false if there is none like it.
  bool insert(PointKind kind, u64 address, u32 size);
  bool remove(PointKind kind, u64 address, u32 size);
  // All points go, code runs uncut again.
  void clear();

  // How single steps treat the guest's interrupts: masked, so that a step does not end in a handler. Default: masked.
  void mask_interrupts(bool on) { masks_interrupts_ = on; }
  // The machine, when resumed, makes one step of this processor; with a range (of RIP, last not included) steps until
  // RIP is outside. The others stand still, unless they are to go on: then each has a turn after every step.
  enum class Others : bool { StandStill, GoOn };
  void step(unsigned processor = 0, Others others = Others::StandStill);
  void step_range(u64 first, u64 last, unsigned processor = 0, Others others = Others::StandStill);
  void run_freely() { stepping_ = false; }

  bool masks_interrupts() const { return masks_interrupts_; }

  // --- For the machine ---
  bool stepping() const { return stepping_; }
  // One step of the processor. A halted one waits for its interrupt.
  ExitReason step_engine();
  // One instruction of the processor whose turn it is. Stopped: of another one than the stepped one, which is still to
  // make its step.
  ExitReason step_by_turns();
  // Whether devices are to go on between steps although interrupts are held back: for the stepped processor, which is
  // halted, or for the others.
  bool needs_devices() const {
    const Vcpu& vcpu = processors_[stepped_];
    return !masks_interrupts_ || others_ == Others::GoOn || vcpu.waits_for_startup || vcpu.cpu().state().halted;
  }
  // After a step or a slice: the machine is to pause, because...
  bool wants_stop(ExitReason reason);
  void resuming() { processors_.running().engine().pass_breakpoint(); }
  // Why it stops, as wants_stop() found out; the machine goes on.
  std::optional<DebugStop> take_stop();
  void paused();
  // The machine is about to pause for this reason, or, the second, stands where it was to go.
  void expect_stop(const DebugStop& stop) { stop_ = stop; }
  void stop_at(const DebugStop& stop) {
    expect_stop(stop);
    paused();
  }
  // Whether points stop the machine. Disarmed, they stay.
  enum class Armed : bool { No, Yes };
  void arm(Armed armed);
  void ended(int exit_code);

 private:
  struct Point {
    PointKind kind = PointKind::Software;
    u64 address = 0;
    u32 size = 1;
    bool operator==(const Point&) const = default;
  };
  void install(bool breakpoint);
  u64 linear_rip() const;
  const Point* breakpoint_at(u64 linear) const;

  Processors& processors_;
  Listener listener_;
  std::vector<Point> points_;
  std::optional<DebugStop> stop_;
  bool stepping_ = false;
  unsigned stepped_ = 0;  // the processor
  Others others_ = Others::StandStill;
  Armed armed_ = Armed::Yes;
  bool masks_interrupts_ = true;
  u64 range_first_ = 0, range_last_ = 0;  // of RIP; empty: one step
};

}  // namespace relic86
