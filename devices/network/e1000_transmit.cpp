// Transmit side of the 82540EM (317453, 3.3 and 3.5): descriptors, checksums, segmentation.
//
//   legacy   0-7 address, 8-9 length, 10 CSO, 11 CMD, 12 STA (bit 0 DD), 13 CSS, 14-15 VLAN tag
//   data     0-7 address, 8-10 length (20 bits), 10 DTYP (7:4) = 1, 11 DCMD, 12 STA, 13 POPTS, 14-15 VLAN tag
//   context  0 IPCSS, 1 IPCSO, 2-3 IPCSE, 4 TUCSS, 5 TUCSO, 6-7 TUCSE, 8-10 PAYLEN, 10 DTYP = 0, 11 TUCMD, 12 STA,
//            13 HDRLEN, 14-15 MSS
//   CMD      0 EOP, 2 IC (legacy) or TSE, 3 RS, 5 DEXT, 6 VLE, 7 IDE
#include <algorithm>
#include <array>

#include "base/byte_order.h"
#include "devices/bus_mastering.h"
#include "devices/network/e1000.h"
#include "devices/network/ethernet.h"

namespace relic86 {

using namespace e1000;

namespace {
constexpr std::size_t kAddress = 0, kLength = 8, kChecksumOffset = 10, kCommand = 11, kState = 12, kOptions = 13,
                      kSpecial = 14;
constexpr u8 kDone = 1;
constexpr std::size_t kMostFrame = 16288;  // 3.3.1
// One look at the ring: a guest that fills the longest ring with the longest buffers gets no long silence by it.
constexpr unsigned kMostDescriptors = 256;
constexpr GuestTime kResume = 2'000;

// The checksum over [start, end], end 0: to the last byte, goes to offset, which holds what it starts from (3.5.2).
void put_checksum(std::span<u8> frame, std::size_t start, std::size_t offset, std::size_t last) {
  const std::size_t end = last == 0 ? frame.size() : std::min(last + 1, frame.size());
  if (start >= end || offset + 2 > frame.size()) return;
  store_big16(frame, offset, internet_checksum(internet_sum(frame.subspan(start, end - start))));
}
}  // namespace

void E1000::transmit() {
  Ring& ring = transmit_ring_;
  const u32 count = ring.count();
  if ((transmit_control_ & kTctlEnable) == 0 || !bus_master_enabled() || ring.head >= count || ring.tail >= count)
    return;
  if (ring.head == ring.tail) return;
  const BusMastering moving(bus_mastering_);
  for (unsigned taken = 0; ring.head != ring.tail; taken++) {
    if (taken == kMostDescriptors) {
      scheduler_->schedule_in(resume_timer_, kResume);
      return update_interrupt();
    }
    std::array<u8, kDescriptorBytes> descriptor{};
    const PhysAddr at = ring.descriptor(ring.head);
    memory_->read_block(at, descriptor);
    take_descriptor(descriptor);
    report_descriptor(at, descriptor, descriptor[kCommand]);
    ring.head = ring.head + 1 == count ? 0 : ring.head + 1;
  }
  cause(kTxqe);
}

void E1000::report_descriptor(PhysAddr at, std::span<u8> descriptor, u8 command) {
  if ((command & kTxReport) == 0) return;
  descriptor[kState] |= kDone;
  memory_->write_block(at + kState, descriptor.subspan(kState, 1));
  const u32 timer = *plain_register(kTidv) & 0xFFFF;
  if ((command & kTxDelay) != 0 && timer != 0) return delay(false, timer, *plain_register(kTadv) & 0xFFFF);
  causes_ |= kTxdw;  // the line follows at the end of the ring
}

void E1000::take_descriptor(std::span<const u8> descriptor) {
  const u8 command = descriptor[kCommand];
  const bool extended = (command & kTxExtended) != 0;
  constexpr u8 kTypeShift = 4;
  if (extended && descriptor[kChecksumOffset] >> kTypeShift == 0) {
    Context& context = (command & kTxSegment) != 0 ? segment_context_ : checksum_context_;
    context = {descriptor[0],
               descriptor[1],
               descriptor[4],
               descriptor[5],
               load_le<u16>(descriptor, 2),
               load_le<u16>(descriptor, 6),
               load_le<u16>(descriptor, kSpecial),
               descriptor[kOptions],
               command};
    return;
  }
  if (!packet_started_) {
    packet_started_ = true;
    packet_options_ = extended ? descriptor[kOptions] : 0;
    segmenting_ = extended && (command & kTxSegment) != 0;
    legacy_checksum_ = false;
  }
  constexpr u32 kLengthMask = 0xFFFFF;
  take_data(load_le<u64>(descriptor, kAddress),
            extended ? load_le<u32>(descriptor, kLength) & kLengthMask : load_le<u16>(descriptor, kLength));
  if ((command & kTxEnd) == 0) return;
  if (!extended && (command & kTxInsertChecksum) != 0) {
    legacy_checksum_ = true;
    legacy_offset_ = descriptor[kChecksumOffset];
    legacy_start_ = descriptor[kOptions];
  }
  insert_vlan_ = (command & kTxVlan) != 0 && (control_ & kCtrlVlanMode) != 0;
  vlan_ = load_le<u16>(descriptor, kSpecial);
  finish_packet();
  packet_.clear();
  packet_started_ = false;
}

void E1000::take_data(u64 address, u32 length) {
  const std::size_t had = packet_.size();
  packet_.resize(std::min(had + length, kMostPacketBytes));
  memory_->read_block(PhysAddr(address), std::span(packet_).subspan(had));
}

void E1000::finish_packet() {
  if (segmenting_ && segment_context_.segment_size != 0 && packet_.size() > segment_context_.header_length)
    return send_segments();
  if (legacy_checksum_) put_checksum(packet_, legacy_start_, legacy_offset_, 0);
  const Context& context = segmenting_ ? segment_context_ : checksum_context_;
  if ((packet_options_ & kTxInsertIp) != 0) put_checksum(packet_, context.ip_start, context.ip_offset, context.ip_end);
  if ((packet_options_ & kTxInsertTransport) != 0)
    put_checksum(packet_, context.transport_start, context.transport_offset, context.transport_end);
  send_frame(packet_);
}

// 3.5.9: each frame gets the headers, in which lengths, the IPv4 identification, the sequence number and, in all but
// the last, FIN and PSH differ.
void E1000::send_segments() {
  const Context& context = segment_context_;
  const std::size_t header = context.header_length, ip = context.ip_start, transport = context.transport_start;
  constexpr std::size_t kIpLength = 2, kIpIdentification = 4, kIpv6Length = 4, kIpv6Header = 40;
  constexpr std::size_t kSequence = 4, kTcpFlags = 13, kUdpLength = 4, kShortestHeader = 8, kShortestTcp = 20;
  constexpr u8 kFinPsh = 0x09;
  const bool ipv4 = (context.command & kTxContextIpv4) != 0, tcp = (context.command & kTxContextTcp) != 0;
  // Headers that do not lie where the context says are none of a driver's.
  if (ip + kShortestHeader > header || transport + (tcp ? kShortestTcp : kShortestHeader) > header) return;
  const u16 identification = load_big16(packet_, ip + kIpIdentification);
  const u32 sequence = tcp ? load_big32(packet_, transport + kSequence) : 0;
  const std::size_t payload = packet_.size() - header;
  unsigned number = 0;
  std::vector<u8> frame;
  for (std::size_t done = 0; done < payload; number++) {
    const std::size_t part = std::min<std::size_t>(context.segment_size, payload - done);
    const auto data = packet_.begin() + static_cast<std::ptrdiff_t>(header + done);
    frame.assign(packet_.begin(), packet_.begin() + static_cast<std::ptrdiff_t>(header));
    frame.insert(frame.end(), data, data + static_cast<std::ptrdiff_t>(part));
    const std::size_t after_ip = frame.size() - ip;
    if (ipv4) {
      store_big16(frame, ip + kIpLength, static_cast<u32>(after_ip));
      store_big16(frame, ip + kIpIdentification, identification + number);
    } else {
      store_big16(frame, ip + kIpv6Length, static_cast<u32>(after_ip - std::min(after_ip, kIpv6Header)));
    }
    const auto transport_length = static_cast<u32>(frame.size() - transport);
    if (tcp) {
      store_big32(frame, transport + kSequence, sequence + static_cast<u32>(done));
      if (done + part < payload) frame[transport + kTcpFlags] &= static_cast<u8>(~kFinPsh);
    } else {
      store_big16(frame, transport + kUdpLength, transport_length);
    }
    if ((packet_options_ & kTxInsertTransport) != 0 && context.transport_offset + 2u <= frame.size()) {
      // The driver's seed is the pseudo header without a length.
      const u32 seed = load_big16(frame, context.transport_offset) + transport_length;
      store_big16(frame, context.transport_offset, (seed & 0xFFFF) + (seed >> 16));
      put_checksum(frame, transport, context.transport_offset, context.transport_end);
    }
    if ((packet_options_ & kTxInsertIp) != 0) put_checksum(frame, ip, context.ip_offset, context.ip_end);
    send_frame(frame);
    done += part;
  }
}

void E1000::send_frame(std::vector<u8>& frame) {
  if (frame.size() < kEthernetHeader || frame.size() > kMostFrame) return;
  if (insert_vlan_) {
    std::array<u8, 4> tag{};
    store_big16(tag, 0, *plain_register(kVet));
    store_big16(tag, 2, vlan_);
    frame.insert(frame.begin() + 2 * kMacBytes, tag.begin(), tag.end());
  }
  bump(kTpt);
  bump(kGptc);
  if (is_broadcast(frame))
    bump(kBptc);
  else if (is_multicast(frame))
    bump(kMptc);
  count(kTotl, frame.size() + kFrameCheckBytes);
  count(kGotcl, frame.size() + kFrameCheckBytes);
  if ((receive_control_ & kRctlLoopback) != 0 || phy_.loops_back()) {
    frame.resize(std::max(frame.size(), kShortestFrame));
    return receive(frame);
  }
  link_.send(frame);
}

}  // namespace relic86
