// Linux x86 boot protocol (Documentation/x86/boot.rst of the kernel): fields of the setup header by their offset.
#include "loaders/kernel_loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

#include "base/byte_order.h"
#include "devices/chipset/fw_cfg.h"
#include "roms/firmware.h"

namespace relic86 {

namespace {
constexpr std::size_t kSetupSectors = 0x1F1, kSystemSize = 0x1F4, kVideoMode = 0x1FA, kBootFlag = 0x1FE;
constexpr std::size_t kMagic = 0x202, kProtocol = 0x206, kLoaderType = 0x210, kLoadFlags = 0x211;
constexpr std::size_t kInitrdAddress = 0x218, kInitrdSize = 0x21C, kHeapEnd = 0x224, kCommandLine = 0x228;
constexpr std::size_t kInitrdMost = 0x22C, kCommandLineMost = 0x238;
constexpr std::size_t kOldCommandLineMagic = 0x20, kOldCommandLineOffset = 0x22;
constexpr std::size_t kSmallestImage = 0x260;
constexpr u32 kHeaderMagic = 0x53726448;  // "HdrS"
constexpr u8 kLoadedHigh = 0x01, kCanUseHeap = 0x80;
constexpr u32 kSector = 512;
constexpr u32 kMostSetup = 0x8000;         // the real-mode part may have 32 KiB ("Memory layout")
constexpr u32 kFirmwareReserve = 0x80000;  // what the BIOS keeps for itself at the top of RAM, generously
constexpr u32 kOldInitrdMost = 0x37FFFFFF;

// Where the pieces go ("Memory layout" of the boot protocol).
struct Layout {
  u32 setup;
  u32 command_line;
  u32 kernel;
};

Layout layout_for(u16 protocol, bool high, u32 command_line_size) {
  if (protocol < 0x200 || !high) return {0x90000, (0x9A000 - command_line_size) & ~15u, 0x10000};
  if (protocol < 0x202) return {0x90000, (0x9A000 - command_line_size) & ~15u, 0x100000};
  return {0x10000, 0x20000, 0x100000};
}

// "vga=" belongs to the boot loader: its value goes into the header (boot protocol, "Special command line options").
std::optional<u16> video_mode(const std::string& append) {
  const std::size_t at = append.find("vga=");
  if (at == std::string::npos || (at > 0 && append[at - 1] != ' ')) return std::nullopt;
  const std::string word = append.substr(at + 4, append.find(' ', at) - at - 4);
  if (word == "normal") return 0xFFFF;
  if (word == "ext") return 0xFFFE;
  if (word == "ask") return 0xFFFD;
  char* end = nullptr;
  const unsigned long value = std::strtoul(word.c_str(), &end, 0);
  if (word.empty() || *end != '\0' || value > 0xFFFF) return std::nullopt;
  return static_cast<u16>(value);
}

Error kernel_error(const KernelOptions& options, const std::string& cause, const char* mend) {
  return Error{fmt::format("-kernel {}: {}; {}", options.kernel, cause, mend)};
}
}  // namespace

Result<std::vector<u8>> read_boot_file(const char* what, const std::string& path, u64 largest) {
  const auto failure = [&](const std::string& cause, const char* mend) {
    return Error{fmt::format("could not open {} file '{}': {}; {}", what, path, cause, mend)};
  };
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) return failure("No such file or directory", "check the path");
  if (std::filesystem::is_directory(status)) return failure("Is a directory", "name a file");
  std::ifstream file(path, std::ios::binary);
  if (!file) return failure(std::strerror(errno), "make the file readable");
  std::vector<u8> bytes;
  if (const u64 size = std::filesystem::file_size(path, error); !error) bytes.reserve(std::min(size, largest));
  std::vector<u8> piece(std::size_t{256} << 10);
  while (file && bytes.size() <= largest) {
    file.read(reinterpret_cast<char*>(piece.data()), static_cast<std::streamsize>(piece.size()));
    bytes.insert(bytes.end(), piece.begin(), piece.begin() + file.gcount());
  }
  if (file.bad()) return failure("cannot be read", "check the medium");
  if (bytes.empty()) return failure("is empty", "name a file with content");
  if (bytes.size() > largest) return failure("does not fit into the guest's RAM", "give the guest more with -m");
  return bytes;
}

bool is_linux_image(std::span<const u8> image) {
  return image.size() >= kMagic + 4 && load_le<u32>(image, kMagic) == kHeaderMagic;
}

namespace {
struct LinuxImage {
  u16 protocol;
  bool high;
  u32 setup_size;
};

// Everything that is read from the header later is inside the image after this.
Result<LinuxImage> check_linux(const KernelOptions& options, std::span<const u8> image) {
  if (image.size() < kSmallestImage || load_le<u16>(image, kBootFlag) != 0xAA55) {
    return kernel_error(options, "has a broken Linux setup header", "fetch the file again");
  }
  const u16 protocol = load_le<u16>(image, kProtocol);
  const u8 sectors = image[kSetupSectors] == 0 ? 4 : image[kSetupSectors];
  const u32 setup_size = (sectors + 1u) * kSector;
  u64 needed = setup_size + 1u;
  if (protocol >= 0x204) needed = setup_size + (u64{load_le<u32>(image, kSystemSize)} << 4);
  // The size counts paragraphs: up to 15 bytes at the end may be missing from the file.
  if (image.size() + 15 < needed || image.size() <= setup_size) {
    return kernel_error(options, fmt::format("is cut short: {} of {} bytes", image.size(), needed),
                        "fetch the file again");
  }
  if (setup_size > kMostSetup) {
    return kernel_error(options, fmt::format("has a real-mode part of {} bytes", setup_size),
                        "at most 32768 are possible");
  }
  return LinuxImage{protocol, (image[kLoadFlags] & kLoadedHigh) != 0, setup_size};
}

// The initrd's address: as high as the kernel and the BIOS allow, at a page.
Result<u32> place_initrd(const KernelOptions& options, std::span<const u8> image, u16 protocol, u64 size,
                         u64 kernel_end) {
  u64 most = protocol >= 0x203 ? load_le<u32>(image, kInitrdMost) : kOldInitrdMost;
  most = std::min(most + 1, options.ram_size - kFirmwareReserve);
  if (size > most || ((most - size) & ~u64{kPageSize - 1}) < kernel_end) {
    return Error{fmt::format("-initrd {}: {} bytes do not fit beside the kernel into {} MiB of RAM; give more with -m",
                             options.initrd, size, options.ram_size >> 20)};
  }
  return static_cast<u32>((most - size) & ~u64{kPageSize - 1});
}
}  // namespace

