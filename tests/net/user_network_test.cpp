// -netdev user: its words, and what libslirp answers to a guest that is a test.
#include <arpa/inet.h>
#include <gtest/gtest.h>

#include "net/network.h"
#include "net/user_config.h"
#include "options/options.h"

namespace relic86::net {
namespace {

using Bytes = std::vector<u8>;

Result<UserConfig> config_of(Properties properties) {
  return parse_user_config({"-netdev user", "user", "n", std::move(properties)});
}
std::string text(in_addr address) {
  char buffer[INET_ADDRSTRLEN] = {};
  return inet_ntop(AF_INET, &address, buffer, sizeof buffer);
}

TEST(UserConfig, AddressesLieInTheNetwork) {
  const auto usual = config_of({});
  ASSERT_TRUE(usual.ok()) << usual.message();
  EXPECT_EQ(text(usual.value().host), "10.0.2.2");
  EXPECT_EQ(text(usual.value().dns), "10.0.2.3");
  EXPECT_EQ(text(usual.value().dhcp_start), "10.0.2.15");
  const auto other = config_of({{"net", "192.168.76.0/24"}, {"dhcpstart", "192.168.76.9"}});
  ASSERT_TRUE(other.ok()) << other.message();
  EXPECT_EQ(text(other.value().host), "192.168.76.2");
  EXPECT_EQ(text(other.value().dhcp_start), "192.168.76.9");
  EXPECT_FALSE(config_of({{"net", "192.168.76.0/24"}, {"host", "10.0.2.2"}}).ok());
  EXPECT_FALSE(config_of({{"dns", "10.0.2.2"}}).ok());
}

TEST(UserConfig, OneProtocolAloneTurnsTheOtherOff) {
  EXPECT_TRUE(config_of({}).value().ipv6);
  EXPECT_FALSE(config_of({{"ipv4", "on"}}).value().ipv6);
  EXPECT_FALSE(config_of({{"ipv6", "on"}}).value().ipv4);
  EXPECT_TRUE(config_of({{"ipv6", "on"}, {"ipv4", "on"}}).value().ipv4);
  EXPECT_FALSE(config_of({{"ipv6", "off"}, {"ipv4", "off"}}).ok());
}

TEST(UserConfig, ForwardingRules) {
  const auto rule = parse_forward("udp:127.0.0.1:5353-10.0.2.9:53");
  ASSERT_TRUE(rule.ok());
  EXPECT_TRUE(rule.value().udp);
  EXPECT_EQ(text(rule.value().host), "127.0.0.1");
  EXPECT_EQ(rule.value().host_port, 5353);
  EXPECT_EQ(text(rule.value().guest), "10.0.2.9");
  EXPECT_EQ(rule.value().guest_port, 53);
  EXPECT_TRUE(parse_forward("tcp::0-:22").ok());
  EXPECT_TRUE(parse_forward("::8080-:80").ok());
  for (const char* wrong :
       {"", "tcp", "tcp::80", "tcp::80-22", "sctp::80-:22", "tcp::99999-:22", "tcp:x:80-:22", "tcp::80-:0"})
    EXPECT_FALSE(parse_forward(wrong).ok()) << wrong;
}

TEST(UserConfig, ErrorsNameTheProperty) {
  EXPECT_EQ(config_of({{"net", "here"}}).message(), "-netdev user,id=n: net=here: 'here' is not an IPv4 address");
  EXPECT_NE(config_of({{"hostfwd", "80"}}).message().find("write [tcp|udp]:[HOST]:PORT-[GUEST]:PORT"),
            std::string::npos);
  EXPECT_NE(config_of({{"guestfwd", "80"}}).message().find("write tcp:SERVER:PORT-DEVICE"), std::string::npos);
}

// A card that keeps what it gets.
struct Guest final : NetworkReceiver {
  explicit Guest(std::vector<std::string> words) {
    auto parsed = parse_command_line(words);
    EXPECT_TRUE(parsed.ok()) << parsed.message();
    const auto built = network.build(parsed.value().options.network, {});
    EXPECT_TRUE(built.ok()) << built.message();
    network.card(0).connect(this);
  }
  ~Guest() { network.card(0).connect(nullptr); }
  bool listening() const override { return true; }
  bool can_receive() const override { return true; }
  void receive(std::span<const u8> frame) override { got.emplace_back(frame.begin(), frame.end()); }
  void link_changed(bool) override {}
  ReceiveFilter receive_filter() const override { return {}; }

