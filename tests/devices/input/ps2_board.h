// The keyboard controller with keyboard and mouse on a test board, and the guest's side of talking to them.
#pragma once

#include <gtest/gtest.h>

#include "devices/chipset/port92.h"
#include "devices/input/i8042.h"
#include "devices/input/ps2_keyboard.h"
#include "devices/input/ps2_mouse.h"
#include "tests/devices/input/input_board.h"

namespace relic86::input_test {

inline constexpr GuestTime kMillisecond = 1'000'000;

class Ps2Board : public Board {
 public:
  explicit Ps2Board(bool with_mouse = true) {
    controller.plug_keyboard(&keyboard);
    if (with_mouse) controller.plug_mouse(&mouse);
    keyboard.set_host(&controller);
    mouse.set_host(&controller);
    for (Device* device : devices()) EXPECT_TRUE(device->attach(attachment).ok());
    reset();
  }
  std::array<Device*, 4> devices() { return {&controller, &keyboard, &mouse, &port92}; }
  void reset() {
    for (Device* device : devices()) device->reset(ResetKind::PowerOn);
  }
  // As a BIOS leaves it: tests done, both ports on, interrupts on, translation as asked.
  void boot(bool translate = true) {
    run(400 * kMillisecond);
    out(0x64, 0x60);
    out(0x60, static_cast<u8>(0x07 | (translate ? 0x40 : 0)));
    read_all();
  }
  bool full() { return (in(0x64) & 1) != 0; }
  // Waits up to 50 ms of guest time for a byte, as drivers do; -1: none.
  int read_byte() {
    for (int i = 0; i < 500 && !full(); i++) run(kMillisecond / 10);
    return full() ? in(0x60) : -1;
  }
  std::vector<int> read_all() {
    std::vector<int> bytes;
    for (int byte = read_byte(); byte >= 0; byte = read_byte()) bytes.push_back(byte);
    return bytes;
  }
  int command(u8 value) {
    out(0x64, value);
    return read_byte();
  }
  std::vector<int> keyboard_command(std::vector<u8> bytes) {
    std::vector<int> answers;
    for (const u8 byte : bytes) {
      out(0x60, byte);
      for (const int answer : read_all()) answers.push_back(answer);
    }
    return answers;
  }
  std::vector<int> mouse_command(std::vector<u8> bytes) {
    std::vector<int> answers;
    for (const u8 byte : bytes) {
      out(0x64, 0xD4);
      out(0x60, byte);
      for (const int answer : read_all()) answers.push_back(answer);
    }
    return answers;
  }

  A20Gate a20{memory};
  ResetPin reset_pin{control, a20};
  I8042 controller{a20, reset_pin};
  Ps2Keyboard keyboard;
  Ps2Mouse mouse;
  SystemControlA port92{a20, reset_pin};
};

using Bytes = std::vector<int>;

}  // namespace relic86::input_test
