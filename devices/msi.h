// MSI of a PCI function with one message (PCI Local Bus Specification 3.0, 6.8.1).
#pragma once

#include <array>
#include <functional>
#include <span>

#include "devices/pci_device.h"

namespace relic86 {

// The registers lie in the function's configuration space, which keeps and saves them.
class MsiCapability {
 public:
  static constexpr u8 kId = 5;
  static constexpr unsigned kBytes = 14;
  // A message goes on the bus; it may come back as an access to a register of the function.
  using Send = std::function<void(u64 address, u32 data)>;

  // at: the capability's place; next: that of the one after it, or 0. The function declares rows().
  MsiCapability(u8 at, u8 next, Send send);

  std::span<const RegisterFile::Row> rows() const { return rows_; }
  bool enabled(const PciDevice& function) const;
  void notify(const PciDevice& function) const;

 private:
  u8 at_;
  Send send_;
  std::array<RegisterFile::Row, 5> rows_;
};

}  // namespace relic86
