// A board with a virtio device in slot 3, and a small driver that speaks to it as drivers of either time do.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "devices/pci_bus.h"
#include "devices/virtio/virtio_pci.h"
#include "devices/virtio/virtio_registers.h"
#include "tests/devices/test_board.h"

namespace relic86::test {

using Bytes = std::vector<u8>;

enum class Interface : u8 { Legacy, Modern };

inline std::string interface_name(const testing::TestParamInfo<Interface>& info) {
  return info.param == Interface::Legacy ? "Legacy" : "Modern";
}

// A part of a chain: bytes that the device reads, or room for those that it writes.
struct Part {
  Bytes content;  // empty: room
  u32 room = 0;
};
inline Part reads(Bytes content) { return {std::move(content), 0}; }
inline Part room(u32 bytes) { return {{}, bytes}; }

struct VirtioBoard : TestBoard {
  static constexpr unsigned kSlot = 3;
  static constexpr u16 kPorts = 0xC000;
  static constexpr u32 kMemory = 0xFEB00000;
  static constexpr u32 kQueues = 0x10000, kQueueRoom = 0x4000;  // where the driver has its queues
  static constexpr u32 kBuffers = 0x80000;

  VirtioBoard() {
    EXPECT_TRUE(
        memory.map_fixed(memory.new_key(), ram_range("ram", PhysAddr(0), store.ram_size(), BackingOffset(0))).ok());
    EXPECT_TRUE(pci.attach(attachment).ok());
  }

  void plug(VirtioPci& device) {
    EXPECT_TRUE(pci.add(device, kSlot).ok());
    EXPECT_TRUE(device.attach(attachment).ok());
    device.reset(ResetKind::PowerOn);
    set_config(kSlot, 0, 0x10, 4, kPorts);
    set_config(kSlot, 0, 0x20, 4, kMemory);
    set_config(kSlot, 0, 0x24, 4, 0);
    set_config(kSlot, 0, 0x04, 2, 7);
  }

  // Saves the device, and loads it as a machine that starts anew does.
  void reload(VirtioPci& device) {
    const auto state = saved(device);
    reset_but_timers([&] { device.reset(ResetKind::PowerOn); });
    EXPECT_TRUE(load(device, state));
    EXPECT_EQ(saved(device), state);
  }

  // --- Guest memory ---
  Bytes memory_at(u64 address, std::size_t size) {
    Bytes bytes(size);
    memory.read_block(PhysAddr(address), bytes);
    return bytes;
  }
  void put(u64 address, const Bytes& bytes) { memory.write_block(PhysAddr(address), bytes); }
  void put_number(u64 address, u64 value, unsigned width) {
    Bytes bytes;
    for (unsigned i = 0; i < width; i++) bytes.push_back(static_cast<u8>(value >> (i * 8)));
    put(address, bytes);
  }
  u64 number_at(u64 address, unsigned width) {
    u64 value = 0;
    const Bytes bytes = memory_at(address, width);
    for (unsigned i = 0; i < width; i++) value |= u64{bytes[i]} << (i * 8);
    return value;
  }

  // --- Registers ---
  u32 common(u32 offset, unsigned width) { return static_cast<u32>(memory.read(PhysAddr(kMemory + offset), width)); }
  void set_common(u32 offset, unsigned width, u32 value) { memory.write(PhysAddr(kMemory + offset), width, value); }
  u32 legacy(u32 offset, unsigned width) { return in(static_cast<u16>(kPorts + offset), width); }
  void set_legacy(u32 offset, unsigned width, u32 value) { out(static_cast<u16>(kPorts + offset), value, width); }

  u8 status() { return static_cast<u8>(modern() ? common(virtio::kStatus, 1) : legacy(virtio::kLegacyStatus, 1)); }
  void set_status(u8 value) {
    modern() ? set_common(virtio::kStatus, 1, value) : set_legacy(virtio::kLegacyStatus, 1, value);
  }
  u64 device_features() {
    if (!modern()) return legacy(virtio::kLegacyDeviceFeatures, 4);
    u64 offered = 0;
    for (u32 half = 0; half < 2; half++) {
      set_common(virtio::kDeviceFeatureSelect, 4, half);
      offered |= u64{common(virtio::kDeviceFeature, 4)} << (half * 32);
    }
    return offered;
  }
  void set_features(u64 wanted) {
    if (!modern()) return set_legacy(virtio::kLegacyDriverFeatures, 4, static_cast<u32>(wanted));
    for (u32 half = 0; half < 2; half++) {
      set_common(virtio::kDriverFeatureSelect, 4, half);
      set_common(virtio::kDriverFeature, 4, static_cast<u32>(wanted >> (half * 32)));
    }
  }
  u8 interrupt_status() {
    return static_cast<u8>(modern() ? common(0x1000, 1) : legacy(virtio::kLegacyInterruptStatus, 1));
  }
  u32 device_config(u32 offset, unsigned width) {
    return modern() ? common(0x2000 + offset, width) : legacy(virtio::kLegacyConfig + offset, width);
  }
  void set_device_config(u32 offset, unsigned width, u32 value) {
    modern() ? set_common(0x2000 + offset, width, value) : set_legacy(virtio::kLegacyConfig + offset, width, value);
  }
  bool interrupts() { return (config(kSlot, 0, 6, 2) & 8) != 0; }

  // --- The driver ---
  bool modern() const { return interface == Interface::Modern; }

