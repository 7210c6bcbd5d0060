// MSI-X of a PCI function (PCI Local Bus Specification 3.0, 6.8.2): its messages, the masks, and what waits behind
// them.
#pragma once

#include <array>
#include <functional>
#include <span>
#include <vector>

#include "base/state_archive.h"
#include "devices/pci_device.h"

namespace relic86 {

class MsixTable {
 public:
  // Table and pending bits share a BAR of one page, as QEMU's functions have it.
  static constexpr u32 kBarBytes = 4096, kPendingOffset = 2048;
  static constexpr unsigned kEntryBytes = 16, kMostVectors = kPendingOffset / kEntryBytes;
  // Message control, of the capability.
  static constexpr u16 kEnable = 1u << 15, kFunctionMask = 1u << 14;

  // send: a message goes on the bus; it may come back as an access to a register of the function.
  using Send = std::function<void(u64 address, u32 data)>;
  MsixTable(unsigned vectors, Send send);

  unsigned vectors() const { return static_cast<unsigned>(entries_.size()); }
  bool enabled() const { return (control_ & kEnable) != 0; }

  void reset();
  // control: the capability's message control, which the function's configuration space keeps.
  void state(StateArchive& archive, u16 control);

  // Accesses to the BAR. Software must use aligned doublewords (6.8.2); what is narrower is not stored.
  u32 read(u32 offset, unsigned width) const;
  void write(u32 offset, unsigned width, u32 value);
  void set_control(u16 control);

  // The event of this vector has come: a message, or a pending bit while it is masked.
  void notify(unsigned vector);
  // The events that wait have been dealt with otherwise.
  void forget_pending();

 private:
  struct Entry {
    u32 address_low = 0, address_high = 0;
    u32 data = 0;
    u32 control = 0;  // bit 0: masked
  };
  bool masked(const Entry& entry) const;
  void send_pending(std::size_t vector);

  Send send_;
  std::vector<Entry> entries_;
  std::vector<u8> pending_;  // by vector
  u16 control_ = 0;
};

// The capability, which lies in the function's configuration space; that keeps and saves its message control.
class MsixCapability {
 public:
  static constexpr unsigned kBytes = 12;

  // at: its place; next: that of the capability after it, or 0; bar: where the table is. The function declares rows().
  MsixCapability(u8 at, u8 next, unsigned bar, unsigned vectors);

  u8 at() const { return at_; }
  std::span<const RegisterFile::Row> rows() const { return rows_; }
  u16 control(const PciDevice& function) const;
  // Whether a write of these bytes of configuration space changes it.
  bool is_control(unsigned offset, unsigned width) const;

 private:
  u8 at_;
  std::array<RegisterFile::Row, 4> rows_;
};

}  // namespace relic86
