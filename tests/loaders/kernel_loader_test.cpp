#include "loaders/kernel_loader.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "base/byte_order.h"
#include "devices/chipset/fw_cfg.h"
#include "roms/firmware.h"

namespace relic86 {
namespace {

constexpr u64 kRam = u64{64} << 20;

// A folder of its own, removed at the end.
class Folder {
 public:
  Folder() {
    std::string pattern = std::filesystem::temp_directory_path() / "relic86-kernel-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string path(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, const std::vector<u8>& bytes) const {
    std::ofstream(path(name), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return path(name);
  }

 private:
  std::string path_;
};

// One setup sector beside the boot sector, 4096 bytes of kernel, protocol 2.06.
std::vector<u8> linux_image() {
  std::vector<u8> image(1024 + 4096, 0x90);
  std::fill(image.begin(), image.begin() + 1024, u8{0});
  image[0x1F1] = 1;
  store_le<u32>(image, 0x1F4, 4096 / 16);
  store_le<u16>(image, 0x1FE, 0xAA55);
  store_le<u32>(image, 0x202, 0x53726448);
  store_le<u16>(image, 0x206, 0x206);
  image[0x211] = 1;
  store_le<u32>(image, 0x22C, 0x37FFFFFF);
  store_le<u32>(image, 0x238, 255);
  return image;
}

std::vector<u8> elf_image() {
  std::vector<u8> image(0x300, 0);
  const u8 start[] = {0x7F, 'E', 'L', 'F', 1, 1, 1};
  std::copy(std::begin(start), std::end(start), image.begin());
  store_le<u16>(image, 16, 2);
  store_le<u16>(image, 18, 3);
  store_le<u32>(image, 0x18, 0xC0100010);  // entry, linear
  store_le<u32>(image, 0x1C, 52);
  store_le<u16>(image, 0x2A, 32);
  store_le<u16>(image, 0x2C, 1);
  const u32 segment[] = {1, 0x100, 0xC0100000, 0x100000, 0x200, 0x5000, 5, 0x1000};
  std::memcpy(image.data() + 52, segment, sizeof segment);
  store_le<u32>(image, 0x100, 0x1BADB002);
  store_le<u32>(image, 0x104, 3);
  store_le<u32>(image, 0x108, 0u - 0x1BADB002u - 3u);
  return image;
}

std::vector<u8> addressed_image() {
  std::vector<u8> image(0x100, 0);
  const u32 header[] = {0x1BADB002, 0x10000, 0u - 0x1BADB002u - 0x10000u, 0x200010, 0x200000, 0x200100,
                        0x203000,   0x200040};
  std::memcpy(image.data() + 0x10, header, sizeof header);
  return image;
}

std::map<u16, std::vector<u8>> items(const LoadedKernel& loaded) { return {loaded.items.begin(), loaded.items.end()}; }
u32 number(const std::map<u16, std::vector<u8>>& all, u16 key) { return load_le<u32>(all.at(key), 0); }

KernelOptions options_for(const std::string& kernel) {
  KernelOptions options;
  options.kernel = kernel;
  options.ram_size = kRam;
  return options;
}

TEST(KernelLoader, MissingAndOddFilesAreNamed) {
  Folder folder;
  const auto missing = load_kernel(options_for(folder.path("none")));
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.message().find("could not open kernel file '" + folder.path("none") + "': "), 0u);
  EXPECT_FALSE(load_kernel(options_for(folder.path("."))).ok());
  EXPECT_FALSE(load_kernel(options_for(folder.write("empty", {}))).ok());
  const auto text = load_kernel(options_for(folder.write("text", std::vector<u8>(5000, 'x'))));
  ASSERT_FALSE(text.ok());
  EXPECT_NE(text.message().find("neither"), std::string::npos);
}

TEST(KernelLoader, LinuxPiecesAndHeader) {
  Folder folder;
  KernelOptions options = options_for(folder.write("k", linux_image()));
  options.initrd = folder.write("i", std::vector<u8>(5000, 7));
  options.append = "quiet vga=0x317 x";
  const auto loaded = load_kernel(options);
  ASSERT_TRUE(loaded.ok()) << loaded.message();
  EXPECT_EQ(loaded.value().boot_file, kLinuxBootFile);
  const auto all = items(loaded.value());
  EXPECT_EQ(number(all, kFwCfgSetupAddress), 0x10000u);
  EXPECT_EQ(number(all, kFwCfgKernelAddress), 0x100000u);
  EXPECT_EQ(all.at(kFwCfgKernelData).size(), 4096u);
  EXPECT_EQ(all.at(kFwCfgInitrdData).size(), 5000u);
  const u32 initrd = number(all, kFwCfgInitrdAddress);
  EXPECT_EQ(initrd % 4096, 0u);
  EXPECT_LE(initrd + 5000, kRam - 0x40000);
  const auto& setup = all.at(kFwCfgSetupData);
  EXPECT_EQ(setup.size(), 1024u);
  EXPECT_EQ(setup[0x210], 0xFF);
  EXPECT_EQ(setup[0x211], 0x81);
  EXPECT_EQ(load_le<u32>(setup, 0x218), initrd);
  EXPECT_EQ(load_le<u32>(setup, 0x21C), 5000u);
  EXPECT_EQ(load_le<u32>(setup, 0x228), 0x20000u);
  EXPECT_EQ(load_le<u16>(setup, 0x1FA), 0x317);
  const auto& line = all.at(kFwCfgCommandLineData);
  EXPECT_STREQ(reinterpret_cast<const char*>(line.data()), "quiet vga=0x317 x");
}

TEST(KernelLoader, LinuxCutsAndExcessesAreErrors) {
  Folder folder;
  const auto image = linux_image();
  for (std::size_t size = 1; size + 16 <= image.size(); size += size < 1100 ? 1 : 97) {
    const auto cut =
        load_kernel(options_for(folder.write("k", {image.begin(), image.begin() + static_cast<long>(size)})));
    ASSERT_FALSE(cut.ok()) << size;
  }
  KernelOptions options = options_for(folder.write("k", image));
  options.append = std::string(256, 'a');
  EXPECT_FALSE(load_kernel(options).ok());
  options.append.clear();
  options.ram_size = u64{2} << 20;
  options.initrd = folder.write("i", std::vector<u8>(1 << 20, 7));
  const auto large = load_kernel(options);
  ASSERT_FALSE(large.ok());
  EXPECT_NE(large.message().find("-m"), std::string::npos);
}

TEST(KernelLoader, MultibootElfWithModules) {
  Folder folder;
  KernelOptions options = options_for(folder.write("k", elf_image()));
  options.append = "a b";
  options.initrd = folder.write("m1", {1, 2, 3}) + " one," + folder.write("m2", {4}) + " x,,y";
  const auto loaded = load_kernel(options);
  ASSERT_TRUE(loaded.ok()) << loaded.message();
  EXPECT_EQ(loaded.value().boot_file, kMultibootFile);
  const auto all = items(loaded.value());
  EXPECT_EQ(number(all, kFwCfgKernelAddress), 0x100000u);
  EXPECT_EQ(number(all, kFwCfgKernelEntry), 0x100010u);
  EXPECT_EQ(all.at(kFwCfgKernelData).size(), 0x5000u);
  const u32 base = number(all, kFwCfgInitrdAddress);
  EXPECT_EQ(base, 0x105000u);
  const auto& info = all.at(kFwCfgInitrdData);
  const auto text = [&](u32 address) { return std::string(reinterpret_cast<const char*>(&info[address - base])); };
  EXPECT_EQ(load_le<u32>(info, 0), 0x24Du);
  EXPECT_EQ(text(load_le<u32>(info, 16)), options.kernel + " a b");
  EXPECT_EQ(load_le<u32>(info, 20), 2u);
  const u32 list = load_le<u32>(info, 24) - base;
  const u32 first = load_le<u32>(info, list);
  EXPECT_EQ(first % 4096, 0u);
  EXPECT_EQ(load_le<u32>(info, list + 4) - first, 3u);
  EXPECT_EQ(info[first - base + 2], 3);
  EXPECT_EQ(text(load_le<u32>(info, list + 8)), folder.path("m1") + " one");
  EXPECT_EQ(text(load_le<u32>(info, list + 16 + 8)), folder.path("m2") + " x,y");
  options.initrd = folder.path("none");
  EXPECT_FALSE(load_kernel(options).ok());
}

TEST(KernelLoader, MultibootByAddresses) {
  Folder folder;
  const auto loaded = load_kernel(options_for(folder.write("k", addressed_image())));
  ASSERT_TRUE(loaded.ok()) << loaded.message();
  const auto all = items(loaded.value());
  EXPECT_EQ(number(all, kFwCfgKernelAddress), 0x200000u);
  EXPECT_EQ(number(all, kFwCfgKernelEntry), 0x200040u);
  EXPECT_EQ(all.at(kFwCfgKernelData).size(), 0x3000u);
  EXPECT_EQ(number(all, kFwCfgInitrdAddress), 0x203000u);
}

// Every byte of the headers may be wrong: a message or a kernel, never a crash (run under ASan).
TEST(KernelLoader, BrokenHeadersAreContained) {
  std::mt19937 random(4);
  for (const auto& good : {linux_image(), elf_image(), addressed_image()}) {
    for (unsigned round = 0; round < 3000; round++) {
      std::vector<u8> image = good;
      const std::size_t limit = std::min<std::size_t>(image.size(), 0x260);
      for (unsigned changes = 1 + random() % 4; changes > 0; changes--)
        image[random() % limit] = static_cast<u8>(random());
      if (random() % 2 == 0) image.resize(1 + random() % image.size());
      KernelOptions options = options_for("k");
      options.ram_size = u64{4} << 20;
      if (is_linux_image(image)) {
        (void)load_linux(options, image);
      } else if (find_multiboot_header(image) < image.size()) {
        (void)load_multiboot(options, image);
      }
    }
  }
}

TEST(Firmware, BootRomsAreValidExpansionRoms) {
  for (const auto& rom : {linuxboot_rom(), multiboot_rom()}) {
    ASSERT_EQ(rom.size() % 512, 0u);
    EXPECT_EQ(rom[0], 0x55);
    EXPECT_EQ(rom[1], 0xAA);
    EXPECT_EQ(rom[2] * 512u, rom.size());
    unsigned sum = 0;
    for (const u8 byte : rom) sum += byte;
    EXPECT_EQ(sum % 256, 0u);
  }
}

TEST(Firmware, RomFilesAreCheckedAndFoundByName) {
  Folder folder;
  folder.write("test.rom", {1, 2, 3});
  const Firmware firmware({folder.path("")});
  EXPECT_EQ(firmware.system_bios("test.rom").value().size(), 3u);
  const auto missing = firmware.system_bios("none.rom");
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.message().find("-bios none.rom: not found"), std::string::npos);
  EXPECT_NE(firmware.system_bios(folder.path("")).message().find("directory"), std::string::npos);
  EXPECT_NE(firmware.system_bios(folder.write("e", {})).message().find("empty"), std::string::npos);
  EXPECT_FALSE(load_rom("-bios", folder.write("l", std::vector<u8>(100)), 99).ok());
}

}  // namespace
}  // namespace relic86
