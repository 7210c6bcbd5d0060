// Frames (MultimediaWiki, "DosBox Capture Codec"; FFmpeg's decoder agrees with it):
//
//   byte 0      bit 0: a key frame
//   key frames  version 0.1, compression 1 (zlib), format 8 (32 bits a pixel), width and height of a block; then,
//               compressed, the pixels
//   others      compressed: two bytes a block, the vector of its motion and in bit 0 of the first whether it changed,
//               filled up to a multiple of four bytes; then the pixels of changed blocks, XOR with the old ones
//
// The compressed stream begins anew with each key frame and is flushed after each frame. Nothing is looked for that has
// moved: every vector is 0.
#include "display/zmbv_encoder.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace relic86 {

namespace {
constexpr unsigned kBlock = 16;
constexpr u8 kKeyFrame = 1, kChanged = 1;
constexpr u8 kHeader[] = {0, 1, 1, 8, kBlock, kBlock};
constexpr int kLevel = 1;  // of zlib: a frame has a few milliseconds
}  // namespace

struct ZmbvEncoder::Stream {
  Stream() {
    const int begun = deflateInit(&z, kLevel);
    RELIC86_ASSERT(begun == Z_OK);  // else there is no memory
  }
  ~Stream() { deflateEnd(&z); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  z_stream z{};
};

ZmbvEncoder::ZmbvEncoder(unsigned width, unsigned height)
    : width_(width), height_(height), stream_(std::make_unique<Stream>()) {}
ZmbvEncoder::~ZmbvEncoder() = default;

bool ZmbvEncoder::same(std::span<const u32> pixels) const {
  return std::equal(pixels.begin(), pixels.end(), last_.begin(), last_.end());
}

std::span<const u8> ZmbvEncoder::encode(std::span<const u32> pixels, bool key) {
  RELIC86_ASSERT(pixels.size() == std::size_t{width_} * height_);
  out_.clear();
  if (key || last_.empty()) {
    deflateReset(&stream_->z);
    out_.push_back(kKeyFrame);
    out_.insert(out_.end(), std::begin(kHeader), std::end(kHeader));
    compress({reinterpret_cast<const u8*>(pixels.data()), pixels.size_bytes()});
  } else {
    out_.push_back(0);
    encode_changes(pixels);
    compress(changes_);
  }
  last_.assign(pixels.begin(), pixels.end());
  return out_;
}

void ZmbvEncoder::encode_changes(std::span<const u32> pixels) {
  const unsigned across = (width_ + kBlock - 1) / kBlock, down = (height_ + kBlock - 1) / kBlock;
  changes_.assign((std::size_t{across} * down * 2 + 3) / 4 * 4, 0);
  for (unsigned block = 0; block < across * down; block++) {
    const unsigned x = block % across * kBlock, y = block / across * kBlock;
    const unsigned columns = std::min(kBlock, width_ - x), rows = std::min(kBlock, height_ - y);
    const auto row_at = [&](unsigned row) { return std::size_t{y + row} * width_ + x; };
    bool changed = false;
    for (unsigned row = 0; row < rows && !changed; row++)
      changed = std::memcmp(&pixels[row_at(row)], &last_[row_at(row)], columns * sizeof(u32)) != 0;
    if (!changed) continue;
    changes_[block * 2] = kChanged;
    for (unsigned row = 0; row < rows; row++) {
      for (unsigned column = 0; column < columns; column++) {
        const u32 difference = pixels[row_at(row) + column] ^ last_[row_at(row) + column];
        for (unsigned shift = 0; shift < 32; shift += 8) changes_.push_back(static_cast<u8>(difference >> shift));
      }
    }
  }
}

void ZmbvEncoder::compress(std::span<const u8> bytes) {
  z_stream& z = stream_->z;
  z.next_in = const_cast<Bytef*>(bytes.data());  // zlib does not write there
  z.avail_in = static_cast<uInt>(bytes.size());
  std::size_t made = out_.size();
  do {
    constexpr std::size_t kRoom = 65536;
    out_.resize(made + kRoom);
    z.next_out = &out_[made];
    z.avail_out = kRoom;
    deflate(&z, Z_SYNC_FLUSH);
    made += kRoom - z.avail_out;
  } while (z.avail_out == 0);
  out_.resize(made);
}

}  // namespace relic86
