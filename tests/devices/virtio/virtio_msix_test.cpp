// MSI-X of a virtio device, as drivers of either interface use it.
#include <utility>

#include "devices/chipset/apic_message.h"
#include "devices/virtio/virtio_block.h"
#include "tests/block/memory_disk.h"
#include "tests/devices/virtio/virtio_board.h"

namespace relic86 {
namespace {

using namespace test;
using namespace virtio;

constexpr u32 kTable = 0xFEA00000, kPending = kTable + 0x800;
constexpr u8 kModernControl = 0x9A, kLegacyControl = 0x42;
constexpr u32 kEnable = 0x8000, kFunctionMask = 0x4000;

class VirtioMsixTest : public ::testing::TestWithParam<Interface>, protected VirtioBoard {
 protected:
  void plug_disk(VirtioInterfaces interfaces) {
    disk = std::make_unique<VirtioBlock>("disk.0", interfaces, std::make_unique<MemoryDisk>(content),
                                         VirtioBlockOptions{});
    disk->connect_messages([this](u64 address, u32 data) { messages.emplace_back(address, data); });
    plug(*disk);
    set_config(kSlot, 0, 0x14, 4, kTable);
    control_at = interfaces.modern ? kModernControl : kLegacyControl;
  }
  void start_disk() {
    interface = GetParam();
    plug_disk({.legacy = true, .modern = true, .vectors = 2});
    set_control(kEnable);
    for (u32 entry = 0; entry < 2; entry++) set_entry(entry, 0xFEE01000 + entry * 0x1000, 0x30 + entry);
    start(0, 1);
    set_vectors(1, 0);
  }
  void set_control(u32 value) { set_config(kSlot, 0, control_at, 2, value); }
  void set_entry(u32 entry, u32 address, u32 data) {
    memory.write(PhysAddr(kTable + entry * 16), 4, address);
    memory.write(PhysAddr(kTable + entry * 16 + 8), 4, data);
    mask(entry, 0);
  }
  void mask(u32 entry, u32 bits) { memory.write(PhysAddr(kTable + entry * 16 + 12), 4, bits); }
  u32 pending() { return static_cast<u32>(memory.read(PhysAddr(kPending), 4)); }
  void set_vectors(u32 config_vector, u32 queue_vector) {
    if (modern()) {
      set_common(kConfigVector, 2, config_vector);
      set_common(kQueueSelect, 2, 0);
      set_common(kQueueVector, 2, queue_vector);
    } else {
      set_legacy(kLegacyConfigVector, 2, config_vector);
      set_legacy(kLegacyQueueSelect, 2, 0);
      set_legacy(kLegacyQueueVector, 2, queue_vector);
    }
  }
  u32 queue_vector() { return modern() ? common(kQueueVector, 2) : legacy(kLegacyQueueVector, 2); }
  void read_a_sector() {
    offer(0, {reads(Bytes(16)), room(512), room(1)});
    notify(0);
  }

