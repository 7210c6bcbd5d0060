// Where the guest's picture goes in the window, and how large it is drawn.
#pragma once

#include "base/types.h"

namespace relic86 {

// Shape of a guest's picture; see Frame.
struct PictureShape {
  unsigned width = 0;
  unsigned height = 0;
  double pixel_aspect = 1.0;
  bool text_mode = false;

  friend bool operator==(const PictureShape&, const PictureShape&) = default;
};

// How wide a guest's pixel is shown.
enum class Aspect : u8 {
  Monitor,  // as on the monitors of its mode
  Square,
  Fill,  // whatever fills the window
};

struct Extent {
  int width = 0;
  int height = 0;
};

struct Placement {
  int x = 0, y = 0, width = 0, height = 0;  // in the window, in its pixels
  // First every guest pixel is repeated this often, sharply; the result is then brought to width x height smoothly. If
  // it has that size already, nothing is smoothed.
  unsigned repeat_x = 1, repeat_y = 1;
};

// Text is drawn with whole multiples of its pixels, near the shape it had on the original monitor, unless that would
// waste most of the area: letters stay crisp. Graphics fill as much of the area as their true shape allows. Both are
// centred.
Placement place_picture(const PictureShape& shape, Extent area);

// Where a point of the window (in its pixels) is in the picture, from 0, the left or upper edge, to most. Points beside
// the picture are taken to its edge.
struct PicturePoint {
  unsigned x = 0, y = 0;
};
PicturePoint point_in_picture(const Placement& place, double x, double y, unsigned most);

// The size of a window in which a pixel of the picture is so many of the window's on its narrower side.
Extent scaled_size(const PictureShape& shape, unsigned times);

// The size of a window that suits the picture on a desktop with this much room.
Extent natural_size(const PictureShape& shape, Extent room);

}  // namespace relic86
