#include "devices/virtio/virtio_serial.h"

#include "base/state_loading.h"
#include "tests/devices/virtio/virtio_board.h"

namespace relic86 {
namespace {

using namespace test;

class Host final : public CharSink {
 public:
  void put(u8 byte) override { text += static_cast<char>(byte); }
  bool can_take() const override { return takes; }
  std::string text;
  bool takes = true;
};

Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

class VirtioSerialTest : public ::testing::TestWithParam<Interface>, protected VirtioBoard {
 protected:
  static constexpr unsigned kInput0 = 0, kOutput0 = 1, kToDriver = 2, kFromDriver = 3, kInput1 = 4, kOutput1 = 5;

  VirtioSerialTest() {
    interface = GetParam();
    device.connect(0, &console);
    device.connect(1, &agent);
    plug(device);
  }
  void start_device(u64 wanted = 1u << 1) {
    start(wanted, 6);
    for (unsigned i = 0; i < 16; i++) answers.push_back(offer(kToDriver, {room(64)})[0]);
    notify(kToDriver);
  }
  void command(u32 port, u16 event, u16 value) {
    Bytes bytes(8);
    bytes[0] = static_cast<u8>(port), bytes[4] = static_cast<u8>(event), bytes[6] = static_cast<u8>(value);
    offer(kFromDriver, {reads(bytes)});
    notify(kFromDriver);
    finished(kFromDriver);
  }
  // What the device has said since the last call.
  std::vector<Bytes> said() {
    std::vector<Bytes> all;
    for (const u32 length : finished(kToDriver)) {
      all.push_back(memory_at(answers.front(), length));
      answers.erase(answers.begin());
    }
    return all;
  }
  void open_ports() {
    command(0, 0, 1);
    for (u16 port = 0; port < 2; port++) command(port, 3, 1), command(port, 6, 1);
    said();
  }
  void send(unsigned port, const std::string& text) {
    for (const char c : text) device.source(port).receive(static_cast<u8>(c));
  }

  Host console, agent;
  VirtioSerial device{"serial.0", {}, {{true, 0, "", 0}, {false, 1, "agent", 1}}};
  std::vector<u64> answers;
};

TEST_P(VirtioSerialTest, TellsOfItsPorts) {
  start_device();
  EXPECT_EQ(device_config(4, 4), 31u);
  command(0, 0, 1);
  EXPECT_EQ(said(), (std::vector<Bytes>{{0, 0, 0, 0, 1, 0, 1, 0}, {1, 0, 0, 0, 1, 0, 1, 0}}));
  command(0, 3, 1);
  EXPECT_EQ(said(), (std::vector<Bytes>{{0, 0, 0, 0, 4, 0, 1, 0}, {0, 0, 0, 0, 6, 0, 1, 0}}));
  command(1, 3, 1);
  EXPECT_EQ(said(),
            (std::vector<Bytes>{{1, 0, 0, 0, 7, 0, 1, 0, 'a', 'g', 'e', 'n', 't', 0}, {1, 0, 0, 0, 6, 0, 1, 0}}));
  command(9, 3, 1);
  EXPECT_TRUE(said().empty());
}

TEST_P(VirtioSerialTest, CarriesBytesBothWays) {
  start_device();
  open_ports();
  offer(kOutput1, {reads(bytes_of("from ")), reads(bytes_of("the guest"))});
  notify(kOutput1);
  EXPECT_EQ(agent.text, "from the guest");
  EXPECT_EQ(finished(kOutput1).size(), 1u);
  EXPECT_TRUE(console.text.empty());

  ASSERT_TRUE(device.source(1).can_receive());
  const u64 first = offer(kInput1, {room(4)})[0], second = offer(kInput1, {room(100)})[0];
  notify(kInput1);
  send(1, "to the guest");
  pass(1'000'000);
  EXPECT_EQ(finished(kInput1), (std::vector<u32>{4, 8}));
  EXPECT_EQ(memory_at(first, 4), bytes_of("to t"));
  EXPECT_EQ(memory_at(second, 8), bytes_of("he guest"));
}

TEST_P(VirtioSerialTest, BytesWaitForBuffersAndForAnOpenPort) {
  start_device();
  EXPECT_FALSE(device.source(1).can_receive()) << "nobody has opened it";
  open_ports();
  for (unsigned i = 0; device.source(1).can_receive() && i < 100'000; i++) device.source(1).receive('x');
  EXPECT_FALSE(device.source(1).can_receive());
  pass(1'000'000);
  offer(kInput1, {room(1000)});
  notify(kInput1);
  EXPECT_EQ(finished(kInput1), std::vector<u32>{1000});
  EXPECT_TRUE(device.source(1).can_receive());
  command(1, 6, 0);
  EXPECT_FALSE(device.source(1).can_receive());
}

TEST_P(VirtioSerialTest, AHostThatDoesNotReadIsWaitedFor) {
  start_device();
  open_ports();
  agent.takes = false;
  offer(kOutput1, {reads(bytes_of("patience"))});
  notify(kOutput1);
  EXPECT_TRUE(finished(kOutput1).empty());
  pass(1'000'000);
  EXPECT_TRUE(agent.text.empty());
  agent.takes = true;
  pass(1'000'000);
  EXPECT_EQ(agent.text, "patience");
  EXPECT_EQ(finished(kOutput1).size(), 1u);
}

TEST_P(VirtioSerialTest, ADriverOfOnePort) {
  start_device(0);
  ASSERT_TRUE(device.source(0).can_receive());
  const u64 at = offer(kInput0, {room(10)})[0];
  notify(kInput0);
  send(0, "key");
  pass(1'000'000);
  EXPECT_EQ(memory_at(at, 3), bytes_of("key"));
  offer(kOutput0, {reads(bytes_of("prompt"))});
  notify(kOutput0);
  EXPECT_EQ(console.text, "prompt");
}

TEST_P(VirtioSerialTest, ADriverThatAsksWithoutTakingAnswers) {
  start(1u << 1, 6);
  for (unsigned i = 0; i < 10'000; i++) {
    buffers = kBuffers;
    command(1, 3, 1);
  }
  EXPECT_NE(status() & virtio::kDriverOk, 0);
  EXPECT_LT(saved(device).size(), 100'000u);
}

TEST_P(VirtioSerialTest, StateIsKept) {
  start_device();
  open_ports();
  send(1, "waiting");
  reload(device);
  const u64 at = offer(kInput1, {room(10)})[0];
  notify(kInput1);
  EXPECT_EQ(memory_at(at, 7), bytes_of("waiting"));
}

INSTANTIATE_TEST_SUITE_P(Interfaces, VirtioSerialTest, testing::Values(Interface::Legacy, Interface::Modern),
                         interface_name);

}  // namespace
}  // namespace relic86
