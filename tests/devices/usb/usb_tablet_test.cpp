#include <gtest/gtest.h>

#include <string>

#include "tests/devices/usb/uhci_board.h"

namespace relic86 {
namespace {

using test::Bytes;
using test::UhciBoard;

Bytes report(u8 buttons, unsigned x, unsigned y, int wheel = 0) {
  return {buttons,
          static_cast<u8>(x),
          static_cast<u8>(x >> 8),
          static_cast<u8>(y),
          static_cast<u8>(y >> 8),
          static_cast<u8>(wheel)};
}

TEST(UsbTablet, IsEnumerated) {
  UhciBoard board;
  board.start();
  board.enable_port();
  const auto device = board.control(0, 0x80, 6, 0x0100, 0, Bytes(64));
  ASSERT_TRUE(device);
  ASSERT_EQ(device->size(), 18u);
  EXPECT_EQ(Bytes(device->begin() + 8, device->begin() + 12), (Bytes{0x27, 0x06, 0x01, 0x00}));
  ASSERT_TRUE(board.control(0, 0x00, 5, 9, 0, {}));
  EXPECT_FALSE(board.control(0, 0x80, 6, 0x0100, 0, Bytes(18)));  // nobody is at address 0 any more
  // The head of the configuration says how long the whole is.
  const auto head = board.control(9, 0x80, 6, 0x0200, 0, Bytes(9));
  ASSERT_TRUE(head);
  const auto whole = board.control(9, 0x80, 6, 0x0200, 0, Bytes((*head)[2]));
  ASSERT_TRUE(whole);
  ASSERT_EQ(whole->size(), (*head)[2]);
  EXPECT_EQ((*whole)[14], 3);  // HID
  const auto meaning = board.control(9, 0x81, 6, 0x2200, 0, Bytes(255));
  ASSERT_TRUE(meaning);
  EXPECT_EQ(meaning->size(), (*whole)[25]);
  const auto hid = board.control(9, 0x81, 6, 0x2100, 0, Bytes(9));
  ASSERT_TRUE(hid);
  EXPECT_EQ(*hid, Bytes(whole->begin() + 18, whole->begin() + 27));
  const auto name = board.control(9, 0x80, 6, 0x0300 + (*device)[15], 0x0409, Bytes(255));
  ASSERT_TRUE(name);
  std::string letters;
  for (std::size_t i = 2; i < name->size(); i += 2) letters += static_cast<char>((*name)[i]);
  EXPECT_EQ(letters, board.tablet->product());
  EXPECT_EQ(board.control(9, 0x80, 6, 0x0300, 0, Bytes(255)), (Bytes{4, 3, 9, 4}));
}

TEST(UsbTablet, StandardRequests) {
  UhciBoard board;
  board.configure();
  EXPECT_EQ(board.control(5, 0x80, 8, 0, 0, Bytes(1)), Bytes{1});
  EXPECT_EQ(board.control(5, 0x81, 10, 0, 0, Bytes(1)), Bytes{0});
  EXPECT_EQ(board.control(5, 0x80, 0, 0, 0, Bytes(2)), (Bytes{0, 0}));
  EXPECT_TRUE(board.control(5, 0x00, 3, 1, 0, {}));  // it may wake the host
  EXPECT_EQ(board.control(5, 0x80, 0, 0, 0, Bytes(2)), (Bytes{2, 0}));
  EXPECT_TRUE(board.control(5, 0x00, 1, 1, 0, {}));
  // What does not exist is stalled, and the next request goes well.
  EXPECT_FALSE(board.control(5, 0x80, 6, 0x0600, 0, Bytes(10)));
  EXPECT_FALSE(board.control(5, 0x80, 6, 0x0309, 0, Bytes(10)));
  EXPECT_FALSE(board.control(5, 0x00, 9, 2, 0, {}));
  EXPECT_FALSE(board.control(5, 0x40, 1, 0, 0, {}));
  EXPECT_FALSE(board.control(5, 0x40, 1, 0, 0, Bytes(20)));
  EXPECT_FALSE(board.control(5, 0xC0, 1, 0, 0, Bytes(20)));
  EXPECT_TRUE(board.control(5, 0x01, 11, 0, 0, {}));
  EXPECT_FALSE(board.control(5, 0x01, 11, 1, 0, {}));
  // A halted endpoint answers nothing but stalls.
  EXPECT_TRUE(board.control(5, 0x02, 3, 0, 0x81, {}));
  EXPECT_EQ(board.control(5, 0x82, 0, 0, 0x81, Bytes(2)), (Bytes{1, 0}));
  board.poll();
  EXPECT_NE(board.control_of(0) & uhci::kStalled, 0u);
  EXPECT_TRUE(board.control(5, 0x02, 1, 0, 0x81, {}));
  EXPECT_FALSE(board.poll());
  EXPECT_EQ(board.control_of(0) & (uhci::kStalled | uhci::kNak), uhci::kNak);
  EXPECT_FALSE(board.control(5, 0x02, 3, 0, 0x82, {}));
}

TEST(UsbTablet, ReportsWhereThePointerIs) {
  UhciBoard board;
  board.configure();
  EXPECT_FALSE(board.tablet->listened_to());
  EXPECT_FALSE(board.poll());
  EXPECT_TRUE(board.tablet->listened_to());
  board.tablet->point(1000, 2000);
  EXPECT_EQ(board.poll(), report(0, 1000, 2000));
  EXPECT_FALSE(board.poll());  // told once
  board.tablet->point(1000, 2000);
  EXPECT_FALSE(board.poll());  // nothing new
  board.tablet->point(99999, 0);
  EXPECT_EQ(board.poll(), report(0, 0x7FFF, 0));
  board.tablet->turn_wheel(3);
  EXPECT_EQ(board.poll(), report(0, 0x7FFF, 0, 3));
  board.tablet->turn_wheel(-1000);
  EXPECT_EQ(board.poll(), report(0, 0x7FFF, 0, -127));
  board.tablet->point(1, 1);
  EXPECT_EQ(board.poll(), report(0, 1, 1));
  // Which report it was last is also told by the default pipe.
  EXPECT_EQ(board.control(5, 0xA1, 1, 0x0100, 0, Bytes(6)), report(0, 1, 1));
}

TEST(UsbTablet, ASlowDriverSeesEveryClickWhereItWas) {
  UhciBoard board;
  board.configure();
  for (unsigned i = 1; i <= 100; i++) board.tablet->point(i, i);
  board.tablet->buttons(UsbTablet::kLeft);
  for (unsigned i = 101; i <= 200; i++) board.tablet->point(i, i);
  board.tablet->buttons(0);
  EXPECT_EQ(board.poll(), report(0, 100, 100));
  EXPECT_EQ(board.poll(), report(1, 200, 200));
  EXPECT_EQ(board.poll(), report(0, 200, 200));
  EXPECT_FALSE(board.poll());
  // More than it keeps: the newest is there at the end.
  for (unsigned i = 0; i < 51; i++) board.tablet->buttons(i % 2 == 0 ? UsbTablet::kRight : 0);
  Bytes last;
  unsigned reports = 0;
  while (const auto next = board.poll()) last = *next, reports++;
  EXPECT_EQ(last, report(2, 200, 200));
  EXPECT_EQ(reports, 16u);
}

TEST(UsbTablet, RepeatsItselfAtTheIdleRate) {
  UhciBoard board;
  board.configure();
  EXPECT_TRUE(board.control(5, 0x21, 10, 0x0500, 0, {}));  // each 20 ms
  EXPECT_EQ(board.control(5, 0xA1, 2, 0, 0, Bytes(1)), Bytes{5});
  board.tablet->point(7, 8);
  EXPECT_EQ(board.poll(), report(0, 7, 8));
  unsigned waited = 0;
  while (!board.poll()) waited++;
  EXPECT_EQ(waited, 19u);
  EXPECT_TRUE(board.control(5, 0x21, 10, 0, 0, {}));
  board.frames(100);
  EXPECT_FALSE(board.poll());
}

TEST(UsbTablet, WakesASleepingPortIfItMay) {
  for (const bool allowed : {false, true}) {
    UhciBoard board;
    board.configure();
    ASSERT_TRUE(board.control(5, 0x00, allowed ? 3 : 1, 1, 0, {}));  // SET_FEATURE or CLEAR_FEATURE
    board.set_reg(uhci::kInterruptEnable, uhci::kResumeEnable);
    board.set_reg(uhci::kPort0, uhci::kEnabled | uhci::kPortSuspend);
    EXPECT_FALSE(board.poll());
    EXPECT_NE(board.control_of(0) & uhci::kTimeout, 0u);  // it sleeps
    board.tablet->point(5, 6);
    EXPECT_EQ(board.interrupted(), allowed);
    EXPECT_EQ((board.reg(uhci::kPort0) & uhci::kPortResume) != 0, allowed);
    EXPECT_EQ((board.reg(uhci::kStatus) & uhci::kResumeDetected) != 0, allowed);
    // The driver ends the resume.
    board.set_reg(uhci::kPort0, uhci::kEnabled | uhci::kPortSuspend | uhci::kPortResume);
    board.set_reg(uhci::kPort0, uhci::kEnabled);
    EXPECT_EQ(board.reg(uhci::kPort0) & (uhci::kPortSuspend | uhci::kPortResume), 0);
    board.set_reg(uhci::kStatus, uhci::kResumeDetected);
    EXPECT_FALSE(board.interrupted());
    EXPECT_EQ(board.poll(), report(0, 5, 6));
  }
}

TEST(UsbTablet, WakesASleepingBus) {
  UhciBoard board;
  board.configure();
  EXPECT_TRUE(board.control(5, 0x00, 3, 1, 0, {}));
  board.set_reg(uhci::kInterruptEnable, uhci::kResumeEnable);
  board.set_reg(uhci::kCommand, 0xC8);  // stopped, and global suspend
  EXPECT_EQ(board.scheduler.next_deadline(), Scheduler::kNever);
  board.tablet->buttons(UsbTablet::kMiddle);
  EXPECT_TRUE(board.interrupted());
  board.set_reg(uhci::kStatus, 0xFFFF);
  board.set_reg(uhci::kCommand, 0xC1);
  EXPECT_EQ(board.poll(), report(4, 0, 0));
}

}  // namespace
}  // namespace relic86
