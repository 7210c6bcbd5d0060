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
// A square wave above 23 kHz moves no cone: the sink sees its mean, the host has no work with it.
constexpr u32 kShortestPeriod = 50;
// Beside a sound card the speaker is not to be the loudest.
constexpr float kPressed = 0.3f, kMean = kPressed / 2;
}  // namespace

Result<> SystemControlB::attach(Attachment& board) {
  scheduler_ = &board.scheduler();
  timer_.before_channel2_change([this] { produce(scheduler_->now()); });
  return board.ports(*this, 0, 0x61, 1);
}

void SystemControlB::reset(ResetKind) {
  produce(scheduler_->now());
  control_ = 0;
  timer_.set_gate(2, false);
}

void SystemControlB::state(StateArchive& archive) {
  archive.field("control", control_);
  if (!archive.loading()) return;
  control_ &= 15;
  told_until_ = scheduler_->now();
}

u64 SystemControlB::read(RegionId, u64, unsigned) {
  const GuestTime now = scheduler_->now();
  const bool toggle = (now / kRefreshPeriod & 1) != 0;
  return control_ | (toggle ? 0x10u : 0u) | (timer_.output(2, now) ? 0x20u : 0u);
}

void SystemControlB::write(RegionId, u64, unsigned, u64 value) {
  produce(scheduler_->now());
  control_ = static_cast<u8>(value & 15);
  timer_.set_gate(2, (control_ & kGate) != 0);
}

void SystemControlB::set_speaker(LevelSink* sink) {
  speaker_ = sink;
  told_level_ = 0;
  told_until_ = scheduler_->now();
}

void SystemControlB::tell(GuestTime at, float level) {
  if (level != told_level_) speaker_->level(at, {level, level});
  told_level_ = level;
}

// The speaker hears OUT2 and the data bit. Since told_until_ neither was programmed anew.
void SystemControlB::produce(GuestTime until) {
  if (speaker_ == nullptr || until < told_until_) return;
  if ((control_ & kSpeakerData) == 0) {
    tell(told_until_, 0);
  } else if (timer_.period(2) < kShortestPeriod && timer_.periodic(2)) {
    tell(told_until_, kMean);
  } else {
    timer_.follow_output(2, told_until_, until,
                         [this](GuestTime at, bool level) { tell(at, level ? kPressed : 0.0f); });
  }
  told_until_ = until;
}

bool SystemControlB::sounding() const { return (control_ & kSpeakerData) != 0; }

}  // namespace relic86