  // Starts the device with these features, if it offers them, and its queues.
  void start(u64 wanted, unsigned queues) {
    set_status(0);
    set_status(virtio::kAcknowledge | virtio::kDriver);
    const u64 version = modern() ? u64{1} << virtio::kVersion1 : 0;
    features = device_features() & (wanted | version);
    set_features(features);
    if (modern()) {
      set_status(virtio::kAcknowledge | virtio::kDriver | virtio::kFeaturesOk);
      EXPECT_NE(status() & virtio::kFeaturesOk, 0);
    }
    rings.assign(queues, {});
    for (unsigned i = 0; i < queues; i++) set_up(i);
    set_status(static_cast<u8>(status() | virtio::kDriverOk));
  }

  struct Ring {
    u32 size = 0;
    u64 descriptors = 0, available = 0, used = 0;
    u16 offered = 0, seen = 0;
    u16 next_descriptor = 0;
  };
  void set_up(unsigned number) {
    Ring& ring = rings[number];
    const u64 at = kQueues + u64{number} * kQueueRoom;
    put(at, Bytes(kQueueRoom));
    ring.descriptors = at;
    if (modern()) {
      set_common(virtio::kQueueSelect, 2, number);
      ring.size = common(virtio::kQueueSize, 2);
      ring.available = at + u64{ring.size} * 16;
      ring.used = at + 0x2000;
      set_common(virtio::kQueueDescriptors, 4, static_cast<u32>(ring.descriptors));
      set_common(virtio::kQueueDescriptors + 4, 4, 0);
      set_common(virtio::kQueueAvailable, 4, static_cast<u32>(ring.available));
      set_common(virtio::kQueueAvailable + 4, 4, 0);
      set_common(virtio::kQueueUsed, 4, static_cast<u32>(ring.used));
      set_common(virtio::kQueueUsed + 4, 4, 0);
      set_common(virtio::kQueueEnable, 2, 1);
    } else {
      set_legacy(virtio::kLegacyQueueSelect, 2, number);
      ring.size = legacy(virtio::kLegacyQueueSize, 2);
      ring.available = at + u64{ring.size} * 16;
      ring.used = (ring.available + 6 + u64{ring.size} * 2 + 4095) & ~u64{4095};
      set_legacy(virtio::kLegacyQueueAddress, 4, static_cast<u32>(at >> 12));
    }
    ASSERT_GT(ring.size, 0u);
  }
  void write_descriptor(u64 table, u32 index, u64 address, u32 length, u16 flags, u16 next) {
    put_number(table + index * 16, address, 8);
    put_number(table + index * 16 + 8, length, 4);
    put_number(table + index * 16 + 12, flags, 2);
    put_number(table + index * 16 + 14, next, 2);
  }
  // Puts a chain of these parts at the end of the queue; where each lies. The buffers are the next free ones.
  std::vector<u64> offer(unsigned number, const std::vector<Part>& parts) {
    Ring& ring = rings[number];
    std::vector<u64> places;
    const u16 head = ring.next_descriptor;
    for (std::size_t i = 0; i < parts.size(); i++) {
      const Part& part = parts[i];
      const bool writable = part.content.empty();
      const u32 length = writable ? part.room : static_cast<u32>(part.content.size());
      const u64 at = buffers;
      buffers += (length + 15u) & ~15u;
      if (writable)
        put(at, Bytes(length));
      else
        put(at, part.content);
      const u16 index = static_cast<u16>(ring.next_descriptor % ring.size);
      const bool last = i + 1 == parts.size();
      const u16 next = static_cast<u16>((ring.next_descriptor + 1u) % ring.size);
      write_descriptor(
          ring.descriptors, index, at, length,
          static_cast<u16>((last ? 0 : virtio::kDescriptorNext) | (writable ? virtio::kDescriptorWritable : 0)), next);
      ring.next_descriptor = next;
      places.push_back(at);
    }
    offer_head(number, head);
    return places;
  }
  void offer_head(unsigned number, u16 head) {
    Ring& ring = rings[number];
    put_number(ring.available + 4 + ring.offered % ring.size * 2, head, 2);
    ring.offered++;
    put_number(ring.available + 2, ring.offered, 2);
  }
  void notify(unsigned number) {
    modern() ? set_common(0x3000 + number * 4, 2, number) : set_legacy(virtio::kLegacyQueueNotify, 2, number);
  }
  // Chains that the device has given back since the last call: how many bytes it wrote into each.
  std::vector<u32> finished(unsigned number) {
    Ring& ring = rings[number];
    std::vector<u32> lengths;
    const auto index = static_cast<u16>(number_at(ring.used + 2, 2));
    for (; ring.seen != index; ring.seen++)
      lengths.push_back(static_cast<u32>(number_at(ring.used + 4 + ring.seen % ring.size * 8 + 4, 4)));
    return lengths;
  }
  void set_used_event(unsigned number, u16 index) {
    put_number(rings[number].available + 4 + rings[number].size * 2, index, 2);
  }
  u16 available_event(unsigned number) {
    return static_cast<u16>(number_at(rings[number].used + 4 + rings[number].size * 8, 2));
  }

  Interface interface = Interface::Modern;
  u64 features = 0;
  std::vector<Ring> rings;
  u64 buffers = kBuffers;
  PciBus pci;
};

}  // namespace relic86::test
