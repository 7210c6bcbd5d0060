// Receive side of the 82540EM (317453, 3.2): address filters, buffers, checksums.
//
//   descriptor  0-7 address, 8-9 length, 10-11 packet checksum (0 here), 12 status: 0 DD, 1 EOP, 2 IXSM, 3 VP, 4 UDPCS,
//               5 TCPCS, 6 IPCS, 13 errors: 5 TCPE, 6 IPE, 14-15 VLAN tag
//   RCTL        1 EN, 3 UPE, 4 MPE, 5 LPE, 7:6 loopback, 9:8 RDMTS, 13:12 MO, 15 BAM, 17:16 BSIZE, 18 VFE, 25 BSEX, 26
//   SECRC
//
// The frame check sequence counts in a frame's length (without SECRC), its bytes are not written.
#include <algorithm>
#include <array>

#include "devices/bus_mastering.h"
#include "devices/network/e1000.h"
#include "devices/network/ethernet.h"
#include "devices/network/receive_offload.h"

namespace relic86 {

using namespace e1000;

namespace {
constexpr std::size_t kVlanTagBytes = 4, kTypeOffset = 12;
constexpr u64 kStatusOffset = 12;  // in a descriptor
constexpr std::size_t kMostLong = 16384;
constexpr std::size_t kMostShort = 1518;  // 1522 with the frame check sequence

u32 field(u32 value, unsigned shift, u32 mask) { return value >> shift & mask; }
}  // namespace

u32 E1000::buffer_bytes() const {
  constexpr unsigned kSizeShift = 16;
  const u32 size = field(receive_control_, kSizeShift, 3);
  constexpr u32 kLargest = 2048, kLarge = 16;
  if ((receive_control_ & kRctlLarge) != 0 && size != 0) return (kLargest >> size) * kLarge;
  return kLargest >> size;
}

u32 E1000::descriptors_from(u32 from) const {
  const Ring& ring = receive_ring_;
  if (from >= ring.count() || ring.tail >= ring.count()) return 0;
  return ring.tail >= from ? ring.tail - from : ring.count() - from + ring.tail;
}

// The card fetches descriptors as soon as the tail tells of them. A driver that moves the tail twice in one go hands over
// all that it went past, a whole ring of them too, although head and tail are equal then.
void E1000::fetch_descriptors(u32 tail_before) {
  fetched_ = (receive_control_ & kRctlEnable) != 0
                 ? std::min(fetched_ + descriptors_from(tail_before), receive_ring_.count())
                 : descriptors_from(receive_ring_.head);
}

u32 E1000::free_descriptors() const {
  const Ring& ring = receive_ring_;
  return ring.head < ring.count() && ring.tail < ring.count() ? fetched_ : 0;
}

bool E1000::listening() const { return (receive_control_ & kRctlEnable) != 0 && bus_master_enabled(); }

bool E1000::can_receive() const { return u64{free_descriptors()} * buffer_bytes() >= kMostShort + kFrameCheckBytes; }

bool E1000::carries_vlan(std::span<const u8> frame) const {
  constexpr u32 kVetIndex = 4;
  return frame.size() >= kTypeOffset + kVlanTagBytes && load_big16(frame, kTypeOffset) == (plain_[kVetIndex] & 0xFFFF);
}

bool E1000::passes_vlan_filter(std::span<const u8> frame) const {
  if ((receive_control_ & kRctlVlanFilter) == 0 || !carries_vlan(frame)) return true;
  const u32 id = load_big16(frame, kTypeOffset + 2) & 0xFFFu;
  return (vlans_[id >> 5] >> (id & 31) & 1) != 0;
}

bool E1000::accepts(std::span<const u8> frame) const {
  if (!passes_vlan_filter(frame)) return false;
  const bool multicast = is_multicast(frame);
  if ((receive_control_ & (multicast ? kRctlMulticast : kRctlUnicast)) != 0) return true;
  if (is_broadcast(frame) && (receive_control_ & kRctlBroadcast) != 0) return true;
  const u32 low = frame[0] | frame[1] << 8 | frame[2] << 16 | u32{frame[3]} << 24;
  const u32 high = frame[4] | u32{frame[5]} << 8;
  for (std::size_t i = 0; i < addresses_.size(); i += 2) {
    const u32 rah = addresses_[i + 1];
    if ((rah & kRahValid) != 0 && addresses_[i] == low && (rah & 0xFFFF) == high) return true;
  }
  if (!multicast) return false;
  constexpr std::array<unsigned, 4> kHashShifts = {4, 3, 2, 0};
  constexpr unsigned kOffsetShift = 12;
  const u32 hash = high >> kHashShifts[field(receive_control_, kOffsetShift, 3)] & 0xFFF;
  return (multicast_[hash >> 5] >> (hash & 31) & 1) != 0;
}

void E1000::bump(Statistic which) {
  if (statistics_[which] != ~0u) statistics_[which]++;
}

void E1000::count(Statistic low, u64 amount) {
  const u64 sum = (u64{statistics_[low + 1]} << 32 | statistics_[low]) + amount;
  statistics_[low] = static_cast<u32>(sum);
  statistics_[low + 1] = static_cast<u32>(sum >> 32);
}

void E1000::receive(std::span<const u8> whole) {
  const bool long_frames = (receive_control_ & kRctlLong) != 0;
  if (!listening() || whole.size() < kShortestFrame || whole.size() > (long_frames ? kMostLong : kMostShort)) return;
  bump(kTpr);
  count(kTorl, whole.size() + kFrameCheckBytes);
  if (!accepts(whole)) return;

  // What every descriptor of the frame says.
  std::array<u8, 8> answer{};
  u8& status = answer[4];
  u8& errors = answer[5];
  const ReceivedChecksums sums = check_received(whole);
  const u32 checks = *plain_register(kRxcsum);
  using Verdict = ReceivedChecksums::Verdict;
  if ((checks & kRxcsumIp) != 0 && sums.ip != Verdict::NotChecked) {
    status |= kRxIpChecked;
    if (sums.ip == Verdict::Wrong) errors |= kRxIpError;
  }
  if ((checks & kRxcsumTransport) != 0 && sums.transport != Verdict::NotChecked) {
    status |= static_cast<u8>(kRxTransportChecked | (sums.udp ? kRxUdpChecked : 0));
    if (sums.transport == Verdict::Wrong) errors |= kRxTransportError;
  }
  if ((status & (kRxIpChecked | kRxTransportChecked)) == 0) status |= kRxIgnore;

  std::vector<u8> stripped;
  std::span<const u8> frame = whole;
  if ((control_ & kCtrlVlanMode) != 0 && carries_vlan(whole)) {
    status |= kRxVlan;
    answer[6] = whole[kTypeOffset + 3];
    answer[7] = whole[kTypeOffset + 2];
    stripped.assign(whole.begin(), whole.begin() + kTypeOffset);
    stripped.insert(stripped.end(), whole.begin() + kTypeOffset + kVlanTagBytes, whole.end());
    frame = stripped;
  }
  const std::size_t total = frame.size() + ((receive_control_ & kRctlStripCrc) != 0 ? 0 : kFrameCheckBytes);
  const auto lose = [this] {
    bump(kRnbc);
    bump(kMpc);
    cause(kRxo);
  };
  if (u64{free_descriptors()} * buffer_bytes() < total) return lose();

  const BusMastering moving(bus_mastering_);
  Ring& ring = receive_ring_;
  for (std::size_t done = 0; done < total; fetched_--) {
    if (free_descriptors() == 0) return lose();  // too many of them had no buffer
    const PhysAddr at = ring.descriptor(ring.head);
    std::array<u8, 8> address{};
    memory_->read_block(at, address);
    u64 buffer = 0;
    for (unsigned i = 0; i < address.size(); i++) buffer |= u64{address[i]} << (i * 8);
    const std::size_t part = buffer == 0 ? 0 : std::min<std::size_t>(buffer_bytes(), total - done);
    if (done < frame.size() && part != 0)
      memory_->write_block(PhysAddr(buffer), frame.subspan(done, std::min(part, frame.size() - done)));
    done += part;
    if (buffer == 0) {
      // No data goes into a descriptor without a buffer, and nothing of it but DD changes (Null Descriptor Padding).
      std::array<u8, 1> done_status{};
      memory_->read_block(at + kStatusOffset, done_status);
      done_status[0] |= kRxDone;
      memory_->write_block(at + kStatusOffset, done_status);
    } else {
      std::array<u8, 8> written = answer;
      written[0] = static_cast<u8>(part);
      written[1] = static_cast<u8>(part >> 8);
      written[4] |= static_cast<u8>(kRxDone | (done == total ? kRxEnd : 0));
      memory_->write_block(at + address.size(), written);
    }
    ring.head = ring.head + 1 == ring.count() ? 0 : ring.head + 1;
  }

  bump(kGprc);
  if (is_broadcast(whole))
    bump(kBprc);
  else if (is_multicast(whole))
    bump(kMprc);
  count(kGorcl, whole.size() + kFrameCheckBytes);
  constexpr unsigned kThresholdShift = 8;
  if (free_descriptors() <= ring.count() >> (1 + field(receive_control_, kThresholdShift, 3))) causes_ |= kRxdmt0;
  if (const u32 timer = *plain_register(kRdtr) & 0xFFFF; timer != 0) {
    delay(true, timer, *plain_register(kRadv) & 0xFFFF);
    return update_interrupt();
  }
  cause(kRxt0);
}

}  // namespace relic86
