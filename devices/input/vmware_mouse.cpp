// Commands, and the words of an event. There is no data sheet: these are facts from VMware's driver for X11 and from
// QEMU's hw/i386/vmmouse.c.
//
//   45414552h  identify: the queue holds 3442554Ah    word 0  5 left, 4 right, 3 middle button; 16 motion, no position
//   53424152h  positions from now on                  word 1  X: 0 to FFFFh, or counts to the right
//   4C455252h  motion from now on                     word 2  Y: 0 to FFFFh, or counts down
//   000000F5h  off                                    word 3  counts of the wheel towards the user
#include "devices/input/vmware_mouse.h"

#include <algorithm>

#include "base/log.h"

namespace relic86 {

namespace {
constexpr u32 kIdentify = 0x45414552, kAbsolute = 0x53424152, kRelative = 0x4C455252, kOff = 0xF5;
constexpr u32 kVersion = 0x3442554A;
constexpr u32 kIsOff = 0xFFFF0000;
constexpr u32 kLeftBit = 0x20, kRightBit = 0x10, kMiddleBit = 0x08, kMotion = 0x10000;
constexpr std::size_t kMostWords = 1024, kEventWords = 4;
}  // namespace

u32 VmwareMouse::status() const { return (mode_ == Mode::Off ? kIsOff : 0) | static_cast<u32>(queue_.size()); }

void VmwareMouse::command(u32 code) {
  switch (code) {
    case kIdentify:
      if (mode_ == Mode::Off) mode_ = Mode::Identified;
      if (queue_.size() < kMostWords) queue_.push_back(kVersion);
      return;
    case kAbsolute:
      if (mode_ != Mode::Off) mode_ = Mode::Absolute;
      return;
    case kRelative:
      if (mode_ != Mode::Off) mode_ = Mode::Relative;
      return;
    case kOff: mode_ = Mode::Off; return;
    default: log::once(log::Channel::GuestErrors, "vmware.mouse: unknown command {:08X}h", code);
  }
}

std::array<u32, VmwareMouse::kMostTaken> VmwareMouse::take(u32 count) {
  std::array<u32, kMostTaken> words{};
  if (count == 0 || count > kMostTaken || count > queue_.size()) {
    mode_ = Mode::Off;
    return words;
  }
  const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(count);
  std::copy(queue_.begin(), end, words.begin());
  queue_.erase(queue_.begin(), end);
  return words;
}

void VmwareMouse::reset() {
  mode_ = Mode::Off;
  queue_.clear();
}

void VmwareMouse::state(StateArchive& archive) {
  archive.field("mode", mode_);
  archive.field("x", at_.x);
  archive.field("y", at_.y);
  archive.field("pressed", pressed_);
  std::vector<u8> bytes(queue_.size() * sizeof(u32));
  std::copy_n(reinterpret_cast<const u8*>(queue_.data()), bytes.size(), bytes.begin());
  archive.resizable("queue", bytes);
  if (!archive.loading()) return;
  queue_.resize(std::min(bytes.size() / sizeof(u32), kMostWords));
  std::copy_n(bytes.begin(), queue_.size() * sizeof(u32), reinterpret_cast<u8*>(queue_.data()));
  if (mode_ > Mode::Absolute) mode_ = Mode::Off;
  at_ = {std::min(at_.x, kMost), std::min(at_.y, kMost)};
  pressed_ &= kLeft | kRight | kMiddle;
}

// --- The host's side ---

void VmwareMouse::point(unsigned x, unsigned y) {
  const Position to{std::min(x, kMost), std::min(y, kMost)};
  if (to.x == at_.x && to.y == at_.y) return;
  at_ = to;
  tell(at_.x * 2, at_.y * 2, 0);
}

void VmwareMouse::turn_wheel(int counts) {
  if (counts != 0) tell(at_.x * 2, at_.y * 2, counts);
}

void VmwareMouse::buttons(u8 mask) {
  const u8 pressed = mask & (kLeft | kRight | kMiddle);
  if (pressed == pressed_) return;
  pressed_ = pressed;
  mode_ == Mode::Relative ? tell(0, 0, 0) : tell(at_.x * 2, at_.y * 2, 0);
}

void VmwareMouse::Relative::move(int dx, int dy, int dz) {
  mouse_.tell(static_cast<u32>(dx), static_cast<u32>(dy), dz);
}

// What a driver that has stopped reading finds no room for is lost.
void VmwareMouse::tell(u32 x, u32 y, int wheel) {
  if (mode_ != Mode::Absolute && mode_ != Mode::Relative) return;
  if (queue_.size() + kEventWords <= kMostWords) {
    const u32 buttons = ((pressed_ & kLeft) != 0 ? kLeftBit : 0) | ((pressed_ & kRight) != 0 ? kRightBit : 0) |
                        ((pressed_ & kMiddle) != 0 ? kMiddleBit : 0);
    queue_.insert(queue_.end(),
                  {buttons | (mode_ == Mode::Relative ? kMotion : 0), x, y, static_cast<u32>(-i64{wheel})});
  }
  announce_();
}

}  // namespace relic86
