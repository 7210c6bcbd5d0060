#include "devices/network/receive_offload.h"

#include "devices/network/ethernet.h"

namespace relic86 {

namespace {
constexpr std::size_t kTypeOffset = 12, kShortestIp = 20;
constexpr u16 kIpv4Type = 0x0800, kFragmentBits = 0x3FFF;
constexpr u8 kTcp = 6, kUdp = 17;
constexpr u16 kRightSum = 0;  // the inverted sum over data and a right checksum

ReceivedChecksums::Verdict verdict(u32 sum) {
  return internet_checksum(sum) == kRightSum ? ReceivedChecksums::Verdict::Right : ReceivedChecksums::Verdict::Wrong;
}
}  // namespace

ReceivedChecksums check_received(std::span<const u8> frame) {
  ReceivedChecksums result;
  if (frame.size() < kEthernetHeader + kShortestIp || load_big16(frame, kTypeOffset) != kIpv4Type) return result;
  const auto packet = frame.subspan(kEthernetHeader);
  const std::size_t header = (packet[0] & 15u) * 4u;
  const std::size_t total = load_big16(packet, 2);
  if (packet[0] >> 4 != 4 || header < kShortestIp || total < header || total > packet.size()) return result;
  result.ip = verdict(internet_sum(packet.first(header)));
  const u8 protocol = packet[9];
  const std::size_t length = total - header;
  if ((load_big16(packet, 6) & kFragmentBits) != 0 || (protocol != kTcp && protocol != kUdp)) return result;
  const auto transport = packet.subspan(header, length);
  constexpr std::size_t kUdpHeader = 8, kUdpChecksum = 6, kTcpHeader = 20;
  if (length < (protocol == kUdp ? kUdpHeader : kTcpHeader)) return result;
  if (protocol == kUdp && load_big16(transport, kUdpChecksum) == 0) return result;  // the sender gave none
  result.udp = protocol == kUdp;
  u32 sum = internet_sum(packet.subspan(12, 8), protocol);  // the pseudo header
  sum += static_cast<u32>(length);
  result.transport = verdict(internet_sum(transport, sum));
  return result;
}

}  // namespace relic86
