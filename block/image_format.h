// Tells disk image formats apart by the signature in their first bytes.
#pragma once

#include <span>
#include <string_view>

#include "base/types.h"

namespace relic86 {

// Bytes of a file that image_format_name() wants to see (fewer for a shorter file).
inline constexpr std::size_t kImageProbeSize = 512;

// "qcow2", "VMDK", ... for a file that starts with that format's signature; empty: nothing known, so a raw image.
// last: the file's last 512 bytes, where a fixed-size VHD has its signature.
std::string_view image_format_name(std::span<const u8> first, std::span<const u8> last);

}  // namespace relic86
