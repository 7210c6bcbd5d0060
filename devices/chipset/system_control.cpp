// Register (IBM PC/AT Technical Reference, system board I/O; 82371SB datasheet 290550, 2.5.5.1):
//
//   port  R/W  bits
//   61h   RW   0 GATE of timer channel 2, 1 speaker data, 2 parity check disable, 3 channel check disable
//         R    4 refresh toggle, 5 OUT of timer channel 2, 6 channel check (0), 7 parity check (0)
#include "devices/chipset/system_control.h"

#include "devices/chipset/i8254.h"

namespace relic86 {

namespace {
constexpr GuestTime kRefreshPeriod = 15085;  // ns: 18 ticks of the timer clock
constexpr u8 kGate = 1, kSpeakerData = 2;
// A square wave above 23 kHz moves no cone: the sink sees a constant level, the host has no work with it.
constexpr u32 kShortestPeriod = 50;
}  // namespace

Result<> SystemControlB::attach(Attachment& board) {
  scheduler_ = &board.scheduler();
  speaker_timer_ = board.timer(*this, "speaker", 0);
  timer_.on_channel2_change([this] { follow_speaker(); });
  return board.ports(*this, 0, 0x61, 1);
}

void SystemControlB::reset(ResetKind) {
  control_ = 0;
  timer_.set_gate(2, false);
  follow_speaker();
}

void SystemControlB::state(StateArchive& archive) {
  archive.field("control", control_);
  if (!archive.loading()) return;
  control_ &= 15;
  follow_speaker();
}

u64 SystemControlB::read(RegionId, u64, unsigned) {
  const bool toggle = (scheduler_->now() / kRefreshPeriod & 1) != 0;
  return control_ | (toggle ? 0x10u : 0u) | (timer_.output(2) ? 0x20u : 0u);
}

void SystemControlB::write(RegionId, u64, unsigned, u64 value) {
  control_ = static_cast<u8>(value & 15);
  timer_.set_gate(2, (control_ & kGate) != 0);
  follow_speaker();
}

void SystemControlB::set_speaker(SpeakerSink* sink) {
  speaker_ = sink;
  speaker_level_ = false;
  follow_speaker();
}

void SystemControlB::event(u32, GuestTime) { follow_speaker(); }

// The speaker hears OUT2 and the data bit.
void SystemControlB::follow_speaker() {
  if (speaker_ == nullptr) return;
  const bool open = (control_ & kSpeakerData) != 0;
  const bool inaudible = timer_.period(2) < kShortestPeriod && timer_.periodic(2);
  const bool level = open && (inaudible || timer_.output(2));
  if (level != speaker_level_) speaker_->speaker_level(scheduler_->now(), level);
  speaker_level_ = level;
  scheduler_->schedule_at(speaker_timer_, open && !inaudible ? timer_.next_output_change(2) : Scheduler::kNever);
}

}  // namespace relic86
