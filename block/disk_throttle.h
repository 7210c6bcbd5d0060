// How fast a disk may be at most: leaky buckets, each of which runs empty at its limit's speed. A request may begin
// when no bucket that it goes into is too full.
#pragma once

#include <algorithm>
#include <array>
#include <string>

#include "block/block_request.h"

namespace relic86 {

// One limit; average 0: none.
struct DiskLimit {
  u64 average = 0;     // bytes or requests a second
  u64 burst = 0;       // so many a second for a while; 0: a tenth of a second's worth at once
  u64 burst_time = 1;  // seconds of that while
};

struct DiskLimits {
  DiskLimit bytes{}, read_bytes{}, written_bytes{};  // of both directions, and of one
  DiskLimit requests{}, reads{}, writes{};
  u64 request_size = 0;  // a longer request counts as several of this size; 0: as one
  bool any() const {
    return (bytes.average | read_bytes.average | written_bytes.average | requests.average | reads.average |
            writes.average) != 0;
  }
};

class DiskThrottle {
 public:
  DiskThrottle(const DiskLimits& limits, i64 now) : limits_(limits), last_(now) {}
  const DiskLimits& limits() const { return limits_; }

  // Nanoseconds until a request of this kind may begin; 0: now.
  i64 wait(BlockRequest::Kind kind, i64 now);
  // It begins.
  void count(BlockRequest::Kind kind, u64 length, i64 now);

 private:
  struct Bucket {
    double level = 0;        // what has gone in and not run out yet
    double burst_level = 0;  // the same of what goes in at the speed of a burst
  };
  void leak(i64 now);
  template <class Act>
  void each(BlockRequest::Kind kind, Act act);

  DiskLimits limits_;
  std::array<Bucket, 6> buckets_{};
  i64 last_;
};

}  // namespace relic86
