#include "devices/virtio/virtio_random.h"

#include "base/state_loading.h"
#include "tests/devices/virtio/virtio_board.h"

namespace relic86 {
namespace {

using namespace test;

class CountingSource final : public RandomSource {
 public:
  void fill(std::span<u8> bytes) override {
    for (u8& byte : bytes) byte = next++;
  }
  u8 next = 1;
};

class VirtioRandomTest : public ::testing::TestWithParam<Interface>, protected VirtioBoard {
 protected:
  void start_device(const VirtioRandomOptions& options) {
    interface = GetParam();
    device = std::make_unique<VirtioRandom>("random.0", VirtioInterfaces{}, options);
    plug(*device);
    start(0, 1);
  }
  Bytes ask(u32 size) {
    const auto places = offer(0, {room(size)});
    notify(0);
    const auto lengths = finished(0);
    return lengths.empty() ? Bytes{} : memory_at(places[0], lengths[0]);
  }

  CountingSource source;
  std::unique_ptr<VirtioRandom> device;
};

TEST_P(VirtioRandomTest, FillsBuffersFromTheHost) {
  start_device({.source = &source});
  EXPECT_EQ(ask(4), (Bytes{1, 2, 3, 4}));
  EXPECT_TRUE(interrupts());
  EXPECT_EQ(ask(2), (Bytes{5, 6}));
}

TEST_P(VirtioRandomTest, ItsOwnNumbersAreTheSameInEveryRunAndGoOnFromASavedState) {
  start_device({});
  const Bytes first = ask(64);
  const auto state = saved(*device);
  const Bytes second = ask(64);
  EXPECT_EQ(first.size(), 64u);
  EXPECT_NE(first, second);
  ASSERT_TRUE(load_state(state, [&](StateArchive& archive) { device->state(archive); }).ok());
  rings[0].seen = 1;
  rings[0].offered = 1;
  EXPECT_EQ(ask(64), second);
}

TEST_P(VirtioRandomTest, GivesNoMoreThanTheLimit) {
  start_device({.source = &source, .most_bytes = 10, .period = 1'000'000});
  EXPECT_EQ(ask(8).size(), 8u);
  EXPECT_EQ(ask(8).size(), 2u);
  EXPECT_TRUE(ask(8).empty());
  EXPECT_TRUE(ask(8).empty());
  pass(1'000'000);
  EXPECT_EQ(finished(0), (std::vector<u32>{8, 2}));
  reload(*device);
}

INSTANTIATE_TEST_SUITE_P(Interfaces, VirtioRandomTest, testing::Values(Interface::Legacy, Interface::Modern),
                         interface_name);

}  // namespace
}  // namespace relic86
