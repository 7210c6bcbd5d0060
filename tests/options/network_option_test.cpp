// -netdev, -nic, -net and -device CARD: what they amount to, and what is refused.
#include "options/network_option.h"

#include <gtest/gtest.h>

#include "options/options.h"

namespace relic86 {
namespace {

NetworkOptions network_of(std::vector<std::string> words) {
  auto parsed = parse_command_line(words);
  EXPECT_TRUE(parsed.ok()) << parsed.message();
  return parsed.ok() ? parsed.value().options.network : NetworkOptions{};
}
std::string refusal(std::vector<std::string> words) {
  const auto parsed = parse_command_line(words);
  EXPECT_FALSE(parsed.ok());
  return parsed.ok() ? "" : parsed.message();
}
using Mac = std::array<u8, 6>;

TEST(NetworkOption, APcHasOneCardOnAUserNetworkWhenNothingWasSaid) {
  const NetworkOptions usual = network_of({});
  ASSERT_EQ(usual.nics.size(), 1u);
  EXPECT_EQ(usual.nics[0].model, "e1000");
  EXPECT_EQ(usual.nics[0].mac, (Mac{0x52, 0x54, 0x00, 0x12, 0x34, 0x56}));
  ASSERT_EQ(usual.netdevs.size(), 1u);
  EXPECT_EQ(usual.netdevs[0].type, "user");
  EXPECT_EQ(usual.nics[0].netdev, usual.netdevs[0].id);
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"-nodefaults"}, {"-nic", "none"}, {"-net", "none"}, {"-netdev", "user,id=n"}})
    EXPECT_TRUE(network_of(words).nics.empty()) << words[0];
}

TEST(NetworkOption, NicIsACardAndABackEnd) {
  const NetworkOptions network = network_of({"-nic", "user,model=rtl8139,mac=52:54:00:00:00:01,hostfwd=tcp::0-:22"});
  ASSERT_EQ(network.nics.size(), 1u);
  EXPECT_EQ(network.nics[0].model, "rtl8139");
  EXPECT_EQ(network.nics[0].mac, (Mac{0x52, 0x54, 0, 0, 0, 1}));
  ASSERT_EQ(network.netdevs.size(), 1u);
  EXPECT_EQ(network.netdevs[0].properties, (Properties{{"hostfwd", "tcp::0-:22"}}));
}

TEST(NetworkOption, NetMeetsOnAHub) {
  const NetworkOptions network = network_of({"-net", "nic,model=ne2k_pci,macaddr=52:54:00:00:00:02", "-net", "user"});
  ASSERT_EQ(network.nics.size(), 1u);
  EXPECT_EQ(network.nics[0].model, "ne2k_pci");
  unsigned ports = 0;
  for (const NetdevOption& netdev : network.netdevs) ports += netdev.type == "hubport" ? 1 : 0;
  EXPECT_EQ(ports, 2u);
}

TEST(NetworkOption, DevicesNameTheirBackEndWhereverItStands) {
  const NetworkOptions network =
      network_of({"-device", "pcnet,netdev=n,id=net0,addr=0x5,bootindex=2", "-device", "ne2k_isa,iobase=0x320,irq=10",
                  "-netdev", R"({"type":"user","id":"n","hostfwd":[{"str":"tcp::0-:80"}]})"});
  ASSERT_EQ(network.nics.size(), 2u);
  EXPECT_EQ(network.nics[0].id, "net0");
  EXPECT_EQ(network.nics[0].slot, 5u);
  EXPECT_EQ(network.nics[0].boot_index, 2u);
  EXPECT_EQ(network.nics[1].port, 0x320);
  EXPECT_EQ(network.nics[1].irq, 10);
  EXPECT_NE(network.nics[0].mac, network.nics[1].mac);
  EXPECT_EQ(network.netdevs[0].properties, (Properties{{"hostfwd", "tcp::0-:80"}}));
}

TEST(NetworkOption, VirtioCardsByAllTheirNames) {
  for (const char* model : {"virtio", "virtio-net", "virtio-net-pci"}) {
    const auto network = network_of({"-nic", std::string("user,model=") + model});
    EXPECT_EQ(network.nics[0].model, "virtio-net-pci") << model;
  }
  const auto network =
      network_of({"-netdev", "user,id=a", "-device",
                  "virtio-net-pci-non-transitional,netdev=a,addr=9,mq=off,mrg_rxbuf=on,event_idx=off"});
  EXPECT_EQ(network.nics[0].slot, 9u);
  EXPECT_FALSE(network.nics[0].virtio.legacy);
  EXPECT_FALSE(network.nics[0].virtio.event_index);
  EXPECT_NE(refusal({"-device", "virtio-net-pci,iommu_platform=on"}).find("does not exist here"), std::string::npos);
}

TEST(NetworkOption, ErrorsNameCauseAndMend) {
  EXPECT_NE(refusal({"-nic", "user,model=igb"}).find("-nic: model=igb: there is no such card; e1000, "),
            std::string::npos);
  EXPECT_NE(refusal({"-nic", "user,mac=1:2:3"}).find("not an address; write six bytes"), std::string::npos);
  EXPECT_NE(refusal({"-nic", "user,mac=01:00:5e:00:00:01"}).find("multicast"), std::string::npos);
  EXPECT_NE(refusal({"-netdev", "usr,id=n"}).find("-netdev usr: unknown type; the nearest is user"), std::string::npos);
  EXPECT_NE(refusal({"-netdev", "user"}).find("-netdev user: id= is missing"), std::string::npos);
  EXPECT_NE(refusal({"-netdev", "user,id=n,hostfw=x"}).find("unknown property; the nearest is hostfwd"),
            std::string::npos);
  EXPECT_NE(refusal({"-netdev", "user,id=n,smb=/x"}).find("there is no SMB server"), std::string::npos);
  EXPECT_NE(refusal({"-netdev", "bridge,id=n"}).find("make a tap on the bridge"), std::string::npos);
  EXPECT_NE(refusal({"-netdev", "user,id=n", "-netdev", "user,id=n"}).find("another back end has this id"),
            std::string::npos);
  EXPECT_NE(refusal({"-device", "e1000,netdev=n"}).find("-device e1000: netdev=n: there is no -netdev with id=n"),
            std::string::npos);
  EXPECT_NE(refusal({"-netdev", "user,id=n", "-device", "e1000,netdev=n", "-device", "pcnet,netdev=n"})
                .find("another card is plugged in"),
            std::string::npos);
  EXPECT_NE(refusal({"-device", "e1000,adr=3"}).find("unknown property; the nearest is addr"), std::string::npos);
  EXPECT_NE(refusal({"-device", "e1000,addr=40"}).find("give a slot from 0x3 to 0x1f"), std::string::npos);
}

}  // namespace
}  // namespace relic86
