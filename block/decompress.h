// What compressed clusters of images hold.
#pragma once

#include <span>

#include "base/types.h"

namespace relic86 {

// Expands a stream whose length is known to be at most that of packed; bytes after its end do not matter. False: it is
// damaged, or does not fill content exactly.
bool expand_deflate(std::span<const u8> packed, std::span<u8> content);  // RFC 1951, without a header
bool expand_zlib(std::span<const u8> packed, std::span<u8> content);     // RFC 1950
bool expand_zstd(std::span<const u8> packed, std::span<u8> content);     // RFC 8878

}  // namespace relic86
