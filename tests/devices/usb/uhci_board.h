// A board with the USB controller in its place and a device on its first port, and a small driver for them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "devices/pci_bus.h"
#include "devices/usb/piix3_uhci.h"
#include "devices/usb/uhci_registers.h"
#include "devices/usb/usb_tablet.h"
#include "tests/devices/test_board.h"

namespace relic86::test {

using Bytes = std::vector<u8>;

struct UhciBoard : TestBoard {
  static constexpr u16 kPorts = 0xC100;
  static constexpr u32 kList = 0x10000, kQueue = 0x20000, kDescriptors = 0x21000, kBuffers = 0x30000;
  static constexpr u8 kSetup = 0x2D, kIn = 0x69, kOut = 0xE1;
  static constexpr u32 kNoErrorLimit = 0, kThreeErrors = 3u << 27;

  // device: null: a tablet.
  explicit UhciBoard(std::unique_ptr<UsbDevice> device = nullptr) {
    EXPECT_TRUE(
        memory.map_fixed(memory.new_key(), ram_range("ram", PhysAddr(0), store.ram_size(), BackingOffset(0))).ok());
    EXPECT_TRUE(pci.attach(attachment).ok());
    pci.set_pirq_sink(&irqs);
    if (device == nullptr) {
      auto made = std::make_unique<UsbTablet>();
      tablet = made.get();
      device = std::move(made);
    }
    uhci.plug(0, std::move(device));
    EXPECT_TRUE(pci.add(uhci, 1, 2).ok());
    EXPECT_TRUE(uhci.attach(attachment).ok());
    uhci.reset(ResetKind::PowerOn);
    set_config(1, 2, 0x20, 4, kPorts);
    set_config(1, 2, 0x04, 2, 5);
  }

  // --- Registers and memory ---
  u16 reg(unsigned index) { return static_cast<u16>(in(static_cast<u16>(kPorts + index), 2)); }
  void set_reg(unsigned index, u32 value, unsigned width = 2) { out(static_cast<u16>(kPorts + index), value, width); }
  bool interrupted() const {
    return std::any_of(irqs.levels.begin(), irqs.levels.end(), [](bool level) { return level; });
  }
  Bytes get(u32 address, std::size_t size) {
    Bytes bytes(size);
    memory.read_block(PhysAddr(address), bytes);
    return bytes;
  }
  void put(u32 address, const Bytes& bytes) { memory.write_block(PhysAddr(address), bytes); }
  u32 get32(u32 address) {
    const Bytes bytes = get(address, 4);
    return bytes[0] | u32{bytes[1]} << 8 | u32{bytes[2]} << 16 | u32{bytes[3]} << 24;
  }
  void put32(u32 address, u32 value) {
    put(address, {static_cast<u8>(value), static_cast<u8>(value >> 8), static_cast<u8>(value >> 16),
                  static_cast<u8>(value >> 24)});
  }
  // Until this many frames later, each event at its time.
  void frames(unsigned count) {
    const GuestTime until = clock.time + count * uhci::kFrame;
    while (scheduler.next_deadline() <= until) {
      clock.time = std::max(clock.time, scheduler.next_deadline());
      scheduler.run_due();
    }
    clock.time = until;
  }

  // --- The driver ---
  // Every frame begins with one queue, which is empty.
  void start() {
    for (u32 frame = 0; frame < 1024; frame++) put32(kList + frame * 4, kQueue | uhci::kQueueHead);
    put32(kQueue, uhci::kTerminate);
    put32(kQueue + 4, uhci::kTerminate);
    set_reg(uhci::kListBase, kList, 4);
    set_reg(uhci::kCommand, 0xC1);
  }
  void enable_port(unsigned port = 0) {
    const unsigned at = uhci::kPort0 + port * 2;
    set_reg(at, uhci::kPortReset);
    set_reg(at, 0);
    set_reg(at, uhci::kEnabled | uhci::kConnectChanged);
  }
  static u32 descriptor(unsigned number) { return kDescriptors + number * 32; }
  static u32 buffer(unsigned number) { return kBuffers + number * 64; }
  // A descriptor whose link ends the queue; size: of the packet.
  void make(unsigned number, u8 pid, u8 address, u8 endpoint, std::size_t size, u32 control = kThreeErrors) {
    put32(descriptor(number), uhci::kTerminate);
    put32(descriptor(number) + 4, control | uhci::kActive);
    put32(descriptor(number) + 8,
          ((static_cast<u32>(size) - 1) & 0x7FF) << 21 | u32{endpoint} << 15 | u32{address} << 8 | pid);
    put32(descriptor(number) + 12, buffer(number));
  }
  void queue(unsigned number) { put32(kQueue + 4, descriptor(number)); }
  u32 control_of(unsigned number) { return get32(descriptor(number) + 4); }
  std::size_t actual(unsigned number) { return (control_of(number) + 1) & 0x7FF; }

