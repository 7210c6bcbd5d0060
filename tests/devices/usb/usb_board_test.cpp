// Devices find their ports, come and go by their names, and get what the host's user does.
#include "devices/board/usb_board.h"

#include <gtest/gtest.h>

#include "devices/input/keyboard.h"
#include "devices/input/pointer.h"
#include "devices/usb/usb_keyboard.h"
#include "tests/block/memory_disk.h"
#include "tests/devices/usb/uhci_board.h"

namespace relic86 {
namespace {

using test::Bytes;
using Kind = UsbDeviceConfig::Kind;

struct UsbBoardTest : public testing::Test {
  UsbBoardTest() {
    EXPECT_TRUE(ps2_keyboard.attach(board.attachment).ok());
    EXPECT_TRUE(ps2_mouse.attach(board.attachment).ok());
    board.uhci.unplug(0);
  }
  std::string plug(Kind kind, const std::string& port = "", const std::string& id = "") {
    UsbDeviceConfig config;
    config.kind = kind;
    config.port = port;
    config.id = id;
    if (kind == Kind::Storage) {
      config.image = std::make_unique<test::MemoryDisk>(disk);
      config.drive = "usb" + id;
    }
    const auto plugged = usb.plug(std::move(config));
    return plugged ? "" : plugged.message();
  }

