// System control port B (61h): speaker gate and data, refresh toggle, OUT of timer channel 2.
#pragma once

#include "devices/attachment.h"
#include "devices/device.h"
#include "devices/sound_sinks.h"

namespace relic86 {

class I8254;

class SystemControlB final : public Device, public SoundSource {
 public:
  explicit SystemControlB(I8254& timer) : timer_(timer) {}

  // Where the speaker's movements go; null (the default): nowhere.
  void set_speaker(LevelSink* sink);
  void produce(GuestTime until) override;
  bool sounding() const override;

  std::string_view name() const override { return "system_control_b"; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind kind) override;
  void state(StateArchive& archive) override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32, GuestTime) override {}

 private:
  void tell(GuestTime at, float level);

  I8254& timer_;
  Scheduler* scheduler_ = nullptr;
  LevelSink* speaker_ = nullptr;
  float told_level_ = 0;      // as the sink knows it
  GuestTime told_until_ = 0;  // what came before is told
  u8 control_ = 0;
};

}  // namespace relic86
