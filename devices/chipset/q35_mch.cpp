// Intel 3 Series Express Chipset Family (datasheet 316966), DRAM controller, device 0
//
//   offset  width  R/W  bits
//   00h     4      R    8086h, 29C0h;  class 060000h
//   04h     2      R    command 0006h: memory space and bus master are always on
//   40h     8      -    PXPEPBAR, 48h MCHBAR, 68h DMIBAR: kept only
//   60h     8      RW   PCIEXBAR (5.1.16): 35:28 base (27, 26: of the smaller windows), 2:1 size (0: 256 MiB, 1: 128,
//                       2: 64), 0 enable
//   90h-96h 1      RW   PAM0-PAM6;  9Dh SMRAM: devices/chipset/host_bridge.cpp
//   9Eh     1      RW   ESMRAMC: bits 3:5 read 1 (SMRAM is not cached); there is no TSEG and no high SMRAM: they read 0
//
// The window at PCIEXBAR shows 4 KiB of configuration space a function (PCI Express 7.2.2): bus 27:20, device 19:15,
// function 14:12, register 11:0. Functions have 256 bytes; the rest reads ones.
#include "devices/chipset/q35_mch.h"

#include "devices/pci_bus.h"

namespace relic86 {

namespace {
constexpr u8 kPam0 = 0x90, kSmram = 0x9D, kExtendedSmram = 0x9E, kWindow = 0x60;
constexpr u32 kWindowEnable = 1, kWindowSizeShift = 1, kWindowSizes = 3;
constexpr u64 kLargestWindow = u64{256} << 20;
constexpr u32 kConfigurationBytes = 256, kRegisterMask = 0xFFF;

PciIdentity host_bridge() {
  PciIdentity identity;
  identity.vendor = 0x8086;
  identity.device = 0x29C0;
  identity.class_code = 0x060000;
  return identity;
}
}  // namespace

Q35Mch::Q35Mch(PciBus& bus, std::span<const u8> bios) : HostBridge(host_bridge(), bios, {kPam0, kSmram}), bus_(bus) {
  declare(kPciCommand, 2, 0x0006, 0);
  for (const u8 base : {u8{0x40}, u8{0x48}, u8{0x68}}) {
    declare(base, 4, 0, 0xFFFFF001);
    declare(static_cast<u8>(base + 4), 4, 0, 0x0F);
  }
  declare(kWindow, 4, 0, 0xFC000007);
  declare(kWindow + 4, 4, 0, 0x0F);
  declare(kExtendedSmram, 1, 0x38, 0);
}

Result<> Q35Mch::attach_function(Attachment& board) {
  memory_bus_ = &board.memory();
  window_key_ = memory_bus_->new_key();
  return attach_memory(board, ram_below_4g(memory_bus_->store().ram_size()));
}

void Q35Mch::config_written(unsigned offset, unsigned width) {
  HostBridge::config_written(offset, width);
  if (offset < kWindow + 8u && offset + width > kWindow) move_window();
}

Q35Mch::Window Q35Mch::configuration_window() const {
  const u32 low = config(kWindow, 4);
  const u32 size = low >> kWindowSizeShift & 3;
  if ((low & kWindowEnable) == 0 || size >= kWindowSizes) return {};
  const u64 bytes = kLargestWindow >> size;
  return {((u64{config(kWindow + 4, 4)} << 32) | low) & ~(bytes - 1), bytes};
}

void Q35Mch::move_window() {
  if (memory_bus_ == nullptr) return;
  const Window wanted = configuration_window();
  if (wanted.first == shown_.first && wanted.size == shown_.size) return;
  shown_ = wanted;
  constexpr RegionId kRegion = 0;
  constexpr unsigned kWidest = 4;
  memory_bus_->map_movable(window_key_, mmio_range("q35_mch.ecam", PhysAddr(wanted.first), wanted.size, this, kRegion,
                                                   kWidest, Priority::Bar));
}

PciDevice* Q35Mch::addressed(u64 offset, unsigned width) const {
  constexpr unsigned kBusShift = 20, kSlotShift = 15, kFunctionShift = 12;
  if ((offset & kRegisterMask) + width > kConfigurationBytes) return nullptr;
  return bus_.find(static_cast<unsigned>(offset >> kBusShift),
                   static_cast<unsigned>(offset >> kSlotShift) % PciBus::kSlots,
                   static_cast<unsigned>(offset >> kFunctionShift) % PciBus::kFunctions);
}

u64 Q35Mch::read(RegionId, u64 offset, unsigned width) {
  PciDevice* const device = addressed(offset, width);
  if (device == nullptr) return all_ones(width);
  return device->config_cycle_read(static_cast<u8>(offset & kRegisterMask), width);
}

void Q35Mch::write(RegionId, u64 offset, unsigned width, u64 value) {
  PciDevice* const device = addressed(offset, width);
  if (device != nullptr) device->config_write(static_cast<u8>(offset & kRegisterMask), width, static_cast<u32>(value));
}

}  // namespace relic86
