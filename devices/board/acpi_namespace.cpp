#include "devices/board/acpi_namespace.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

namespace relic86 {

namespace {

using aml::Bytes;
using aml::join;

constexpr unsigned kSlots = 32, kPins = 4, kRoutes = 4, kMostLinks = 8;
constexpr u8 kPirqRouting = 0x60, kUpperPirqRouting = 0x68;  // PIRQ A to D, and of the ICH9 E to H
constexpr unsigned kRoutingDisabled = 0x80;
constexpr const char* kLinks[kMostLinks] = {"LNKA", "LNKB", "LNKC", "LNKD", "LNKE", "LNKF", "LNKG", "LNKH"};
constexpr const char* kRegisters[kMostLinks] = {"PRQA", "PRQB", "PRQC", "PRQD", "PRQE", "PRQF", "PRQG", "PRQH"};
// _STA (6.3.7)
constexpr unsigned kPresent = 0x01, kEnabled = 0x02, kWorks = 0x08;

// The PIRQ of a slot's pin: the PIIX3's in turn, slot 1's INTA# on PIRQA; the ICH9's E to H in turn, but for its own
// slots.
u32 pirq_of(const AcpiBoard& board, u32 slot, u32 pin) {
  constexpr u32 kFirstOwnSlot = 25;
  if (!board.q35) return (slot + pin + kRoutes - 1) % kRoutes;
  return slot < kFirstOwnSlot ? kRoutes + (slot + pin) % kRoutes : pin;
}

// Which link, or input of the I/O APIC, each slot's pins lead to (6.2.13).
enum class Controller : u8 { Pic, IoApic };
Bytes routes(const AcpiBoard& board, Controller controller) {
  constexpr u32 kFirstInput = 16;
  std::vector<Bytes> rows;
  for (u32 slot = 0; slot < kSlots; slot++) {
    for (u32 pin = 0; pin < kPins; pin++) {
      const u32 pirq = pirq_of(board, slot, pin);
      const bool links = controller == Controller::Pic;
      const Bytes source = links ? aml::path(std::string("\\_SB_.PCI0.ISA_.") + kLinks[pirq]) : aml::integer(0);
      rows.push_back(aml::package({aml::integer(slot << 16 | 0xFFFF), aml::integer(pin), source,
                                   aml::integer(links ? 0 : kFirstInput + pirq)}));
    }
  }
  return aml::package(rows);
}

// The ICH9 has inputs of the I/O APIC for its PIRQs; the system says which controllers it uses (5.8.1).
Bytes routing(const AcpiBoard& board) {
  if (!board.q35) return aml::name("_PRT", routes(board, Controller::Pic));
  return join({aml::name("PRTP", routes(board, Controller::Pic)), aml::name("PRTA", routes(board, Controller::IoApic)),
               aml::method("_PRT", 0,
                           join({aml::when(aml::path("\\PICF"), aml::give(aml::path("PRTA"))),
                                 aml::give(aml::path("PRTP"))}))});
}

Bytes chosen_controller(const AcpiBoard& board) {
  if (!board.q35) return {};
  return join({aml::name("\\PICF", aml::integer(0)),
               aml::method("\\_PIC", 1, aml::store(aml::argument(0), aml::path("\\PICF")))});
}

// An interrupt link (6.2.13.2): the guest chooses the interrupt of a PIRQ by the bridge's register.
Bytes link(unsigned number) {
  constexpr unsigned kLineOffset = 5;  // of the interrupt in the descriptor
  const Bytes reg = aml::path(kRegisters[number]), line = aml::path("LINE"), current = aml::path("CURR");
  const Bytes off = aml::both(reg, aml::integer(kRoutingDisabled));
  return aml::device(
      kLinks[number],
      join({aml::name("_HID", aml::eisa_id("PNP0C0F")), aml::name("_UID", aml::integer(number + 1)),
            aml::name("_PRS", aml::resources(aml::shared_interrupts({5, 10, 11}))),
            aml::method("_STA", 0,
                        join({aml::when(off, aml::give(aml::integer(kPresent | kWorks))),
                              aml::give(aml::integer(kPresent | kEnabled | kWorks))})),
            aml::method("_DIS", 0, aml::either(reg, aml::integer(kRoutingDisabled), reg)),
            aml::method("_CRS", 0,
                        join({aml::name("CURR", aml::resources(aml::shared_interrupts({0}))),
                              aml::dword_field(current, kLineOffset, "LINE"), aml::when(off, aml::give(current)),
                              aml::store(reg, line), aml::give(current)})),
            aml::method("_SRS", 1,
                        join({aml::dword_field(aml::argument(0), kLineOffset, "LINE"), aml::store(line, reg)}))}));
}

// What the bridge hands on: all ports but those of the configuration mechanism, the VGA's window, and where firmware
// places functions: above the RAM on either side of 4 GiB.
Bytes host_windows(const AcpiBoard& board) {
  constexpr u16 kConfigFirst = 0xCF8, kConfigLast = 0xCFF;
  constexpr u32 kVgaFirst = 0xA0000, kVgaLast = 0xBFFFF, kLastBar = 0xFEBFFFFF;
  constexpr u64 kFourGiB = u64{1} << 32, kGiB = u64{1} << 30, kHighEnd = u64{1} << 40;
  Bytes windows = join({aml::bus_numbers(0, 0xFF), aml::io_ports(kConfigFirst, kConfigLast - kConfigFirst + 1),
                        aml::port_window(0, kConfigFirst - 1), aml::port_window(kConfigLast + 1, 0xFFFF),
                        aml::memory_window(kVgaFirst, kVgaLast)});
  const u32 first = static_cast<u32>(board.low_ram);
  if (board.q35) {
    const u32 window = board.q35->first, end = window + board.q35->size;
    windows = join({windows, aml::memory_window(std::min(first, window), window - 1),
                    aml::memory_window(std::max(first, end), kLastBar)});
  } else {
    windows = join({windows, aml::memory_window(first, kLastBar)});
  }
  const u64 high = kFourGiB + (board.ram - board.low_ram + kGiB - 1) / kGiB * kGiB;
  if (high < kHighEnd) windows = join({windows, aml::wide_memory_window(high, kHighEnd - 1)});
  return aml::name("_CRS", aml::resources(windows));
}

// Slots whose cards come and go (6.1.5 _SUN, 6.3.3 _EJ0), by the registers of devices/chipset/pci_hotplug.cpp, and the
// method that looks for news.
struct CardSlots {
  Bytes devices, news;

