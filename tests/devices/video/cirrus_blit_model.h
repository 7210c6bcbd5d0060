// The BitBLT engine of the GD5446 a second time, as its manual tells it: pixel by pixel and byte by byte, without
// regard for speed. What the device does is compared with it.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "base/types.h"

namespace relic86::test {

class BlitModel {
 public:
  explicit BlitModel(std::size_t bytes) : memory(bytes) {}

  // Graphics controller registers as the guest wrote them.
  std::array<u8, 0x40> r{};
  std::vector<u8> memory;

  unsigned width() const { return 1 + r[0x20] + 256u * (r[0x21] % 32u); }
  unsigned height() const { return 1 + r[0x22] + 256u * (r[0x23] % 8u); }
  unsigned depth() const { return 1 + r[0x30] / 16u % 4; }  // bytes
  bool mode(unsigned bit) const { return (r[0x30] >> bit) % 2 == 1; }
  bool extension(unsigned bit) const { return (r[0x33] >> bit) % 2 == 1; }
  bool pattern() const { return mode(6); }
  bool expands() const { return mode(7); }
  bool transparent() const { return mode(3); }
  bool solid() const { return pattern() && expands() && extension(2) && !transparent(); }
  // What the engine has no meaning for.
  bool nothing() const {
    if (mode(1)) return mode(2) || pattern() || expands() || transparent();
    return transparent() && !pattern() && !expands() && depth() > 2;
  }
  bool takes_data() const { return !nothing() && mode(2) && !solid(); }
  bool gives_data() const { return !nothing() && mode(1); }

  // Bytes of source that a line, or a pattern, takes from the CPU.
  unsigned line_data() const {
    if (pattern()) return expands() ? 8 : 8 * pattern_row();
    if (!expands()) return (width() + 3) / 4 * 4;
    const unsigned dots = (width() + depth() - 1) / depth();
    return extension(0) ? (dots + 31) / 32 * 4 : (dots + 7) / 8;
  }
  std::size_t all_data() const { return pattern() ? line_data() : std::size_t{line_data()} * height(); }

  // data: what the CPU writes, all_data() bytes of it. The return value is what it reads.
  std::vector<u8> run(const std::vector<u8>& data) {
    if (nothing()) return {};
    if (gives_data()) return to_system();
    const bool down = mode(0) && !pattern() && !expands() && !mode(2);
    if (pattern()) fetch_pattern(data);
    for (unsigned y = 0; y < height(); y++) {
      if (expands() && !pattern()) fetch_bits(y, data);
      if (transparent() && !pattern() && !expands()) {
        keyed_line(y, data, down);
        continue;
      }
      for (unsigned x = 0; x < width(); x++) {
        if (!drawn(x, y)) continue;
        u8& target = at(target_place(x, y, down));
        target = rop(source(x, y, data, down), target);
      }
    }
    return {};
  }

 private:
  std::vector<u8> fetched;  // pattern or bits

  u32 address(unsigned index) const { return r[index] + (u32{r[index + 1]} << 8) + (u32{r[index + 2] % 64u} << 16); }
  unsigned pitch(unsigned index) const { return r[index] + 256u * (r[index + 1] % 32u); }
  u8& at(i64 place) { return memory[static_cast<std::size_t>(place) & (memory.size() - 1)]; }
  unsigned pattern_row() const { return depth() == 3 ? 32 : depth() * 8; }

  i64 target_place(unsigned x, unsigned y, bool down) const {
    const i64 way = i64{y} * pitch(0x24) + x;
    return address(0x28) + (down ? -way : way);
  }
  i64 source_place(unsigned x, unsigned y, bool down) const {
    const i64 way = i64{y} * pitch(0x26) + x;
    return address(0x2C) + (down ? -way : way);
  }

