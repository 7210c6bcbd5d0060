#include "display/screen_film.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <span>
#include <string_view>

#include "base/output_file.h"

namespace relic86 {

namespace {

constexpr int kCompression = 3;  // of zlib: taken while the guest waits
constexpr std::size_t kBytesPerPixel = 3;
constexpr GuestTime kMillisecond = 1'000'000;
constexpr GuestTime kLongest = 2000, kLastShown = 2000;  // ms

struct Rectangle {
  unsigned x = 0, y = 0, width = 0, height = 0;
};

// The smallest one that holds all differences of two pictures of one size.
Rectangle difference(const Frame& before, const Frame& now) {
  unsigned left = now.width, right = 0, top = now.height, bottom = 0;
  for (unsigned y = 0; y < now.height; y++) {
    const auto row = [&](const Frame& frame) {
      return std::span(frame.pixels).subspan(std::size_t{y} * now.width, now.width);
    };
    const auto old_row = row(before), new_row = row(now);
    const auto first = std::mismatch(old_row.begin(), old_row.end(), new_row.begin());
    if (first.first == old_row.end()) continue;
    const auto last = std::mismatch(old_row.rbegin(), old_row.rend(), new_row.rbegin());
    left = std::min(left, static_cast<unsigned>(first.first - old_row.begin()));
    right = std::max(right, static_cast<unsigned>(old_row.rend() - last.first));
    top = std::min(top, y);
    bottom = y + 1;
  }
  if (bottom == 0) return {};
  return {left, top, right - left, bottom - top};
}

std::vector<u8> compressed(const std::vector<u8>& bytes) {
  uLongf size = compressBound(bytes.size());
  std::vector<u8> packed(size);
  // It fails for want of memory alone, or of room, of which there is enough.
  if (compress2(packed.data(), &size, bytes.data(), bytes.size(), kCompression) != Z_OK) return {};
  packed.resize(size);
  return packed;
}

// Rows of RGB, each after a byte for its filter, which is none.
std::vector<u8> image_data(const Frame& frame, const Rectangle& part) {
  std::vector<u8> rows;
  rows.reserve(part.height * (1 + part.width * kBytesPerPixel));
  for (unsigned y = part.y; y < part.y + part.height; y++) {
    rows.push_back(0);
    for (unsigned x = part.x; x < part.x + part.width; x++) {
      const u32 pixel = frame.pixels[std::size_t{y} * frame.width + x];
      for (const unsigned shift : {16u, 8u, 0u}) rows.push_back(static_cast<u8>(pixel >> shift));
    }
  }
  return compressed(rows);
}

std::vector<u8> black(unsigned width, unsigned height) {
  return compressed(std::vector<u8>(height * (1 + width * kBytesPerPixel)));
}

class PngWriter {
 public:
  PngWriter() {
    constexpr u8 kSignature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    bytes_.assign(std::begin(kSignature), std::end(kSignature));
  }

  PngWriter& begin(std::string_view type) {
    start_ = bytes_.size();
    put32(0);
    bytes_.insert(bytes_.end(), type.begin(), type.end());
    return *this;
  }
  PngWriter& put8(u8 value) {
    bytes_.push_back(value);
    return *this;
  }
  PngWriter& put16(u32 value) { return put8(static_cast<u8>(value >> 8)).put8(static_cast<u8>(value)); }
  PngWriter& put32(u32 value) { return put16(value >> 16).put16(value & 0xFFFF); }
  PngWriter& put(const std::vector<u8>& data) {
    bytes_.insert(bytes_.end(), data.begin(), data.end());
    return *this;
  }
  void end() {
    constexpr std::size_t kLengthField = 4, kTypeField = 4;
    const std::size_t length = bytes_.size() - start_ - kLengthField - kTypeField;
    for (std::size_t i = 0; i < kLengthField; i++) bytes_[start_ + i] = static_cast<u8>(length >> (24 - 8 * i));
    const u8* const summed = bytes_.data() + start_ + kLengthField;
    put32(static_cast<u32>(crc32(0, summed, static_cast<uInt>(length + kTypeField))));
  }
  std::vector<u8> take() { return std::move(bytes_); }

