// Mouse and keyboard, as drivers and BIOSes use them.
#include <gtest/gtest.h>

#include "devices/usb/usb_keyboard.h"
#include "devices/usb/usb_mouse.h"
#include "tests/devices/usb/uhci_board.h"

namespace relic86 {
namespace {

using test::Bytes;
using test::UhciBoard;

template <class T>
struct HidBoard {
  HidBoard() : HidBoard(std::make_unique<T>()) {}
  explicit HidBoard(std::unique_ptr<T> made) : device(*made), board(std::move(made)) { board.configure(); }
  T& device;
  UhciBoard board;
};

// Subclass 1: boot protocol.
Bytes interface_class(UhciBoard& board) {
  const auto whole = board.control(5, 0x80, 6, 0x0200, 0, Bytes(255));
  EXPECT_TRUE(whole);
  return Bytes(whole->begin() + 14, whole->begin() + 17);
}

TEST(UsbMouse, ReportsMotionAndButtonsInTheirOrder) {
  HidBoard<UsbMouse> hid;
  UhciBoard& board = hid.board;
  EXPECT_EQ(interface_class(board), (Bytes{3, 1, 2}));
  EXPECT_FALSE(hid.device.listened_to());
  EXPECT_FALSE(board.poll());
  EXPECT_TRUE(hid.device.listened_to());
  hid.device.move(5, -3, 0);
  hid.device.move(1, 1, 1);
  hid.device.buttons(UsbMouse::kLeft);
  hid.device.move(-1, 0, 0);
  hid.device.buttons(0);
  EXPECT_EQ(board.poll(), (Bytes{0, 6, 0xFE, 1}));
  EXPECT_EQ(board.poll(), (Bytes{1, 0xFF, 0, 0}));
  EXPECT_EQ(board.poll(), (Bytes{0, 0, 0, 0}));
  EXPECT_FALSE(board.poll());
}

TEST(UsbMouse, FarMotionTakesSeveralReports) {
  HidBoard<UsbMouse> hid;
  hid.device.move(300, -128, 0);
  EXPECT_EQ(hid.board.poll(), (Bytes{0, 127, 0x81, 0}));
  EXPECT_EQ(hid.board.poll(), (Bytes{0, 127, 0xFF, 0}));
  EXPECT_EQ(hid.board.poll(), (Bytes{0, 46, 0, 0}));
  EXPECT_FALSE(hid.board.poll());
  for (int i = 0; i < 1000; i++) hid.device.move(1 << 30, 1 << 30, 1 << 30);  // nothing overflows
  EXPECT_EQ(hid.board.poll(), (Bytes{0, 127, 127, 127}));
}

TEST(UsbMouse, BootProtocolAndIdleRate) {
  HidBoard<UsbMouse> hid;
  UhciBoard& board = hid.board;
  EXPECT_EQ(board.control(5, 0xA1, 3, 0, 0, Bytes(1)), Bytes{1});
  EXPECT_TRUE(board.control(5, 0x21, 11, 0, 0, {}));
  hid.device.move(2, 3, 4);
  EXPECT_EQ(board.poll(), (Bytes{0, 2, 3}));
  EXPECT_TRUE(board.control(5, 0x21, 11, 1, 0, {}));
  EXPECT_TRUE(board.control(5, 0x21, 10, 0x0100, 0, {}));  // each 4 ms
  board.frames(5);
  EXPECT_EQ(board.poll(), (Bytes{0, 0, 0, 0}));  // a repeated report moves nothing
}

TEST(UsbKeyboard, TellsEveryChangeInItsOrder) {
  HidBoard<UsbKeyboard> hid;
  UhciBoard& board = hid.board;
  EXPECT_EQ(interface_class(board), (Bytes{3, 1, 1}));
  EXPECT_TRUE(board.control(5, 0x21, 10, 0, 0, {}));
  EXPECT_FALSE(board.poll());
  EXPECT_TRUE(hid.device.ready_for_key());
  hid.device.key(0xE1, true);  // left Shift
  hid.device.key(0x04, true);  // A
  hid.device.key(0x04, true);  // held
  hid.device.key(0x04, false);
  hid.device.key(0xE1, false);
  EXPECT_FALSE(hid.device.ready_for_key());
  EXPECT_EQ(board.poll(), (Bytes{2, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(board.poll(), (Bytes{2, 0, 4, 0, 0, 0, 0, 0}));
  EXPECT_EQ(board.poll(), (Bytes{2, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(board.poll(), Bytes(8));
  EXPECT_FALSE(board.poll());
  EXPECT_TRUE(hid.device.ready_for_key());
}

TEST(UsbKeyboard, MoreThanSixKeysAreTooMany) {
  HidBoard<UsbKeyboard> hid;
  for (u8 usage = 4; usage < 10; usage++) hid.device.key(usage, true);
  std::optional<Bytes> last;
  for (unsigned i = 0; i < 6; i++) last = hid.board.poll();
  EXPECT_EQ(last, (Bytes{0, 0, 4, 5, 6, 7, 8, 9}));
  hid.device.key(10, true);
  EXPECT_EQ(hid.board.poll(), (Bytes{0, 0, 1, 1, 1, 1, 1, 1}));
  hid.device.key(4, false);
  EXPECT_EQ(hid.board.poll(), (Bytes{0, 0, 5, 6, 7, 8, 9, 10}));
}

// A driver that reads nothing for long sees in the end what is held, and no key stays down.
TEST(UsbKeyboard, ASleepyDriverLosesKeysButNoRelease) {
  HidBoard<UsbKeyboard> hid;
  hid.device.key(0xE0, true);
  for (unsigned i = 0; i < 500; i++) hid.device.key(static_cast<u8>(4 + i / 2 % 20), i % 2 == 0);
  hid.device.key(0x28, true);
  std::optional<Bytes> last;
  while (const auto next = hid.board.poll()) last = next;
  EXPECT_EQ(last, (Bytes{1, 0, 0x28, 0, 0, 0, 0, 0}));
  hid.device.release_all();
  while (const auto next = hid.board.poll()) last = next;
  EXPECT_EQ(last, Bytes(8));
  EXPECT_FALSE(hid.device.pressed(0xE0));
}

TEST(UsbKeyboard, LightsAndIdleRate) {
  HidBoard<UsbKeyboard> hid;
  UhciBoard& board = hid.board;
  EXPECT_EQ(board.control(5, 0xA1, 2, 0, 0, Bytes(1)), Bytes{125});  // 500 ms
  EXPECT_TRUE(board.control(5, 0x21, 9, 0x0200, 0, {0x03}));
  EXPECT_EQ(hid.device.lights(), UsbKeyboard::kNumLock | UsbKeyboard::kCapsLock);
  EXPECT_EQ(board.control(5, 0xA1, 1, 0x0200, 0, Bytes(1)), Bytes{3});
  EXPECT_TRUE(board.control(5, 0x21, 9, 0x0200, 0, {0x04}));
  EXPECT_EQ(hid.device.lights(), UsbKeyboard::kScrollLock);
  EXPECT_FALSE(board.control(5, 0x21, 9, 0x0300, 0, {0x04}));  // no feature report
}

// A reset of the bus forgets what the driver was told, not what is held.
TEST(UsbKeyboard, WhatIsHeldIsToldToANewDriver) {
  HidBoard<UsbKeyboard> hid;
  hid.device.key(0x05, true);
  EXPECT_EQ(hid.board.poll(), (Bytes{0, 0, 5, 0, 0, 0, 0, 0}));
  hid.board.configure();
  EXPECT_EQ(hid.board.poll(), (Bytes{0, 0, 5, 0, 0, 0, 0, 0}));
}

// What waits is saved: the loaded machine's driver sees the same.
TEST(UsbHid, IsSavedWithWhatWaits) {
  HidBoard<UsbKeyboard> first, second;
  first.device.key(0x04, true);
  first.device.key(0x05, true);
  ASSERT_TRUE(test::load(second.board.uhci, test::saved(first.board.uhci)));
  EXPECT_EQ(second.board.poll(), (Bytes{0, 0, 4, 0, 0, 0, 0, 0}));
  EXPECT_EQ(second.board.poll(), (Bytes{0, 0, 4, 5, 0, 0, 0, 0}));
  EXPECT_TRUE(second.device.pressed(0x05));
}

}  // namespace
}  // namespace relic86
