// ACPI 6.4 chapter 5 (RSDP 5.2.5, FADT 5.2.9 in its first revision, FACS 5.2.10, MADT 5.2.12); the script is that of
// the fw_cfg interface's "etc/table-loader": commands of 128 bytes, of which firmware allocates memory for the files,
// adds the addresses to the pointers, and makes the checksums.
#include "devices/board/acpi_tables.h"

#include <numeric>
#include <string_view>

#include "base/assert.h"
#include "devices/board/acpi_namespace.h"

namespace relic86 {

namespace {

using Bytes = std::vector<u8>;

constexpr std::string_view kTablesFile = "etc/acpi/tables", kRsdpFile = "etc/acpi/rsdp";
constexpr std::size_t kChecksumOffset = 9, kHeaderSize = 36;
constexpr std::size_t kRsdpChecksum = 8, kRsdpTable = 16, kRsdpSize = 20;

void append(Bytes& to, u64 value, unsigned width) {
  for (unsigned i = 0; i < width; i++) to.push_back(static_cast<u8>(value >> (i * 8)));
}
void append_text(Bytes& to, std::string_view text, std::size_t width) {
  to.insert(to.end(), text.begin(), text.end());
  to.insert(to.end(), width - text.size(), 0);
}

class Script {
 public:
  enum Zone : u8 { kHigh = 1, kBelow1M = 2 };
  void allocate(std::string_view file, u32 alignment, Zone zone) {
    Bytes command = begin(1, file);
    append(command, alignment, 4);
    command.push_back(zone);
    end(command);
  }
  // The pointer of 4 bytes at an offset in a file is an offset in the tables' file, and becomes an address.
  void add_pointer(std::string_view file, std::size_t offset) {
    Bytes command = begin(2, file);
    append_text(command, kTablesFile, kNameSize);
    append(command, offset, 4);
    command.push_back(4);
    end(command);
  }
  void add_checksum(std::string_view file, std::size_t offset, std::size_t first, std::size_t size) {
    Bytes command = begin(3, file);
    append(command, offset, 4);
    append(command, first, 4);
    append(command, size, 4);
    end(command);
  }
  Bytes take() { return std::move(script_); }

 private:
  static constexpr std::size_t kNameSize = 56, kCommandSize = 128;
  static Bytes begin(u32 kind, std::string_view file) {
    Bytes command;
    append(command, kind, 4);
    append_text(command, file, kNameSize);
    return command;
  }
  void end(Bytes& command) {
    RELIC86_ASSERT(command.size() <= kCommandSize);
    command.resize(kCommandSize, 0);
    script_.insert(script_.end(), command.begin(), command.end());
  }
  Bytes script_;
};

// A table's header (5.2.6), whose checksum is left out.
void append_header(Bytes& to, std::string_view signature, u8 revision, std::size_t size) {
  append_text(to, signature, 4);
  append(to, size, 4);
  append(to, revision, 2);  // and the checksum
  append_text(to, "RELIC", 6);
  append_text(to, "RELIC86", 8);
  append(to, 1, 4);
  append_text(to, "RLIC", 4);
  append(to, 1, 4);
}

class Tables {
 public:
  explicit Tables(Script& script) : script_(script) {}

  // A table with its header; gives its offset in the file. pointers: offsets in the table of pointers.
  std::size_t add(std::string_view signature, u8 revision, const Bytes& body,
                  const std::vector<std::size_t>& pointers = {}) {
    const std::size_t first = bytes_.size(), size = kHeaderSize + body.size();
    append_header(bytes_, signature, revision, size);
    bytes_.insert(bytes_.end(), body.begin(), body.end());
    for (const std::size_t pointer : pointers) script_.add_pointer(kTablesFile, first + pointer);
    script_.add_checksum(kTablesFile, first + kChecksumOffset, first, size);
    return first;
  }
  // The FACS has a signature and a length, and lies at a multiple of 64 bytes: it is the first in the file.
  std::size_t add_facs() {
    constexpr std::size_t kSize = 64;
    RELIC86_ASSERT(bytes_.empty());
    append_text(bytes_, "FACS", 4);
    append(bytes_, kSize, 4);
    bytes_.resize(kSize, 0);
    return 0;
  }
  Bytes take() { return std::move(bytes_); }

