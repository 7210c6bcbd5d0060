// The shared flag of ClientInit (RFC 6143, 7.3.1), read ahead of the library, which acts on it for its own clients only
// and does not tell it.
#pragma once

#include <optional>
#include <span>

#include "base/types.h"

namespace relic86 {

// Of the bytes that have come. nullopt: too few yet. On a web socket: of a masked frame (RFC 6455, 5.2).
std::optional<bool> shared_flag(std::span<const u8> bytes, bool web_socket);
// Of those that wait at the socket.
std::optional<bool> peek_shared_flag(int socket, bool web_socket);

}  // namespace relic86
