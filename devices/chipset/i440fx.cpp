// Intel 82441FX PCI and Memory Controller (datasheet 290549), configuration registers of function 0
//
//   offset  width  R/W  bits
//   00h     4      R    8086h, 1237h;  class 060000h
//   04h     2      R    command 0006h: memory space and bus master are always on
//   50h     2      RW   PMCCFG (3.2.11), kept only
//   52h     1      RW   DETURBO;  53h DBC 80h;  57h DRAMC 01h;  58h DRAMT 10h: kept only
//   59h-5Fh 1      RW   PAM0-PAM6 (3.2.18);  72h SMRAM (3.2.21): devices/chipset/host_bridge.cpp
//   60h-67h 1      RW   DRB0-7, row boundaries: kept only
#include "devices/chipset/i440fx.h"

namespace relic86 {

namespace {
constexpr u8 kPam0 = 0x59, kSmram = 0x72;

PciIdentity host_bridge() {
  PciIdentity identity;
  identity.vendor = 0x8086;
  identity.device = 0x1237;
  identity.revision = 2;
  identity.class_code = 0x060000;
  return identity;
}
}  // namespace

I440fx::I440fx(std::span<const u8> bios) : HostBridge(host_bridge(), bios, {kPam0, kSmram}) {
  declare(kPciCommand, 2, 0x0006, 0);
  declare(0x50, 2, 0, 0xFFFF);
  declare(0x52, 1, 0, 0xC0);
  declare(0x53, 1, 0x80, 0xE7);
  declare(0x57, 1, 0x01, 0xFF);
  declare(0x58, 1, 0x10, 0xFF);
  for (u8 row = 0x60; row < 0x68; row++) declare(row, 1, 0x01, 0xFF);
}

Result<> I440fx::attach_function(Attachment& board) {
  return attach_memory(board, ram_below_4g(board.memory().store().ram_size()));
}

}  // namespace relic86
