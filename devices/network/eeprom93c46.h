// A serial EEPROM of 64 or 256 words on three wires (93C46, 93C66; Microwire): READ, and writes where the card lets
// them through. Cards keep their station address in it.
#pragma once

#include <vector>

#include "base/state_archive.h"

namespace relic86 {

class Eeprom93c46 {
 public:
  explicit Eeprom93c46(unsigned address_bits = 6)
      : address_bits_(address_bits), words_(std::size_t{1} << address_bits, 0xFFFF) {}

  u16 word(std::size_t index) const { return words_[index & (words_.size() - 1)]; }
  void set_word(std::size_t index, u16 value) { words_[index & (words_.size() - 1)] = value; }
  std::size_t size() const { return words_.size(); }

  // The wires as the card's register drives them; data is taken at the rising edge of the clock.
  void drive(bool select, bool clock, bool data);
  bool output() const { return output_; }
  void state(StateArchive& archive);

 private:
  void clock_in(bool data);
  void execute();

  const unsigned address_bits_;
  std::vector<u16> words_;
  bool select_ = false, clock_ = false, output_ = true;
  bool write_enabled_ = false;
  u8 bits_in_ = 0;    // of the instruction, the start bit among them
  u32 shift_in_ = 0;  // those bits
  u8 bits_out_ = 0;   // still to be read
  u16 shift_out_ = 0;
  u16 read_address_ = 0;
};

}  // namespace relic86
