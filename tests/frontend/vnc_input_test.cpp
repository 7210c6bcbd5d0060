// What a VNC client types and points at reaches the guest's devices.
#include "frontend/vnc_input.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "devices/absolute_pointer.h"
#include "devices/input/keyboard.h"
#include "devices/input/pointer.h"
#include "options/options.h"

namespace relic86 {
namespace {

class VncInputs : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::vector<std::string> words{"-m", "4", "-display", "none", "-nic", "none", "-S"};
    auto parsed = parse_command_line(words);
    ASSERT_TRUE(parsed.ok()) << parsed.message();
    auto made = Machine::create(parsed.value().options, poller_);
    ASSERT_TRUE(made.ok()) << made.message();
    machine_ = std::move(made).value();
    input_.emplace(*machine_);
  }
  void TearDown() override { input_.reset(); }
  u8 pressed() { return machine_->board().pointer().pressed(); }

  HostPoller poller_;
  std::unique_ptr<Machine> machine_;
  std::optional<VncInput> input_;
};

TEST_F(VncInputs, ButtonsAreInTheGuestsOrder) {
  constexpr VncPointer kAt{.x = 10, .y = 10, .width = 720, .height = 400};
  VncPointer pointer = kAt;
  pointer.buttons = 2;  // RFC 6143 counts left, middle, right
  input_->apply(pointer);
  EXPECT_EQ(pressed(), AbsolutePointer::kMiddle);
  pointer.buttons = 4 | 1;
  input_->apply(pointer);
  EXPECT_EQ(pressed(), AbsolutePointer::kRight | AbsolutePointer::kLeft);
  pointer.buttons = 8;  // the wheel is no button of the guest's
  input_->apply(pointer);
  EXPECT_EQ(pressed(), 0);
  pointer.buttons = 1;
  input_->apply(pointer);
  input_->release();
  EXPECT_EQ(pressed(), 0);
}

TEST_F(VncInputs, AClipboardIsTypedByItsKeys) {
  constexpr u32 kControl = 0xFFE3, kAlt = 0xFFE9;
  const auto type = [&] {
    for (const u32 symbol : {kControl, kAlt, u32{'v'}}) input_->apply(VncKey{.symbol = symbol, .down = true});
    for (const u32 symbol : {u32{'v'}, kAlt, kControl}) input_->apply(VncKey{.symbol = symbol, .down = false});
  };
  machine_->keys().forget();
  input_->apply(std::string("text"));
  const std::size_t before = machine_->keys().waiting();
  type();
  EXPECT_GE(machine_->keys().waiting(), before + 4);
}

// A guest that does not read its keyboard makes no queue that grows for ever.
TEST_F(VncInputs, KeysThatNobodyReadsAreBounded) {
  for (unsigned i = 0; i < 100'000; i++) {
    input_->apply(VncKey{.symbol = 'a' + i % 26, .down = true});
    input_->apply(VncKey{.symbol = 'a' + i % 26, .down = false});
  }
  EXPECT_LE(machine_->keys().waiting(), 1100u);
}

}  // namespace
}  // namespace relic86
