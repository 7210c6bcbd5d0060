// Creative's ADPCM: differences of 4, 2.6 or 2 bits a sample to a running value of 8 bits.
#pragma once

#include <span>
#include <vector>

#include "base/state_archive.h"

namespace relic86 {

class CreativeAdpcm {
 public:
  enum class Width : u8 { Bits4, Bits2_6, Bits2 };

  // wants_reference: the first byte is the value to begin with.
  void start(Width width, bool wants_reference);
  // Appends the samples of one byte: 2, 3 or 4 of them, as unsigned 8-bit values. A reference byte makes none.
  void decode(u8 byte, std::vector<u8>& samples);
  unsigned samples_per_byte() const;
  void state(StateArchive& archive);

 private:
  u8 expand(unsigned code, unsigned bits);

  Width width_ = Width::Bits4;
  bool wants_reference_ = false;
  i32 value_ = 0;  // -128 to 127, in 1/256
  u8 step_ = 0;    // 0 to 3
};

}  // namespace relic86
