// An AVI file of pictures (ZMBV) and sound (16 bits, two channels), as it grows.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace relic86 {

struct AviSettings {
  unsigned width = 0, height = 0;
  double pixel_aspect = 1;     // width / height of a pixel
  u32 frames_per_second = 60;  // pictures
  u32 sound_rate = 0;          // frames of sound a second; 0: there is none
};

class AviFile {
 public:
  // Replaces the file. Errors say the cause alone.
  static Result<std::unique_ptr<AviFile>> create(const std::string& path, const AviSettings& settings);
  ~AviFile();  // writes the index, without which players cannot go to a place
  AviFile(const AviFile&) = delete;
  AviFile& operator=(const AviFile&) = delete;

  // Nothing stands for the picture before, once more.
  void picture(std::span<const u8> encoded, bool key);
  void sound(std::span<const i16> samples);  // left and right by turns
  u64 size() const { return written_; }
  u32 pictures() const { return pictures_; }
  u64 sound_frames() const { return sound_bytes_ / 4; }
  const std::string& trouble() const { return trouble_; }  // empty: all has been written

 private:
  AviFile(int file, const AviSettings& settings) : file_(file), settings_(settings) {}
  void chunk(const char* id, std::span<const u8> bytes, u32 flags);
  void put(std::span<const u8> bytes);
  std::vector<u8> header() const;

  int file_;
  AviSettings settings_;
  u64 written_ = 0, header_bytes_ = 0;
  u32 pictures_ = 0;
  u64 sound_bytes_ = 0;
  std::vector<u8> index_;
  std::string trouble_;
};

}  // namespace relic86
