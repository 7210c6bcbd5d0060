#include "devices/storage/floppy_timing.h"

#include <algorithm>

namespace relic86 {

namespace {
constexpr GuestTime kMicrosecond = 1'000, kMillisecond = 1'000'000;
constexpr GuestTime kGap = 25;  // one part in so many of a track is the gap between the last sector and the index hole
constexpr GuestTime kSeekOverhead = 100 * kMicrosecond;
constexpr GuestTime kFastStep = 10 * kMicrosecond;
constexpr GuestTime kFastFirstSector = 500 * kMicrosecond;
constexpr GuestTime kFastNextSector = 25 * kMicrosecond;
constexpr GuestTime kFastSearch = 20 * kMillisecond;
}  // namespace

GuestTime FloppyTiming::turn(FloppyDriveType drive) {
  return drive == FloppyDriveType::M1_2 ? 166'667 * kMicrosecond : 200 * kMillisecond;
}

GuestTime FloppyTiming::passing_time(Track track) { return turn(track.drive) / kGap * (kGap - 1) / track.sectors; }

GuestTime FloppyTiming::seek(unsigned pulses, GuestTime step) const {
  return kSeekOverhead + pulses * (speed_ == FloppySpeed::Real ? step : std::min(step, kFastStep));
}

GuestTime FloppyTiming::until_sector_end(GuestTime now, unsigned sector, Track track, Order order) const {
  if (speed_ == FloppySpeed::Fast) return order == Order::First ? kFastFirstSector : kFastNextSector;
  // A sector is read whole, so its begin must still come.
  const GuestTime whole = turn(track.drive), passing = passing_time(track);
  const GuestTime begin = sector % track.sectors * passing;
  return (begin - now % whole + whole) % whole + passing;
}

GuestTime FloppyTiming::search_in_vain(FloppyDriveType drive) const {
  return speed_ == FloppySpeed::Fast ? kFastFirstSector + kFastSearch : 2 * turn(drive);
}

unsigned FloppyTiming::next_sector(GuestTime now, Track track) const {
  if (speed_ == FloppySpeed::Fast) return static_cast<unsigned>(now / kFastNextSector % track.sectors);
  const GuestTime passing = passing_time(track);
  return static_cast<unsigned>((now % turn(track.drive) + passing - 1) / passing) % track.sectors;
}

}  // namespace relic86
