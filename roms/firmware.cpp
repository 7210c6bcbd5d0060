#include "roms/firmware.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "roms/images.h"

namespace relic86 {

namespace {
constexpr u64 kLargestBios = u64{16} << 20;
constexpr u64 kLargestOptionRom = 127 * 512;
constexpr const char* kSystemDirectories[] = {"/usr/share/seabios", "/usr/share/qemu", "/usr/local/share/qemu"};
constexpr u64 kLargestNetworkRom = 256 * 1024;
constexpr const char* kNetworkRomDirectory = "/usr/lib/ipxe/qemu";
constexpr std::size_t kBlock = 512;
constexpr std::size_t kSizeOffset = 2, kPnpPointer = 0x1A, kPnpChecksum = 9, kPnpLength = 5;

u8 sum(std::span<const u8> bytes) { return static_cast<u8>(std::accumulate(bytes.begin(), bytes.end(), 0u)); }

bool exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}
}  // namespace

Result<std::vector<u8>> load_rom(std::string_view option, const std::string& path, u64 largest) {
  const auto failure = [&](std::string_view cause, std::string_view mend) {
    return Error{fmt::format("{} {}: {}; {}", option, path, cause, mend)};
  };
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) return failure("not found", "give the path of a raw ROM image");
  if (std::filesystem::is_directory(status)) return failure("is a directory", "give the path of a raw ROM image");
  std::ifstream file(path, std::ios::binary);
  if (!file) return failure(std::strerror(errno), "make the file readable");
  std::vector<u8> bytes;
  std::vector<char> piece(65536);
  while (file && bytes.size() <= largest) {
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    bytes.insert(bytes.end(), piece.begin(), piece.begin() + file.gcount());
  }
  if (file.bad()) return failure("cannot be read", "check the medium");
  if (bytes.empty()) return failure("is empty", "give a raw ROM image of 1 byte or more");
  if (bytes.size() > largest) {
    return failure(fmt::format("is larger than {} KiB", largest / 1024), "give a raw ROM image that fits");
  }
  return bytes;
}

bool holds_uefi_firmware(std::span<const u8> rom) {
  constexpr std::size_t kAlignment = 4096, kSignatureOffset = 0x28;
  constexpr std::string_view kSignature = "_FVH";
  for (std::size_t volume = 0; volume + kAlignment <= rom.size(); volume += kAlignment) {
    if (std::memcmp(&rom[volume + kSignatureOffset], kSignature.data(), kSignature.size()) == 0) return true;
  }
  return false;
}

Firmware::Firmware(std::vector<std::string> directories) : directories_(std::move(directories)) {
  for (const char* directory : kSystemDirectories) directories_.emplace_back(directory);
}

Result<std::vector<u8>> Firmware::named(std::string_view option, const std::string& file, u64 largest) const {
  if (exists(file)) return load_rom(option, file, largest);
  for (const std::string& directory : directories_) {
    const std::string path = directory + "/" + file;
    if (exists(path)) return load_rom(option, path, largest);
  }
  return load_rom(option, file, largest);  // for its message
}

Result<std::vector<u8>> Firmware::packaged(const char* file, u64 largest) const {
  for (const std::string& directory : directories_) {
    const std::string path = directory + "/" + file;
    if (exists(path)) return load_rom("firmware", path, largest);
  }
  std::string places;
  for (const std::string& directory : directories_) places += (places.empty() ? "" : ", ") + directory;
  return Error{fmt::format("firmware {}: not found in {}; install it (apt install seabios) or name its folder with -L",
                           file, places)};
}

Result<std::vector<u8>> Firmware::system_bios(const std::string& bios) const {
  return bios.empty() ? packaged(kSystemBios, kLargestBios) : named("-bios", bios, kLargestBios);
}

Result<std::vector<u8>> Firmware::vga_bios(const char* file) const {
  return packaged(file, kLargestOptionRom + kBlock);
}

Result<std::vector<u8>> Firmware::option_rom(const std::string& file) const {
  return named("-option-rom", file, kLargestOptionRom + kBlock);
}

Result<std::vector<u8>> Firmware::network_rom(const std::string& file, const std::string& model) const {
  if (!file.empty()) return named("romfile", file, kLargestNetworkRom);
  const std::string name = "pxe-" + model + ".rom";
  std::vector<std::string> places = directories_;
  places.emplace_back(kNetworkRomDirectory);
  for (const std::string& directory : places) {
    const std::string path = directory + "/" + name;
    if (exists(path)) return load_rom("firmware", path, kLargestNetworkRom);
  }
  return Error{fmt::format(
      "firmware {}: not found in {}; install it (apt install ipxe-qemu) to boot from the network, or name it with "
      "romfile=",
      name, fmt::join(places, ", "))};
}

std::vector<u8> finish_expansion_rom(std::span<const u8> image) {
  std::vector<u8> rom(image.begin(), image.end());
  RELIC86_ASSERT(rom.size() > kPnpPointer + 2 && rom.size() < kLargestOptionRom);
  rom.resize((rom.size() + 1 + kBlock - 1) / kBlock * kBlock, 0);  // one byte at least is free for the checksum
  rom[kSizeOffset] = static_cast<u8>(rom.size() / kBlock);
  const std::size_t pnp = rom[kPnpPointer] | static_cast<std::size_t>(rom[kPnpPointer + 1]) << 8;
  RELIC86_ASSERT(pnp + 32 <= rom.size() && std::memcmp(&rom[pnp], "$PnP", 4) == 0);
  rom[pnp + kPnpChecksum] = 0;
  rom[pnp + kPnpChecksum] = static_cast<u8>(-sum(std::span(rom).subspan(pnp, rom[pnp + kPnpLength] * 16u)));
  rom.back() = 0;
  rom.back() = static_cast<u8>(-sum(rom));
  return rom;
}

std::vector<u8> linuxboot_rom() { return finish_expansion_rom(linuxboot_image()); }
std::vector<u8> multiboot_rom() { return finish_expansion_rom(multiboot_image()); }

}  // namespace relic86
