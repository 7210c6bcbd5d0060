// Whether the checksums of a received frame are right: for cards that check them on behalf of the host.
#pragma once

#include <span>

#include "base/types.h"

namespace relic86 {

struct ReceivedChecksums {
  enum class Verdict : u8 { NotChecked, Right, Wrong };
  Verdict ip = Verdict::NotChecked;
  Verdict transport = Verdict::NotChecked;  // TCP or UDP, of a packet in one piece
  bool udp = false;
};

// An Ethernet II frame with IPv4 in it; all others are not checked. Lengths in the packet are believed only within the
// frame.
ReceivedChecksums check_received(std::span<const u8> frame);

}  // namespace relic86
