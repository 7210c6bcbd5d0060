// Register (IBM PC Options and Adapters Technical Reference, "Game Control Adapter"):
//
//   201h  W   begins a pulse of each axis
//   201h  R   0-3 pulse of A's x, A's y, B's x, B's y: 1 while it lasts;  4-7 buttons A1, A2, B1, B2: 0 is pressed
//
// A pulse takes 24.2 us and 11 us for each kiloohm of the axis's potentiometer, which has 0 to 100. Nothing plugged in
// is an open circuit, whose pulse never ends.
#include "devices/input/game_port.h"

#include <limits>

namespace relic86 {

namespace {

constexpr u16 kPort = 0x201;
constexpr GuestTime kShortest = 24'200, kLongest = 1'124'200;  // ns
constexpr GuestTime kNever = std::numeric_limits<GuestTime>::max();
constexpr unsigned kFirstButton = 4, kButtons = 2;

GuestTime pulse(i16 axis) {
  constexpr GuestTime kSteps = 65535;
  return kShortest + (kLongest - kShortest) * (axis + 32768) / kSteps;
}

}  // namespace

Result<> GamePort::attach(Attachment& board) {
  scheduler_ = &board.scheduler();
  return board.ports(*this, 0, kPort, 1);
}

void GamePort::move(unsigned stick, const JoystickPosition& position) {
  sticks_[stick] = position;
  sticks_[stick].buttons &= (1u << kButtons) - 1;
}

void GamePort::state(StateArchive& archive) {
  for (unsigned i = 0; i < kSticks; i++) {
    archive.group(i == 0 ? "a" : "b", [&] {
      archive.field("plugged", sticks_[i].plugged);
      archive.field("x", sticks_[i].x);
      archive.field("y", sticks_[i].y);
      archive.field("buttons", sticks_[i].buttons);
      archive.field("x_end", pulse_ends_[i * 2]);
      archive.field("y_end", pulse_ends_[i * 2 + 1]);
    });
    sticks_[i].buttons &= (1u << kButtons) - 1;
  }
}

u64 GamePort::read(RegionId, u64, unsigned) {
  const GuestTime now = scheduler_->now();
  u8 value = 0;
  for (unsigned i = 0; i < pulse_ends_.size(); i++) {
    if (now < pulse_ends_[i]) value |= static_cast<u8>(1u << i);
  }
  for (unsigned i = 0; i < kSticks; i++) {
    const unsigned released = ~(sticks_[i].plugged ? sticks_[i].buttons : 0u) & ((1u << kButtons) - 1);
    value |= static_cast<u8>(released << (kFirstButton + i * kButtons));
  }
  return value;
}

void GamePort::write(RegionId, u64, unsigned, u64) {
  const GuestTime now = scheduler_->now();
  for (unsigned i = 0; i < kSticks; i++) {
    const JoystickPosition& stick = sticks_[i];
    pulse_ends_[i * 2] = stick.plugged ? now + pulse(stick.x) : kNever;
    pulse_ends_[i * 2 + 1] = stick.plugged ? now + pulse(stick.y) : kNever;
  }
}

}  // namespace relic86