  // A control transfer; nothing: it was stalled. data: for the device, or its size is what is asked for.
  std::optional<Bytes> control(u8 address, u8 type, u8 request, u16 value, u16 index, Bytes data) {
    const bool to_host = (type & 0x80) != 0;
    unsigned last = 0;
    make(0, kSetup, address, 0, 8);
    put(buffer(0), {type, request, static_cast<u8>(value), static_cast<u8>(value >> 8), static_cast<u8>(index),
                    static_cast<u8>(index >> 8), static_cast<u8>(data.size()), static_cast<u8>(data.size() >> 8)});
    for (std::size_t at = 0; at < data.size(); at += 8) {
      const std::size_t size = std::min<std::size_t>(8, data.size() - at);
      make(++last, to_host ? kIn : kOut, address, 0, size);
      if (!to_host)
        put(buffer(last), Bytes(data.begin() + static_cast<long>(at), data.begin() + static_cast<long>(at + size)));
    }
    make(++last, to_host && !data.empty() ? kOut : kIn, address, 0, 0);
    for (unsigned i = 0; i < last; i++) put32(descriptor(i), descriptor(i + 1) | uhci::kDepthFirst);
    queue(0);
    frames(20);
    if ((control_of(last) & (uhci::kActive | uhci::kStalled)) != 0) return std::nullopt;
    if (!to_host) return Bytes{};
    Bytes answer;
    for (unsigned i = 1; i < last; i++) {
      const Bytes part = get(buffer(i), actual(i));
      answer.insert(answer.end(), part.begin(), part.end());
    }
    return answer;
  }
  // A bulk transfer in packets of 64 bytes, up to the first short one. Nothing: it was stalled, or nobody answered.
  std::optional<Bytes> bulk(u8 pid, u8 address, u8 endpoint, const Bytes& data) {
    constexpr std::size_t kPacket = 64;
    const unsigned count = std::max(1u, static_cast<unsigned>((data.size() + kPacket - 1) / kPacket));
    for (unsigned i = 0; i < count; i++) {
      const std::size_t size = std::min(kPacket, data.size() - i * kPacket);
      make(i, pid, address, endpoint, size, kThreeErrors | (pid == kIn ? uhci::kShortDetect : 0));
      if (i + 1 < count) put32(descriptor(i), descriptor(i + 1) | uhci::kDepthFirst);
      const auto from = data.begin() + static_cast<long>(i * kPacket);
      if (pid != kIn) put(buffer(i), Bytes(from, from + static_cast<long>(size)));
    }
    queue(0);
    frames(4 + count / 8);
    Bytes moved;
    for (unsigned i = 0; i < count; i++) {
      if ((control_of(i) & uhci::kStalled) != 0) return std::nullopt;
      if ((control_of(i) & uhci::kActive) != 0) break;
      const Bytes part = get(buffer(i), actual(i));
      moved.insert(moved.end(), part.begin(), part.end());
    }
    return moved;
  }
  // The device on the first port gets address 5 and is configured.
  void configure() {
    start();
    enable_port();
    ASSERT_TRUE(control(0, 0x00, 5, 5, 0, {}));
    ASSERT_TRUE(control(5, 0x00, 9, 1, 0, {}));
  }
  // One poll of a device's interrupt endpoint; nothing: it has no report.
  std::optional<Bytes> poll(u8 address = 5) {
    make(0, kIn, address, 1, 8);
    queue(0);
    frames(1);
    if ((control_of(0) & uhci::kActive) != 0) return std::nullopt;
    return get(buffer(0), actual(0));
  }

  PciBus pci;
  Piix3Uhci uhci;
  UsbTablet* tablet = nullptr;
};

}  // namespace relic86::test
