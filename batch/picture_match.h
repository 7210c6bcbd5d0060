// Compares the guest's screen with a picture from a file.
#pragma once

#include <string>

#include "base/result.h"
#include "batch/suite.h"
#include "devices/host_sinks.h"

namespace relic86::batch {

struct PictureDifference {
  bool same = false;
  std::string why;  // when not: "12 of 64000 pixels differ (0.02 %), the first at 10,4"
};
// The expected picture has the size of the screen, or that of the region.
PictureDifference compare_picture(const Frame& screen, const Frame& expected, const WaitPicture& how);

}  // namespace relic86::batch
