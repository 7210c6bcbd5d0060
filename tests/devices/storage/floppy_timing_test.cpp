#include "devices/storage/floppy_timing.h"

#include <gtest/gtest.h>

namespace relic86 {
namespace {

using Order = FloppyTiming::Order;
constexpr GuestTime kMillisecond = 1'000'000;
constexpr GuestTime kStep = 3 * kMillisecond;
constexpr FloppyTiming::Track kTrack = {FloppyDriveType::M1_44, 18};

// A whole disk read track by track, as BIOSes do: seconds.
double read_disk(const FloppyTiming& timing) {
  GuestTime now = 0;
  for (unsigned track = 0; track < 160; track++) {
    if (track % 2 == 0) now += timing.seek(1, kStep);
    for (unsigned sector = 0; sector < kTrack.sectors; sector++) {
      now += timing.until_sector_end(now, sector, kTrack, sector == 0 ? Order::First : Order::Next);
    }
    now += kMillisecond / 10;  // the BIOS takes the result and gives the next command
  }
  return static_cast<double>(now) / 1e9;
}

TEST(FloppyTiming, FastReadsADiskInLessThanHalfASecond) {
  const FloppyTiming fast;
  EXPECT_LT(read_disk(fast), 0.5);
}

TEST(FloppyTiming, RealReadsADiskAtATurnATrack) {
  FloppyTiming real;
  real.set_speed(FloppySpeed::Real);
  EXPECT_NEAR(read_disk(real), 160 * 0.2, 0.5);
}

TEST(FloppyTiming, SectorsPassInTurn) {
  FloppyTiming real;
  real.set_speed(FloppySpeed::Real);
  const GuestTime turn = 200 * kMillisecond, passing = 192 * kMillisecond / 18;
  EXPECT_EQ(real.until_sector_end(0, 0, kTrack, Order::First), passing);
  EXPECT_EQ(real.until_sector_end(passing, 1, kTrack, Order::Next), passing);
  EXPECT_EQ(real.until_sector_end(turn, 0, kTrack, Order::First), passing);
  EXPECT_EQ(real.until_sector_end(1, 0, kTrack, Order::First), turn - 1 + passing);  // just missed
  EXPECT_EQ(real.until_sector_end(0, 5, kTrack, Order::First), 6 * passing);
  EXPECT_EQ(real.next_sector(0, kTrack), 0u);
  EXPECT_EQ(real.next_sector(1, kTrack), 1u);
  EXPECT_EQ(real.next_sector(17 * passing + 1, kTrack), 0u);
}

TEST(FloppyTiming, DrivesTurnAtTheirSpeed) {
  FloppyTiming real;
  real.set_speed(FloppySpeed::Real);
  EXPECT_EQ(real.search_in_vain(FloppyDriveType::M1_44), 400 * kMillisecond);
  EXPECT_NEAR(static_cast<double>(real.search_in_vain(FloppyDriveType::M1_2)), 333.3e6, 0.1e6);
  EXPECT_EQ(real.seek(10, kStep) - real.seek(0, kStep), 10 * kStep);
  const FloppyTiming fast;
  EXPECT_LT(fast.seek(80, kStep), 2 * kMillisecond);
}

}  // namespace
}  // namespace relic86