  using Messages = std::vector<std::pair<u64, u32>>;
  MemoryDiskContent content{64 * 512};
  std::unique_ptr<VirtioBlock> disk;
  Messages messages;
  u8 control_at = 0;
};

INSTANTIATE_TEST_SUITE_P(Either, VirtioMsixTest, ::testing::Values(Interface::Legacy, Interface::Modern),
                         interface_name);

// What QEMU 7.2 shows of a disk with vectors=2.
TEST_P(VirtioMsixTest, ConfigurationSpaceIsQemus) {
  plug_disk({.vectors = 2});
  EXPECT_EQ(config(kSlot, 0, 0x34, 1), 0x98u);
  EXPECT_EQ(config(kSlot, 0, 0x98, 4), 0x00018411u);
  EXPECT_EQ(config(kSlot, 0, 0x9C, 4), 0x00000001u);
  EXPECT_EQ(config(kSlot, 0, 0xA0, 4), 0x00000801u);
  set_control(0xFFFF);
  EXPECT_EQ(config(kSlot, 0, control_at, 2), 0xC001u) << "the size is read-only";
  set_config(kSlot, 0, 0x14, 4, ~0u);
  EXPECT_EQ(config(kSlot, 0, 0x14, 4), 0xFFFFF000u);
}

TEST_P(VirtioMsixTest, WithoutTheModernInterfaceTheCapabilityIsTheOnlyOne) {
  plug_disk({.modern = false, .vectors = 128});
  EXPECT_NE(config(kSlot, 0, 0x06, 2) & 0x10, 0u);
  EXPECT_EQ(config(kSlot, 0, 0x34, 1), 0x40u);
  EXPECT_EQ(config(kSlot, 0, 0x40, 4), 0x007F0011u);
}

TEST_P(VirtioMsixTest, AQueueSendsItsMessage) {
  start_disk();
  EXPECT_EQ(queue_vector(), 0u);
  read_a_sector();
  EXPECT_EQ(finished(0).size(), 1u);
  EXPECT_EQ(messages, (Messages{{0xFEE01000, 0x30}}));
  EXPECT_FALSE(interrupts()) << "a function uses its pin or messages (6.8.3.3)";
  EXPECT_EQ(interrupt_status(), 0u) << "messages say which queue it was";
}

TEST_P(VirtioMsixTest, AQueueWithoutAVectorSaysNothing) {
  start_disk();
  set_vectors(0, 2);
  EXPECT_EQ(queue_vector(), 0xFFFFu) << "there is no such entry";
  read_a_sector();
  EXPECT_EQ(finished(0).size(), 1u);
  EXPECT_TRUE(messages.empty());
  EXPECT_FALSE(interrupts());
}

TEST_P(VirtioMsixTest, AMaskedVectorWaitsInItsPendingBit) {
  start_disk();
  mask(0, 1);
  read_a_sector();
  read_a_sector();
  EXPECT_TRUE(messages.empty());
  EXPECT_EQ(pending(), 1u);
  mask(1, 0);
  EXPECT_EQ(pending(), 1u) << "another entry";
  mask(0, 0);
  EXPECT_EQ(messages, (Messages{{0xFEE01000, 0x30}})) << "one message for both";
  EXPECT_EQ(pending(), 0u);
}

TEST_P(VirtioMsixTest, TheFunctionMaskHoldsAllOfThem) {
  start_disk();
  set_control(kEnable | kFunctionMask);
  read_a_sector();
  EXPECT_TRUE(messages.empty());
  EXPECT_EQ(pending(), 1u);
  set_control(kEnable);
  EXPECT_EQ(messages.size(), 1u);
  EXPECT_EQ(pending(), 0u);
}

TEST_P(VirtioMsixTest, WithoutItThePinIsDriven) {
  start_disk();
  set_control(0);
  read_a_sector();
  EXPECT_TRUE(messages.empty());
  EXPECT_TRUE(interrupts());
  set_control(kEnable);
  EXPECT_FALSE(interrupts());
  set_control(0);
  EXPECT_TRUE(interrupts());
  EXPECT_EQ(interrupt_status(), kQueueInterrupt);
  EXPECT_FALSE(interrupts());
}

TEST_P(VirtioMsixTest, AMessageNeedsABusMaster) {
  start_disk();
  mask(0, 1);
  read_a_sector();
  set_config(kSlot, 0, 4, 2, 3);
  mask(0, 0);
  EXPECT_TRUE(messages.empty());
}

TEST_P(VirtioMsixTest, TheTableKeepsDoublewords) {
  start_disk();
  memory.write(PhysAddr(kTable), 4, 0xFFFFFFFF);
  memory.write(PhysAddr(kTable + 4), 4, 0x12345678);
  memory.write(PhysAddr(kTable + 12), 4, 0xFFFFFFFF);
  memory.write(PhysAddr(kTable + 8), 1, 0xFF);
  EXPECT_EQ(memory.read(PhysAddr(kTable), 4), 0xFFFFFFFCu);
  EXPECT_EQ(memory.read(PhysAddr(kTable + 4), 4), 0x12345678u);
  EXPECT_EQ(memory.read(PhysAddr(kTable + 8), 4), 0x30u);
  EXPECT_EQ(memory.read(PhysAddr(kTable + 12), 4), 1u);
  memory.write(PhysAddr(kPending), 4, ~0u);
  EXPECT_EQ(pending(), 0u) << "read-only";
}

TEST_P(VirtioMsixTest, ResetsForgetVectorsAndWhatWaits) {
  start_disk();
  mask(0, 1);
  read_a_sector();
  set_status(0);
  EXPECT_EQ(pending(), 0u);
  EXPECT_EQ(queue_vector(), 0xFFFFu);
  EXPECT_EQ(memory.read(PhysAddr(kTable + 8), 4), 0x30u) << "the table is the bus's, not the device's";
  disk->reset(ResetKind::Hard);
  set_config(kSlot, 0, 0x14, 4, kTable);
  set_config(kSlot, 0, 0x04, 2, 7);
  EXPECT_EQ(memory.read(PhysAddr(kTable + 8), 4), 0u);
  EXPECT_EQ(memory.read(PhysAddr(kTable + 12), 4), 1u);
}

TEST_P(VirtioMsixTest, ASavedDeviceGoesOn) {
  start_disk();
  mask(0, 1);
  read_a_sector();
  const auto bytes = saved(*disk);
  disk->reset(ResetKind::Hard);
  ASSERT_TRUE(load(*disk, bytes));
  EXPECT_EQ(saved(*disk), bytes);
  EXPECT_TRUE(messages.empty());
  EXPECT_EQ(queue_vector(), 0u);
  mask(0, 0);
  EXPECT_EQ(messages, (Messages{{0xFEE01000, 0x30}}));
}

// A hostile guest has the message ring the bell of the queue that caused it.
TEST_P(VirtioMsixTest, AMessageToTheDeviceItselfEndsThere) {
  start_disk();
  disk->connect_messages([this](u64 address, u32 data) { memory.write(PhysAddr(address), 4, data); });
  set_entry(0, kMemory + 0x3000, 0);
  read_a_sector();
  EXPECT_EQ(finished(0).size(), 1u);
}

TEST(ApicMessageOf, SaysWhatTheDoublewordAsksFor) {
  EXPECT_FALSE(apic_message_of(0xFED00000, 0x30));
  EXPECT_FALSE(apic_message_of(0x1FEE00000, 0x30)) << "above 4 GiB";
  const auto fixed = apic_message_of(0xFEE03000, 0x41);
  ASSERT_TRUE(fixed);
  EXPECT_EQ(fixed->vector, 0x41);
  EXPECT_EQ(fixed->delivery, ApicDelivery::Fixed);
  EXPECT_EQ(fixed->destination, 3u);
  EXPECT_FALSE(fixed->logical || fixed->level);
  const auto lowest = apic_message_of(0xFEEFF00C, 0x4151);
  ASSERT_TRUE(lowest);
  EXPECT_EQ(lowest->delivery, ApicDelivery::LowestPriority);
  EXPECT_EQ(lowest->destination, 0xFFu);
  EXPECT_TRUE(lowest->logical);
  EXPECT_TRUE(apic_message_of(0xFEE00000, 0xC030)->level);
  EXPECT_FALSE(apic_message_of(0xFEE00000, 0x8030)) << "taken back";
}

}  // namespace
}  // namespace relic86
