#include "tests/native/vex_encoding.h"

namespace relic86::native {

u8 put_vex(std::vector<u8>& bytes, Random& random, const InstructionRow& row, CodeSize size) {
  constexpr u32 kWrong = 2, kB = 1, kX = 2, kR = 4, kW = 8;  // percent; bits of REX
  const auto has = [&row](u32 bit) { return (row.match & bit) != 0; };
  const bool wide = size == CodeSize::Bits64;
  bool l = has(kMatchL1) || (!has(kMatchL0) && random.percent(50));
  bool w = has(kMatchW1) || (!has(kMatchW0) && random.percent(40));
  // Parts with VAES and VPCLMULQDQ know 256 bits of these; AMD's ignore W of VPERMQ and VPERMPD, which Intel's manual
  // wants to be 1.
  const bool longer = row.feature == Feature::AvxAes || row.feature == Feature::AvxPclmulqdq;
  const bool either = row.map == OpcodeMap::Vex3A && has(kMatchW1);
  if (random.percent(kWrong) && !longer) l = !l;
  if (random.percent(kWrong) && !either) w = !w;
  // Outside of 64-bit mode R and X must be 0, and B and the highest bit of vvvv are ignored.
  u32 registers = wide ? random.below(8) : random.percent(kWrong) ? kB : 0u;
  u32 vvvv = 0;
  if (has(kMatchVexRegister) || random.percent(kWrong)) vvvv = random.below(wide || random.percent(kWrong) ? 16 : 8);
  const u32 implied = has(kMatch66) ? 1 : has(kMatchF3) ? 2 : has(kMatchF2) ? 3 : 0;
  const u32 last = (~vvvv & 15) << 3 | (l ? 4u : 0u) | implied;
  const bool fits = row.map == OpcodeMap::VexTwoByte && (registers & (kX | kB)) == 0 && !w && (wide || vvvv < 8);
  if (fits && random.percent(60)) {
    bytes.push_back(0xC5);
    bytes.push_back(static_cast<u8>(((registers & kR) != 0 ? 0u : 0x80u) | last));
  } else {
    const u32 map = static_cast<u32>(row.map) - static_cast<u32>(OpcodeMap::VexTwoByte) + 1;
    bytes.push_back(0xC4);
    bytes.push_back(static_cast<u8>((~registers & 7) << 5 | map));
    bytes.push_back(static_cast<u8>((w ? 0x80u : 0u) | last));
  }
  return static_cast<u8>(registers | (w ? kW : 0));
}

}  // namespace relic86::native