  void send(const Bytes& frame) { static_cast<NetworkLink&>(network.card(0)).send(frame); }
  void pass() {
    clock.time += 10'000;
    scheduler.run_due();
  }
  struct Clock final : GuestClock {
    GuestTime now() const override { return time; }
    GuestTime time = 0;
  } clock;
  HostPoller poller;
  Scheduler scheduler{clock};
  Network network{scheduler, clock, poller};
  std::vector<Bytes> got;
};

Bytes arp_request(std::array<u8, 4> who) {
  Bytes frame(6, 0xFF);
  const u8 rest[] = {0x52, 0x54, 0, 0x12, 0x34, 0x56, 8,  6, 0, 1,  8, 0, 6, 4, 0, 1,
                     0x52, 0x54, 0, 0x12, 0x34, 0x56, 10, 0, 2, 15, 0, 0, 0, 0, 0, 0};
  frame.insert(frame.end(), std::begin(rest), std::end(rest));
  frame.insert(frame.end(), who.begin(), who.end());
  return frame;
}

TEST(UserNetwork, TheHostAnswersArpAtOnceInGuestTime) {
  if (!user_network_exists()) GTEST_SKIP() << "this build has no libslirp";
  Guest guest({"-nic", "user,ipv6=off"});
  guest.send(arp_request({10, 0, 2, 2}));
  EXPECT_TRUE(guest.got.empty()) << "never inside of send()";
  guest.pass();
  ASSERT_EQ(guest.got.size(), 1u);
  const Bytes& reply = guest.got[0];
  EXPECT_GE(reply.size(), 60u);
  EXPECT_EQ(Bytes(reply.begin() + 12, reply.begin() + 22), (Bytes{8, 6, 0, 1, 8, 0, 6, 4, 0, 2}));
  EXPECT_EQ(Bytes(reply.begin() + 28, reply.begin() + 32), (Bytes{10, 0, 2, 2}));
  guest.send(arp_request({10, 0, 2, 99}));
  guest.pass();
  EXPECT_EQ(guest.got.size(), 1u) << "nobody is there";
}

// The answer comes while the hub still hands the question out.
TEST(UserNetwork, AHubPassesAnswersThatComeAtOnce) {
  if (!user_network_exists()) GTEST_SKIP() << "this build has no libslirp";
  Guest guest({"-net", "nic", "-net", "user,ipv6=off"});
  guest.send(arp_request({10, 0, 2, 2}));
  guest.pass();
  ASSERT_EQ(guest.got.size(), 1u);
  EXPECT_EQ(Bytes(guest.got[0].begin() + 28, guest.got[0].begin() + 32), (Bytes{10, 0, 2, 2}));
}

TEST(UserNetwork, ForwardingIsAddedAndRemoved) {
  if (!user_network_exists()) GTEST_SKIP() << "this build has no libslirp";
  Guest guest({"-netdev", "user,id=u", "-device", "e1000,netdev=u"});
  ASSERT_TRUE(guest.network.add_forward("u", "tcp:127.0.0.1:0-:22").ok());
  EXPECT_NE(guest.network.describe_connections().find("HOST_FORWARD"), std::string::npos);
  EXPECT_FALSE(guest.network.add_forward("u", "nonsense").ok());
  EXPECT_FALSE(guest.network.add_forward("v", "tcp::0-:22").ok());
  EXPECT_FALSE(guest.network.remove_forward("", "tcp:127.0.0.1:1").ok());
}

}  // namespace
}  // namespace relic86::net
