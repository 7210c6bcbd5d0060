// NE2000 (Novell), and RTL8029AS (Realtek, 1997)
//
//   offset   width  R/W  register
//   00h-0Fh  1      RW   those of the DP8390 (dp8390.cpp)
//   10h-17h  1,2,4  RW   data port: remote DMA (four bytes: RTL8029AS)
//   18h-1Fh  1      RW   reset port: any access resets the controller
//   RTL8029AS, register page 3: 03h CONFIG0, 05h CONFIG2, 06h CONFIG3 read 0; 0Eh 29h, 0Fh 80h: the part's number
#include "devices/network/ne2000.h"

namespace relic86 {

namespace {
constexpr RegionId kRegisters = 0, kDataAndReset = 1;
constexpr u32 kPorts = 32, kDataPort = 0x10, kResetPort = 0x18;
constexpr u8 kPageThree = 0xC0;

u64 read_registers(Dp8390& chip, u64 offset, unsigned width) {
  u64 value = 0;
  for (unsigned i = 0; i < width && offset + i < Dp8390::kRegisters; i++)
    value |= u64{chip.read(static_cast<unsigned>(offset) + i)} << (i * 8);
  return value;
}

void write_registers(Dp8390& chip, u64 offset, unsigned width, u64 value) {
  for (unsigned i = 0; i < width && offset + i < Dp8390::kRegisters; i++)
    chip.write(static_cast<unsigned>(offset) + i, static_cast<u8>(value >> (i * 8)));
}
}  // namespace

Ne2000Isa::Ne2000Isa(std::string name, NetworkLink& link, const MacAddress& address, u16 port, u8 irq)
    : name_(std::move(name)), port_(port), irq_(irq), chip_(link, address, {0, 0}) {}

Result<> Ne2000Isa::attach(Attachment& board) {
  line_ = board.isa_irq(irq_);
  chip_.on_interrupt([this](bool level) { line_.set(level); });
  if (auto claimed = board.ports(*this, kRegisters, port_, kDataPort, 1); !claimed) return claimed;
  return board.ports(*this, kDataAndReset, static_cast<u16>(port_ + kDataPort), kPorts - kDataPort, 2);
}

u64 Ne2000Isa::read(RegionId region, u64 offset, unsigned width) {
  if (region == kRegisters) return read_registers(chip_, offset, width);
  if (offset + kDataPort < kResetPort) return chip_.read_data(width);
  chip_.reset();
  return 0;
}

void Ne2000Isa::write(RegionId region, u64 offset, unsigned width, u64 value) {
  if (region == kRegisters) return write_registers(chip_, offset, width, value);
  if (offset + kDataPort < kResetPort) return chip_.write_data(width, static_cast<u32>(value));
  chip_.reset();
}

Rtl8029::Rtl8029(std::string name, NetworkLink& link, const MacAddress& address)
    : PciDevice({.vendor = 0x10EC, .device = 0x8029, .class_code = 0x020000, .interrupt_pin = 1}),
      name_(std::move(name)),
      chip_(link, address, {'P', 'C'}) {
  declare_io_bar(0, kPorts, kRegisters, 4);
  chip_.on_interrupt([this](bool level) { set_interrupt(level); });
}

u64 Rtl8029::read(RegionId, u64 offset, unsigned width) {
  if (offset < kDataPort) {
    const bool page_three = (chip_.read(0) & kPageThree) == kPageThree;
    constexpr u64 kPartNumber = 0x0E;
    if (page_three && offset >= kPartNumber) return offset == kPartNumber ? 0x29 : 0x80;
    return read_registers(chip_, offset, width);
  }
  if (offset < kResetPort) return chip_.read_data(width);
  chip_.reset();
  return 0;
}

void Rtl8029::write(RegionId, u64 offset, unsigned width, u64 value) {
  if (offset < kDataPort) return write_registers(chip_, offset, width, value);
  if (offset < kResetPort) return chip_.write_data(width, static_cast<u32>(value));
  chip_.reset();
}

}  // namespace relic86
