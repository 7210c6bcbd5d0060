// The xHCI as a driver uses it: rings, slots, contexts, transfers, and what becomes of those that fail.
#include "devices/usb/xhci.h"

#include <gtest/gtest.h>

#include "base/byte_order.h"
#include "devices/pci_bus.h"
#include "devices/usb/usb_hub.h"
#include "devices/usb/usb_storage.h"
#include "devices/usb/usb_tablet.h"
#include "tests/block/memory_disk.h"
#include "tests/devices/test_board.h"

namespace relic86 {
namespace {

using namespace xhci;
using Bytes = std::vector<u8>;

constexpr u32 kBase = 0xE0000000, kPort1 = kOperational + kPortRegisters;
constexpr u32 kTable = 0x10000, kEvents = 0x11000, kEventCount = 32, kCommands = 0x12000, kArray = 0x13000,
              kInput = 0x14000, kDevices = 0x20000, kRings = 0x40000, kBuffer = 0x80000;
constexpr u32 block(BlockType type) { return static_cast<u32>(type) << 10; }

struct XhciTest : public test::TestBoard, public testing::Test {
  static constexpr unsigned kSlot = 4;

  XhciTest() {
    EXPECT_TRUE(
        memory.map_fixed(memory.new_key(), ram_range("ram", PhysAddr(0), store.ram_size(), BackingOffset(0))).ok());
    EXPECT_TRUE(pci.attach(attachment).ok());
    pci.set_pirq_sink(&irqs);
    EXPECT_TRUE(pci.add(xhci, kSlot, 0).ok());
    EXPECT_TRUE(xhci.attach(attachment).ok());
    xhci.reset(ResetKind::PowerOn);
    set_config(kSlot, 0, 0x10, 4, kBase);
    set_config(kSlot, 0, 0x18, 4, kBase + 0x10000);
    set_config(kSlot, 0, 0x04, 2, 6);
  }

  u32 reg(u32 offset) { return static_cast<u32>(memory.read(PhysAddr(kBase + offset), 4)); }
  void set_reg(u32 offset, u32 value) { memory.write(PhysAddr(kBase + offset), 4, value); }
  u32 get32(u32 at) { return static_cast<u32>(memory.read(PhysAddr(at), 4)); }
  void put32(u32 at, u32 value) { memory.write(PhysAddr(at), 4, value); }
  Bytes get(u32 at, std::size_t size) {
    Bytes bytes(size);
    memory.read_block(PhysAddr(at), bytes);
    return bytes;
  }
  bool interrupted() const {
    return std::any_of(irqs.levels.begin(), irqs.levels.end(), [](bool level) { return level; });
  }
  void pass_until(GuestTime until) {
    while (scheduler.next_deadline() <= until) {
      clock.time = std::max(clock.time, scheduler.next_deadline());
      scheduler.run_due();
    }
    clock.time = until;
  }
  void milliseconds(unsigned count) { pass_until(clock.time + count * GuestTime{1'000'000}); }

