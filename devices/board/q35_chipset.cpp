// The chipset of a board with a Q35 MCH and an ICH9:
//
//   PCI 0.0 host bridge, 1.0 display, 1D.0 USB, 1F.0 ISA bridge, 1F.2 AHCI, 1F.3 SMBus, 2 and up: root ports and cards
//   IRQ as with an i440FX but for 14 and 15; PIRQs where the BIOS routes them (10, 11), and inputs 16 to 23 of the I/O
//   APIC
#include "devices/board/acpi_tables.h"
#include "devices/board/pc_board.h"
#include "devices/chipset/ich9_lpc.h"
#include "devices/chipset/ich9_smbus.h"
#include "devices/chipset/q35_mch.h"
#include "devices/pci_bus.h"

namespace relic86 {

void PcBoard::create_q35_chipset() {
  constexpr unsigned kSouthSlot = 31, kSmbusFunction = 3;
  low_ram_ = Q35Mch::ram_below_4g(memory_.store().ram_size());
  const std::span<const u8> bios = config_.flash[0].image ? std::span<const u8>() : std::span<const u8>(config_.bios);
  q35_ = &add_pci<Q35Mch>(0, 0, *pci_, bios);
  host_bridge_ = q35_;
  create_flash();
  Ich9Lpc& bridge = add_pci<Ich9Lpc>(kSouthSlot, 0, *pci_, machine_);
  bridge.connect_hotplug([this](unsigned port) { eject(place_behind_port(port)); },
                         [this] { return removable_ports(); });
  hotplug_ = &bridge.hotplug();
  power_ = &bridge;
  add_pci<Ich9Smbus>(kSouthSlot, kSmbusFunction);
}

// What of the tables depends on the chipset. Firmware asks for them when it has placed the configuration window.
void PcBoard::describe_chipset(AcpiBoard& about) const {
  if (q35_ == nullptr) return;
  constexpr u32 kUsualPlace = 0xB0000000, kUsualSize = u32{256} << 20;
  const Q35Mch::Window window = q35_->configuration_window();
  about.q35 = {kUsualPlace, kUsualSize};
  if (window.size != 0 && window.first >> 32 == 0)
    about.q35 = {static_cast<u32>(window.first), static_cast<u32>(window.size)};
  if (config_.acpi_tables) return;  // UEFI firmware has no suspend to RAM here
  constexpr u8 kSuspendToRam = 1, kSuspendToDisk = 2;
  if (config_.suspend_to_ram) about.sleep[2] = kSuspendToRam;
  if (config_.suspend_to_disk) about.sleep[3] = kSuspendToDisk;
}

}  // namespace relic86
