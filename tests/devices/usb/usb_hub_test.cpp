// A hub, hubs on hubs, and devices that come and go while the driver runs.
#include "devices/usb/usb_hub.h"

#include <gtest/gtest.h>

#include "tests/devices/usb/uhci_board.h"

namespace relic86 {
namespace {

using test::Bytes;
using test::UhciBoard;

constexpr u16 kPortReset = 4, kPortSuspend = 2, kChangeConnection = 16, kChangeSuspend = 18, kChangeReset = 20;

struct HubBoard {
  HubBoard() : HubBoard(std::make_unique<UsbHub>()) {}
  explicit HubBoard(std::unique_ptr<UsbHub> made) : hub(*made), board(std::move(made)) { board.configure(); }

  bool set(u8 hub_address, unsigned port, u16 feature) {
    return board.control(hub_address, 0x23, 3, feature, static_cast<u16>(port), {}).has_value();
  }
  bool clear(u8 hub_address, unsigned port, u16 feature) {
    return board.control(hub_address, 0x23, 1, feature, static_cast<u16>(port), {}).has_value();
  }
  // wPortStatus, then wPortChange.
  u32 port(u8 hub_address, unsigned number) {
    const auto answer = board.control(hub_address, 0xA3, 0, 0, static_cast<u16>(number), Bytes(4));
    EXPECT_TRUE(answer);
    return (*answer)[0] | u32{(*answer)[1]} << 8 | u32{(*answer)[2]} << 16 | u32{(*answer)[3]} << 24;
  }
  // The device on the port gets the address and is configured, as a driver does it.
  void enumerate(u8 hub_address, unsigned number, u8 address) {
    ASSERT_TRUE(set(hub_address, number, kPortReset));
    ASSERT_EQ(port(hub_address, number) & 0x100003, 0x100003u);
    ASSERT_TRUE(clear(hub_address, number, kChangeReset));
    ASSERT_TRUE(clear(hub_address, number, kChangeConnection));
    ASSERT_TRUE(board.control(0, 0x00, 5, address, 0, {}));
    ASSERT_TRUE(board.control(address, 0x00, 9, 1, 0, {}));
  }