  // --- The driver ---
  void start(u32 events = kEventCount) {
    put32(kTable, kEvents);
    put32(kTable + 8, events);
    event_count = events;
    set_reg(kRuntime + kSegmentTableSize, 1);
    set_reg(kRuntime + kEventDequeue, kEvents);
    set_reg(kRuntime + kSegmentTable, kTable);
    set_reg(kRuntime + kSegmentTable + 4, 0);
    set_reg(kRuntime + kManagement, kEnabledInterrupt);
    set_reg(kOperational + kContextArray, kArray);
    set_reg(kOperational + kConfigure, 8);
    set_reg(kOperational + kCommandRing, kCommands | kCycle);
    set_reg(kOperational + kCommandRing + 4, 0);
    set_reg(kOperational + kCommand, kRun | kInterrupterEnable);
  }
  struct Told {
    BlockType type{};
    u32 at = 0, code = 0, length = 0, slot = 0, endpoint = 0;
  };
  // The next event; a code of 0: there is none.
  Told next_event() {
    const u32 at = kEvents + event_index * 16, control = get32(at + 12);
    if ((control & kCycle) != event_cycle) return {};
    const u32 status = get32(at + 8);
    if (++event_index == event_count) {
      event_index = 0;
      event_cycle ^= 1;
    }
    set_reg(kRuntime + kEventDequeue, (kEvents + event_index * 16) | kHandlerBusy);
    return {static_cast<BlockType>(control >> 10 & 0x3F),
            get32(at),
            status >> 24,
            status & 0xFFFFFF,
            control >> 24,
            control >> 16 & 0x1F};
  }
  void put_block(u32 at, u64 parameter, u32 status, u32 control) {
    put32(at, static_cast<u32>(parameter));
    put32(at + 4, static_cast<u32>(parameter >> 32));
    put32(at + 8, status);
    put32(at + 12, control);
  }
  Told command(BlockType type, u32 slot, u64 parameter = 0, u32 flags = 0) {
    put_block(command_at, parameter, 0, block(type) | slot << 24 | flags | kCycle);
    command_at += 16;
    set_reg(kDoorbells, 0);
    return next_event();
  }
  static u32 ring_of(u32 endpoint) { return kRings + endpoint * 0x1000; }
  void reset_port(unsigned port = 0) {
    set_reg(kPort1 + port * kPortBytes, kPower | kPortReset);
    set_reg(kPort1 + port * kPortBytes, kPower | kPortChanges);
    while (next_event().code != 0) continue;
  }
  void put_context(u32 at, u32 first, u32 second, u32 ring) {
    put32(at, first);
    put32(at + 4, second);
    put32(at + 8, ring == 0 ? 0 : ring | kCycle);
    put32(at + 12, 0);
  }
  // The device at the first port has an address, and its control endpoint works.
  u32 address(u32 route = 0) {
    const u32 slot = command(BlockType::EnableSlot, 0).slot;
    put32(kArray + slot * 8, kDevices + slot * 0x1000);
    put32(kInput + 4, 3);
    put_context(kInput + 32, 1u << 27 | kFullSpeed << 20 | route, 1u << 16, 0);
    put_context(kInput + 64, 0, 8u << 16 | kControl << 3, ring_of(slot * 8));
    ring_at[slot * 8] = ring_of(slot * 8);
    EXPECT_EQ(command(BlockType::AddressDevice, slot, kInput).code, 1u);
    return slot;
  }
  void add_endpoint(u32 slot, u32 endpoint, u8 type, u32 interval = 0) {
    put32(kInput, 0);
    put32(kInput + 4, 1u << endpoint | 1);
    put_context(kInput + 32, 31u << 27 | kFullSpeed << 20, 1u << 16, 0);
    const u32 ring = ring_of(slot * 8 + endpoint);
    ring_at[slot * 8 + endpoint] = ring;
    put_context(kInput + 32 + endpoint * 32, interval << 16, 64u << 16 | u32{type} << 3, ring);
    EXPECT_EQ(command(BlockType::ConfigureEndpoint, slot, kInput).code, 1u);
  }
  u32 endpoint_state(u32 slot, u32 endpoint) { return get32(kDevices + slot * 0x1000 + endpoint * 32) & 7; }
  // A block at the end of an endpoint's ring; its place. Control endpoint: 1.
  u32 add(u32 slot, u32 endpoint, u64 parameter, u32 length, u32 control) {
    u32& at = ring_at[slot * 8 + (endpoint == 1 ? 0 : endpoint)];
    put_block(at, parameter, length, control | kCycle);
    at += 16;
    return at - 16;
  }
  void doorbell(u32 slot, u32 endpoint) { set_reg(kDoorbells + slot * 4, endpoint); }
  Told control(u32 slot, u64 setup, u32 length) {
    const bool in = (setup & 0x80) != 0;
    add(slot, 1, setup, 8, block(BlockType::Setup) | kImmediate);
    if (length != 0) add(slot, 1, kBuffer, length, block(BlockType::Data) | (in ? kToHost : 0));
    add(slot, 1, 0, 0, block(BlockType::Status) | (in && length != 0 ? 0 : kToHost) | kInterruptOnCompletion);
    doorbell(slot, 1);
    milliseconds(5);
    return next_event();
  }
  void configure_device(u32 slot) { EXPECT_EQ(control(slot, 0x0000000000010900, 0).code, 1u); }