 private:
  std::vector<u8> bytes_;
  std::size_t start_ = 0;  // of the chunk that was begun
};

// One picture of the animation; sequence: of the chunks that belong to it.
void put_picture(PngWriter& png, u32& sequence, const Rectangle& part, GuestTime milliseconds,
                 const std::vector<u8>& data) {
  constexpr u32 kThousandths = 1000;
  constexpr u8 kLeave = 0, kReplace = 0;  // dispose_op none, blend_op source
  png.begin("fcTL").put32(sequence++).put32(part.width).put32(part.height).put32(part.x).put32(part.y);
  png.put16(static_cast<u32>(milliseconds)).put16(kThousandths).put8(kLeave).put8(kReplace).end();
  png.begin("fdAT").put32(sequence++).put(data).end();
}

}  // namespace

void ScreenFilm::add(const Frame& frame, GuestTime at) {
  if (frame.width == 0 || frame.height == 0 || frame.pixels.size() < std::size_t{frame.width} * frame.height) return;
  const bool same_size = frame.width == last_.width && frame.height == last_.height;
  const Rectangle all{0, 0, frame.width, frame.height};
  Rectangle part = same_size ? difference(last_, frame) : all;
  if (part.width == 0) return;
  if (newer_.size() >= part_pictures_ || newer_.bytes >= kPartBytes) older_ = std::exchange(newer_, {});
  if (newer_.size() == 0) part = all;
  Shot shot{at, part.x, part.y, part.width, part.height, !same_size, image_data(frame, part)};
  newer_.bytes += shot.compressed.size();
  newer_.shots.push_back(std::move(shot));
  last_ = frame;
}

std::vector<u8> ScreenFilm::animated_png() const {
  std::vector<const Shot*> shots;
  for (const Part* part : {&older_, &newer_}) {
    for (const Shot& shot : part->shots) shots.push_back(&shot);
  }
  if (shots.empty()) return {};
  // A player begins with nothing.
  const auto is_blanked = [&](const Shot& shot) { return shot.new_size && &shot != shots.front(); };
  Frame last = last_;
  unsigned width = 0, height = 0;
  u32 pictures = 0;
  for (const Shot* shot : shots) {
    width = std::max(width, shot->x + shot->width);
    height = std::max(height, shot->y + shot->height);
    pictures += is_blanked(*shot) ? 2 : 1;
  }
  // The last picture in the corner of the canvas, which the largest one fills.
  last.pixels.assign(std::size_t{width} * height, 0);
  for (unsigned y = 0; y < last_.height; y++) {
    const auto row = last_.pixels.begin() + static_cast<std::ptrdiff_t>(std::size_t{y} * last_.width);
    std::copy_n(row, last_.width, last.pixels.begin() + static_cast<std::ptrdiff_t>(std::size_t{y} * width));
  }
  last.width = width;
  last.height = height;

  PngWriter png;
  constexpr u8 kBitDepth = 8, kTrueColour = 2;
  png.begin("IHDR").put32(width).put32(height).put8(kBitDepth).put8(kTrueColour).put8(0).put8(0).put8(0).end();
  png.begin("acTL").put32(pictures).put32(0).end();  // played again and again
  png.begin("IDAT").put(image_data(last, {0, 0, width, height})).end();
  u32 sequence = 0;
  for (std::size_t i = 0; i < shots.size(); i++) {
    const Shot& shot = *shots[i];
    // What a larger picture left beside a smaller one goes.
    if (is_blanked(shot)) put_picture(png, sequence, {0, 0, width, height}, 0, black(width, height));
    const GuestTime shown = i + 1 < shots.size() ? (shots[i + 1]->at - shot.at) / kMillisecond : kLastShown;
    put_picture(png, sequence, {shot.x, shot.y, shot.width, shot.height}, std::clamp<GuestTime>(shown, 0, kLongest),
                shot.compressed);
  }
  png.begin("IEND").end();
  return png.take();
}

Result<> ScreenFilm::write(const std::string& path) const {
  const auto trouble = [&](const std::string& cause) { return Error{fmt::format("{}: {}", path, cause)}; };
  auto file = OutputFile::create(path);
  if (!file) return trouble(file.message());
  auto written = file.value().write(animated_png());
  if (written) written = file.value().commit();
  return written ? Result<>{} : trouble(written.message());
}

}  // namespace relic86
