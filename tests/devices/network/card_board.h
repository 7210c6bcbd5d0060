// A board with a network card in slot 3 and a cable whose other end is the test.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "devices/network/ethernet.h"
#include "devices/network_link.h"
#include "devices/pci_bus.h"
#include "tests/devices/test_board.h"

namespace relic86::test {

using Bytes = std::vector<u8>;

inline constexpr MacAddress kCardAddress{0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

class FakeLink final : public NetworkLink {
 public:
  void connect(NetworkReceiver* to) override { receiver = to; }
  void send(std::span<const u8> frame) override { sent.emplace_back(frame.begin(), frame.end()); }
  void receiver_ready() override { ready++; }
  bool up() const override { return plugged; }

  NetworkReceiver* receiver = nullptr;
  std::vector<Bytes> sent;
  unsigned ready = 0;
  bool plugged = true;
};

// A frame of so many bytes for this address; what follows the header counts up from `first`.
inline Bytes make_frame(const MacAddress& to, std::size_t size = 100, u8 first = 0) {
  Bytes frame(to.begin(), to.end());
  const u8 from[] = {0x02, 0, 0, 0, 0, 1, 0x88, 0xB5};  // a type for experiments
  frame.insert(frame.end(), std::begin(from), std::end(from));
  while (frame.size() < size) frame.push_back(first++);
  return frame;
}

inline constexpr MacAddress kBroadcast{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
inline constexpr MacAddress kStranger{0x02, 0, 0, 0, 0, 9};
inline constexpr MacAddress kGroup{0x01, 0x00, 0x5E, 0x01, 0x02, 0x03};

struct CardBoard : TestBoard {
  static constexpr unsigned kSlot = 3;
  static constexpr u16 kPorts = 0xC000;
  static constexpr u32 kMemory = 0xFEB00000;

  CardBoard() {
    EXPECT_TRUE(
        memory.map_fixed(memory.new_key(), ram_range("ram", PhysAddr(0), store.ram_size(), BackingOffset(0))).ok());
    EXPECT_TRUE(pci.attach(attachment).ok());
  }

  // Puts the card into its slot, maps BAR 0 and lets it be bus master.
  template <class T>
  T& plug(std::unique_ptr<T>& card) {
    card = std::make_unique<T>("card.0", link, kCardAddress);
    EXPECT_TRUE(pci.add(*card, kSlot).ok());
    EXPECT_TRUE(card->attach(attachment).ok());
    card->reset(ResetKind::PowerOn);
    map(*card);
    return *card;
  }
  void map(PciDevice& card) {
    set_config(kSlot, 0, 0x10, 4, card.bar_is_io(0) ? kPorts : kMemory);
    set_config(kSlot, 0, 0x14, 4, card.bar_is_io(0) ? kMemory : kPorts);
    set_config(kSlot, 0, 0x04, 2, 7);
  }

  Bytes memory_at(u32 address, std::size_t size) {
    Bytes bytes(size);
    memory.read_block(PhysAddr(address), bytes);
    return bytes;
  }
  void put(u32 address, const Bytes& bytes) { memory.write_block(PhysAddr(address), bytes); }
  void put32(u32 address, u32 value) {
    put(address, {static_cast<u8>(value), static_cast<u8>(value >> 8), static_cast<u8>(value >> 16),
                  static_cast<u8>(value >> 24)});
  }
  u32 get32(u32 address) {
    const Bytes bytes = memory_at(address, 4);
    return bytes[0] | u32{bytes[1]} << 8 | u32{bytes[2]} << 16 | u32{bytes[3]} << 24;
  }
  // As the cable does it: the card is asked first.
  bool offer(const Bytes& frame) {
    if (!link.receiver->listening() || !link.receiver->can_receive()) return false;
    link.receiver->receive(frame);
    return true;
  }

  FakeLink link;
  PciBus pci;
};

inline u16 sum_of(std::span<const u8> bytes) { return internet_checksum(internet_sum(bytes)); }

// An IPv4 packet with TCP in an Ethernet frame, `data` bytes of payload. Checksums are left 0.
inline Bytes make_tcp_frame(std::size_t data, u8 flags = 0x18) {
  Bytes frame = make_frame(kStranger, kEthernetHeader);
  frame[12] = 0x08, frame[13] = 0x00;
  const std::size_t total = 40 + data;
  const Bytes ip{0x45,
                 0,
                 static_cast<u8>(total >> 8),
                 static_cast<u8>(total),
                 0x12,
                 0x34,
                 0x40,
                 0,
                 64,
                 6,
                 0,
                 0,
                 10,
                 0,
                 2,
                 15,
                 10,
                 0,
                 2,
                 2};
  const Bytes tcp{0x04, 0xD2, 0, 80, 0x11, 0x22, 0x33, 0x44, 0, 0, 0, 0, 0x50, flags, 0x20, 0, 0, 0, 0, 0};
  frame.insert(frame.end(), ip.begin(), ip.end());
  frame.insert(frame.end(), tcp.begin(), tcp.end());
  for (std::size_t i = 0; i < data; i++) frame.push_back(static_cast<u8>(i * 7));
  return frame;
}
inline constexpr std::size_t kIpAt = 14, kTcpAt = 34, kTcpDataAt = 54;

// Whether both checksums of such a frame are right.
inline bool checksums_right(std::span<const u8> frame) {
  const auto ip = frame.subspan(kIpAt, 20);
  const std::size_t length = load_big16(frame, kIpAt + 2) - 20u;
  const u32 pseudo = internet_sum(ip.subspan(12, 8), 6) + static_cast<u32>(length);
  return sum_of(ip) == 0 && internet_checksum(internet_sum(frame.subspan(kTcpAt, length), pseudo)) == 0;
}

// Saving, loading into the same card and saving again gives the same bytes.
inline void expect_state_kept(Device& card) {
  const auto bytes = saved(card);
  EXPECT_TRUE(load(card, bytes));
  EXPECT_EQ(saved(card), bytes);
}

}  // namespace relic86::test