  PciBus pci;
  std::vector<std::pair<u64, u32>> messages;
  Xhci xhci{{.usb2 = 2, .usb3 = 1}, [this](u64 to, u32 data) { messages.emplace_back(to, data); }};
  u32 event_count = kEventCount, event_index = 0, event_cycle = 1, command_at = kCommands;
  std::array<u32, 64> ring_at{};
};

TEST_F(XhciTest, SaysWhatItIs) {
  EXPECT_EQ(config(kSlot, 0, 0, 4), 0x000D1B36u);
  EXPECT_EQ(config(kSlot, 0, 8, 4) >> 8, 0x0C0330u);
  EXPECT_EQ(config(kSlot, 0, 0x60, 1), 0x30u);
  EXPECT_EQ(config(kSlot, 0, 0x34, 1), 0x90u);
  EXPECT_EQ(reg(0), 0x01000040u);
  EXPECT_EQ(reg(4), 0x03000140u);  // three ports, an interrupter, 64 slots
  EXPECT_EQ(reg(0x14), kDoorbells);
  EXPECT_EQ(reg(0x18), kRuntime);
  EXPECT_EQ(reg(kUsb2Protocol), 0x02000402u);
  EXPECT_EQ(reg(kUsb2Protocol + 8), 0x0201u);
  EXPECT_EQ(reg(kUsb3Protocol), 0x03000002u);
  EXPECT_EQ(reg(kUsb3Protocol + 8), 0x0103u);
  EXPECT_EQ(reg(kOperational + kStatus), kHalted);
  EXPECT_EQ(reg(kOperational + kPageSizes), 1u);
}

TEST_F(XhciTest, DeviceComesAndItsPortIsReset) {
  start();
  xhci.plug(1, std::make_unique<UsbTablet>());
  const Told came = next_event();
  EXPECT_EQ(came.type, BlockType::PortEvent);
  EXPECT_EQ(came.at, 2u << 24);
  EXPECT_TRUE(interrupted());
  set_reg(kRuntime + kManagement, kEnabledInterrupt | kPending);
  EXPECT_FALSE(interrupted());
  EXPECT_EQ(reg(kPort1 + 0x10), kConnected | kPower | kConnectChanged | kLinkPolls << 5 | kFullSpeed << 10);
  set_reg(kPort1 + 0x10, kPower | kConnectChanged);
  set_reg(kPort1 + 0x10, kPower | kPortReset);
  EXPECT_EQ(reg(kPort1 + 0x10), kConnected | kPortEnabled | kPower | kResetChanged | kFullSpeed << 10);
  EXPECT_EQ(next_event().type, BlockType::PortEvent);
  xhci.unplug(1);
  EXPECT_EQ(next_event().code, 0u);  // the change before has not been cleared
  EXPECT_EQ(reg(kPort1 + 0x10), kPower | kResetChanged | kConnectChanged | kLinkDetects << 5);
}

TEST_F(XhciTest, WhatCameBeforeTheStartIsTold) {
  xhci.plug(0, std::make_unique<UsbTablet>());
  start();
  EXPECT_EQ(next_event().at, 1u << 24);
}

TEST_F(XhciTest, DescriptorIsRead) {
  xhci.plug(0, std::make_unique<UsbTablet>());
  start();
  reset_port();
  const u32 slot = address();
  EXPECT_EQ(get32(kDevices + slot * 0x1000 + 12), kAddressed << 27 | slot);
  EXPECT_EQ(xhci.device_at(0)->address(), slot);
  EXPECT_EQ(control(slot, 0x0012000001000680, 18).code, 1u);
  EXPECT_EQ(get(kBuffer, 2), (Bytes{18, 1}));
}

TEST_F(XhciTest, ShortDataIsTold) {
  xhci.plug(0, std::make_unique<UsbTablet>());
  start();
  reset_port();
  const u32 slot = address();
  add(slot, 1, 0x0040000001000680, 8, block(BlockType::Setup) | kImmediate);
  const u32 data = add(slot, 1, kBuffer, 64, block(BlockType::Data) | kToHost | kInterruptOnShort);
  const u32 status = add(slot, 1, 0, 0, block(BlockType::Status) | kInterruptOnCompletion);
  doorbell(slot, 1);
  milliseconds(5);
  const Told first = next_event(), second = next_event();
  EXPECT_EQ(std::tuple(first.at, first.code, first.length, first.endpoint), std::tuple(data, 13u, 46u, 1u));
  EXPECT_EQ(std::tuple(second.at, second.code, second.length), std::tuple(status, 1u, 0u));
}

TEST_F(XhciTest, StallHaltsTheEndpointUntilItIsReset) {
  xhci.plug(0, std::make_unique<UsbTablet>());
  start();
  reset_port();
  const u32 slot = address();
  EXPECT_EQ(control(slot, 0x00040000FF000680, 4).code, 6u);  // there is no such descriptor
  EXPECT_EQ(endpoint_state(slot, 1), u32{kHaltedEndpoint});
  EXPECT_EQ(command(BlockType::StopEndpoint, slot, 0, 1 << 16).code, 19u);
  EXPECT_EQ(command(BlockType::ResetEndpoint, slot, 0, 1 << 16).code, 1u);
  EXPECT_EQ(command(BlockType::SetDequeue, slot, ring_at[slot * 8] | kCycle, 1 << 16).code, 1u);
  EXPECT_EQ(endpoint_state(slot, 1), u32{kStopped});
  EXPECT_EQ(control(slot, 0x0012000001000680, 18).code, 1u);
  EXPECT_EQ(endpoint_state(slot, 1), u32{kRunning});
}

TEST_F(XhciTest, NobodyIsThere) {
  start();
  EXPECT_EQ(command(BlockType::AddressDevice, 1).code, 11u);
  const u32 slot = command(BlockType::EnableSlot, 0).slot;
  EXPECT_EQ(slot, 1u);
  put32(kArray + slot * 8, kDevices);
  put32(kInput + 4, 3);
  put_context(kInput + 32, 1u << 27, 1u << 16, 0);
  EXPECT_EQ(command(BlockType::AddressDevice, slot, kInput).code, 4u);
  put_context(kInput + 32, 1u << 27, 200u << 16, 0);
  EXPECT_EQ(command(BlockType::AddressDevice, slot, kInput).code, 5u);
  for (u32 i = 2; i <= 8; i++) EXPECT_EQ(command(BlockType::EnableSlot, 0).slot, i);
  EXPECT_EQ(command(BlockType::EnableSlot, 0).code, 9u);
  EXPECT_EQ(command(BlockType::DisableSlot, 3).code, 1u);
  EXPECT_EQ(command(BlockType::EnableSlot, 0).slot, 3u);
}

TEST_F(XhciTest, TabletIsPolled) {
  auto made = std::make_unique<UsbTablet>();
  UsbTablet& tablet = *made;
  xhci.plug(0, std::move(made));
  start();
  reset_port();
  const u32 slot = address();
  configure_device(slot);
  add_endpoint(slot, 3, kInterruptIn, 5);  // every four milliseconds
  const u32 report = add(slot, 3, kBuffer, 8, block(BlockType::Normal) | kInterruptOnCompletion | kInterruptOnShort);
  doorbell(slot, 3);
  milliseconds(50);
  while (next_event().code != 0) continue;  // as it was configured, it may have told where the pointer is
  const u32 next = add(slot, 3, kBuffer, 64, block(BlockType::Normal) | kInterruptOnShort);
  doorbell(slot, 3);
  milliseconds(50);
  tablet.point(1000, 2000);
  milliseconds(5);
  const Told told = next_event();
  EXPECT_TRUE(told.at == report || told.at == next) << told.at;
  EXPECT_EQ(told.endpoint, 3u);
  const Bytes bytes = get(kBuffer, 5);
  EXPECT_EQ(bytes[1] | bytes[2] << 8, 1000);
  EXPECT_EQ(bytes[3] | bytes[4] << 8, 2000);
}

TEST_F(XhciTest, IsochronousTransfersAreErrors) {
  xhci.plug(0, std::make_unique<UsbTablet>());
  start();
  reset_port();
  const u32 slot = address();
  configure_device(slot);
  add_endpoint(slot, 3, kInterruptIn, 5);
  const u32 at = add(slot, 3, kBuffer, 8, block(BlockType::Isochronous) | kInterruptOnCompletion);
  doorbell(slot, 3);
  milliseconds(10);
  const Told told = next_event();
  EXPECT_EQ(std::tuple(told.at, told.code), std::tuple(at, 5u));
  EXPECT_EQ(endpoint_state(slot, 3), u32{kHaltedEndpoint});
}

struct XhciDiskTest : public XhciTest {
  XhciDiskTest() {
    content.fill_pattern();
    xhci.plug(0, std::make_unique<UsbStorage>(std::make_unique<test::MemoryDisk>(content), ScsiDiskOptions{}));
    start();
    reset_port();
    slot = address();
    configure_device(slot);
    add_endpoint(slot, 3, kBulkIn);
    add_endpoint(slot, 4, kBulkOut);
  }
  // Asks for blocks from the disk's first one on.
  void ask(u16 blocks) {
    Bytes wrapper{'U', 'S', 'B', 'C', 1, 2, 3, 4, 0, static_cast<u8>(blocks * 2), 0, 0, 0x80, 0, 10, 0x28};
    wrapper.resize(31);
    wrapper[23] = static_cast<u8>(blocks);
    memory.write_block(PhysAddr(kBuffer), wrapper);
    add(slot, 4, kBuffer, 31, block(BlockType::Normal) | kInterruptOnCompletion);
    doorbell(slot, 4);
    milliseconds(2);
    EXPECT_EQ(next_event().code, 1u);
  }

