// Commands of the driver (virtio 1.0, 5.1.6.5): class, command, data; the answer is one byte, 0 good, 1 refused
//
//   0  modes: 0 promiscuous, 1 all multicast, 2 all unicast, 3 no multicast, 4 no unicast, 5 no broadcast; one byte
//   1  0: tables of unicast, then multicast addresses, each with its count (4 bytes) first; 1: the address, 6 bytes
//   2  0: this VLAN is wanted, 1: no more; 2 bytes
#include <algorithm>

#include "devices/network/ethernet.h"
#include "devices/virtio/virtio_net.h"
#include "devices/virtio/virtio_net_registers.h"

namespace relic86 {

using namespace virtio_net;

namespace {
constexpr u64 kMostRequestBytes = 64u << 10;
constexpr unsigned kCommandsAtOnce = 64;
constexpr u32 kVlans = 4096;
}  // namespace

void VirtioNet::control() {
  bool served = false;
  for (unsigned count = 0; count < kCommandsAtOnce; count++) {
    const auto chain = take(kCommandQueue);
    if (!chain) break;
    served = true;
    if (chain->readable_bytes() < 2 || chain->writable_bytes() < 1)
      return fail("a command has no place for its answer");
    Answer answer = Answer::Refused;
    if (chain->readable_bytes() <= kMostRequestBytes) {
      std::vector<u8> request(static_cast<std::size_t>(chain->readable_bytes()));
      if (!chain->read(memory(), 0, request)) return fail("a command has an address where nothing is");
      answer = command(request);
    }
    const u8 byte = static_cast<u8>(answer);
    if (!chain->write(memory(), 0, {&byte, 1})) return fail("a command's answer has an address where nothing is");
    give_back(kCommandQueue, *chain, 1);
  }
  if (served) interrupt(kCommandQueue);
  if (waiting(kCommandQueue) != 0) serve_later(kCommandQueue);
}

VirtioNet::Answer VirtioNet::command(std::span<const u8> request) {
  const auto data = request.subspan(2);
  switch (request[0]) {
    case kModeClass: return set_mode(request[1], data);
    case kAddressClass: return set_addresses(request[1], data);
    case kVlanClass: return set_vlan(request[1], data);
    default: return Answer::Refused;
  }
}

VirtioNet::Answer VirtioNet::set_mode(u8 number, std::span<const u8> data) {
  if (number >= kModes || data.empty()) return Answer::Refused;
  modes_[number] = data[0] != 0 ? 1 : 0;
  return Answer::Good;
}

VirtioNet::Answer VirtioNet::set_addresses(u8 number, std::span<const u8> data) {
  if (number == kSetAddress) {
    if (data.size() != kMacBytes) return Answer::Refused;
    std::copy(data.begin(), data.end(), address_.begin());
    return Answer::Good;
  }
  if (number != kSetTable) return Answer::Refused;
  AddressTable tables[2];
  for (AddressTable& table : tables) {
    constexpr std::size_t kCountBytes = 4;
    if (data.size() < kCountBytes) return Answer::Refused;
    const u64 count = data[0] | u64{data[1]} << 8 | u64{data[2]} << 16 | u64{data[3]} << 24;
    data = data.subspan(kCountBytes);
    if (count > data.size() / kMacBytes) return Answer::Refused;
    const auto bytes = data.first(static_cast<std::size_t>(count) * kMacBytes);
    data = data.subspan(bytes.size());
    table.overflown = count > kMostAddresses;
    if (table.overflown) continue;
    table.count = static_cast<u8>(count);
    std::copy(bytes.begin(), bytes.end(), table.bytes.begin());
  }
  unicast_ = tables[0];
  multicast_ = tables[1];
  return Answer::Good;
}

VirtioNet::Answer VirtioNet::set_vlan(u8 number, std::span<const u8> data) {
  if (data.size() < 2) return Answer::Refused;
  const u32 id = data[0] | u32{data[1]} << 8;
  if (id >= kVlans) return Answer::Refused;
  const u32 bit = 1u << (id & 31);
  switch (number) {
    case kAddVlan: vlans_[id >> 5] |= bit; return Answer::Good;
    case kRemoveVlan: vlans_[id >> 5] &= ~bit; return Answer::Good;
    default: return Answer::Refused;
  }
}

}  // namespace relic86
