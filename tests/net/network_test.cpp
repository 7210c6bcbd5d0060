// Cables, hubs, queues and files of frames, with cards that are tests.
#include "net/network.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "options/options.h"

namespace relic86::net {
namespace {

using Bytes = std::vector<u8>;

struct Card final : NetworkReceiver {
  bool listening() const override { return on; }
  bool can_receive() const override { return got.size() < room; }
  void receive(std::span<const u8> frame) override { got.emplace_back(frame.begin(), frame.end()); }
  void link_changed(bool up) override { links.push_back(up); }
  ReceiveFilter receive_filter() const override { return {}; }
  bool on = true;
  std::size_t room = 1000;
  std::vector<Bytes> got;
  std::vector<bool> links;
};

struct Clock final : GuestClock {
  GuestTime now() const override { return time; }
  GuestTime time = 0;
};

struct Net {
  explicit Net(std::vector<std::string> words, bool well = true) {
    auto parsed = parse_command_line(words);
    EXPECT_TRUE(parsed.ok()) << parsed.message();
    const Options& options = parsed.value().options;
    const auto built = network.build(options.network, options.objects);
    EXPECT_EQ(built.ok(), well) << built.message();
    if (!built) refusal = built.message();
    for (std::size_t i = 0; i < network.cards(); i++) {
      cards.push_back(std::make_unique<Card>());
      network.card(i).connect(cards.back().get());
    }
  }
  ~Net() {
    for (std::size_t i = 0; i < network.cards(); i++) network.card(i).connect(nullptr);
  }
  void pass(GuestTime time = 10'000) {
    clock.time += time;
    scheduler.run_due();
  }
  // Serves the host until the condition holds; hosts may be slow.
  template <class Condition>
  bool serve(Condition condition) {
    for (unsigned i = 0; i < 2000 && !condition(); i++) {
      poller.poll(5'000'000);
      pass();
    }
    return condition();
  }
  void send(std::size_t card, const Bytes& frame) { static_cast<NetworkLink&>(network.card(card)).send(frame); }

