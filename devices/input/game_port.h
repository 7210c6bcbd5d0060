// The game port of a sound card or a multi-I/O card: two joysticks with two axes and two buttons each.
#pragma once

#include <array>

#include "devices/attachment.h"
#include "devices/device.h"
#include "devices/input/joystick_position.h"

namespace relic86 {

class GamePort final : public Device {
 public:
  static constexpr unsigned kSticks = 2;

  // From the host.
  void move(unsigned stick, const JoystickPosition& position);

  std::string_view name() const override { return "gameport"; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind) override {}  // it has no reset line
  void state(StateArchive& archive) override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32, GuestTime) override {}

 private:
  Scheduler* scheduler_ = nullptr;
  std::array<JoystickPosition, kSticks> sticks_;
  // The end of each axis's pulse, by the resistance that it had when the pulses began.
  std::array<GuestTime, kSticks * 2> pulse_ends_{};
};

}  // namespace relic86
