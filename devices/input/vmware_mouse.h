// The mouse behind VMware's port (devices/input/vmware_port.h): its driver is told where the pointer is, so that nobody
// need grab the host's. What is new waits in a queue of words; that there is something, the driver hears from the PS/2
// mouse, whose interrupt it takes.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "base/state_archive.h"
#include "devices/absolute_pointer.h"
#include "devices/relative_pointer.h"

namespace relic86 {

class VmwareMouse final : public AbsolutePointer {
 public:
  // announce: has the PS/2 mouse report something.
  explicit VmwareMouse(std::function<void()> announce) : announce_(std::move(announce)), relative_(*this) {}

  // --- The driver's side ---
  // 31:16 FFFFh: it is off, until the driver has it identify itself; 15:0 words in the queue, which it keeps.
  u32 status() const;
  void command(u32 code);
  static constexpr std::size_t kMostTaken = 6;
  // So many words of the queue: at most six, and not more than are there; else the mouse is off, and words are 0.
  std::array<u32, kMostTaken> take(u32 count);
  void reset();
  void state(StateArchive& archive);

  // --- The host's side ---
  // A driver that has asked for motion in place of positions listens to this one.
  RelativePointer& relative() { return relative_; }
  bool listened_to() const override { return mode_ == Mode::Absolute; }
  void point(unsigned x, unsigned y) override;
  void turn_wheel(int counts) override;
  void buttons(u8 mask) override;
  u8 pressed() const override { return pressed_; }
  Position position() const override { return at_; }

 private:
  enum class Mode : u8 { Off, Identified, Relative, Absolute };

  class Relative final : public RelativePointer {
   public:
    explicit Relative(VmwareMouse& mouse) : mouse_(mouse) {}
    bool listened_to() const override { return mouse_.mode_ == Mode::Relative; }
    void move(int dx, int dy, int dz) override;
    void buttons(u8 mask) override { mouse_.buttons(mask); }
    u8 pressed() const override { return mouse_.pressed_; }

   private:
    VmwareMouse& mouse_;
  };

  void tell(u32 x, u32 y, int wheel);

  const std::function<void()> announce_;
  Relative relative_;
  Mode mode_ = Mode::Off;
  Position at_;
  u8 pressed_ = 0;
  std::vector<u32> queue_;  // oldest first
};

}  // namespace relic86
