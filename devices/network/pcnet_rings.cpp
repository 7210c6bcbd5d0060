// Rings of the Am79C970A (publication 19436, "Receive Descriptors", "Transmit Descriptors")
//
//   style 0  8 bytes: address 15:0; flags 15:8, address 23:16; BCNT (two's complement); MCNT or errors
//   style 2  16 bytes: address; BCNT and flags in bits 31:24; MCNT or errors; unused
//   style 3  16 bytes: MCNT or errors; BCNT and flags; address; unused
//   flags    15 OWN, 14 ERR, 12 overflow, 10 buffer error, 9 start, 8 end of a packet
//
// The frame check sequence counts in a received frame's length; its bytes are not written.
#include <algorithm>
#include <array>

#include "devices/bus_mastering.h"
#include "devices/network/ethernet.h"
#include "devices/network/pcnet.h"
#include "devices/network/pcnet_registers.h"

namespace relic86 {

using namespace pcnet;

namespace {
constexpr u32 kNarrowDescriptor = 8, kWideDescriptor = 16;
constexpr u32 kCountMask = 0xFFF;
constexpr unsigned kFlagShift = 16;
constexpr unsigned kMostAtOnce = 64;
constexpr GuestTime kResume = 2'000;
constexpr u8 kReorderedStyle = 3;

u32 load16(std::span<const u8> bytes, std::size_t at) { return bytes[at] | u32{bytes[at + 1]} << 8; }
u32 load32(std::span<const u8> bytes, std::size_t at) { return load16(bytes, at) | load16(bytes, at + 2) << 16; }
}  // namespace

bool Pcnet::wide() const { return (csr_[kCsrStyle] & kWideStructures) != 0; }

Pcnet::Descriptor Pcnet::load(bool receive, u32 index) const {
  Descriptor result;
  result.at = PhysAddr((receive ? receive_base_ : transmit_base_) +
                       u64{index} * (wide() ? kWideDescriptor : kNarrowDescriptor));
  std::array<u8, kWideDescriptor> bytes{};
  memory_->read_block(result.at, std::span(bytes).first(wide() ? kWideDescriptor : kNarrowDescriptor));
  u32 count = 0;
  if (wide()) {
    const u32 control = load32(bytes, 4);
    result.address = load32(bytes, (csr_[kCsrStyle] & 0xFF) == kReorderedStyle ? 8 : 0);
    result.flags = static_cast<u16>(control >> kFlagShift & 0xFF00);
    count = control;
  } else {
    result.address = load16(bytes, 0) | u32{bytes[2]} << 16;
    result.flags = static_cast<u16>(bytes[3] << 8);
    count = load16(bytes, 4);
  }
  result.bytes = (kCountMask + 1 - (count & kCountMask)) & kCountMask;
  if (result.bytes == 0) result.bytes = kCountMask + 1;
  return result;
}

void Pcnet::store(const Descriptor& descriptor, u16 flags, u32 count) {
  const std::array<u8, 2> counted = {static_cast<u8>(count), static_cast<u8>(count >> 8)};
  const std::array<u8, 1> flag{static_cast<u8>(flags >> 8)};
  // The byte with OWN comes last.
  if (!wide()) {
    memory_->write_block(descriptor.at + 6, counted);
    return memory_->write_block(descriptor.at + 3, flag);
  }
  memory_->write_block(descriptor.at + ((csr_[kCsrStyle] & 0xFF) == kReorderedStyle ? 0u : 8u), counted);
  memory_->write_block(descriptor.at + 7, flag);
}

void Pcnet::transmit() {
  if ((csr_[0] & kTransmitOn) == 0 || !bus_master_enabled()) return;
  const BusMastering moving(bus_mastering_);
  for (unsigned taken = 0;; taken++) {
    const Descriptor descriptor = load(false, transmit_index_);
    if ((descriptor.flags & kOwn) == 0) return;
    if (taken == kMostAtOnce) return scheduler_->schedule_in(resume_timer_, kResume);
    if ((descriptor.flags & kStartOfPacket) != 0) {
      packet_.clear();
      packet_started_ = true;
    }
    if (packet_started_) {
      const std::size_t had = packet_.size();
      packet_.resize(std::min<std::size_t>(had + descriptor.bytes, kMostPacketBytes));
      memory_->read_block(PhysAddr(descriptor.address), std::span(packet_).subspan(had));
    }
    store(descriptor, static_cast<u16>(descriptor.flags & ~kOwn), 0);
    transmit_index_ = transmit_index_ + 1 >= transmit_count_ ? 0 : transmit_index_ + 1;
    if ((descriptor.flags & kEndOfPacket) == 0) continue;
    if (packet_started_) send(packet_);
    packet_.clear();
    packet_started_ = false;
    csr_[0] |= kTransmitted;
  }
}

void Pcnet::send(std::vector<u8>& frame) {
  if (frame.size() < kEthernetHeader) return;
  if ((csr_[kCsrMode] & kLoop) == 0) return link_.send(frame);
  frame.resize(std::max(frame.size(), kShortestFrame));
  receive(frame);
}

bool Pcnet::listening() const { return (csr_[0] & kReceiveOn) != 0 && bus_master_enabled(); }

// Buffers for a frame of the greatest length.
bool Pcnet::can_receive() const {
  u32 room = 0;
  for (u32 i = 0; i < receive_count_ && room < kLongestFrame + kFrameCheckBytes; i++) {
    const Descriptor descriptor = load(true, (receive_index_ + i) % receive_count_);
    if ((descriptor.flags & kOwn) == 0) return false;
    room += descriptor.bytes;
  }
  return room >= kLongestFrame + kFrameCheckBytes;
}

bool Pcnet::accepts(std::span<const u8> frame) const {
  const u16 mode = csr_[kCsrMode];
  if ((mode & kPromiscuous) != 0) return true;
  if (is_broadcast(frame)) return (mode & kNoBroadcast) == 0;
  if (is_multicast(frame)) {
    // The filter takes the remainder's bits in the order in which they come, so that it is mirrored here.
    u32 crc = ethernet_crc(frame.first(kMacBytes)), mirrored = 0;
    for (unsigned i = 0; i < 32; i++, crc >>= 1) mirrored = mirrored << 1 | (crc & 1);
    constexpr unsigned kHashShift = 26;
    const u32 hash = mirrored >> kHashShift;
    return (csr_[8 + hash / 16] >> (hash % 16) & 1) != 0;
  }
  if ((mode & kNoPhysical) != 0) return false;
  for (std::size_t i = 0; i < kMacBytes; i++) {
    if (frame[i] != static_cast<u8>(csr_[12 + i / 2] >> (i % 2 * 8))) return false;
  }
  return true;
}

void Pcnet::receive(std::span<const u8> frame) {
  constexpr std::size_t kVlanTag = 4;
  if (!listening() || frame.size() < kShortestFrame || frame.size() > kLongestFrame + kVlanTag || !accepts(frame))
    return;
  const BusMastering moving(bus_mastering_);
  Descriptor descriptor = load(true, receive_index_);
  if ((descriptor.flags & kOwn) == 0) {
    csr_[kCsrMissedFrames]++;
    return cause(kMissed);
  }
  const std::size_t total = frame.size() + kFrameCheckBytes;
  u16 flags = kStartOfPacket;
  for (std::size_t done = 0; done < total;) {
    const std::size_t part = std::min<std::size_t>(descriptor.bytes, total - done);
    if (done < frame.size())
      memory_->write_block(PhysAddr(descriptor.address), frame.subspan(done, std::min(part, frame.size() - done)));
    done += part;
    receive_index_ = receive_index_ + 1 >= receive_count_ ? 0 : receive_index_ + 1;
    const Descriptor next = load(true, receive_index_);
    const bool last = done == total;
    // A ring of one descriptor has this one again, which is still ours to finish.
    if (!last && ((next.flags & kOwn) == 0 || next.at == descriptor.at)) {
      store(descriptor, flags | kError | kBufferError | kOverflow | kEndOfPacket, 0);
      break;
    }
    store(descriptor, last ? static_cast<u16>(flags | kEndOfPacket) : flags, last ? static_cast<u32>(total) : 0);
    flags = 0;
    descriptor = next;
  }
  cause(kReceived);
}

}  // namespace relic86