  test::MemoryDiskContent content{1u << 20};
  u32 slot = 0;
};

TEST_F(XhciDiskTest, ChainedBlocksAreOneTransfer) {
  ask(4);
  // Packets lie across the parts' ends.
  add(slot, 3, kBuffer + 0x1000, 100, block(BlockType::Normal) | kChain | kInterruptOnShort);
  add(slot, 3, kBuffer + 0x2000, 1000, block(BlockType::Normal) | kChain | kInterruptOnShort);
  const u32 last =
      add(slot, 3, kBuffer + 0x3000, 948, block(BlockType::Normal) | kInterruptOnShort | kInterruptOnCompletion);
  doorbell(slot, 3);
  milliseconds(10);
  const Told told = next_event();
  EXPECT_EQ(std::tuple(told.at, told.code, told.length), std::tuple(last, 1u, 0u));
  EXPECT_EQ(next_event().code, 0u);
  Bytes bytes = get(kBuffer + 0x1000, 100);
  for (const auto& [at, size] : {std::pair{kBuffer + 0x2000, 1000u}, {kBuffer + 0x3000, 948u}}) {
    const Bytes part = get(at, size);
    bytes.insert(bytes.end(), part.begin(), part.end());
  }
  EXPECT_EQ(bytes, Bytes(content.bytes.begin(), content.bytes.begin() + 2048));
}

TEST_F(XhciDiskTest, EventDataSaysHowMuchCame) {
  ask(1);
  add(slot, 3, kBuffer, 512, block(BlockType::Normal) | kChain);
  add(slot, 3, 0x1122334455667788, 0, block(BlockType::EventData) | kInterruptOnCompletion);
  doorbell(slot, 3);
  milliseconds(5);
  const Told told = next_event();
  EXPECT_EQ(std::tuple(told.at, told.code, told.length), std::tuple(0x55667788u, 1u, 512u));
}

TEST_F(XhciDiskTest, TheBusHasItsTime) {
  ask(64);
  add(slot, 3, kBuffer, 32768, block(BlockType::Normal) | kInterruptOnCompletion);
  doorbell(slot, 3);
  milliseconds(20);  // 12 Mb/s are some 1200 bytes a millisecond
  EXPECT_EQ(next_event().code, 0u);
  milliseconds(20);
  EXPECT_EQ(next_event().code, 1u);
  EXPECT_EQ(get(kBuffer, 32768), Bytes(content.bytes.begin(), content.bytes.begin() + 32768));
}

// What has been moved of a transfer when its endpoint is stopped is not moved again.
TEST_F(XhciDiskTest, StoppedTransferGoesOn) {
  ask(64);
  const u32 at = add(slot, 3, kBuffer, 32768, block(BlockType::Normal) | kInterruptOnCompletion);
  doorbell(slot, 3);
  milliseconds(10);
  put_block(command_at, 0, 0, block(BlockType::StopEndpoint) | slot << 24 | 3 << 16 | kCycle);
  command_at += 16;
  set_reg(kDoorbells, 0);
  const Told stopped = next_event(), done = next_event();
  EXPECT_EQ(std::tuple(stopped.type, stopped.at, stopped.code), std::tuple(BlockType::TransferEvent, at, 26u));
  EXPECT_GT(stopped.length, 0u);
  EXPECT_LT(stopped.length, 32768u);
  EXPECT_EQ(done.code, 1u);
  EXPECT_EQ(endpoint_state(slot, 3), u32{kStopped});
  milliseconds(50);
  EXPECT_EQ(next_event().code, 0u);
  doorbell(slot, 3);
  milliseconds(50);
  EXPECT_EQ(next_event().code, 1u);
  EXPECT_EQ(get(kBuffer, 32768), Bytes(content.bytes.begin(), content.bytes.begin() + 32768));
}

// A saved machine goes on in the middle of a transfer.
TEST_F(XhciDiskTest, StateIsWhole) {
  ask(64);
  add(slot, 3, kBuffer, 32768, block(BlockType::Normal) | kInterruptOnCompletion);
  doorbell(slot, 3);
  milliseconds(10);
  const auto state = test::saved(xhci);
  reset_but_timers([&] { xhci.reset(ResetKind::PowerOn); });
  ASSERT_TRUE(test::load(xhci, state));
  EXPECT_EQ(test::saved(xhci), state);
  milliseconds(50);
  EXPECT_EQ(next_event().code, 1u);
  EXPECT_EQ(get(kBuffer, 32768), Bytes(content.bytes.begin(), content.bytes.begin() + 32768));
}

TEST_F(XhciDiskTest, FullEventRingLosesNothing) {
  ask(64);
  for (int i = 0; i < 64; i++) add(slot, 3, kBuffer + i * 512u, 512, block(BlockType::Normal) | kInterruptOnCompletion);
  doorbell(slot, 3);
  milliseconds(200);
  for (int i = 0; i < 64; i++) {
    ASSERT_EQ(next_event().code, 1u) << i;
    milliseconds(5);
  }
  EXPECT_EQ(get(kBuffer, 32768), Bytes(content.bytes.begin(), content.bytes.begin() + 32768));
}

TEST_F(XhciTest, DeviceBehindAHub) {
  auto made = std::make_unique<UsbHub>();
  UsbHub& hub = *made;
  xhci.plug(0, std::move(made));
  start();
  reset_port();
  const u32 first = address();
  configure_device(first);
  hub.ports()->plug(2, std::make_unique<UsbTablet>());
  EXPECT_EQ(control(first, 0x0000000300080323, 0).code, 1u);  // PORT_POWER
  EXPECT_EQ(control(first, 0x0000000300040323, 0).code, 1u);  // PORT_RESET
  milliseconds(100);
  const u32 second = address(3);
  EXPECT_EQ(hub.ports()->device_at(2)->address(), second);
  EXPECT_EQ(control(second, 0x0012000001000680, 18).code, 1u);
}

TEST_F(XhciTest, OneMessageUntilTheHandlerIsDone) {
  const u32 vectors = kBase + 0x10000;
  memory.write(PhysAddr(vectors), 4, 0xFEE00000);
  memory.write(PhysAddr(vectors + 8), 4, 0x41);
  memory.write(PhysAddr(vectors + 12), 4, 0);
  set_config(kSlot, 0, 0x92, 2, 0x8000);
  start();
  put_block(kCommands, 0, 0, block(BlockType::NoOperationCommand) | kCycle);
  put_block(kCommands + 16, 0, 0, block(BlockType::NoOperationCommand) | kCycle);
  command_at += 32;
  set_reg(kDoorbells, 0);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0], std::pair(u64{0xFEE00000}, 0x41u));
  EXPECT_FALSE(interrupted());
  EXPECT_EQ(next_event().code, 1u);  // which clears the handler's bit, with one left
  EXPECT_EQ(messages.size(), 2u);
  EXPECT_EQ(next_event().code, 1u);
  EXPECT_EQ(messages.size(), 2u);
  EXPECT_EQ(command(BlockType::NoOperationCommand, 0).code, 1u);
  EXPECT_EQ(messages.size(), 3u);
}

// Rings without an end, and contexts anywhere.
TEST_F(XhciTest, HostileRings) {
  xhci.plug(0, std::make_unique<UsbTablet>());
  start();
  reset_port();
  put_block(command_at, command_at, 0, block(BlockType::Link) | kCycle);
  set_reg(kDoorbells, 0);
  put_block(command_at, 0, 0, 0);
  const u32 slot = address();
  const u32 ring = ring_at[slot * 8];
  put_block(ring, 0, 0, block(BlockType::NoOperation) | kCycle | kInterruptOnCompletion);
  put_block(ring + 16, ring, 0, block(BlockType::Link) | kCycle);
  doorbell(slot, 1);
  milliseconds(20);
  put_block(ring, 0, 0, block(BlockType::NoOperation) | kCycle | kChain);
  milliseconds(20);
  put32(kArray + slot * 8, kBase);  // its contexts are its own registers
  EXPECT_NE(command(BlockType::EvaluateContext, slot, kBase).code, 0u);
  set_reg(kOperational + kCommand, kHostReset);
  EXPECT_EQ(reg(kOperational + kStatus), kHalted);
}

}  // namespace
}  // namespace relic86
