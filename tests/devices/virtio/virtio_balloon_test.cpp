#include "devices/virtio/virtio_balloon.h"

#include "base/state_loading.h"
#include "tests/devices/virtio/virtio_board.h"

namespace relic86 {
namespace {

using namespace test;

class VirtioBalloonTest : public ::testing::TestWithParam<Interface>, protected VirtioBoard {
 protected:
  VirtioBalloonTest() {
    interface = GetParam();
    plug(device);
    device.on_change([this] { changes++; });
    start(0, 2);
  }
  void tell(unsigned queue, const std::vector<u32>& pages) {
    Bytes bytes;
    for (const u32 page : pages) {
      for (unsigned i = 0; i < 4; i++) bytes.push_back(static_cast<u8>(page >> (i * 8)));
    }
    offer(queue, {reads(bytes)});
    notify(queue);
    EXPECT_EQ(finished(queue).size(), 1u);
  }

  VirtioBalloon device{"balloon.0", {}, {}};
  unsigned changes = 0;
};

TEST_P(VirtioBalloonTest, TheHostAsksAndTheDriverAnswers) {
  EXPECT_EQ(device_config(0, 4), 0u);
  EXPECT_EQ(device.actual(), store.ram_size());
  device.set_target(store.ram_size() - (u64{64} << 12));
  EXPECT_EQ(interrupt_status(), virtio::kConfigInterrupt);
  EXPECT_EQ(device_config(0, 4), 64u);
  set_device_config(4, 4, 60);
  EXPECT_EQ(device.actual(), store.ram_size() - (u64{60} << 12));
  EXPECT_EQ(changes, 1u);
  set_device_config(4, 4, 60);
  EXPECT_EQ(changes, 1u);
  device.set_target(~u64{0});
  EXPECT_EQ(device_config(0, 4), 0u);
  set_device_config(4, 4, ~0u);
  EXPECT_EQ(device.actual(), 0u);
}

TEST_P(VirtioBalloonTest, PagesInItReadAsZerosAndOthersAreKept) {
  constexpr u64 kPage = 0x100;
  put(kPage << 12, Bytes(3 * 4096, 0xAA));
  tell(0, {kPage, kPage + 2});
  EXPECT_EQ(memory_at(kPage << 12, 4096), Bytes(4096));
  EXPECT_EQ(memory_at((kPage + 1) << 12, 4096), Bytes(4096, 0xAA));
  EXPECT_EQ(memory_at((kPage + 2) << 12, 4096), Bytes(4096));
  put(kPage << 12, Bytes(4096, 0x55));
  tell(1, {kPage});
  EXPECT_EQ(memory_at(kPage << 12, 4096), Bytes(4096, 0x55)) << "coming out changes nothing";
}

TEST_P(VirtioBalloonTest, NumbersOfNoPageAreIgnored) {
  tell(0, {0xFFFFFFFF, 0x100000, kMemory >> 12, 0x7FFFF});
  EXPECT_NE(status() & virtio::kDriverOk, 0);
}

TEST_P(VirtioBalloonTest, StateIsKept) {
  device.set_target(1 << 20);
  set_device_config(4, 4, 3);
  reload(device);
}

INSTANTIATE_TEST_SUITE_P(Interfaces, VirtioBalloonTest, testing::Values(Interface::Legacy, Interface::Modern),
                         interface_name);

}  // namespace
}  // namespace relic86
