// Root ports of a q35, as libvirt writes them.
#include "options/root_ports.h"

#include <gtest/gtest.h>

namespace relic86 {
namespace {

constexpr const char* kPort = "pcie-root-port,port=16,chassis=1,id=pci.1,bus=pcie.0,multifunction=on,addr=0x2";

std::string refusal(const std::vector<std::string>& words) { return parse_command_line(words).message(); }

TEST(RootPorts, ACardThatNamesOneTakesAnySlot) {
  const std::vector<std::string> words{"-M",      "q35",
                                       "-device", kPort,
                                       "-device", R"({"driver":"virtio-rng-pci","id":"r","bus":"pci.1","addr":"0x0"})",
                                       "-device", "virtio-balloon-pci,bus=pcie.0,addr=0x5"};
  const auto parsed = parse_command_line(words);
  ASSERT_TRUE(parsed.ok()) << parsed.message();
  const auto& devices = parsed.value().options.devices;
  ASSERT_EQ(devices.size(), 2u);
  EXPECT_EQ(devices[0].name, "virtio-rng-pci");
  EXPECT_EQ(devices[0].property("bus"), "");
  EXPECT_EQ(devices[0].property("addr"), "");
  EXPECT_EQ(devices[1].property("addr"), "0x5");
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
}

}  // namespace
}  // namespace relic86
