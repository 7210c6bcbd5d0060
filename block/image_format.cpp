// Signatures, from each format's own specification
//
//   format        offset  bytes
//   qcow, qcow2   0       "QFI" FBh, then version 1, or 2 and 3, big endian
//   QED           0       "QED" 00h
//   VMDK          0       "KDMV" (sparse), "COWD" (ESX), "# Disk DescriptorFile" (text descriptor)
//   VDI           40h     7Fh 10h DAh BEh
//   VHD           0       "conectix" (dynamic); in the last 512 bytes (fixed)
//   VHDX          0       "vhdxfile"
//   Parallels     0       "WithoutFreeSpace", "WithouFreSpacExt"
//   Bochs growing 0       "Bochs Virtual HD Image"
//   compressed    0       1Fh 8Bh (gzip), "PK" 03h 04h (zip), FDh "7zXZ" 00h (xz), "BZh" (bzip2), 28h B5h 2Fh FDh
//   (zstd)
#include "block/image_format.h"

#include <algorithm>
#include <array>

#include "block/vhd_image.h"

namespace relic86 {

namespace {

using namespace std::string_view_literals;

struct Signature {
  std::size_t offset;
  std::string_view bytes;
  std::string_view name;
};

constexpr std::array kSignatures = {
    Signature{0, "QFI\xFB\0\0\0\1"sv, "qcow"},
    Signature{0, "QFI\xFB"sv, "qcow2"},
    Signature{0, "QED\0"sv, "QED"},
    Signature{0, "KDMV"sv, "VMDK"},
    Signature{0, "COWD"sv, "VMDK of ESX (COWD)"},
    Signature{0, "# Disk DescriptorFile"sv, "VMDK"},
    Signature{0x40, "\x7F\x10\xDA\xBE"sv, "VDI"},
    Signature{0, "conectix"sv, "VHD"},
    Signature{0, "vhdxfile"sv, "VHDX"},
    Signature{0, "WithoutFreeSpace"sv, "Parallels"},
    Signature{0, "WithouFreSpacExt"sv, "Parallels"},
    Signature{0, "Bochs Virtual HD Image"sv, "Bochs"},
    Signature{0, "\x1F\x8B\x08"sv, "gzip"},
    Signature{0, "PK\3\4"sv, "zip"},
    Signature{0,
              "\xFD"
              "7zXZ\0"sv,
              "xz"},
    Signature{0, "BZh"sv, "bzip2"},
    Signature{0, "\x28\xB5\x2F\xFD"sv, "zstd"},
};

// Which of them can be opened, and what QEMU calls them.
struct Known {
  ImageFormat format;
  std::string_view word, name;
};
constexpr std::array kKnown = {
    Known{ImageFormat::Raw, "raw", "raw"}, Known{ImageFormat::Qcow2, "qcow2", "qcow2"},
    Known{ImageFormat::Vdi, "vdi", "VDI"}, Known{ImageFormat::Vmdk, "vmdk", "VMDK"},
    Known{ImageFormat::Vhd, "vpc", "VHD"}, Known{ImageFormat::Vhdx, "vhdx", "VHDX"},
};

bool has(std::span<const u8> bytes, std::size_t offset, std::string_view signature) {
  if (bytes.size() < offset + signature.size()) return false;
  return std::equal(signature.begin(), signature.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset),
                    [](char a, u8 b) { return static_cast<u8>(a) == b; });
}

}  // namespace

std::string_view image_format_name(std::span<const u8> first, std::span<const u8> last) {
  for (const Signature& signature : kSignatures) {
    if (has(first, signature.offset, signature.bytes)) return signature.name;
  }
  return is_vhd_footer(last) ? "VHD"sv : ""sv;
}

ImageFormat image_format_of_name(std::string_view name) {
  for (const Known& row : kKnown) {
    if (row.name == name) return row.format;
  }
  return ImageFormat::Probe;
}

std::optional<ImageFormat> image_format(std::string_view word) {
  for (const Known& row : kKnown) {
    if (row.word == word) return row.format;
  }
  return std::nullopt;
}

std::string_view image_format_word(ImageFormat format) {
  for (const Known& row : kKnown) {
    if (row.format == format) return row.word;
  }
  return "";
}

}  // namespace relic86
