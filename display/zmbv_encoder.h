// The Zip Motion Blocks Video codec: pictures without loss, each as what changed since the one before, which suits
// screens of games and desktops; FFmpeg, VLC and mpv play it.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "devices/host_sinks.h"

namespace relic86 {

class ZmbvEncoder {
 public:
  ZmbvEncoder(unsigned width, unsigned height);
  ~ZmbvEncoder();
  ZmbvEncoder(const ZmbvEncoder&) = delete;
  ZmbvEncoder& operator=(const ZmbvEncoder&) = delete;

  // pixels: width * height, 00RRGGBBh. The result lasts until the next call. key: decodable without those before.
  std::span<const u8> encode(std::span<const u32> pixels, bool key);
  // Nothing has changed since the last picture.
  bool same(std::span<const u32> pixels) const;

 private:
  struct Stream;

  void encode_changes(std::span<const u32> pixels);
  void compress(std::span<const u8> bytes);

  unsigned width_, height_;
  std::unique_ptr<Stream> stream_;
  std::vector<u32> last_;
  std::vector<u8> changes_;
  std::vector<u8> out_;
};

}  // namespace relic86
