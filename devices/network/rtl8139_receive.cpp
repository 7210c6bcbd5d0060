// Receive side of the RTL8139C+: a ring of bytes, or a table of descriptors.
//
//   ring           status (0 ROK, 13 broadcast, 14 our address, 15 multicast), length with the frame check sequence,
//   frame;
//                  the next one begins at a multiple of four bytes
//   C+ descriptor  dword 0: 31 OWN, 30 EOR, 12:0 bytes of the buffer; when done 29 first, 28 last, 26 multicast, 25 our
//                  address, 24 broadcast, 17:16 protocol (1 TCP, 2 UDP, 3 IP), 15 IP, 14 UDP, 13 TCP checksum wrong,
//                  12:0 length with the frame check sequence.  dword 1: 16 tag, 15:0 VLAN tag.  dwords 2, 3: address
#include <algorithm>
#include <array>

#include "devices/bus_mastering.h"
#include "devices/network/ethernet.h"
#include "devices/network/receive_offload.h"
#include "devices/network/rtl8139.h"
#include "devices/network/rtl8139_registers.h"

namespace relic86 {

using namespace rtl8139;

namespace {
constexpr u32 kBroadcastBit = 1u << 13, kOurBit = 1u << 14, kMulticastBit = 1u << 15;  // of the ring's status
constexpr unsigned kToDescriptor = 11;  // BAR, PAM, MAR: 13 to 15 there, 24 to 26 here
constexpr u32 kRingHeader = 4, kReadPointerOffset = 16;
constexpr u32 kProtocolShift = 16, kIsTcp = 1, kIsUdp = 2, kIsIp = 3;
constexpr u32 kIpWrong = 1u << 15, kUdpWrong = 1u << 14, kTcpWrong = 1u << 13;
constexpr u32 kTagAvailable = 1u << 16;
constexpr u16 kVlanType = 0x8100;
constexpr std::size_t kTypeOffset = 12, kTagBytes = 4;
constexpr std::size_t kLongest = kLongestFrame + kTagBytes;

u32 load32(std::span<const u8> bytes, std::size_t at) {
  return bytes[at] | u32{bytes[at + 1]} << 8 | u32{bytes[at + 2]} << 16 | u32{bytes[at + 3]} << 24;
}
}  // namespace

bool Rtl8139::enhanced_receive() const { return (get(kCpcr, 2) & kCpReceive) != 0; }

u32 Rtl8139::ring_bytes() const {
  constexpr unsigned kLengthShift = 11;
  constexpr u32 kSmallest = 8192;
  return kSmallest << (get(kRcr, 4) >> kLengthShift & 3);
}

// One less than the ring is never filled: both pointers equal is an empty ring.
u32 Rtl8139::ring_free() const {
  const u32 size = ring_bytes();
  const u32 used = (get(kCbr, 2) - (get(kCapr, 2) + kReadPointerOffset)) & (size - 1);
  return size - used;
}

PhysAddr Rtl8139::receive_descriptor() const {
  return PhysAddr((u64{get(kRdsar + 4, 4)} << 32 | get(kRdsar, 4)) + receive_index_ * kDescriptorBytes);
}

bool Rtl8139::listening() const { return (registers_[kCr] & kReceiveEnable) != 0 && bus_master_enabled(); }

bool Rtl8139::can_receive() const {
  if (!enhanced_receive()) return ring_free() > ((kRingHeader + kLongest + kFrameCheckBytes + 3) & ~3u);
  std::array<u8, 4> status{};
  memory_->read_block(receive_descriptor(), status);
  return (load32(status, 0) & kDescriptorOwn) != 0;
}

bool Rtl8139::accepts(std::span<const u8> frame, u32& status) const {
  const u32 filter = get(kRcr, 4);
  const bool all = (filter & kAcceptAll) != 0;
  if (is_broadcast(frame)) {
    status |= kBroadcastBit;
    return all || (filter & kAcceptBroadcast) != 0;
  }
  if (is_multicast(frame)) {
    status |= kMulticastBit;
    constexpr unsigned kHashShift = 26;
    const u32 hash = ethernet_crc(frame.first(kMacBytes)) >> kHashShift;
    return all || ((filter & kAcceptMulticast) != 0 && (registers_[kMar + (hash >> 3)] >> (hash & 7) & 1) != 0);
  }
  const bool ours = std::equal(frame.begin(), frame.begin() + kMacBytes, registers_.begin());
  if (ours) status |= kOurBit;
  return all || (ours && (filter & kAcceptMatch) != 0);
}

void Rtl8139::receive(std::span<const u8> frame) {
  u32 status = kReceiveOk;
  if (!listening() || frame.size() < kShortestFrame || frame.size() > kLongest || !accepts(frame, status)) return;
  const BusMastering moving(bus_mastering_);
  if (enhanced_receive()) return receive_ring(frame, status);
  receive_legacy(frame, status);
}

void Rtl8139::receive_legacy(std::span<const u8> frame, u32 status) {
  const u32 size = ring_bytes();
  const u32 total = static_cast<u32>(frame.size()) + kFrameCheckBytes;
  const u32 taken = (kRingHeader + total + 3) & ~3u;
  if (taken >= ring_free()) {
    set(kMpc, 3, get(kMpc, 3) + 1);
    return cause(kReceiveOverflow);
  }
  std::vector<u8> bytes{static_cast<u8>(status), static_cast<u8>(status >> 8), static_cast<u8>(total),
                        static_cast<u8>(total >> 8)};
  bytes.insert(bytes.end(), frame.begin(), frame.end());
  bytes.resize(taken);
  const u32 at = get(kCbr, 2) & (size - 1);
  const PhysAddr ring(get(kRbstart, 4));
  constexpr u32 kLargestRing = 65536;
  // With WRAP the last frame goes on beyond the end of the ring, in one piece; the largest ring cannot do that.
  const bool whole = (get(kRcr, 4) & kWrap) != 0 && size != kLargestRing;
  const std::size_t first = whole ? bytes.size() : std::min<std::size_t>(bytes.size(), size - at);
  memory_->write_block(ring + at, std::span(bytes).first(first));
  memory_->write_block(ring, std::span(bytes).subspan(first));
  set(kCbr, 2, (at + taken) & (size - 1));
  cause(kReceiveOk);
}

void Rtl8139::receive_ring(std::span<const u8> whole, u32 status) {
  const PhysAddr at = receive_descriptor();
  std::array<u8, kDescriptorBytes> descriptor{};
  memory_->read_block(at, descriptor);
  const u32 control = load32(descriptor, 0);
  u32 tag = 0;
  std::vector<u8> stripped;
  std::span<const u8> frame = whole;
  if ((get(kCpcr, 2) & kCpVlan) != 0 && load_big16(whole, kTypeOffset) == kVlanType) {
    tag = kTagAvailable | whole[kTypeOffset + 2] | whole[kTypeOffset + 3] << 8;
    stripped.assign(whole.begin(), whole.begin() + kTypeOffset);
    stripped.insert(stripped.end(), whole.begin() + kTypeOffset + kTagBytes, whole.end());
    frame = stripped;
  }
  const u32 total = static_cast<u32>(frame.size()) + kFrameCheckBytes;
  // A frame goes into one buffer: drivers give buffers that hold the longest.
  if ((control & kDescriptorOwn) == 0 || (control & kSizeMask) < total) {
    set(kMpc, 3, get(kMpc, 3) + 1);
    return cause(kReceiveOverflow);
  }
  memory_->write_block(PhysAddr(u64{load32(descriptor, 12)} << 32 | load32(descriptor, 8)), frame);

  u32 answer = (control & kDescriptorEnd) | kFirst | kLast | total;
  answer |= (status & (kBroadcastBit | kOurBit | kMulticastBit)) << kToDescriptor;
  if ((get(kCpcr, 2) & kCpChecksums) != 0) {
    using Verdict = ReceivedChecksums::Verdict;
    const ReceivedChecksums sums = check_received(whole);
    const bool transport = sums.transport != Verdict::NotChecked;
    if (sums.ip != Verdict::NotChecked) answer |= (transport ? (sums.udp ? kIsUdp : kIsTcp) : kIsIp) << kProtocolShift;
    if (sums.ip == Verdict::Wrong) answer |= kIpWrong;
    if (sums.transport == Verdict::Wrong) answer |= sums.udp ? kUdpWrong : kTcpWrong;
  }
  std::array<u8, 8> written{};
  for (unsigned i = 0; i < 4; i++) {
    written[i] = static_cast<u8>(answer >> (i * 8));
    written[4 + i] = static_cast<u8>(tag >> (i * 8));
  }
  memory_->write_block(at, written);
  receive_index_ = (control & kDescriptorEnd) != 0 || receive_index_ + 1 == kMostDescriptors ? 0 : receive_index_ + 1;
  cause(kReceiveOk);
}

}  // namespace relic86
