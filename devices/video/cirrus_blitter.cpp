#include "devices/video/cirrus_blitter.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"
#include "devices/video/cirrus_blit_rows.h"

namespace relic86 {

namespace {
constexpr u8 kDrawn = 0xFF;
constexpr u32 kPatternRows = 8;
constexpr std::size_t kLargestPattern = 256;
}  // namespace

void CirrusBlitter::connect(std::span<u8> bytes, BackingStore* store, BackingOffset first) {
  RELIC86_ASSERT(std::has_single_bit(bytes.size()) && bytes.size() >= 0x10000);
  bytes_ = bytes;
  store_ = store;
  first_ = first;
}

void CirrusBlitter::reset() {
  program_ = {};
  blit_ = CirrusBlit::of(program_);
  table_ = 0;
  buffer_ = {};
  finish();
}

void CirrusBlitter::finish() {
  transfer_ = Transfer::None;
  line_ = filled_ = 0;
}

void CirrusBlitter::state(StateArchive& archive) {
  archive.bytes("program", program_);
  archive.field("transfer", transfer_);
  archive.field("line", line_);
  archive.field("filled", filled_);
  archive.bytes("buffer", buffer_);
  if (!archive.loading()) return;
  blit_ = CirrusBlit::of(program_);
  table_ = cirrus_truth_table(blit_.operation);
  const bool possible =
      blit_.kind != CirrusBlit::Kind::Nothing && line_ < blit_.height && filled_ < blit_.transfer_bytes() &&
      ((transfer_ == Transfer::In && blit_.from_system) || (transfer_ == Transfer::Out && blit_.to_system));
  if (!possible) finish();
}

void CirrusBlitter::start(const CirrusRegisters::GraphicsFile& registers) {
  finish();
  program_ = registers;
  blit_ = CirrusBlit::of(registers);
  table_ = cirrus_truth_table(blit_.operation);
  if (blit_.kind == CirrusBlit::Kind::Nothing) return;
  if (blit_.from_system) {
    transfer_ = Transfer::In;
  } else if (blit_.to_system) {
    transfer_ = Transfer::Out;
    line_to_system();
  } else {
    run();
  }
}

void CirrusBlitter::put(u8 byte) {
  buffer_[filled_++] = byte;
  if (filled_ == blit_.transfer_bytes()) line_from_system();
}

u8 CirrusBlitter::take() {
  const u8 byte = buffer_[filled_++];
  if (filled_ < blit_.transfer_bytes()) return byte;
  filled_ = 0;
  if (++line_ == blit_.height)
    finish();
  else
    line_to_system();
  return byte;
}

void CirrusBlitter::line_to_system() {
  std::fill(buffer_.begin(), buffer_.begin() + blit_.transfer_bytes(), u8{0});
  fetch(blit_.source + line_ * blit_.source_pitch, std::span(buffer_).first(blit_.width));
}

void CirrusBlitter::line_from_system() {
  const u32 to = blit_.target + line_ * blit_.target_pitch;
  switch (blit_.kind) {
    case CirrusBlit::Kind::MonoPattern:
    case CirrusBlit::Kind::ColourPattern: pattern_lines(); return finish();
    case CirrusBlit::Kind::Expand:
      expand(buffer_);
      draw_row(to);
      break;
    default: {
      const auto source = std::span<const u8>(buffer_).first(blit_.width);
      if (blit_.transparent) mask_by_key(to, source);
      draw(to, source, blit_.transparent ? mask_.data() : nullptr);
      break;
    }
  }
  filled_ = 0;
  if (++line_ == blit_.height) finish();
}

void CirrusBlitter::run() {
  using Kind = CirrusBlit::Kind;
  switch (blit_.kind) {
    case Kind::Copy: copy_lines(); break;
    case Kind::Expand: {
      // The bits of a line begin in the byte after the last one's.
      const u32 bytes = (blit_.pixels() + 7) / 8;
      for (u32 line = 0; line < blit_.height; line++) {
        fetch(blit_.source + line * bytes, std::span(buffer_).first(bytes));
        expand(buffer_);
        draw_row(blit_.target + line * blit_.target_pitch);
      }
      break;
    }
    case Kind::Solid: {
      constexpr std::array<u8, 1> kOnes = {0xFF};
      expand(kOnes);
      for (u32 line = 0; line < blit_.height; line++) draw_row(blit_.target + line * blit_.target_pitch);
      break;
    }
    default: {
      // A pattern begins at a multiple of its size.
      const u32 size = blit_.pattern_pitch() * kPatternRows;
      fetch(blit_.source & ~(size - 1), std::span(buffer_).first(size));
      pattern_lines();
      break;
    }
  }
  finish();
}

void CirrusBlitter::pattern_lines() {
  const bool mono = blit_.kind == CirrusBlit::Kind::MonoPattern;
  std::array<u8, kLargestPattern> pattern;
  std::copy_n(buffer_.begin(), pattern.size(), pattern.begin());
  for (u32 line = 0; line < blit_.height; line++) {
    const u32 pitch = blit_.pattern_pitch();
    const auto row = std::span<const u8>(pattern).subspan((blit_.preset + line) % kPatternRows * pitch, pitch);
    if (mono)
      expand(row);
    else
      fill_row(row);
    draw_row(blit_.target + line * blit_.target_pitch);
  }
}

void CirrusBlitter::expand(std::span<const u8> bits) {
  const bool repeats = bits.size() == 1;
  u8* out = row_.data();
  u8* mask = mask_.data();
  const u32 pixels = blit_.pixels();
  for (u32 pixel = 0; pixel < pixels; pixel++) {
    const bool set = (bits[repeats ? 0 : pixel / 8] >> (7 - pixel % 8) & 1) != 0;
    const std::array<u8, 4>& colour = set ? blit_.foreground : blit_.background;
    const u8 drawn = set != blit_.inverted ? kDrawn : 0;
    for (u32 byte = 0; byte < blit_.pixel_bytes; byte++) {
      *out++ = colour[byte];
      *mask++ = drawn;
    }
  }
}

void CirrusBlitter::fill_row(std::span<const u8> pattern_row) {
  const u32 period = 8 * blit_.pixel_bytes;
  for (u32 i = 0; i < blit_.width; i += period)
    std::copy_n(pattern_row.begin(), std::min(period, blit_.width - i), row_.begin() + i);
}

// What expand() or fill_row() has put into row_.
void CirrusBlitter::draw_row(u32 to) {
  const u32 skip = std::min(blit_.skip, blit_.width);
  const bool masked = blit_.transparent && blit_.kind != CirrusBlit::Kind::ColourPattern;
  draw(to + skip, std::span(row_).first(blit_.width).subspan(skip), masked ? mask_.data() + skip : nullptr);
}

void CirrusBlitter::draw(u32 to, std::span<const u8> source, const u8* mask) {
  while (!source.empty()) {
    to = wrapped(to);
    const u32 count = static_cast<u32>(std::min<u64>(source.size(), bytes_.size() - to));
    combine_row(table_, bytes_.data() + to, source.data(), mask, count);
    note(to, count);
    source = source.subspan(count);
    if (mask != nullptr) mask += count;
    to += count;
  }
}

u8 CirrusBlitter::combined(u32 to, u8 source) const { return combine_byte(table_, source, bytes_[wrapped(to)]); }

// What would become the transparent colour stays as it is.
void CirrusBlitter::mask_by_key(u32 to, std::span<const u8> source) {
  const u32 size = blit_.pixel_bytes;
  for (u32 i = 0; i < source.size(); i += size) {
    bool differs = false;
    for (u32 byte = 0; byte < size; byte++) {
      // Of a pixel that the line's end cuts off, what is there counts.
      if (i + byte < source.size() && combined(to + i + byte, source[i + byte]) != blit_.key[byte]) differs = true;
    }
    for (u32 byte = 0; byte < size; byte++) mask_[i + byte] = differs ? kDrawn : 0;
  }
}

void CirrusBlitter::copy_lines() {
  const u32 width = blit_.width;
  const u64 end = bytes_.size();
  for (u32 line = 0; line < blit_.height; line++) {
    u32 to = blit_.target, from = blit_.source;
    if (blit_.backwards) {
      to = wrapped(to - line * blit_.target_pitch);
      from = wrapped(from - line * blit_.source_pitch);
    } else {
      to = wrapped(to + line * blit_.target_pitch);
      from = wrapped(from + line * blit_.source_pitch);
    }
    const u32 first_to = blit_.backwards ? to - (width - 1) : to;
    const u32 first_from = blit_.backwards ? from - (width - 1) : from;
    // A source that is overwritten before it is read, and what wraps around (an address below 0 is a large one), goes
    // pixel by pixel.
    const u32 ahead = blit_.backwards ? first_from - first_to : first_to - first_from;
    const bool overtaken = ahead != 0 && ahead < width;
    const bool apart = first_to + u64{width} <= end && first_from + u64{width} <= end && !overtaken;
    // A backward line that ends within a pixel has its pixels elsewhere than a forward one.
    const bool cut = blit_.transparent && blit_.backwards && width % blit_.pixel_bytes != 0;
    if (!apart || cut) {
      copy_by_pixels(to, from);
      continue;
    }
    const auto source = std::span<const u8>(bytes_).subspan(first_from, width);
    // Rows that overlap the other way round are taken from a copy, because pieces of several bytes are written.
    const bool overlap = first_from + u64{width} > first_to && first_to + u64{width} > first_from && ahead != 0;
    if (overlap) std::copy(source.begin(), source.end(), row_.begin());
    const auto safe = overlap ? std::span<const u8>(row_).first(width) : source;
    if (blit_.transparent) mask_by_key(first_to, safe);
    draw(first_to, safe, blit_.transparent ? mask_.data() : nullptr);
  }
}

// A line in the engine's own order, each pixel read when its turn comes.
void CirrusBlitter::copy_by_pixels(u32 to, u32 from) {
  const u32 size = blit_.transparent ? blit_.pixel_bytes : 1;
  for (u32 i = 0; i < blit_.width; i += size) {
    const u32 count = std::min(size, blit_.width - i);
    const auto at = [&](u32 start, u32 byte) {
      return wrapped(blit_.backwards ? start - i - (count - 1) + byte : start + i + byte);
    };
    std::array<u8, 4> result{};
    bool differs = !blit_.transparent;
    // Of a pixel that the line's end cuts off, what is there counts; of a backward line that is its upper part.
    const u32 first = blit_.backwards ? size - count : 0;
    for (u32 byte = 0; byte < count; byte++) {
      result[byte] = combined(at(to, byte), bytes_[at(from, byte)]);
      if (blit_.transparent && result[byte] != blit_.key[first + byte]) differs = true;
    }
    for (u32 byte = 0; differs && byte < count; byte++) {
      bytes_[at(to, byte)] = result[byte];
      note(at(to, byte), 1);
    }
  }
}

void CirrusBlitter::fetch(u32 from, std::span<u8> into) const {
  while (!into.empty()) {
    from = wrapped(from);
    const u64 count = std::min<u64>(into.size(), bytes_.size() - from);
    std::copy_n(bytes_.begin() + from, count, into.begin());
    into = into.subspan(count);
    from += static_cast<u32>(count);
  }
}

void CirrusBlitter::note(u32 first, u32 size) {
  if (store_ == nullptr) return;
  const BackingOffset at = first_ + first;
  if (size > 1 || store_->watched(at)) store_->note_write(at, size);
}

}  // namespace relic86
