// The last pictures of a screen as an animated PNG (PNG specification, third edition, chapter 11.3.6): what viewers and
// browsers show without a program of their own. A viewer without animation shows the last picture.
#pragma once

#include <string>
#include <vector>

#include "base/guest_clock.h"
#include "base/result.h"
#include "devices/host_sinks.h"

namespace relic86 {

class ScreenFilm {
 public:
  // Of so many pictures at least half are kept, the later ones.
  explicit ScreenFilm(std::size_t pictures = 400) : part_pictures_(pictures / 2) {}

  // The screen as it is from this moment on. If it is as before, nothing is added.
  void add(const Frame& frame, GuestTime at);
  std::size_t pictures() const { return older_.size() + newer_.size(); }
  // Pictures are shown for as long as the screen was so, but for two seconds at most.
  std::vector<u8> animated_png() const;
  Result<> write(const std::string& path) const;

 private:
  // The part of a picture that differs from the one before it.
  struct Shot {
    GuestTime at = 0;
    unsigned x = 0, y = 0, width = 0, height = 0;
    bool new_size = false;         // another than that of the one before
    std::vector<u8> compressed{};  // as in an IDAT chunk
  };
  struct Part {
    std::vector<Shot> shots;
    std::size_t bytes = 0;
    std::size_t size() const { return shots.size(); }
  };
  static constexpr std::size_t kPartBytes = std::size_t{4} << 20;

  std::size_t part_pictures_;
  Part older_, newer_;  // each begins with a whole picture: the older one can go
  Frame last_;
};

}  // namespace relic86
