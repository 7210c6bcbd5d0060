// ACPI tables for firmware that takes them from the board (UEFI; SeaBIOS makes its own for an i440FX): RSDP, RSDT,
// FADT, FACS, MADT, DSDT, with a Q35 MCFG, and HPET, and the script by which firmware puts them into memory.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "base/types.h"

namespace relic86 {

// What of the board the tables tell.
struct AcpiBoard {
  std::vector<u8> apic_ids;  // of the processors; empty: there are no local APICs
  u64 low_ram = 0;           // bytes below 4 GiB
  u64 ram = 0;               // bytes in all
  u16 power_ports = 0;       // where the power management registers are
  // A Q35 has its configuration space in memory; absent: an i440FX.
  struct ConfigurationWindow {
    u32 first = 0;
    u32 size = 0;
  };
  std::optional<ConfigurationWindow> q35;
  bool hpet = false;
  // SLP_TYP of the states that there are, S1 to S5.
  std::array<std::optional<u8>, 5> sleep{};
  std::array<bool, 4> serial_ports{};
  bool parallel_port = false;
  bool floppy = false;
  std::optional<u16> panic_port;  // of a pvpanic device
  u32 removable_slots = 0;        // of the PCI bus of an i440FX, by bits: cards can come and go there
  struct RootPort {
    u8 slot = 0, function = 0;
    bool removable = true;  // its card
  };
  std::vector<RootPort> root_ports;
};

struct AcpiFiles {
  // The files of the firmware configuration "etc/acpi/tables", "etc/acpi/rsdp" and "etc/table-loader". Their sizes do
  // not depend on power_ports and the place of the configuration window.
  std::vector<u8> tables, rsdp, loader;
};

AcpiFiles make_acpi_files(const AcpiBoard& board);

// A whole SSDT that describes a pvpanic device, for firmware that makes the other tables itself.
std::vector<u8> make_panic_table(u16 port);

}  // namespace relic86
