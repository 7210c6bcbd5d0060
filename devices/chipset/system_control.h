// System control port B (61h): speaker gate and data, refresh toggle, OUT of timer channel 2.
#pragma once

#include "devices/attachment.h"
#include "devices/device.h"
#include "devices/host_sinks.h"

namespace relic86 {

class I8254;

class SystemControlB final : public Device {
 public:
  explicit SystemControlB(I8254& timer) : timer_(timer) {}

  // Where the speaker's movements go; null (the default): nowhere.
  void set_speaker(SpeakerSink* sink);

  std::string_view name() const override { return "system_control_b"; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind kind) override;
  void state(StateArchive& archive) override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32 id, GuestTime late) override;

 private:
  void follow_speaker();

  I8254& timer_;
  Scheduler* scheduler_ = nullptr;
  TimerId speaker_timer_ = 0;
  SpeakerSink* speaker_ = nullptr;
  bool speaker_level_ = false;  // as the sink knows it
  u8 control_ = 0;
};

}  // namespace relic86
