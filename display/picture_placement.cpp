#include "display/picture_placement.h"

#include <algorithm>
#include <cmath>

namespace relic86 {

namespace {

// Square pixels distort an 80-column screen 1.35 times: users know that look. More looks wrong.
constexpr double kMostDistortion = 1.4;
// Whole multiples that leave more than this of the area unused are no good use of it.
constexpr double kLeastShare = 0.6;
// Of the desktop, for a window: the rest is left to other windows.
constexpr double kDesktopShare = 0.7;

struct Multiples {
  unsigned x = 0, y = 0;  // 0: none will do
};

// Of all whole multiples that fit, the one that is large without being far from the true shape.
Multiples best_multiples(const PictureShape& shape, Extent area) {
  Multiples best;
  double best_score = 0;
  for (unsigned x = 1; x * shape.width <= static_cast<unsigned>(area.width); x++) {
    for (unsigned y = 1; y * shape.height <= static_cast<unsigned>(area.height); y++) {
      const double ratio = x / (y * shape.pixel_aspect);
      const double distortion = std::max(ratio, 1 / ratio);
      if (distortion > kMostDistortion) continue;
      const double score = x * y / (distortion * distortion);
      if (score > best_score) best = {x, y}, best_score = score;
    }
  }
  return best;
}

// The largest size of the true shape.
Extent true_size(const PictureShape& shape, Extent area) {
  const double ratio = shape.width * shape.pixel_aspect / shape.height;
  const double width = std::min<double>(area.width, area.height * ratio);
  return {std::max(1, static_cast<int>(std::lround(width))), std::max(1, static_cast<int>(std::lround(width / ratio)))};
}

unsigned repeats(int size, unsigned pixels) {
  const unsigned whole = (static_cast<unsigned>(size) + pixels - 1) / pixels;
  return std::max(1u, whole);
}

}  // namespace

Placement place_picture(const PictureShape& shape, Extent area) {
  if (shape.width == 0 || shape.height == 0 || area.width <= 0 || area.height <= 0) return {};
  Placement place;
  const Extent size = true_size(shape, area);
  const Multiples multiples = shape.text_mode ? best_multiples(shape, area) : Multiples{};
  const double whole = static_cast<double>(multiples.x * shape.width) * (multiples.y * shape.height);
  if (multiples.x > 0 && whole >= kLeastShare * size.width * size.height) {
    place.repeat_x = multiples.x;
    place.repeat_y = multiples.y;
    place.width = static_cast<int>(multiples.x * shape.width);
    place.height = static_cast<int>(multiples.y * shape.height);
  } else {
    place.width = std::min(size.width, area.width);
    place.height = std::min(size.height, area.height);
    place.repeat_x = repeats(place.width, shape.width);
    place.repeat_y = repeats(place.height, shape.height);
  }
  place.x = (area.width - place.width) / 2;
  place.y = (area.height - place.height) / 2;
  return place;
}

Extent scaled_size(const PictureShape& shape, unsigned times) {
  // Text keeps whole pixels in both directions, as natural_size() has it.
  const double wide = shape.text_mode ? 1 : std::max(1.0, shape.pixel_aspect);
  const double high = shape.text_mode ? 1 : std::max(1.0, 1 / shape.pixel_aspect);
  return {static_cast<int>(std::lround(shape.width * wide * times)),
          static_cast<int>(std::lround(shape.height * high * times))};
}

Extent natural_size(const PictureShape& shape, Extent room) {
  const Extent share{static_cast<int>(room.width * kDesktopShare), static_cast<int>(room.height * kDesktopShare)};
  if (shape.width == 0 || shape.height == 0) return share;
  // Text is shown at least once, however small the desktop.
  const Extent text_share{std::max(share.width, static_cast<int>(shape.width)),
                          std::max(share.height, static_cast<int>(shape.height))};
  if (const Multiples times = best_multiples(shape, text_share); shape.text_mode && times.x > 0)
    return {static_cast<int>(times.x * shape.width), static_cast<int>(times.y * shape.height)};
  // Pixels are never squeezed: the wider side of a guest pixel is a whole number of the window's.
  const double once_x = shape.width * std::max(1.0, shape.pixel_aspect);
  const double once_y = shape.height * std::max(1.0, 1 / shape.pixel_aspect);
  const double times = std::max(1.0, std::floor(std::min(share.width / once_x, share.height / once_y)));
  return {static_cast<int>(std::lround(once_x * times)), static_cast<int>(std::lround(once_y * times))};
}

PicturePoint point_in_picture(const Placement& place, double x, double y, unsigned most) {
  const auto along = [most](double offset, int size) {
    if (size <= 1) return 0u;
    const double part = std::clamp(offset / (size - 1), 0.0, 1.0);
    return static_cast<unsigned>(std::lround(part * most));
  };
  return {along(x - place.x, place.width), along(y - place.y, place.height)};
}

}  // namespace relic86
