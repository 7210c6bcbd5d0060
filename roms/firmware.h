// Finding and loading firmware: SeaBIOS and its VGA BIOS, raw ROMs by -bios and -option-rom, our own boot ROMs.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace relic86 {

inline constexpr const char* kSystemBios = "bios-256k.bin";
inline constexpr const char* kVgaBios = "vgabios-stdvga.bin";     // suits PCI 1234:1111
inline constexpr const char* kCirrusBios = "vgabios-cirrus.bin";  // suits PCI 1013:00B8

// A whole file as a ROM of 1 byte to largest bytes. option names it in messages: "-bios".
Result<std::vector<u8>> load_rom(std::string_view option, const std::string& path, u64 largest);

// Whether a ROM holds a volume of UEFI firmware (Platform Initialization 1.7, volume 3, 3.2.1).
bool holds_uefi_firmware(std::span<const u8> rom);

class Firmware {
 public:
  // directories: those of -L, searched first, in order; then the places where distributions put SeaBIOS.
  explicit Firmware(std::vector<std::string> directories);

  // The system BIOS: the file of -bios (as given, else by name in the directories), or SeaBIOS when bios is empty.
  Result<std::vector<u8>> system_bios(const std::string& bios) const;
  // One of the VGA BIOSes above.
  Result<std::vector<u8>> vga_bios(const char* file) const;
  // The boot ROM of a network card by a file (romfile=), else iPXE's for the model as ipxe-qemu has it: "e1000".
  Result<std::vector<u8>> network_rom(const std::string& file, const std::string& model) const;
  // A ROM by path, else by name in the directories (-option-rom).
  Result<std::vector<u8>> option_rom(const std::string& file) const;

 private:
  Result<std::vector<u8>> named(std::string_view option, const std::string& file, u64 largest) const;
  Result<std::vector<u8>> packaged(const char* file, u64 largest) const;

  std::vector<std::string> directories_;
};

// Pads an expansion ROM to whole 512-byte blocks, enters its size and makes the checksums of the image and of its PnP
// header right (PnP BIOS Specification 1.0A, section 3). image starts with 55h AAh and has at most 127 blocks.
std::vector<u8> finish_expansion_rom(std::span<const u8> image);
// The boot ROMs for -kernel: fw_cfg files kLinuxBootFile or kMultibootFile, first in bootorder as "/rom@" + name.
std::vector<u8> linuxboot_rom();
std::vector<u8> multiboot_rom();
inline constexpr const char* kLinuxBootFile = "genroms/linuxboot.bin";
inline constexpr const char* kMultibootFile = "genroms/multiboot.bin";

}  // namespace relic86
