// The formats of disk images: their names, and how to tell them apart by the signature in their first bytes.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/types.h"

namespace relic86 {

enum class ImageFormat : u8 { Probe, Raw, Qcow2, Vdi, Vmdk, Vhd, Vhdx };  // Probe: by the file's signature

// The name that QEMU calls a format by: "raw", "qcow2", "vpc" for VHD. Nothing: not a format that can be opened.
std::optional<ImageFormat> image_format(std::string_view word);
std::string_view image_format_word(ImageFormat format);

// Bytes of a file that image_format_name() wants to see (fewer for a shorter file).
inline constexpr std::size_t kImageProbeSize = 512;

// "qcow2", "VMDK", ... for a file that starts with that format's signature; empty: nothing known, so a raw image.
// last: the file's last 512 bytes, where a fixed-size VHD has its signature.
std::string_view image_format_name(std::span<const u8> first, std::span<const u8> last);
// The format that can be opened of such a name; Probe: none.
ImageFormat image_format_of_name(std::string_view name);

}  // namespace relic86