 private:
  Script& script_;
  Bytes bytes_;
};

constexpr u32 kLocalApics = 0xFEE00000, kIoApic = 0xFEC00000;

Bytes madt_body(const AcpiBoard& board) {
  constexpr u32 kHasPics = 1, kEnabled = 1;
  constexpr u16 kHighLevel = 0x000D;
  Bytes body;
  append(body, kLocalApics, 4);
  append(body, kHasPics, 4);
  for (std::size_t n = 0; n < board.apic_ids.size(); n++) {
    body.insert(body.end(), {0, 8, static_cast<u8>(n), board.apic_ids[n]});
    append(body, kEnabled, 4);
  }
  body.insert(body.end(), {1, 12, 0, 0});
  append(body, kIoApic, 4);
  append(body, 0, 4);
  const auto override_line = [&](u8 irq, u32 input, u16 flags) {
    body.insert(body.end(), {2, 10, 0, irq});
    append(body, input, 4);
    append(body, flags, 2);
  };
  override_line(0, 2, 0);                                                                   // the timer
  for (const u8 irq : {u8{5}, u8{9}, u8{10}, u8{11}}) override_line(irq, irq, kHighLevel);  // PCI's and the SCI
  body.insert(body.end(), {4, 6, 0xFF, 0, 0, 1});  // NMI: LINT1 of every processor
  return body;
}

constexpr std::size_t kFadtFacs = 36, kFadtDsdt = 40;

Bytes fadt_body(const AcpiBoard& board, std::size_t facs, std::size_t dsdt) {
  constexpr u16 kSci = 9, kSmiCommand = 0xB2;
  const bool ich9 = board.q35.has_value();
  const u32 gpe0 = ich9 ? board.power_ports + 0x20u : 0xAFE0u;
  const u8 gpe0_size = ich9 ? 16 : 4;
  const u8 acpi_enable = ich9 ? 0x02 : 0xF1, acpi_disable = ich9 ? 0x03 : 0xF0;
  constexpr u16 kNoC2 = 0xFFF, kNoC3 = 0xFFF;
  constexpr u8 kCentury = 0x32;
  constexpr u32 kWbinvd = 1u << 0, kC1 = 1u << 2, kSleepButtonElsewhere = 1u << 5;
  const u16 ports = board.power_ports;
  Bytes body;
  append(body, facs, 4);
  append(body, dsdt, 4);
  append(body, 1, 2);  // several processors, no profile
  append(body, kSci, 2);
  append(body, kSmiCommand, 4);
  body.insert(body.end(), {acpi_enable, acpi_disable, 0, 0});
  append(body, ports, 4);  // PM1a events, none of b; PM1a control, none of b; no PM2; timer; GPE0, no GPE1
  append(body, 0, 4);
  append(body, ports + 4, 4);
  append(body, 0, 4);
  append(body, 0, 4);
  append(body, ports + 8, 4);
  append(body, gpe0, 4);
  append(body, 0, 4);
  body.insert(body.end(), {4, 2, 0, 4, gpe0_size, 0, 0, 0});  // their sizes
  append(body, kNoC2, 2);
  append(body, kNoC3, 2);
  append(body, 0, 4);                                        // no flushing by size
  body.insert(body.end(), {0, 0, 0, 0, kCentury, 0, 0, 0});  // no duty cycle, no alarm by day or month
  append(body, kWbinvd | kC1 | kSleepButtonElsewhere, 4);
  return body;
}

// PCI Firmware Specification 3.0, 4.1.2
Bytes mcfg_body(const AcpiBoard::ConfigurationWindow& window) {
  constexpr u32 kBytesPerBus = 1u << 20;
  Bytes body;
  append(body, 0, 8);
  append(body, window.first, 8);
  append(body, 0, 2);  // segment group, and the first bus
  body.insert(body.end(), {0, static_cast<u8>(window.size / kBytesPerBus - 1)});
  append(body, 0, 4);
  return body;
}

// IA-PC HPET 1.0a, 3.2.4
Bytes hpet_body() {
  constexpr u32 kLowCapabilities = 0x8086A201, kAddress = 0xFED00000;
  constexpr u16 kLeastTicks = 100;
  Bytes body;
  append(body, kLowCapabilities, 4);
  body.insert(body.end(), {0, 64, 0, 0});  // in memory, registers of 64 bits
  append(body, kAddress, 8);
  body.push_back(0);
  append(body, kLeastTicks, 2);
  body.push_back(0);
  return body;
}

}  // namespace

AcpiFiles make_acpi_files(const AcpiBoard& board) {
  constexpr u32 kTablesAlignment = 64, kRsdpAlignment = 16;
  Script script;
  script.allocate(kRsdpFile, kRsdpAlignment, Script::kBelow1M);
  script.allocate(kTablesFile, kTablesAlignment, Script::kHigh);
  Tables tables(script);
  const std::size_t facs = tables.add_facs();
  const std::size_t dsdt = tables.add("DSDT", 1, acpi_namespace(board));
  std::vector<std::size_t> listed{tables.add("FACP", 1, fadt_body(board, facs, dsdt), {kFadtFacs, kFadtDsdt})};
  if (!board.apic_ids.empty()) listed.push_back(tables.add("APIC", 1, madt_body(board)));
  if (board.q35) listed.push_back(tables.add("MCFG", 1, mcfg_body(*board.q35)));
  if (board.hpet) listed.push_back(tables.add("HPET", 1, hpet_body()));
  Bytes list;
  std::vector<std::size_t> pointers;
  for (const std::size_t table : listed) {
    pointers.push_back(kHeaderSize + list.size());
    append(list, table, 4);
  }
  const std::size_t rsdt = tables.add("RSDT", 1, list, pointers);
  AcpiFiles files;
  append_text(files.rsdp, "RSD PTR ", 8);
  files.rsdp.push_back(0);
  append_text(files.rsdp, "RELIC", 6);
  files.rsdp.push_back(0);
  append(files.rsdp, rsdt, 4);
  RELIC86_ASSERT(files.rsdp.size() == kRsdpSize);
  script.add_pointer(kRsdpFile, kRsdpTable);
  script.add_checksum(kRsdpFile, kRsdpChecksum, 0, kRsdpSize);
  files.tables = tables.take();
  files.loader = script.take();
  return files;
}

std::vector<u8> make_panic_table(u16 port) {
  const aml::Bytes body = aml::scope("\\_SB_", panic_device(port));
  Bytes table;
  append_header(table, "SSDT", 1, kHeaderSize + body.size());
  table.insert(table.end(), body.begin(), body.end());
  table[kChecksumOffset] = static_cast<u8>(-std::accumulate(table.begin(), table.end(), 0));
  return table;
}

}  // namespace relic86
