#include "devices/network/transmit_offload.h"

#include <algorithm>
#include <optional>

#include "devices/network/ethernet.h"

namespace relic86 {

namespace {

constexpr std::size_t kTypeOffset = 12, kShortestIp = 20, kShortestTcp = 20;
constexpr u16 kIpv4Type = 0x0800;
constexpr u8 kTcp = 6, kUdp = 17;
constexpr std::size_t kIpLength = 2, kIpIdentification = 4, kIpProtocol = 9, kIpChecksum = 10, kIpAddresses = 12;
constexpr std::size_t kTcpSequence = 4, kTcpHeaderLength = 12, kTcpFlags = 13, kTcpChecksum = 16, kUdpChecksum = 6;

struct Ipv4 {
  std::size_t header;  // bytes
  u8 protocol;
  std::size_t transport;  // offset in the frame
};

std::optional<Ipv4> find_ipv4(std::span<const u8> frame) {
  if (frame.size() < kEthernetHeader + kShortestIp || load_big16(frame, kTypeOffset) != kIpv4Type) return std::nullopt;
  const u8 first = frame[kEthernetHeader];
  const std::size_t header = (first & 15u) * 4u;
  if (first >> 4 != 4 || header < kShortestIp || kEthernetHeader + header > frame.size()) return std::nullopt;
  return Ipv4{header, frame[kEthernetHeader + kIpProtocol], kEthernetHeader + header};
}

void put_ip_checksum(std::span<u8> frame, const Ipv4& ip) {
  const auto header = frame.subspan(kEthernetHeader, ip.header);
  store_big16(header, kIpChecksum, 0);
  store_big16(header, kIpChecksum, internet_checksum(internet_sum(header)));
}

// The transport's length is the IP packet's, so that padding of a short frame does not count.
void put_transport_checksum(std::span<u8> frame, const Ipv4& ip, std::size_t checksum) {
  const std::size_t total = load_big16(frame, kEthernetHeader + kIpLength);
  if (total < ip.header || kEthernetHeader + total > frame.size()) return;
  const std::size_t length = total - ip.header;
  if (checksum + 2 > length) return;
  const auto transport = frame.subspan(ip.transport, length);
  store_big16(transport, checksum, 0);
  u32 sum = internet_sum(frame.subspan(kEthernetHeader + kIpAddresses, 8), ip.protocol);
  sum += static_cast<u32>(length);
  const u16 value = internet_checksum(internet_sum(transport, sum));
  store_big16(transport, checksum, ip.protocol == kUdp && value == 0 ? 0xFFFF : value);
}

}  // namespace

void put_checksums(std::span<u8> frame, const TransmitOffload& offload) {
  const auto ip = find_ipv4(frame);
  if (!ip) return;
  if (offload.ip) put_ip_checksum(frame, *ip);
  if (offload.tcp && ip->protocol == kTcp) put_transport_checksum(frame, *ip, kTcpChecksum);
  if (offload.udp && ip->protocol == kUdp) put_transport_checksum(frame, *ip, kUdpChecksum);
}

bool send_segments(std::span<const u8> frame, std::size_t segment_size,
                   const std::function<void(std::span<const u8>)>& send) {
  const auto ip = find_ipv4(frame);
  if (!ip || ip->protocol != kTcp || segment_size == 0 || ip->transport + kShortestTcp > frame.size()) return false;
  const std::size_t header = ip->transport + (frame[ip->transport + kTcpHeaderLength] >> 4) * 4u;
  const std::size_t end =
      std::min<std::size_t>(frame.size(), kEthernetHeader + load_big16(frame, kEthernetHeader + kIpLength));
  if (header < ip->transport + kShortestTcp || header > end) return false;
  const u32 sequence = load_big32(frame, ip->transport + kTcpSequence);
  const u16 identification = load_big16(frame, kEthernetHeader + kIpIdentification);
  constexpr u8 kFinPsh = 0x09;
  u32 number = 0;
  std::vector<u8> segment;
  for (std::size_t at = header; at < end || number == 0; number++) {
    const std::size_t part = std::min(segment_size, end - at);
    segment.assign(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(header));
    segment.insert(segment.end(), frame.begin() + static_cast<std::ptrdiff_t>(at),
                   frame.begin() + static_cast<std::ptrdiff_t>(at + part));
    store_big16(segment, kEthernetHeader + kIpLength, static_cast<u32>(segment.size() - kEthernetHeader));
    store_big16(segment, kEthernetHeader + kIpIdentification, identification + number);
    store_big32(segment, ip->transport + kTcpSequence, sequence + static_cast<u32>(at - header));
    at += part;
    if (at < end) segment[ip->transport + kTcpFlags] &= static_cast<u8>(~kFinPsh);
    put_checksums(segment, {.ip = true, .tcp = true, .udp = false});
    send(segment);
  }
  return true;
}

}  // namespace relic86
