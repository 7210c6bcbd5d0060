// Intel I/O Controller Hub 9 (datasheet 316972, chapter 18), device 31, function 3
//
//   offset  width  R/W  bits
//   00h     4      R    8086h, 2930h;  class 0C0500h
//   04h     2      RW   command: 0 I/O space, 10 interrupt disable
//   20h     4      RW   SMB_BASE: 32 ports (devices/chipset/idle_smbus.h)
//   40h     1      RW   HOSTC: 0 HST_EN, 1 SMB_SMI_EN, 2 I2C_EN: kept only
#include "devices/chipset/ich9_smbus.h"

namespace relic86 {

namespace {
constexpr unsigned kPortsBar = 4;
constexpr u32 kPorts = 32;

PciIdentity smbus_function() {
  PciIdentity identity;
  identity.vendor = 0x8086;
  identity.device = 0x2930;
  identity.revision = 2;
  identity.class_code = 0x0C0500;
  identity.interrupt_pin = 1;
  return identity;
}
}  // namespace

Ich9Smbus::Ich9Smbus() : PciDevice(smbus_function()) {
  declare(kPciCommand, 2, 0, 0x0401);
  declare(0x40, 1, 0, 0x07);
  declare_io_bar(kPortsBar, kPorts, 0, 1);
}

}  // namespace relic86
