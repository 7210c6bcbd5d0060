#include "batch/picture_match.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace relic86::batch {

namespace {

unsigned farthest_channel(u32 a, u32 b) {
  unsigned most = 0;
  for (const unsigned shift : {0u, 8u, 16u}) {
    const int difference = static_cast<int>(a >> shift & 0xFF) - static_cast<int>(b >> shift & 0xFF);
    most = std::max(most, static_cast<unsigned>(std::abs(difference)));
  }
  return most;
}

}  // namespace

PictureDifference compare_picture(const Frame& screen, const Frame& expected, const WaitPicture& how) {
  WaitPicture::Region region = how.region;
  if (region.width == 0) region = {0, 0, screen.width, screen.height};
  if (region.x + region.width > screen.width || region.y + region.height > screen.height) {
    return {false,
            fmt::format("the screen has {}x{} pixels, which the region does not lie in", screen.width, screen.height)};
  }
  const bool whole = expected.width == screen.width && expected.height == screen.height;
  if (!whole && (expected.width != region.width || expected.height != region.height)) {
    return {false, fmt::format("the picture has {}x{} pixels, the screen {}x{}", expected.width, expected.height,
                               screen.width, screen.height)};
  }
  const unsigned left = whole ? region.x : 0, top = whole ? region.y : 0;
  u64 differing = 0;
  unsigned first_x = 0, first_y = 0;
  for (unsigned y = 0; y < region.height; y++) {
    for (unsigned x = 0; x < region.width; x++) {
      const u32 shown = screen.pixels[std::size_t{region.y + y} * screen.width + region.x + x];
      const u32 wanted = expected.pixels[std::size_t{top + y} * expected.width + left + x];
      if (farthest_channel(shown, wanted) <= how.tolerance) continue;
      if (differing++ == 0) first_x = region.x + x, first_y = region.y + y;
    }
  }
  const double pixels = static_cast<double>(region.width) * region.height;
  const double share = static_cast<double>(differing) / pixels;
  if (share <= how.differing) return {true, ""};
  return {false, fmt::format("{} of {:.0f} pixels differ ({:.2f} %), the first at {},{}", differing, pixels,
                             share * 100, first_x, first_y)};
}

}  // namespace relic86::batch