  HostPoller poller;
  Clock clock;
  Scheduler scheduler{clock};
  std::vector<std::unique_ptr<Card>> cards;
  Network network{scheduler, clock, poller};
  std::string refusal;
};

Bytes frame_of(std::size_t size, u8 fill) { return Bytes(size, fill); }

std::vector<std::string> hub_of(unsigned cards) {
  std::vector<std::string> words;
  for (unsigned i = 0; i < cards; i++) {
    const std::string id = "h" + std::to_string(i);
    words.insert(words.end(), {"-netdev", "hubport,hubid=0,id=" + id, "-device", "e1000,netdev=" + id});
  }
  return words;
}

TEST(Network, AHubCarriesFramesToAllOthers) {
  Net net(hub_of(3));
  net.send(0, frame_of(100, 7));
  EXPECT_TRUE(net.cards[1]->got.empty()) << "not while the sender's register is being written";
  net.pass();
  EXPECT_TRUE(net.cards[0]->got.empty());
  ASSERT_EQ(net.cards[1]->got.size(), 1u);
  ASSERT_EQ(net.cards[2]->got.size(), 1u);
  EXPECT_EQ(net.cards[2]->got[0], frame_of(100, 7));
}

TEST(Network, ShortFramesArePadded) {
  Net net(hub_of(2));
  net.send(0, frame_of(20, 1));
  net.pass();
  ASSERT_EQ(net.cards[1]->got.size(), 1u);
  EXPECT_EQ(net.cards[1]->got[0].size(), 60u);
}

TEST(Network, FramesWaitForRoomInOrderAndAreBounded) {
  Net net(hub_of(2));
  net.cards[1]->room = 0;
  for (unsigned i = 0; i < CardPort::kMostWaiting + 100; i++) net.send(0, frame_of(60, static_cast<u8>(i)));
  EXPECT_EQ(net.network.card(1).waiting(), CardPort::kMostWaiting);
  net.pass();
  EXPECT_TRUE(net.cards[1]->got.empty());
  net.cards[1]->room = 3;
  static_cast<NetworkLink&>(net.network.card(1)).receiver_ready();
  net.pass();
  ASSERT_EQ(net.cards[1]->got.size(), 3u);
  for (u8 i = 0; i < 3; i++) EXPECT_EQ(net.cards[1]->got[i][0], i);
  net.cards[1]->room = 4;  // in memory, without a word
  net.pass(10'000'000);
  EXPECT_EQ(net.cards[1]->got.size(), 4u);
}

TEST(Network, AReceiverThatIsOffLosesFrames) {
  Net net(hub_of(2));
  net.cards[1]->on = false;
  net.send(0, frame_of(60, 1));
  net.cards[1]->on = true;
  net.pass();
  EXPECT_TRUE(net.cards[1]->got.empty());
}

TEST(Network, SetLinkPullsTheCableAtEitherEnd) {
  Net net(hub_of(2));
  for (const std::string name : {"e1000.1", "h1"}) {
    net.cards[1]->got.clear(), net.cards[1]->links.clear();
    ASSERT_TRUE(net.network.set_link(name, false).ok());
    EXPECT_FALSE(net.network.card(1).up());
    net.send(0, frame_of(60, 1));
    net.pass();
    EXPECT_TRUE(net.cards[1]->got.empty()) << name;
    ASSERT_TRUE(net.network.set_link(name, true).ok());
    net.send(0, frame_of(60, 1));
    net.pass();
    EXPECT_EQ(net.cards[1]->got.size(), 1u) << name;
    EXPECT_EQ(net.cards[1]->links, (std::vector<bool>{false, true})) << name;
  }
  EXPECT_FALSE(net.network.set_link("nobody", true).ok());
}

TEST(Network, HubsInARingDoNotGoRoundForEver) {
  auto words = hub_of(1);
  for (const char* more : {"hubport,hubid=0,id=a", "hubport,hubid=1,id=b,netdev=a", "hubport,hubid=0,id=c",
                           "hubport,hubid=1,id=d,netdev=c"})
    words.insert(words.end(), {"-netdev", more});
  Net net(words);
  net.send(0, frame_of(60, 1));
  net.pass();
  EXPECT_LE(net.cards[0]->got.size(), 1u);
}

TEST(Network, BackEndsComeAndGo) {
  Net net(hub_of(1));
  EXPECT_TRUE(net.network.card(0).up());
  ASSERT_TRUE(net.network.remove_backend("h0").ok());
  EXPECT_FALSE(net.network.card(0).up());
  net.send(0, frame_of(60, 1));
  EXPECT_FALSE(net.network.remove_backend("h0").ok());
  NetdevOption option{"-netdev hubport", "hubport", "new", {{"hubid", "3"}}};
  EXPECT_TRUE(net.network.add_backend(option).ok());
  EXPECT_FALSE(net.network.add_backend(option).ok()) << "the id is taken";
}

TEST(Network, WritesFramesToAFile) {
  const std::string file = ::testing::TempDir() + "network_test.pcap";
  auto words = hub_of(2);
  words.insert(words.end(), {"-object", "filter-dump,id=f,netdev=h0,maxlen=80,file=" + file});
  {
    Net net(words);
    net.clock.time = 3'000'002'000;
    net.send(0, frame_of(100, 7));
    net.send(1, frame_of(60, 9));
  }
  std::ifstream stream(file, std::ios::binary);
  const Bytes bytes{std::istreambuf_iterator<char>(stream), {}};
  ASSERT_EQ(bytes.size(), 24u + 16 + 80 + 16 + 60);
  EXPECT_EQ(Bytes(bytes.begin(), bytes.begin() + 4), (Bytes{0xD4, 0xC3, 0xB2, 0xA1}));
  EXPECT_EQ(bytes[20], 1) << "Ethernet";
  EXPECT_EQ(Bytes(bytes.begin() + 24, bytes.begin() + 40), (Bytes{3, 0, 0, 0, 2, 0, 0, 0, 80, 0, 0, 0, 100, 0, 0, 0}));
  EXPECT_EQ(bytes[40], 7);
  EXPECT_EQ(bytes.back(), 9);
  std::filesystem::remove(file);
}

TEST(Network, StreamsOfTwoMachinesMeet) {
  const std::string path = ::testing::TempDir() + "network_test.socket";
  Net one({"-netdev", "stream,id=s,server=on,addr.type=unix,addr.path=" + path, "-device", "e1000,netdev=s"});
  Net two({"-netdev", "stream,id=s,addr.type=unix,addr.path=" + path, "-device", "ne2k_pci,netdev=s"});
  ASSERT_TRUE(one.serve([&] { return one.network.describe().find("connected") != std::string::npos; }));
  for (u8 i = 0; i < 20; i++) one.send(0, frame_of(60u + i * 70u, i));
  ASSERT_TRUE(two.serve([&] { return two.cards[0]->got.size() == 20; }));
  for (u8 i = 0; i < 20; i++) EXPECT_EQ(two.cards[0]->got[i], frame_of(60u + i * 70u, i));
  two.send(0, frame_of(64, 5));
  ASSERT_TRUE(one.serve([&] { return one.cards[0]->got.size() == 1; }));
  std::filesystem::remove(path);
}

TEST(Network, DatagramsOfTwoMachinesMeet) {
  const std::string path = ::testing::TempDir() + "network_test.dgram";
  const auto words = [&](const char* own, const char* other) {
    return std::vector<std::string>{
        "-netdev",
        "dgram,id=d,local.type=unix,local.path=" + path + own + ",remote.type=unix,remote.path=" + path + other,
        "-device", "e1000,netdev=d"};
  };
  Net one(words("1", "2")), two(words("2", "1"));
  one.send(0, frame_of(300, 1));
  ASSERT_TRUE(two.serve([&] { return two.cards[0]->got.size() == 1; }));
  EXPECT_EQ(two.cards[0]->got[0], frame_of(300, 1));
  for (const char* end : {"1", "2"}) std::filesystem::remove(path + end);
}

TEST(Network, ErrorsNameOptionAndMend) {
  const auto refused = [](const std::string& netdev) {
    return Net({"-netdev", netdev, "-device", "e1000,netdev=n"}, false).refusal;
  };
  EXPECT_NE(refused("socket,id=n").find("exactly one of listen="), std::string::npos);
  EXPECT_NE(refused("socket,id=n,connect=127.0.0.1:x").find("connect=127.0.0.1:x: 'x' is not a port"),
            std::string::npos);
  EXPECT_NE(refused("socket,id=n,mcast=10.0.0.1:5").find("is no multicast address"), std::string::npos);
  EXPECT_NE(refused("socket,id=n,fd=999").find("no open socket has this number"), std::string::npos);
  EXPECT_NE(refused("stream,id=n").find("addr.type= is missing"), std::string::npos);
  EXPECT_NE(refused("stream,id=n,addr.type=unix,addr.path=/none/x").find("cannot connect to unix:/none/x"),
            std::string::npos);
  EXPECT_NE(refused("dgram,id=n").find("remote.type= is missing"), std::string::npos);
  EXPECT_NE(refused("tap,id=n,script=/etc/up").find("no scripts are run"), std::string::npos);
  EXPECT_NE(refused("hubport,id=n,hubid=x").find("give the number of a hub"), std::string::npos);
}

}  // namespace
}  // namespace relic86::net