  UsbHub& hub;
  UhciBoard board;
};

TEST(UsbHub, DescribesItsPorts) {
  HubBoard hub;
  const auto described = hub.board.control(5, 0xA0, 6, 0x2900, 0, Bytes(64));
  ASSERT_TRUE(described);
  EXPECT_EQ((*described)[0], described->size());
  EXPECT_EQ((*described)[2], 8);
  EXPECT_EQ(hub.board.control(5, 0xA0, 0, 0, 0, Bytes(4)), Bytes(4));
  EXPECT_EQ(hub.port(5, 1), 0x100u);
  EXPECT_FALSE(hub.board.control(5, 0xA3, 0, 0, 0, Bytes(4)));
  EXPECT_FALSE(hub.board.control(5, 0xA3, 0, 0, 9, Bytes(4)));
  EXPECT_FALSE(hub.set(5, 1, 99));
  EXPECT_FALSE(hub.board.poll());
}

TEST(UsbHub, ADeviceComesIsUsedAndGoes) {
  HubBoard hub;
  auto made = std::make_unique<UsbTablet>();
  UsbTablet& tablet = *made;
  hub.hub.plug(2, std::move(made));
  EXPECT_EQ(hub.board.poll(), (Bytes{1 << 3, 0}));
  EXPECT_EQ(hub.port(5, 3), 0x10101u);
  hub.enumerate(5, 3, 7);
  EXPECT_FALSE(hub.board.poll());  // all changes are acknowledged
  tablet.point(3, 4);
  EXPECT_EQ(hub.board.poll(7), (Bytes{0, 3, 0, 4, 0, 0}));
  hub.hub.unplug(2);
  EXPECT_EQ(hub.board.poll(), (Bytes{1 << 3, 0}));
  EXPECT_EQ(hub.port(5, 3), 0x10100u);
  EXPECT_FALSE(hub.board.poll(7));
  EXPECT_NE(hub.board.control_of(0) & uhci::kTimeout, 0u);  // nobody is there
}

TEST(UsbHub, HubsHangOnHubs) {
  HubBoard hub;
  auto second = std::make_unique<UsbHub>();
  UsbHub& inner = *second;
  hub.hub.plug(7, std::move(second));
  EXPECT_EQ(hub.board.poll(), (Bytes{0, 1}));
  hub.enumerate(5, 8, 6);
  auto made = std::make_unique<UsbTablet>();
  UsbTablet& tablet = *made;
  inner.plug(0, std::move(made));
  EXPECT_EQ(hub.board.poll(6), (Bytes{2, 0}));
  hub.enumerate(6, 1, 7);
  tablet.point(1, 2);
  EXPECT_EQ(hub.board.poll(7), (Bytes{0, 1, 0, 2, 0, 0}));
  // A port that is disabled or sleeps cuts off what is beyond.
  EXPECT_TRUE(hub.set(5, 8, kPortSuspend));
  tablet.point(5, 6);
  EXPECT_FALSE(hub.board.poll(7));
  EXPECT_TRUE(hub.clear(5, 8, kPortSuspend));
  EXPECT_EQ(hub.port(5, 8) >> 16, 4u);
  EXPECT_TRUE(hub.clear(5, 8, kChangeSuspend));
  EXPECT_EQ(hub.board.poll(7), (Bytes{0, 5, 0, 6, 0, 0}));
}

// A sleeping port is woken by its device, and with the whole bus asleep the controller hears of it.
TEST(UsbHub, PassesAWakeUpOn) {
  HubBoard hub;
  auto made = std::make_unique<UsbTablet>();
  UsbTablet& tablet = *made;
  hub.hub.plug(0, std::move(made));
  hub.enumerate(5, 1, 7);
  ASSERT_TRUE(hub.board.control(7, 0x00, 3, 1, 0, {}));
  ASSERT_TRUE(hub.set(5, 1, kPortSuspend));
  hub.board.set_reg(uhci::kInterruptEnable, uhci::kResumeEnable);
  hub.board.set_reg(uhci::kPort0, uhci::kEnabled | uhci::kPortSuspend);
  tablet.point(5, 6);
  EXPECT_TRUE(hub.board.interrupted());
  hub.board.set_reg(uhci::kPort0, uhci::kEnabled | uhci::kPortSuspend | uhci::kPortResume);
  hub.board.set_reg(uhci::kPort0, uhci::kEnabled);
  EXPECT_EQ(hub.port(5, 1), 0x40103u);
  EXPECT_EQ(hub.board.poll(7), (Bytes{0, 5, 0, 6, 0, 0}));
}

// The controller's own ports: a device may come and go at any time.
TEST(UhciPorts, TellOfDevicesThatComeAndGo) {
  UhciBoard board;
  board.configure();
  board.uhci.unplug(0);
  EXPECT_EQ(board.reg(uhci::kPort0) & (uhci::kConnected | uhci::kConnectChanged | uhci::kEnabled),
            uhci::kConnectChanged);
  EXPECT_FALSE(board.poll());
  EXPECT_NE(board.control_of(0) & uhci::kTimeout, 0u);
  board.set_reg(uhci::kPort0, uhci::kConnectChanged | uhci::kEnableChanged);
  board.uhci.plug(0, std::make_unique<UsbHub>());
  EXPECT_EQ(board.reg(uhci::kPort0) & (uhci::kConnected | uhci::kConnectChanged | uhci::kEnabled),
            uhci::kConnected | uhci::kConnectChanged);
  board.configure();
  EXPECT_EQ(board.control(5, 0xA0, 0, 0, 0, Bytes(4)), Bytes(4));
  // On a bus that sleeps it is a resume.
  board.set_reg(uhci::kInterruptEnable, uhci::kResumeEnable);
  board.set_reg(uhci::kCommand, 0xC8);
  EXPECT_FALSE(board.interrupted());
  board.uhci.plug(1, std::make_unique<UsbTablet>());
  EXPECT_TRUE(board.interrupted());
}

TEST(UsbHub, IsSavedWithWhatHangsOnIt) {
  HubBoard first, second;
  for (HubBoard* each : {&first, &second}) each->hub.plug(4, std::make_unique<UsbTablet>());
  first.enumerate(5, 5, 9);
  ASSERT_TRUE(test::load(second.board.uhci, test::saved(first.board.uhci)));
  EXPECT_EQ(second.port(5, 5), 0x103u);
  EXPECT_EQ(second.board.control(9, 0x80, 8, 0, 0, Bytes(1)), Bytes{1});
}

}  // namespace
}  // namespace relic86