  test::MemoryDiskContent disk{1u << 20};
  test::UhciBoard board;
  Ps2Keyboard ps2_keyboard;
  Ps2Mouse ps2_mouse;
  Keyboard keyboard{ps2_keyboard};
  Pointer pointer{ps2_mouse, nullptr};
  UsbBoard usb{{{&board.uhci, &board.uhci, "/pci@i0cf8/usb@1,2"}}, keyboard, pointer};
};

TEST_F(UsbBoardTest, ThirdDeviceBringsAHub) {
  EXPECT_EQ(plug(Kind::Tablet), "");
  EXPECT_EQ(plug(Kind::Keyboard), "");
  EXPECT_EQ(plug(Kind::Mouse), "");
  EXPECT_EQ(usb.layout(), "1:usb-tablet 2.1:usb-kbd 2.2:usb-mouse 2:usb-hub");
}

TEST_F(UsbBoardTest, PortsAreNamedByTheirPath) {
  EXPECT_EQ(plug(Kind::Hub, "2"), "");
  EXPECT_EQ(plug(Kind::Hub, "2.8"), "");
  EXPECT_EQ(plug(Kind::Mouse, "2.8.3"), "");
  EXPECT_NE(plug(Kind::Mouse, "2.8.3").find("there is a device already"), std::string::npos);
  EXPECT_NE(plug(Kind::Mouse, "1.1").find("there is no hub at port 1;"), std::string::npos);
  EXPECT_NE(plug(Kind::Mouse, "2.8.3.1").find("there is no hub at port 2.8.3"), std::string::npos);
  EXPECT_NE(plug(Kind::Mouse, "3").find("ports 1 to 2 exist"), std::string::npos);
  EXPECT_NE(plug(Kind::Mouse, "2.9").find("ports 1 to 8 exist"), std::string::npos);
  for (const char* port : {"0", "x", "1.", ".1", "1..2", "-1", "99999999999", "2.8.1.1.1.1.1"})
    EXPECT_NE(plug(Kind::Mouse, port).find("not a port"), std::string::npos) << port;
}

// Five hubs hang on each other; beyond that there is no place.
TEST_F(UsbBoardTest, HubsAreNotEndless) {
  std::string port = "1";
  for (unsigned depth = 0; depth < 5; depth++, port += ".1") EXPECT_EQ(plug(Kind::Hub, port), "") << port;
  EXPECT_EQ(plug(Kind::Hub, port), "");
  EXPECT_NE(plug(Kind::Mouse, port + ".1").find("not a port"), std::string::npos);
  unsigned devices = 0;
  while (plug(Kind::Mouse).empty()) devices++;
  EXPECT_GE(devices, 36u);
  EXPECT_NE(plug(Kind::Mouse).find("all USB ports are taken"), std::string::npos);
}

TEST_F(UsbBoardTest, NamesAndDrivesAreOnes) {
  EXPECT_EQ(plug(Kind::Storage, "", "a"), "");
  EXPECT_NE(plug(Kind::Mouse, "", "a").find("another USB device has this id"), std::string::npos);
  UsbDeviceConfig twice;
  twice.kind = Kind::Storage;
  twice.drive = "usba";
  twice.image = std::make_unique<test::MemoryDisk>(disk);
  const auto refused = usb.plug(std::move(twice));
  EXPECT_FALSE(refused.ok());
  EXPECT_EQ(usb.boot_path("usba"), "/pci@i0cf8/usb@1,2/storage@1/channel@0/disk@0,0");
  EXPECT_EQ(plug(Kind::Hub, "2"), "");
  EXPECT_EQ(plug(Kind::Storage, "2.3", "b"), "");
  EXPECT_EQ(usb.boot_path("usbb"), "/pci@i0cf8/usb@1,2/hub@2/storage@3/channel@0/disk@0,0");
  EXPECT_TRUE(usb.flush().ok());
  EXPECT_EQ(disk.flushes, 2u);
}

TEST_F(UsbBoardTest, AHubGoesWithWhatHangsOnIt) {
  EXPECT_EQ(plug(Kind::Hub, "1", "h"), "");
  EXPECT_EQ(plug(Kind::Tablet, "1.1", "t"), "");
  EXPECT_EQ(plug(Kind::Mouse, "1.2"), "");
  EXPECT_TRUE(pointer.has_tablet());
  EXPECT_TRUE(usb.unplug("x").empty());
  EXPECT_TRUE(usb.unplug("").empty());
  EXPECT_EQ(usb.unplug("h"), (std::vector<std::string>{"h", "t", ""}));
  EXPECT_FALSE(pointer.has_tablet());
  EXPECT_FALSE(pointer.has_usb_mouse());
  EXPECT_EQ(usb.layout(), "");
  EXPECT_EQ(usb.describe(), "");
}

// Keys go to the USB keyboard once a driver listens to it, and back to the PS/2 keyboard when it is gone; a key is let
// go where it was pressed.
TEST_F(UsbBoardTest, KeysGoWhereADriverListens) {
  EXPECT_EQ(plug(Kind::Keyboard, "1", "k"), "");
  keyboard.key(KeyCode::A, true);
  EXPECT_TRUE(ps2_keyboard.pressed(KeyCode::A));
  board.configure();
  EXPECT_TRUE(board.control(5, 0x21, 10, 0, 0, {}));
  EXPECT_FALSE(board.poll());
  keyboard.key(KeyCode::B, true);
  EXPECT_FALSE(ps2_keyboard.pressed(KeyCode::B));
  EXPECT_TRUE(keyboard.pressed(KeyCode::B));
  EXPECT_EQ(board.poll(), (Bytes{0, 0, 5, 0, 0, 0, 0, 0}));
  keyboard.key(KeyCode::A, false);
  EXPECT_FALSE(ps2_keyboard.pressed(KeyCode::A));
  keyboard.key(KeyCode::AudioPlay, true);  // USB keyboards have no such key
  EXPECT_TRUE(ps2_keyboard.pressed(KeyCode::AudioPlay));
  keyboard.release_all();
  EXPECT_EQ(board.poll(), Bytes(8));
  EXPECT_FALSE(ps2_keyboard.pressed(KeyCode::AudioPlay));
  EXPECT_FALSE(usb.unplug("k").empty());
  keyboard.key(KeyCode::B, true);
  EXPECT_TRUE(ps2_keyboard.pressed(KeyCode::B));
}

TEST_F(UsbBoardTest, MotionGoesToTheMouseThatADriverListensTo) {
  EXPECT_EQ(plug(Kind::Mouse, "1", "m"), "");
  pointer.buttons(Ps2Mouse::kLeft);
  EXPECT_EQ(ps2_mouse.pressed(), Ps2Mouse::kLeft);
  board.configure();
  EXPECT_FALSE(board.poll());
  pointer.move(4, 5, 0);
  EXPECT_EQ(board.poll(), (Bytes{0, 4, 5, 0}));
  pointer.buttons(Ps2Mouse::kLeft | Ps2Mouse::kRight);
  EXPECT_EQ(ps2_mouse.pressed(), 0);
  EXPECT_EQ(pointer.pressed(), Ps2Mouse::kLeft | Ps2Mouse::kRight);
  EXPECT_EQ(board.poll(), (Bytes{3, 0, 0, 0}));
}

}  // namespace
}  // namespace relic86