Result<LoadedKernel> load_linux(const KernelOptions& options, std::vector<u8> image) {
  const auto checked = check_linux(options, image);
  if (!checked) return checked.error();
  const LinuxImage linux_image = checked.value();
  const u16 protocol = linux_image.protocol;

  const u64 most_command_line = protocol >= 0x206 ? std::min<u32>(load_le<u32>(image, kCommandLineMost), 0x10000) : 255;
  if (options.append.size() > most_command_line) {
    return Error{fmt::format("-append: {} characters; this kernel takes {}", options.append.size(), most_command_line)};
  }
  std::vector<u8> command_line(options.append.begin(), options.append.end());
  command_line.push_back(0);
  const Layout layout = layout_for(protocol, linux_image.high, static_cast<u32>(command_line.size()));

  std::vector<u8> kernel(image.begin() + linux_image.setup_size, image.end());
  const u64 kernel_end = u64{layout.kernel} + kernel.size();
  const u64 limit = linux_image.high ? options.ram_size : layout.setup;
  if (kernel_end > limit) {
    return kernel_error(options, fmt::format("does not fit into {} KiB", limit >> 10), "give the guest more with -m");
  }
  std::vector<u8> initrd;
  u32 initrd_address = 0;
  if (!options.initrd.empty()) {
    if (protocol < 0x200) return kernel_error(options, "is too old for an initrd", "leave -initrd out");
    auto bytes = read_boot_file("initrd", options.initrd, options.ram_size);
    if (!bytes) return bytes.error();
    initrd = std::move(bytes.value());
    const auto place = place_initrd(options, image, protocol, initrd.size(), kernel_end);
    if (!place) return place.error();
    initrd_address = place.value();
  }

  std::vector<u8> setup(image.begin(), image.begin() + linux_image.setup_size);
  if (const auto mode = video_mode(options.append)) store_le<u16>(setup, kVideoMode, *mode);
  if (protocol >= 0x200) setup[kLoaderType] = 0xFF;  // no assigned number
  if (protocol >= 0x201) {
    setup[kLoadFlags] |= kCanUseHeap;
    store_le<u16>(setup, kHeapEnd, static_cast<u16>(layout.command_line - layout.setup - 0x200));
  }
  if (protocol >= 0x202) {
    store_le<u32>(setup, kCommandLine, layout.command_line);
  } else {
    store_le<u16>(setup, kOldCommandLineMagic, 0xA33F);
    store_le<u16>(setup, kOldCommandLineOffset, static_cast<u16>(layout.command_line - layout.setup));
  }
  if (protocol >= 0x200) {
    store_le<u32>(setup, kInitrdAddress, initrd_address);
    store_le<u32>(setup, kInitrdSize, static_cast<u32>(initrd.size()));
  }

  LoadedKernel loaded;
  const auto add = [&](u16 key, std::vector<u8> bytes) { loaded.items.emplace_back(key, std::move(bytes)); };
  add(kFwCfgSetupAddress, dword_bytes(layout.setup));
  add(kFwCfgSetupSize, dword_bytes(linux_image.setup_size));
  add(kFwCfgSetupData, std::move(setup));
  add(kFwCfgCommandLineAddress, dword_bytes(layout.command_line));
  add(kFwCfgCommandLineSize, dword_bytes(static_cast<u32>(command_line.size())));
  add(kFwCfgCommandLineData, std::move(command_line));
  add(kFwCfgKernelAddress, dword_bytes(layout.kernel));
  add(kFwCfgKernelSize, dword_bytes(static_cast<u32>(kernel.size())));
  add(kFwCfgKernelData, std::move(kernel));
  add(kFwCfgInitrdAddress, dword_bytes(initrd_address));
  add(kFwCfgInitrdSize, dword_bytes(static_cast<u32>(initrd.size())));
  add(kFwCfgInitrdData, std::move(initrd));
  loaded.boot_file = kLinuxBootFile;
  loaded.boot_rom = linuxboot_rom();
  return loaded;
}

Result<LoadedKernel> load_kernel(const KernelOptions& options) {
  auto image = read_boot_file("kernel", options.kernel, options.ram_size);
  if (!image) return image.error();
  if (is_linux_image(image.value())) return load_linux(options, std::move(image.value()));
  if (find_multiboot_header(image.value()) < image.value().size()) return load_multiboot(options, image.value());
  return kernel_error(options, "is neither a Linux bzImage nor a multiboot kernel",
                      "other kernels need a boot loader on a disk image");
}

}  // namespace relic86
