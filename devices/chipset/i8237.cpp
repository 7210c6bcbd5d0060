// Registers (Intel 8237A datasheet 231466; IBM PC/AT Technical Reference, DMA). Controller 1 at 00h-0Fh, controller 2
// at C0h-DFh, every register at twice its number:
//
//   0,2,4,6  RW  address of channel 0-3, low then high byte (flip-flop); reads give the current address
//   1,3,5,7  RW  count - 1, likewise
//   8        W   command: 2 controller disable, 4 rotating priority ...
//   8        R   status: 7:4 requests, 3:0 TC reached (cleared by the read)
//   9        W   request: 2 set, 1:0 channel
//   A        W   single mask: 2 set, 1:0 channel
//   B        W   mode: 7:6 demand, single, block, cascade; 5 address decrement; 4 autoinitialise; 3:2 verify, write,
//                read; 1:0 channel
//   C        W   clear the flip-flop
//   D        W   master clear;  R temporary register
//   E        W   clear masks
//   F        RW  all masks
//
// Page registers (address bits 23:16): 87h, 83h, 81h, 82h for channels 0-3; 8Bh, 89h, 8Ah for 5-7; 8Fh refresh; the
// rest is storage.
#include "devices/chipset/i8237.h"

#include <cstring>

namespace relic86 {

namespace {

constexpr u8 kDecrement = 1u << 5, kAutoInitialise = 1u << 4, kControllerDisable = 1u << 2;
enum TransferType : u8 { kVerify, kWrite, kRead };
constexpr TransferType type_of(u8 mode) { return static_cast<TransferType>(mode >> 2 & 3); }
constexpr u8 kPagePort[8] = {7, 3, 1, 2, 15, 11, 9, 10};  // offset from 80h, by channel

}  // namespace

Result<> I8237::attach(Attachment& board) {
  memory_ = &board.memory();
  if (auto done = board.ports(*this, kBytes, 0x00, 16); !done) return done;
  if (auto done = board.ports(*this, kWords, 0xC0, 32); !done) return done;
  return board.ports(*this, kPages, 0x81, 15);
}

void I8237::master_clear(Chip& chip) {
  chip.command = chip.status = chip.request = 0;
  chip.high_byte = false;
  for (Channel& channel : chip.channels) channel.masked = true;
}

void I8237::reset(ResetKind) {
  for (Chip& chip : chips_) {
    chip = Chip{};
    master_clear(chip);
  }
  pages_ = {};
}

void I8237::state(StateArchive& archive) {
  for (unsigned c = 0; c < 2; c++) {
    archive.group(c == 0 ? "bytes" : "words", [&] {
      Chip& chip = chips_[c];
      archive.field("command", chip.command);
      archive.field("status", chip.status);
      archive.field("request", chip.request);
      archive.field("high_byte", chip.high_byte);
      for (unsigned n = 0; n < 4; n++) {
        static constexpr const char* kNames[] = {"channel0", "channel1", "channel2", "channel3"};
        archive.group(kNames[n], [&] {
          Channel& channel = chip.channels[n];
          archive.field("base_address", channel.base_address);
          archive.field("base_count", channel.base_count);
          archive.field("address", channel.address);
          archive.field("count", channel.count);
          archive.field("mode", channel.mode);
          archive.field("page", channel.page);
          archive.field("masked", channel.masked);
        });
      }
    });
  }
  archive.bytes("pages", pages_);
}

u64 I8237::read(RegionId region, u64 offset, unsigned) {
  if (region == kPages) return pages_[offset + 1];
  return read_register(chips_[region == kWords], static_cast<unsigned>(region == kWords ? offset / 2 : offset));
}

void I8237::write(RegionId region, u64 offset, unsigned, u64 value) {
  const u8 byte = static_cast<u8>(value);
  if (region != kPages)
    return write_register(chips_[region == kWords], static_cast<unsigned>(region == kWords ? offset / 2 : offset),
                          byte);
  pages_[offset + 1] = byte;
  for (unsigned channel = 0; channel < 8; channel++) {
    if (kPagePort[channel] == offset + 1) chips_[channel / 4].channels[channel % 4].page = byte;
  }
}

u8 I8237::read_register(Chip& chip, unsigned index) {
  if (index < 8) {
    const Channel& channel = chip.channels[index / 2];
    const u16 value = index % 2 == 0 ? channel.address : channel.count;
    chip.high_byte = !chip.high_byte;
    return static_cast<u8>(chip.high_byte ? value : value >> 8);
  }
  if (index == 8) {
    const u8 value = static_cast<u8>(chip.request << 4 | chip.status);
    chip.status = 0;
    return value;
  }
  if (index == 15) {
    u8 masks = 0;
    for (unsigned n = 0; n < 4; n++) masks |= static_cast<u8>(chip.channels[n].masked << n);
    return static_cast<u8>(0xF0 | masks);
  }
  return 0;  // the temporary register: memory-to-memory transfers are not wired on a PC
}

void I8237::write_register(Chip& chip, unsigned index, u8 value) {
  if (index < 8) {
    Channel& channel = chip.channels[index / 2];
    u16& base = index % 2 == 0 ? channel.base_address : channel.base_count;
    base = chip.high_byte ? static_cast<u16>((base & 0xFF) | value << 8) : static_cast<u16>((base & 0xFF00) | value);
    (index % 2 == 0 ? channel.address : channel.count) = base;
    chip.high_byte = !chip.high_byte;
    return;
  }
  Channel& chosen = chip.channels[value & 3];
  switch (index) {
    case 8: chip.command = value; break;
    case 9:
      chip.request =
          static_cast<u8>((value & 4) != 0 ? chip.request | 1u << (value & 3) : chip.request & ~(1u << (value & 3)));
      break;
    case 10: chosen.masked = (value & 4) != 0; break;
    case 11: chosen.mode = value; break;
    case 12: chip.high_byte = false; break;
    case 13: master_clear(chip); break;
    case 14:
      for (Channel& channel : chip.channels) channel.masked = false;
      break;
    default:
      for (unsigned n = 0; n < 4; n++) chip.channels[n].masked = (value >> n & 1) != 0;
      break;
  }
}

// --- Transfers ---

bool I8237::ready(unsigned channel) const {
  if (channel > 7 || channel == 4) return false;
  const Chip& chip = chips_[channel / 4];
  // Channels 0-3 pass through the second controller's channel 0 in cascade mode.
  if (channel < 4 && (chips_[1].channels[0].masked || (chips_[1].command & kControllerDisable) != 0)) return false;
  return !chip.channels[channel % 4].masked && (chip.command & kControllerDisable) == 0;
}

PhysAddr I8237::address_of(unsigned number) const {
  const Channel& channel = chips_[number / 4].channels[number % 4];
  // Words: the address lines are one up, page bit 0 is not used.
  if (number >= 5) return PhysAddr((u64{channel.page} & 0xFE) << 16 | u64{channel.address} << 1);
  return PhysAddr(u64{channel.page} << 16 | channel.address);
}

bool I8237::step(unsigned number) {
  Chip& chip = chips_[number / 4];
  Channel& channel = chip.channels[number % 4];
  channel.address = static_cast<u16>((channel.mode & kDecrement) != 0 ? channel.address - 1
                                                                      : channel.address + 1);  // wraps within the page
  if (channel.count-- != 0) return false;
  chip.status |= static_cast<u8>(1u << (number % 4));
  chip.request &= static_cast<u8>(~(1u << (number % 4)));
  if ((channel.mode & kAutoInitialise) != 0) {
    channel.address = channel.base_address;
    channel.count = channel.base_count;
  } else {
    channel.masked = true;
  }
  return true;
}

DmaController::Moved I8237::to_memory(unsigned number, std::span<const u8> bytes) {
  Moved moved;
  const u32 unit = number >= 5 ? 2 : 1;
  while (!moved.terminal_count && moved.count + unit <= bytes.size() && ready(number)) {
    const Channel& channel = chips_[number / 4].channels[number % 4];
    if (type_of(channel.mode) == kWrite) memory_->write_block(address_of(number), bytes.subspan(moved.count, unit));
    moved.count += unit;
    moved.terminal_count = step(number);
  }
  return moved;
}

DmaController::Moved I8237::from_memory(unsigned number, std::span<u8> bytes) {
  Moved moved;
  const u32 unit = number >= 5 ? 2 : 1;
  while (!moved.terminal_count && moved.count + unit <= bytes.size() && ready(number)) {
    const Channel& channel = chips_[number / 4].channels[number % 4];
    if (type_of(channel.mode) == kRead) memory_->read_block(address_of(number), bytes.subspan(moved.count, unit));
    moved.count += unit;
    moved.terminal_count = step(number);
  }
  return moved;
}

}  // namespace relic86
