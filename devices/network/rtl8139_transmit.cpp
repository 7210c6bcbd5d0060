// Transmit side of the RTL8139C+: four descriptors in registers, or a table in memory.
//
//   C+ descriptor  dword 0: 31 OWN, 30 EOR (last of the table), 29 first, 28 last of the packet, 27 large send with
//                  26:16 segment size, else 18 IP, 17 UDP, 16 TCP checksum; 15:0 bytes.  dword 1: 17 tag, 15:0 VLAN
//                  tag. dwords 2, 3: address
#include <algorithm>
#include <array>

#include "devices/bus_mastering.h"
#include "devices/network/ethernet.h"
#include "devices/network/rtl8139.h"
#include "devices/network/rtl8139_registers.h"
#include "devices/network/transmit_offload.h"

namespace relic86 {

using namespace rtl8139;

namespace {
constexpr u32 kTcpSum = 1u << 16, kUdpSum = 1u << 17, kIpSum = 1u << 18, kInsertTag = 1u << 17;
constexpr unsigned kSegmentShift = 16;
constexpr u32 kSegmentMask = 0x7FF, kBytesMask = 0xFFFF;
constexpr u16 kVlanType = 0x8100;
constexpr std::size_t kMostLegacyFrame = 1792;  // the longest that TSD may be told to send
constexpr unsigned kMostAtOnce = 64;
constexpr GuestTime kResume = 2'000;

u32 load32(std::span<const u8> bytes, std::size_t at) {
  return bytes[at] | u32{bytes[at + 1]} << 8 | u32{bytes[at + 2]} << 16 | u32{bytes[at + 3]} << 24;
}
}  // namespace

void Rtl8139::transmit_legacy(unsigned which) {
  const unsigned at = kTsd + which * 4;
  const u32 descriptor = get(at, 4);
  if ((descriptor & kOwn) != 0 || (registers_[kCr] & kTransmitEnable) == 0 || !bus_master_enabled()) return;
  std::vector<u8> frame(std::min<std::size_t>(descriptor & kSizeMask, kMostLegacyFrame));
  {
    const BusMastering moving(bus_mastering_);
    memory_->read_block(PhysAddr(get(kTsad + which * 4, 4)), frame);
    send(frame);
  }
  set(at, 4, descriptor | kOwn | kSent);
  cause(kTransmitOk);
}

void Rtl8139::transmit_ring() {
  constexpr u8 kNormalQueue = 0x40;
  registers_[kTppoll] |= kNormalQueue;  // until the table is empty
  bool sent = false;
  for (unsigned taken = 0; transmit_descriptor(); taken++) {
    sent = true;
    if (taken == kMostAtOnce) {
      scheduler_->schedule_in(resume_timer_, kResume);
      return cause(kTransmitOk);
    }
  }
  registers_[kTppoll] = 0;
  if (sent) cause(kTransmitOk | kTransmitUnavailable);
}

// One descriptor; false: there is none that is ours.
bool Rtl8139::transmit_descriptor() {
  if ((registers_[kCr] & kTransmitEnable) == 0 || (get(kCpcr, 2) & kCpTransmit) == 0 || !bus_master_enabled())
    return false;
  const BusMastering moving(bus_mastering_);
  const u64 table = u64{get(kTsad + 4, 4)} << 32 | get(kTsad, 4);
  const PhysAddr at(table + transmit_index_ * kDescriptorBytes);
  std::array<u8, kDescriptorBytes> descriptor{};
  memory_->read_block(at, descriptor);
  const u32 status = load32(descriptor, 0), tag = load32(descriptor, 4);
  if ((status & kDescriptorOwn) == 0) return false;

  if ((status & kFirst) != 0) packet_.clear();
  const std::size_t had = packet_.size();
  packet_.resize(std::min(had + (status & kBytesMask), kMostPacketBytes));
  memory_->read_block(PhysAddr(u64{load32(descriptor, 12)} << 32 | load32(descriptor, 8)),
                      std::span(packet_).subspan(had));

  const u32 done = status & (kDescriptorEnd | kFirst | kLast | kBytesMask);  // no error ever happens
  const std::array<u8, 4> written = {static_cast<u8>(done), static_cast<u8>(done >> 8), static_cast<u8>(done >> 16),
                                     static_cast<u8>(done >> 24)};
  memory_->write_block(at, written);
  transmit_index_ = (status & kDescriptorEnd) != 0 || transmit_index_ + 1 == kMostDescriptors ? 0 : transmit_index_ + 1;
  if ((status & kLast) == 0) return true;

  const auto tagged = [&](std::span<const u8> frame) {
    std::vector<u8> bytes(frame.begin(), frame.end());
    if ((tag & kInsertTag) != 0 && bytes.size() >= kEthernetHeader) {
      // The tag stands in the descriptor as it goes over the wire.
      const u8 inserted[] = {kVlanType >> 8, kVlanType & 0xFF, static_cast<u8>(tag), static_cast<u8>(tag >> 8)};
      bytes.insert(bytes.begin() + 2 * kMacBytes, std::begin(inserted), std::end(inserted));
    }
    send(bytes);
  };
  const u32 segment = status >> kSegmentShift & kSegmentMask;
  if ((status & kLargeSend) == 0 || !send_segments(packet_, segment, tagged)) {
    if ((status & kLargeSend) == 0)
      put_checksums(packet_, {(status & kIpSum) != 0, (status & kTcpSum) != 0, (status & kUdpSum) != 0});
    tagged(packet_);
  }
  packet_.clear();
  return true;
}

void Rtl8139::send(std::vector<u8>& frame) {
  if (frame.size() < kEthernetHeader) return;
  if ((get(kTcr, 4) & kLoopback) != kLoopback) return link_.send(frame);
  frame.resize(std::max(frame.size(), kShortestFrame));
  receive(frame);
}

}  // namespace relic86
