// Checksums and TCP segmentation for cards that find the headers of a frame themselves (RTL8139C+, not the 82540EM,
// whose driver says where they lie).
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/types.h"

namespace relic86 {

struct TransmitOffload {
  bool ip = false, tcp = false, udp = false;  // whose checksum is put in
};

// An Ethernet II frame with IPv4 in it; any other is left alone, and so is what does not lie within the frame.
void put_checksums(std::span<u8> frame, const TransmitOffload& offload);

// Sends a TCP packet in frames of at most segment_size bytes of data, each with headers and checksums of its own.
// False: the frame is no TCP over IPv4, and nothing was sent.
bool send_segments(std::span<const u8> frame, std::size_t segment_size,
                   const std::function<void(std::span<const u8>)>& send);

}  // namespace relic86
