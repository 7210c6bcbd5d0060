// How long a floppy drive's mechanics take. Fast: no longer than drivers need to get ready for the interrupt. Real: the
// disk turns at 300 rpm (360 in a 1.2 MB drive) and the head takes the controller's step rate.
#pragma once

#include "base/types.h"
#include "devices/storage/floppy_image.h"

namespace relic86 {

enum class FloppySpeed : u8 { Fast, Real };

class FloppyTiming {
 public:
  void set_speed(FloppySpeed speed) { speed_ = speed; }

  // All times are in nanoseconds of guest time.
  // step: the time between two step pulses as the controller is programmed.
  GuestTime seek(unsigned pulses, GuestTime step) const;
  // A track of so many sectors turns under the head.
  struct Track {
    FloppyDriveType drive = FloppyDriveType::None;
    unsigned sectors = 0;  // 1 or more
  };
  enum class Order : u8 { First, Next };
  // From now until the sector (0 or more) has passed: the command's first, or one that follows within it.
  GuestTime until_sector_end(GuestTime now, unsigned sector, Track track, Order order) const;
  // What is looked for is not there: the index hole has passed twice (82077AA datasheet, 5.1.1).
  GuestTime search_in_vain(FloppyDriveType drive) const;
  // The sector (from 0) whose ID field comes next.
  unsigned next_sector(GuestTime now, Track track) const;

 private:
  static GuestTime turn(FloppyDriveType drive);
  static GuestTime passing_time(Track track);  // of one sector
  FloppySpeed speed_ = FloppySpeed::Fast;
};

}  // namespace relic86
