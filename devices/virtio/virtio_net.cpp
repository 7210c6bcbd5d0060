// Network card (virtio 1.0, 5.1)
//
//   queue 0  frames for the driver    queue 1  frames that it sends    queue 2  commands
//   config   00h address  06h status: 0 link is up  08h most pairs of queues
//
// Of what the host's side could do it checks received IPv4 checksums, puts in those of sent packets and cuts TCP over
// IPv4 into segments. Without a driver that says otherwise it hears everything, as QEMU's.
#include "devices/virtio/virtio_net.h"

#include <algorithm>

#include "base/log.h"
#include "devices/bus_mastering.h"
#include "devices/network/ethernet.h"
#include "devices/network/receive_offload.h"
#include "devices/network/transmit_offload.h"
#include "devices/virtio/virtio_net_registers.h"
#include "devices/virtio/virtio_registers.h"

namespace relic86 {

using namespace virtio_net;

namespace {
constexpr u16 kQueueSize = 256, kCommandQueueSize = 64;
constexpr u32 kConfigBytes = 12;
constexpr std::size_t kMostPacketBytes = (u32{64} << 10) + kEthernetHeader + 8;
constexpr unsigned kPacketsAtOnce = kQueueSize;
constexpr std::size_t kTypeOffset = 12;
constexpr u16 kVlanType = 0x8100;

u16 load16(std::span<const u8> bytes, std::size_t at) { return static_cast<u16>(bytes[at] | bytes[at + 1] << 8); }
}  // namespace

VirtioNet::VirtioNet(std::string name, const VirtioInterfaces& interfaces, NetworkLink& link, const MacAddress& address)
    : VirtioPci(std::move(name), {.type = 1, .transitional_device = 0x1000, .class_code = 0x020000}, interfaces,
                {kQueueSize, kQueueSize, kCommandQueueSize}, kConfigBytes),
      link_(link),
      own_address_(address),
      address_(address) {
  link_.connect(this);
}

u64 VirtioNet::device_features() const {
  u64 features = 0;
  for (const unsigned feature : {kChecksum, kGuestChecksum, kMac, kHostTso4, kMergeableBuffers, kStatusField,
                                 kControlQueue, kControlReceive, kControlVlan, kControlReceiveExtra, kControlAddress})
    features |= u64{1} << feature;
  return features;
}

void VirtioNet::fill_config(std::span<u8> config) const {
  std::copy(address_.begin(), address_.end(), config.begin());
  config[6] = link_.up() ? 1 : 0;
  config[8] = 1;
}

// The address has a command of its own where the driver knows it.
void VirtioNet::config_bytes_written(unsigned offset, std::span<const u8> bytes) {
  if (negotiated(virtio::kVersion1) || negotiated(kControlAddress)) return;
  for (std::size_t i = 0; i < bytes.size() && offset + i < address_.size(); i++) address_[offset + i] = bytes[i];
}

void VirtioNet::reset_device() {
  address_ = own_address_;
  modes_ = {};
  modes_[kPromiscuous] = 1;
  unicast_ = multicast_ = {};
  vlans_ = {};
}

void VirtioNet::AddressTable::state(StateArchive& archive) {
  archive.bytes("bytes", bytes);
  archive.field("count", count);
  archive.field("overflown", overflown);
  if (archive.loading()) count = std::min<u8>(count, kMostAddresses);
}

void VirtioNet::state_device(StateArchive& archive) {
  archive.bytes("address", address_);
  archive.bytes("modes", modes_);
  archive.group("unicast", [&] { unicast_.state(archive); });
  archive.group("multicast", [&] { multicast_.state(archive); });
  archive.bytes("vlans", vlans_);
}

void VirtioNet::link_changed(bool) {
  if (negotiated(kStatusField)) config_changed();
}

std::size_t VirtioNet::header_bytes() const {
  return negotiated(virtio::kVersion1) || negotiated(kMergeableBuffers) ? kLongHeader : kShortHeader;
}

void VirtioNet::serve(unsigned number) {
  switch (number) {
    case kReceiveQueue: return link_.receiver_ready();
    case kTransmitQueue: return transmit();
    default: return control();
  }
}

// --- What the driver sends ---

void VirtioNet::transmit() {
  bool sent = false;
  std::vector<u8> packet;
  for (unsigned count = 0; count < kPacketsAtOnce; count++) {
    const auto chain = take(kTransmitQueue);
    if (!chain) break;
    sent = true;
    const std::size_t header = header_bytes();
    if (chain->readable_bytes() < header) return fail("a packet has no header");
    // One that is too long is lost, as on a cable.
    if (chain->readable_bytes() <= header + kMostPacketBytes) {
      packet.resize(static_cast<std::size_t>(chain->readable_bytes()));
      if (!chain->read(memory(), 0, packet)) return fail("a packet has an address where nothing is");
      send_packet(std::span(packet).first(header), std::span(packet).subspan(header));
    }
    give_back(kTransmitQueue, *chain, 0);
  }
  if (sent) interrupt(kTransmitQueue);
  if (waiting(kTransmitQueue) != 0) serve_later(kTransmitQueue);
}

void VirtioNet::send_packet(std::span<u8> header, std::span<u8> frame) {
  if (frame.size() < kEthernetHeader) return;
  const u8 kind = header[kHeaderKind] & static_cast<u8>(~kCongestionBit);
  if (kind == kTcp4Segments) {
    send_segments(frame, load16(header, kHeaderSegment), [this](std::span<const u8> part) { link_.send(part); });
    return;
  }
  if (kind != kNoSegments) return;
  if ((header[kHeaderFlags] & kNeedsChecksum) != 0) {
    const std::size_t start = load16(header, kHeaderStart), at = start + load16(header, kHeaderOffset);
    if (start >= frame.size() || at + 2 > frame.size()) return;
    // The pseudo header's sum is there already. A UDP checksum of 0 would say that there is none.
    const u16 sum = internet_checksum(internet_sum(frame.subspan(start)));
    store_big16(frame, at, sum == 0 ? 0xFFFF : sum);
  }
  link_.send(frame);
}

// --- What it receives ---

bool VirtioNet::AddressTable::holds(std::span<const u8> frame) const {
  for (std::size_t i = 0; i < count; i++) {
    if (std::equal(frame.begin(), frame.begin() + kMacBytes,
                   bytes.begin() + static_cast<std::ptrdiff_t>(i * kMacBytes)))
      return true;
  }
  return false;
}

bool VirtioNet::accepts(std::span<const u8> frame) const {
  if (modes_[kPromiscuous] != 0) return true;
  if (negotiated(kControlVlan) && load_big16(frame, kTypeOffset) == kVlanType) {
    const u32 id = load_big16(frame, kTypeOffset + 2) & 0xFFFu;
    if ((vlans_[id >> 5] >> (id & 31) & 1) == 0) return false;
  }
  if (is_broadcast(frame)) return modes_[kNoBroadcast] == 0;
  if (is_multicast(frame)) {
    if (modes_[kNoMulticast] != 0) return false;
    return modes_[kAllMulticast] != 0 || multicast_.overflown || multicast_.holds(frame);
  }
  if (modes_[kNoUnicast] != 0) return false;
  return modes_[kAllUnicast] != 0 || unicast_.overflown || is_for(frame, address_) || unicast_.holds(frame);
}

ReceiveFilter VirtioNet::receive_filter() const {
  return {.promiscuous = modes_[kPromiscuous] != 0,
          .broadcast = modes_[kNoBroadcast] == 0,
          .all_multicast = modes_[kAllMulticast] != 0 || multicast_.overflown,
          .address = address_};
}

bool VirtioNet::can_receive() const { return running() && offers(kReceiveQueue); }

void VirtioNet::receive(std::span<const u8> frame) {
  if (!running() || !accepts(frame)) return;
  const BusMastering moving(bus_mastering());
  const bool merges = negotiated(kMergeableBuffers);
  std::array<u8, kLongHeader> header{};
  const std::size_t header_size = header_bytes();
  if (negotiated(kGuestChecksum)) {
    using Verdict = ReceivedChecksums::Verdict;
    const ReceivedChecksums sums = check_received(frame);
    if (sums.ip == Verdict::Right && sums.transport == Verdict::Right) header[kHeaderFlags] = kDataValid;
  }
  const u64 total = header_size + frame.size();
  std::vector<DescriptorChain> chains;
  u64 room = 0;
  while (room < total && (merges || chains.empty())) {
    auto chain = take(kReceiveQueue);
    if (!chain) break;
    room += chain->writable_bytes();
    chains.push_back(std::move(*chain));
  }
  if (!running()) return;
  if (!chains.empty() && chains.front().writable_bytes() < header_size)
    return fail("a buffer for a frame has no room for the header");
  if (room < total) {
    // The frame is lost, the buffers are not.
    queue(kReceiveQueue).put_back(static_cast<u16>(chains.size()));
    return queue(kReceiveQueue).await_more(memory());
  }
  header[kHeaderBuffers] = static_cast<u8>(chains.size());
  header[kHeaderBuffers + 1] = static_cast<u8>(chains.size() >> 8);
  std::vector<u8> bytes(header.begin(), header.begin() + static_cast<std::ptrdiff_t>(header_size));
  bytes.insert(bytes.end(), frame.begin(), frame.end());
  std::span<const u8> rest(bytes);
  for (std::size_t i = 0; i < chains.size(); i++) {
    const auto part = rest.first(static_cast<std::size_t>(std::min<u64>(rest.size(), chains[i].writable_bytes())));
    if (!chains[i].write(memory(), 0, part)) return fail("a buffer for a frame has an address where nothing is");
    queue(kReceiveQueue).fill(memory(), chains[i], part.size(), static_cast<u16>(i));
    rest = rest.subspan(part.size());
  }
  queue(kReceiveQueue).publish(memory(), static_cast<u16>(chains.size()));
  interrupt(kReceiveQueue);
}

}  // namespace relic86
