// Back ends over descriptors of the host, and how the words of -netdev name them.
#pragma once

#include "net/backend.h"
#include "net/host_socket.h"

namespace relic86::net {

// where: for info network.
std::unique_ptr<Backend> stream_listener(const NetdevOption& option, Host host, HostSocket listener, std::string where);
std::unique_ptr<Backend> stream_connection(const NetdevOption& option, Host host, HostSocket connection,
                                           std::string where);
// remote: where frames go; null: the descriptor is connected, or a tap.
std::unique_ptr<Backend> datagram_backend(const NetdevOption& option, Host host, HostSocket socket,
                                          const SocketAddress* remote, std::string where);

Result<std::unique_ptr<Backend>> make_socket_backend(const NetdevOption& option, Host host);  // -netdev socket
Result<std::unique_ptr<Backend>> make_stream_backend(const NetdevOption& option, Host host);
Result<std::unique_ptr<Backend>> make_dgram_backend(const NetdevOption& option, Host host);
Result<std::unique_ptr<Backend>> make_tap_backend(const NetdevOption& option, Host host);

}  // namespace relic86::net