  // A slot by its address on its bus, its number for the user, and its bit in the registers.
  static Bytes slot(const std::string& name, u32 address, u32 number, u32 bit) {
    return aml::device(name, join({aml::name("_ADR", aml::integer(address)), aml::name("_SUN", aml::integer(number)),
                                   aml::method("_EJ0", 1, aml::store(aml::integer(bit), aml::path("B0EJ")))}));
  }
  void tell(const std::string& path, u32 bit) {
    constexpr u8 kDeviceCheck = 1, kEjectRequest = 3;  // 5.6.6
    for (const auto& [reg, event] : {std::pair{"PCIU", kDeviceCheck}, {"PCID", kEjectRequest}})
      news = join({news, aml::when(aml::both(aml::path(reg), aml::integer(bit)), aml::notify(aml::path(path), event))});
  }
};

Bytes card_slots(const AcpiBoard& board) {
  const u16 first_register = board.q35 ? 0x0CC0 : 0xAE00;
  constexpr u32 kFunctionBits = 16;
  CardSlots all;
  for (u32 slot = 0; slot < kSlots; slot++) {
    const u32 bit = 1u << slot;
    if ((board.removable_slots & bit) == 0) continue;
    const std::string name = fmt::format("S{:02X}_", slot);
    all.devices = join({all.devices, CardSlots::slot(name, slot << kFunctionBits, slot, bit)});
    all.tell(name, bit);
  }
  // A root port has one slot, on the bus behind it.
  for (u32 n = 0; n < board.root_ports.size(); n++) {
    const AcpiBoard::RootPort& port = board.root_ports[n];
    if (!port.removable) continue;
    const std::string name = fmt::format("RP{:02X}", n);
    const u32 bit = 1u << n, address = u32{port.slot} << kFunctionBits | port.function;
    all.devices =
        join({all.devices,
              aml::device(name, join({aml::name("_ADR", aml::integer(address)), CardSlots::slot("S00_", 0, n, bit)}))});
    all.tell("\\_SB_.PCI0." + name + ".S00_", bit);  // several names in a row are not looked for in what is around
  }
  if (all.devices.empty()) return {};
  return join({aml::port_dwords("HPRG", first_register, {"PCIU", "PCID", "B0EJ"}), all.devices,
               aml::method("PCNT", 0, all.news)});
}
// General purpose event 1 (5.6.4.1).
Bytes card_event(const AcpiBoard& board) {
  if (card_slots(board).empty()) return {};
  return aml::scope("\\_GPE", aml::method("_E01", 0, aml::path("\\_SB_.PCI0.PCNT")));
}

Bytes isa_device(std::string_view name, std::string_view id, const Bytes& resources, unsigned unit = 0) {
  Bytes body = join({aml::name("_HID", aml::eisa_id(id)), aml::name("_CRS", aml::resources(resources))});
  if (unit != 0) body = join({body, aml::name("_UID", aml::integer(unit))});
  return aml::device(name, body);
}

Bytes isa_devices(const AcpiBoard& board) {
  using aml::interrupt_line;
  using aml::io_ports;
  struct Port {
    u16 first;
    u8 irq;
  };
  constexpr Port kSerial[] = {{0x3F8, 4}, {0x2F8, 3}, {0x3E8, 4}, {0x2E8, 3}};
  Bytes all = join({isa_device("RTC_", "PNP0B00", join({io_ports(0x70, 2), interrupt_line(8)})),
                    isa_device("KBD_", "PNP0303", join({io_ports(0x60, 1), io_ports(0x64, 1), interrupt_line(1)})),
                    isa_device("MOU_", "PNP0F13", interrupt_line(12))});
  if (board.floppy) {
    all =
        join({all, isa_device("FDC_", "PNP0700",
                              join({io_ports(0x3F2, 4), io_ports(0x3F7, 1), interrupt_line(6), aml::dma_channel(2)}))});
  }
  if (board.parallel_port)
    all = join({all, isa_device("LPT_", "PNP0400", join({io_ports(0x378, 8), interrupt_line(7)}), 1)});
  for (unsigned i = 0; i < board.serial_ports.size(); i++) {
    if (!board.serial_ports[i]) continue;
    all = join({all, isa_device(fmt::format("COM{}", i + 1), "PNP0501",
                                join({io_ports(kSerial[i].first, 8), interrupt_line(kSerial[i].irq)}), i + 1)});
  }
  return all;
}

// The window of configuration space is nobody's else (PCI Firmware Specification 3.0, 4.1.2).
Bytes configuration_window(const AcpiBoard& board) {
  if (!board.q35) return {};
  return aml::device("ECAM",
                     join({aml::name("_HID", aml::eisa_id("PNP0C02")), aml::name("_UID", aml::integer(1)),
                           aml::name("_CRS", aml::resources(aml::fixed_memory(board.q35->first, board.q35->size)))}));
}

Bytes event_timer(const AcpiBoard& board) {
  constexpr u32 kAddress = 0xFED00000, kSize = 0x400;
  if (!board.hpet) return {};
  return isa_device("HPET", "PNP0103", aml::fixed_memory(kAddress, kSize));
}

}  // namespace

aml::Bytes panic_device(u16 port) {
  constexpr u8 kShown = 0x04;
  return aml::device("PEVT", join({aml::name("_HID", aml::string("QEMU0001")),
                                   aml::name("_CRS", aml::resources(aml::io_ports(port, 1))),
                                   aml::name("_STA", aml::integer(kPresent | kEnabled | kShown | kWorks))}));
}

aml::Bytes acpi_namespace(const AcpiBoard& board) {
  const bool ich9 = board.q35.has_value();
  const u64 bridge_place = ich9 ? 0x1F0000 : 0x10000;  // slot 31 or 1, function 0
  Bytes links;
  for (unsigned n = 0; n < (ich9 ? kMostLinks : kRoutes); n++) links = join({links, link(n)});
  Bytes registers = aml::configuration_bytes("PIRQ", kPirqRouting, {"PRQA", "PRQB", "PRQC", "PRQD"});
  if (ich9)
    registers =
        join({registers, aml::configuration_bytes("PIR2", kUpperPirqRouting, {"PRQE", "PRQF", "PRQG", "PRQH"})});
  const Bytes bridge =
      aml::device("ISA_", join({aml::name("_ADR", aml::integer(bridge_place)), registers, links, isa_devices(board)}));
  const Bytes identity =
      ich9 ? join({aml::name("_HID", aml::eisa_id("PNP0A08")), aml::name("_CID", aml::eisa_id("PNP0A03"))})
           : aml::name("_HID", aml::eisa_id("PNP0A03"));
  const Bytes host = aml::device("PCI0", join({identity, aml::name("_UID", aml::integer(0)), host_windows(board),
                                               bridge, card_slots(board), routing(board)}));
  Bytes states;
  for (unsigned n = 0; n < board.sleep.size(); n++) {
    if (!board.sleep[n]) continue;
    const Bytes type = aml::integer(*board.sleep[n]);
    states = join({states, aml::name(fmt::format("\\_S{}_", n + 1),
                                     aml::package({type, type, aml::integer(0), aml::integer(0)}))});
  }
  return join({chosen_controller(board),
               aml::scope("\\_SB_", join({host, configuration_window(board), event_timer(board),
                                          board.panic_port ? panic_device(*board.panic_port) : Bytes()})),
               card_event(board), states});
}

}  // namespace relic86
