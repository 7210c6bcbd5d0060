// A soundfont of our own (SoundFont 2.01 Technical Specification): one preset whose only sample is a sine of 441 Hz,
// looped, so that the pitch of every note is known exactly.
#pragma once

#include <cmath>
#include <fstream>
#include <numbers>
#include <string>

#include "base/types.h"

namespace relic86::test {

namespace detail {

inline std::string number(u64 value, unsigned width) {
  std::string bytes;
  for (unsigned i = 0; i < width; i++) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}
inline std::string name(std::string text) {
  text.resize(20);
  return text;
}
inline std::string chunk(const std::string& id, const std::string& content) {
  return id + number(content.size(), 4) + content + std::string(content.size() % 2, '\0');
}
inline std::string zeros(std::size_t count) { return std::string(count, '\0'); }
inline std::string generator(u16 operation, u16 amount) { return number(operation, 2) + number(amount, 2); }

}  // namespace detail

inline constexpr unsigned kSineKey = 69;  // A4
inline constexpr double kSineFrequency = 441;

inline void write_soundfont(const std::string& path) {
  using namespace detail;
  constexpr u32 kPeriod = 100, kPeriods = 64, kLength = kPeriod * kPeriods, kRate = 44100;
  std::string samples;
  for (u32 i = 0; i < kLength + 46; i++) {  // 46 more than the sample, as the specification wants it
    const double value = i < kLength ? std::sin(2 * std::numbers::pi * i / kPeriod) : 0;
    samples += number(static_cast<u16>(static_cast<i16>(std::lround(value * 24000))), 2);
  }
  constexpr u16 kSampleModes = 54, kLoop = 1, kSampleId = 53, kInstrument = 41;
  const std::string presets = name("sine") + number(0, 2) + number(0, 2) + number(0, 2) + zeros(12) +  //
                              name("EOP") + zeros(4) + number(1, 2) + zeros(12);
  const std::string instruments = name("sine") + number(0, 2) + name("EOI") + number(1, 2);
  const std::string sample = name("sine") + number(0, 4) + number(kLength, 4) + number(kPeriod, 4) +
                             number(kLength - kPeriod, 4) + number(kRate, 4) + number(kSineKey, 1) + number(0, 1) +
                             number(0, 2) + number(1, 2) + name("EOS") + zeros(26);
  const std::string lists =
      chunk("phdr", presets) + chunk("pbag", number(0, 4) + number(1, 2) + number(0, 2)) + chunk("pmod", zeros(10)) +
      chunk("pgen", generator(kInstrument, 0) + zeros(4)) + chunk("inst", instruments) +
      chunk("ibag", number(0, 4) + number(2, 2) + number(0, 2)) + chunk("imod", zeros(10)) +
      chunk("igen", generator(kSampleModes, kLoop) + generator(kSampleId, 0) + zeros(4)) + chunk("shdr", sample);
  const std::string about = chunk("ifil", number(2, 2) + number(1, 2)) + chunk("isng", std::string("EMU8000\0", 8)) +
                            chunk("INAM", std::string("sine\0\0", 6));
  std::ofstream(path, std::ios::binary) << chunk("RIFF", "sfbk" + chunk("LIST", "INFO" + about) +
                                                             chunk("LIST", "sdta" + chunk("smpl", samples)) +
                                                             chunk("LIST", "pdta" + lists));
}

}  // namespace relic86::test
