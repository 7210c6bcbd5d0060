#include "display/vnc/shared_flag.h"

#include <sys/socket.h>

#include <array>

namespace relic86 {

namespace {

// A frame of one byte: FIN and opcode, MASK and length, four bytes of the mask, the byte.
constexpr std::size_t kFrameSize = 7;
constexpr u8 kMaskedByte = 0x81;
constexpr u8 kOpcode = 0x0F, kBinary = 2, kContinuation = 0;

}  // namespace

std::optional<bool> shared_flag(std::span<const u8> bytes, bool web_socket) {
  if (bytes.empty()) return std::nullopt;
  if (!web_socket) return bytes[0] != 0;
  if (bytes.size() < kFrameSize) return std::nullopt;
  // Whoever packs it otherwise means no harm: sharing is what browsers do.
  const u8 opcode = bytes[0] & kOpcode;
  if (bytes[1] != kMaskedByte || (opcode != kBinary && opcode != kContinuation)) return true;
  return (bytes[2] ^ bytes[6]) != 0;
}

std::optional<bool> peek_shared_flag(int socket, bool web_socket) {
  std::array<u8, kFrameSize> bytes{};
  const ssize_t count = ::recv(socket, bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
  if (count <= 0) return std::nullopt;
  return shared_flag({bytes.data(), static_cast<std::size_t>(count)}, web_socket);
}

}  // namespace relic86
