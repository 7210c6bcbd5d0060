// Root ports of a q35, as libvirt writes them.
#include "options/root_ports.h"

#include <gtest/gtest.h>

#include "base/pci_place.h"
#include "options/pci_place_option.h"

namespace relic86 {
namespace {

constexpr const char* kPort = "pcie-root-port,port=16,chassis=1,id=pci.1,bus=pcie.0,multifunction=on,addr=0x2";

std::string refusal(const std::vector<std::string>& words) { return parse_command_line(words).message(); }

TEST(RootPorts, ACardThatNamesOneStandsBehindIt) {
  const std::vector<std::string> words{"-M",      "q35",
                                       "-device", kPort,
                                       "-device", R"({"driver":"virtio-rng-pci","id":"r","bus":"pci.1","addr":"0x0"})",
                                       "-device", "virtio-balloon-pci,bus=pcie.0,addr=0x5"};
  const auto parsed = parse_command_line(words);
  ASSERT_TRUE(parsed.ok()) << parsed.message();
  const auto& devices = parsed.value().options.devices;
  ASSERT_EQ(devices.size(), 3u);
  ASSERT_TRUE(is_root_port(devices[0]));
  const RootPortOption port = root_port_option(devices[0]);
  EXPECT_EQ(port.id, "pci.1");
  EXPECT_EQ(port.slot, 2u);
  EXPECT_EQ(port.function, 0u);
  EXPECT_EQ(port.link, 16u);
  EXPECT_TRUE(port.multifunction);
  EXPECT_TRUE(port.hotplug);
  EXPECT_EQ(devices[1].property("bus"), "");
  EXPECT_EQ(parse_pci_slot("", std::string(devices[1].property("addr"))).value(), place_behind_port(0));
  EXPECT_EQ(devices[1].property("disable-legacy"), "on");
  EXPECT_EQ(devices[2].property("addr"), "0x5");
  EXPECT_EQ(devices[2].property("disable-legacy"), "");
}

TEST(RootPorts, WhoAsksForTheOlderInterfaceOfVirtioHasIt) {
  for (const char* device : {"virtio-net-pci,bus=pci.1,disable-legacy=off", "virtio-net-pci-transitional,bus=pci.1"}) {
    const auto parsed = parse_command_line(std::vector<std::string>{"-M", "q35", "-device", kPort, "-device", device});
    ASSERT_TRUE(parsed.ok()) << parsed.message();
    EXPECT_TRUE(parsed.value().options.network.nics.back().virtio.legacy) << device;
  }
  const auto parsed = parse_command_line(std::vector<std::string>{"-M", "q35", "-device", kPort, "-device",
                                                                  "virtio-net-pci,bus=pci.1,disable-legacy=auto"});
  ASSERT_TRUE(parsed.ok()) << parsed.message();
  EXPECT_FALSE(parsed.value().options.network.nics.back().virtio.legacy);
  EXPECT_EQ(parsed.value().options.network.nics.back().slot, place_behind_port(0));
}

TEST(RootPorts, HaveOneSlotForOneCard) {
  EXPECT_NE(refusal({"-M", "q35", "-device", kPort, "-device", "virtio-rng-pci,bus=pci.1,addr=1"}).find("one slot"),
            std::string::npos);
  EXPECT_NE(refusal({"-M", "q35", "-device", kPort, "-device", "virtio-rng-pci,bus=pci.1", "-device",
                     "virtio-balloon-pci,bus=pci.1"})
                .find("virtio-rng-pci is there already"),
            std::string::npos);
}

TEST(RootPorts, WhatIsWrongIsTold) {
  EXPECT_NE(refusal({"-device", kPort}).find("-machine q35 has"), std::string::npos);
  EXPECT_NE(refusal({"-M", "q35", "-device", "pcie-root-port,chasis=1"}).find("the nearest is chassis"),
            std::string::npos);
  EXPECT_NE(refusal({"-M", "q35", "-device", "pcie-root-port,id=a,bus=pci.7"}).find("root ports are on pcie.0"),
            std::string::npos);
  for (const char* wrong : {"addr=0x20", "addr=2.8", "addr=x", "hotplug=maybe", "port=256", "slot=8192", "chassis=-1"})
    EXPECT_NE(refusal({"-M", "q35", "-device", std::string("pcie-root-port,") + wrong}), "") << wrong;
  std::vector<std::string> many{"-M", "q35"};
  for (unsigned i = 0; i <= kMostRootPorts; i++) many.insert(many.end(), {"-device", "pcie-root-port"});
  EXPECT_NE(refusal(many).find("at most 32"), std::string::npos);
}

}  // namespace
}  // namespace relic86
