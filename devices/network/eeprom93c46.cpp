// 93C46 (National Semiconductor NM93C46, "Functional Description"): start bit 1, opcode of two bits, address, data
//
//   10 A    READ: a zero, then 16 bits, most significant first; goes on with the next word
//   01 A D  WRITE, 11 A ERASE;  00 11x EWEN, 00 00x EWDS: allow and forbid both
#include "devices/network/eeprom93c46.h"

#include <algorithm>

namespace relic86 {

namespace {
constexpr unsigned kOpcodeBits = 2, kWordBits = 16;
constexpr u32 kRead = 2, kWrite = 1, kErase = 3;
}  // namespace

void Eeprom93c46::drive(bool select, bool clock, bool data) {
  const bool rises = clock && !clock_;
  if (!select) {
    bits_in_ = bits_out_ = 0;
    shift_in_ = 0;
    output_ = true;
  } else if (rises && select_) {
    clock_in(data);
  }
  select_ = select;
  clock_ = clock;
}

void Eeprom93c46::clock_in(bool data) {
  if (bits_out_ > 0) {
    output_ = (shift_out_ & 0x8000) != 0;
    shift_out_ = static_cast<u16>(shift_out_ << 1);
    if (--bits_out_ > 0) return;
    read_address_++;
    shift_out_ = word(read_address_);
    bits_out_ = kWordBits;
    return;
  }
  if (bits_in_ == 0 && !data) return;  // waits for the start bit
  const unsigned command_bits = 1 + kOpcodeBits + address_bits_;
  if (bits_in_ >= command_bits + kWordBits) return;
  shift_in_ = shift_in_ << 1 | (data ? 1 : 0);
  bits_in_++;
  if (bits_in_ == command_bits || bits_in_ == command_bits + kWordBits) execute();
}

void Eeprom93c46::execute() {
  const unsigned command_bits = 1 + kOpcodeBits + address_bits_;
  const bool with_data = bits_in_ == command_bits + kWordBits;
  const u32 command = with_data ? shift_in_ >> kWordBits : shift_in_;
  const u32 address = command & static_cast<u32>(words_.size() - 1);
  switch (command >> address_bits_ & 3) {
    case kRead:
      if (with_data) return;
      read_address_ = static_cast<u16>(address);
      shift_out_ = word(address);
      bits_out_ = kWordBits;
      output_ = false;
      return;
    case kWrite:
      if (with_data && write_enabled_) words_[address] = static_cast<u16>(shift_in_);
      return;
    case kErase:
      if (!with_data && write_enabled_) words_[address] = 0xFFFF;
      return;
    default: {
      const u32 extended = address >> (address_bits_ - 2);
      if (extended == 3) write_enabled_ = true;
      if (extended == 0) write_enabled_ = false;
    }
  }
}

void Eeprom93c46::state(StateArchive& archive) {
  archive.bytes("words", words_);
  archive.field("select", select_);
  archive.field("clock", clock_);
  archive.field("output", output_);
  archive.field("write_enabled", write_enabled_);
  archive.field("bits_in", bits_in_);
  archive.field("shift_in", shift_in_);
  archive.field("bits_out", bits_out_);
  archive.field("shift_out", shift_out_);
  archive.field("read_address", read_address_);
  if (!archive.loading()) return;
  bits_out_ = std::min<u8>(bits_out_, kWordBits);
  bits_in_ = std::min<u8>(bits_in_, static_cast<u8>(1 + kOpcodeBits + address_bits_ + kWordBits));
}

}  // namespace relic86
