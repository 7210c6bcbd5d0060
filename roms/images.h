// Our own ROMs as assembled from roms/*.asm, before finish_expansion_rom() (roms/firmware.h).
#pragma once

#include <span>

#include "base/types.h"

namespace relic86 {

std::span<const u8> linuxboot_image();
std::span<const u8> multiboot_image();

}  // namespace relic86