  // The engine has the whole pattern before it draws, and the bits of a line before it draws the line.
  void fetch_pattern(const std::vector<u8>& data) {
    const unsigned size = line_data();
    fetched = data;
    if (!mode(2)) fetched.resize(size);
    for (unsigned i = 0; i < size && !mode(2); i++) fetched[i] = at(i64{address(0x2C) / size * size} + i);
  }
  void fetch_bits(unsigned y, const std::vector<u8>& data) {
    const unsigned dots = (width() + depth() - 1) / depth(), size = (dots + 7) / 8;
    fetched.resize(size);
    for (unsigned i = 0; i < size; i++)
      fetched[i] = mode(2) ? data[std::size_t{y} * line_data() + i] : at(i64{address(0x2C)} + i64{y} * size + i);
  }

  // The bit of the monochrome source for the pixel that byte x belongs to.
  bool bit(unsigned x, unsigned y) const {
    const unsigned dot = x / depth();
    if (solid()) return true;
    const unsigned row = pattern() ? (address(0x2C) % 8 + y) % 8 : dot / 8;
    return (fetched[row] << dot % 8 & 0x80) != 0;
  }

  bool drawn(unsigned x, unsigned y) const {
    const unsigned left = solid() || (!pattern() && !expands()) ? 0
                          : depth() == 3                        ? r[0x2F] % 32u
                                                                : r[0x2F] % 8u * depth();
    if (x < left) return false;
    if (!expands() || !transparent()) return true;
    return bit(x, y) != extension(1);
  }

  u8 source(unsigned x, unsigned y, const std::vector<u8>& data, bool down) {
    if (expands()) {
      constexpr unsigned kOnes[] = {0x01, 0x11, 0x13, 0x15}, kZeros[] = {0x00, 0x10, 0x12, 0x14};
      return r[bit(x, y) ? kOnes[x % depth()] : kZeros[x % depth()]];
    }
    if (pattern()) {
      const unsigned row = (address(0x2C) % 8 + y) % 8;
      return fetched[row * pattern_row() + x % (8 * depth())];
    }
    return mode(2) ? data[std::size_t{y} * line_data() + x] : at(source_place(x, y, down));
  }

  // Pixels whose result would be the transparent colour stay. The last pixel may be cut off by the line's end.
  void keyed_line(unsigned y, const std::vector<u8>& data, bool down) {
    for (unsigned x = 0; x < width(); x += depth()) {
      u8 results[2];
      bool keep = true;
      const unsigned count = std::min(depth(), width() - x);
      for (unsigned i = 0; i < count; i++) {
        results[i] = rop(source(x + i, y, data, down), at(target_place(x + i, y, down)));
        // Going down, the first byte that comes is a pixel's highest.
        const unsigned part = down ? depth() - 1 - i : i;
        if (results[i] != r[0x34 + part]) keep = false;
      }
      for (unsigned i = 0; i < count && !keep; i++) at(target_place(x + i, y, down)) = results[i];
    }
  }

  std::vector<u8> to_system() {
    std::vector<u8> all;
    for (unsigned y = 0; y < height(); y++) {
      for (unsigned x = 0; x < (width() + 3) / 4 * 4; x++)
        all.push_back(x < width() ? at(source_place(x, y, false)) : 0);
    }
    return all;
  }

  u8 rop(unsigned s, unsigned d) const {
    switch (r[0x32]) {
      case 0x00: return 0;
      case 0x05: return static_cast<u8>(s & d);
      case 0x09: return static_cast<u8>(s & ~d);
      case 0x0B: return static_cast<u8>(~d);
      case 0x0D: return static_cast<u8>(s);
      case 0x0E: return 0xFF;
      case 0x50: return static_cast<u8>(~s & d);
      case 0x59: return static_cast<u8>(s ^ d);
      case 0x6D: return static_cast<u8>(s | d);
      case 0x90: return static_cast<u8>(~(s | d));
      case 0x95: return static_cast<u8>(~(s ^ d));
      case 0xAD: return static_cast<u8>(s | ~d);
      case 0xD0: return static_cast<u8>(~s);
      case 0xD6: return static_cast<u8>(~s | d);
      case 0xDA: return static_cast<u8>(~(s & d));
      default: return static_cast<u8>(d);
    }
  }
};

}  // namespace relic86::test
