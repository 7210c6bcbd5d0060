#include "machine/host_random.h"

#include <sys/random.h>

#include <algorithm>
#include <random>

namespace relic86 {

void HostRandom::fill(std::span<u8> bytes) {
  constexpr std::size_t kWhole = 256;  // getrandom gives so many in one piece
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min(bytes.size(), kWhole));
    if (getrandom(part.data(), part.size(), GRND_NONBLOCK) != static_cast<ssize_t>(part.size())) {
      std::random_device device;  // a host that has just started, or a kernel without the call
      for (u8& byte : part) byte = static_cast<u8>(device());
    }
    bytes = bytes.subspan(part.size());
  }
}

}  // namespace relic86
