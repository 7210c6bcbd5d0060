// The registers of a device that are bytes to be stored: which bits software writes, which ones it clears by writing
// ones, which ones the device itself changes.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/state_archive.h"

namespace relic86 {

class RegisterFile {
 public:
  // Little-endian, of 1 to 4 bytes. Whatever is not declared reads 0 and ignores writes.
  struct Row {
    u16 offset = 0;
    u8 width = 1;
    u32 reset = 0;
    u32 writable = 0;
    u32 write_one_clears = 0;
    u32 changing = 0;  // by the device, besides those above
  };

  explicit RegisterFile(std::size_t size);

  // base: added to the offsets: the same registers exist several times.
  void declare(std::span<const Row> rows, unsigned base = 0);
  // Changes which bits of a byte software can write from now on: lock bits.
  void declare_writable(unsigned offset, u8 writable) { writable_[offset] = writable; }
  void reset();
  void reset(unsigned first, unsigned count);  // bytes

  // Beyond the end it is 0.
  u32 read(unsigned offset, unsigned width) const;
  // From software's side. Writes beyond the end are ignored.
  void write_byte(unsigned offset, u8 value);

  // From the device's side, of declared registers.
  void set(unsigned offset, unsigned width, u32 value);
  void raise(unsigned offset, u8 bits) { bytes_[offset] = static_cast<u8>(bytes_[offset] | bits); }
  void lower(unsigned offset, u8 bits) { bytes_[offset] = static_cast<u8>(bytes_[offset] & ~bits); }

  // A loaded state keeps only bits that can change.
  void state(StateArchive& archive, std::string_view name);
  // The same for owners that change more than they have declared: of the first bytes, only those that software can write
  // are taken from the state.
  void state(StateArchive& archive, std::string_view name, unsigned fixed);

 private:
  std::vector<u8> bytes_, reset_, writable_, write_one_clears_, changing_;
};

}  // namespace relic86
