// System control port B (61h): speaker gate and data, refresh toggle, OUT of timer channel 2.
#pragma once

#include "devices/attachment.h"
#include "devices/device.h"

namespace relic86 {

class I8254;

class SystemControlB final : public Device {
 public:
  explicit SystemControlB(I8254& timer) : timer_(timer) {}

  std::string_view name() const override { return "system_control_b"; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind kind) override;
  void state(StateArchive& archive) override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32, GuestTime) override {}

 private:
  I8254& timer_;
  const Scheduler* scheduler_ = nullptr;
  u8 control_ = 0;
};

}  // namespace relic86
