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
  void reset();
  void reset(unsigned first, unsigned count);  // bytes

  // From software's side. Reads beyond the end give 0, writes are ignored.
  u32 read(unsigned offset, unsigned width) const;
  void write_byte(unsigned offset, u8 value);

  // From the device's side, of declared registers.
  u32 get(unsigned offset, unsigned width) const { return read(offset, width); }
  void set(unsigned offset, unsigned width, u32 value);
  void raise(unsigned offset, u8 bits) { bytes_[offset] = static_cast<u8>(bytes_[offset] | bits); }
  void lower(unsigned offset, u8 bits) { bytes_[offset] = static_cast<u8>(bytes_[offset] & ~bits); }

  // A loaded state keeps only bits that can change.
  void state(StateArchive& archive, std::string_view name);

 private:
  std::vector<u8> bytes_, reset_, writable_, write_one_clears_, changing_;
};

}  // namespace relic86
