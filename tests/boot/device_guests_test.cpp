// Guests of our own that use devices as real software does, on both engines.
#include "build_features.h"
#include "frontend/consoles.h"
#include "options/speed_option.h"
#include "roms/firmware.h"
#include "tests/boot/boot_machine.h"

namespace relic86 {
namespace {

using test::BootMachine;
using test::guest_file;
using test::make_disk;

class DeviceGuests : public testing::TestWithParam<const char*> {
 protected:
  // What a guest writes to port E9h until it ends the machine.
  std::string output(std::vector<std::string> arguments) {
    const std::string file = folder.path("output");
    arguments.insert(arguments.end(), {"-accel", GetParam(), "-debugcon", "file:" + file, "-device",
                                       "isa-debug-exit,iobase=0xf4,iosize=4"});
    constexpr double kMostSeconds = 20;
    {
      BootMachine machine(arguments, kMostSeconds);
      auto consoles = Consoles::create(machine->options(), *machine, machine.poller);
      EXPECT_TRUE(consoles.ok());
      EXPECT_NE(machine->run(), End::TimeUp);
    }
    // SeaBIOS writes lines of its own before.
    const std::string text = folder.read("output");
    return text.substr(text.rfind('\n') + 1);
  }
  std::string boot(const std::string& guest) { return output({"-hda", make_disk(folder, "disk.img", guest)}); }

  test::TemporaryFolder folder;
};

TEST_P(DeviceGuests, A20GatesOfMemoryManagers) { EXPECT_EQ(boot("a20_gates.bin"), "1010101100"); }

TEST_P(DeviceGuests, DiskWithoutPolling) { EXPECT_EQ(boot("unpolled_disk.bin"), "1"); }

// SeaBIOS boots the disk with a bootindex by its driver, in either interface, and not the IDE disk beside it.
TEST_P(DeviceGuests, FirmwareBootsFromVirtioDisks) {
  for (const char* interface : {"disable-modern=on", "disable-legacy=on"}) {
    EXPECT_EQ(output({"-hda", make_disk(folder, "ide.img", "disk_counter.bin"), "-drive",
                      "if=none,id=d,file=" + make_disk(folder, "virtio.img", "a20_gates.bin"), "-device",
                      std::string("virtio-blk-pci,drive=d,bootindex=0,") + interface}),
              "1010101100")
        << interface;
  }
}

// The same with a disk on USB: at the controller's port, and at one of a hub on a hub.
TEST_P(DeviceGuests, FirmwareBootsFromUsbDisks) {
  const std::vector<std::vector<std::string>> places{{"-device", "usb-storage,drive=d,bootindex=0,removable=on"},
                                                     {"-device", "usb-hub,port=2", "-device", "usb-hub,port=2.8",
                                                      "-device", "usb-storage,drive=d,bootindex=0,port=2.8.3"}};
  for (const char* controller : {"piix3-usb-uhci", "qemu-xhci"}) {
    for (const std::vector<std::string>& place : places) {
      std::vector<std::string> arguments{
          "-hda",    make_disk(folder, "ide.img", "disk_counter.bin"),
          "-device", controller,
          "-drive",  "if=none,id=d,file=" + make_disk(folder, "usb.img", "a20_gates.bin")};
      arguments.insert(arguments.end(), place.begin(), place.end());
      EXPECT_EQ(output(arguments), "1010101100") << controller << ' ' << place.back();
    }
  }
}

// A card, its driver, the cable and who answers at its other end.
TEST_P(DeviceGuests, NetworkAnswersArp) {
  if (!net::user_network_exists()) GTEST_SKIP() << "this build has no libslirp";
  EXPECT_EQ(output({"-hda", make_disk(folder, "disk.img", "network_arp.bin"), "-nic",
                    "user,model=ne2k_isa,mac=52:54:00:12:34:56,ipv6=off"}),
            "00020A000202");
}

// SeaBIOS runs the card's ROM, which asks the user network for an address and a file.
TEST_P(DeviceGuests, NetworkBoots) {
  if (!net::user_network_exists()) GTEST_SKIP() << "this build has no libslirp";
  if (!Firmware({}).network_rom("", "e1000")) GTEST_SKIP() << "ipxe-qemu is not installed";
  std::filesystem::copy_file(guest_file("network_boot.bin"), folder.path("boot"));
  EXPECT_EQ(output({"-boot", "n", "-nic", "user,ipv6=off,bootfile=boot,tftp=" + folder.path("")}),
            "booted from the network");
}

TEST_P(DeviceGuests, NetworkBootsFromVirtioCards) {
  if (!net::user_network_exists()) GTEST_SKIP() << "this build has no libslirp";
  if (!Firmware({}).network_rom("", "virtio")) GTEST_SKIP() << "ipxe-qemu is not installed";
  std::filesystem::copy_file(guest_file("network_boot.bin"), folder.path("boot"));
  EXPECT_EQ(output({"-boot", "n", "-nic", "user,model=virtio,ipv6=off,bootfile=boot,tftp=" + folder.path("")}),
            "booted from the network");
}

TEST_P(DeviceGuests, MultibootVideoMode) {
  EXPECT_EQ(output({"-kernel", guest_file("multiboot_video.bin")}), "3 800 600 32 1 16 1 ");
}

// "Runtime error 200" comes of processors that are faster than any that --speed names.
TEST_P(DeviceGuests, BorlandsDelayLoopFitsEachNamedSpeed) {
  const auto loops_of_a_millisecond = [this](unsigned shift) {
    return output({"-hda", make_disk(folder, "disk.img", "delay_loop.bin"), "-icount",
                   "shift=" + std::to_string(shift) + ",sleep=off"});
  };
  constexpr unsigned kFastest = 3, kTooFast = 1;  // instructions of 8 and of 2 ns
  constexpr double kInstructions = 1e9 / (1u << kFastest), kOfALoop = 5, kTick = 65536 / 1193181.8, kMilliseconds = 55;
  for (const SpeedPreset& preset : speed_presets()) EXPECT_LT(preset.instructions_per_second, kInstructions);
  const double counted = std::stoi(loops_of_a_millisecond(kFastest), nullptr, 16);
  EXPECT_NEAR(counted, kInstructions / kOfALoop * kTick / kMilliseconds, counted * 0.01);
  EXPECT_EQ(loops_of_a_millisecond(kTooFast), "R");
}

#ifdef RELIC86_JIT
INSTANTIATE_TEST_SUITE_P(Engines, DeviceGuests, testing::Values("interp", "jit"));
#else
INSTANTIATE_TEST_SUITE_P(Engines, DeviceGuests, testing::Values("interp"));
#endif

}  // namespace
}  // namespace relic86
