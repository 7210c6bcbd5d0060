#include "block/disk_throttle.h"

namespace relic86 {

namespace {

constexpr double kSecond = 1e9;
constexpr double kAtOnce = 0.1;  // seconds' worth that may come at once without a burst

bool moves_bytes(BlockRequest::Kind kind) {
  return kind == BlockRequest::Kind::Read || kind == BlockRequest::Kind::Write;
}

}  // namespace

// The buckets that a request goes into. Flushes, discards and zeroes are writes without bytes.
template <class Act>
void DiskThrottle::each(BlockRequest::Kind kind, Act act) {
  const bool read = kind == BlockRequest::Kind::Read;
  const auto one = [&](std::size_t index, const DiskLimit& limit, bool bytes) {
    if (limit.average != 0) act(buckets_[index], limit, bytes);
  };
  if (moves_bytes(kind)) {
    one(0, limits_.bytes, true);
    if (read) one(1, limits_.read_bytes, true);
    if (!read) one(5, limits_.written_bytes, true);
  }
  one(2, limits_.requests, false);
  if (read) one(3, limits_.reads, false);
  if (!read) one(4, limits_.writes, false);
}

void DiskThrottle::leak(i64 now) {
  const double seconds = static_cast<double>(std::max<i64>(now - last_, 0)) / kSecond;
  last_ = std::max(last_, now);
  const auto run = [&](std::size_t index, const DiskLimit& limit) {
    Bucket& bucket = buckets_[index];
    bucket.level = std::max(0.0, bucket.level - static_cast<double>(limit.average) * seconds);
    bucket.burst_level = std::max(0.0, bucket.burst_level - static_cast<double>(limit.burst) * seconds);
  };
  run(0, limits_.bytes);
  run(2, limits_.requests);
  run(3, limits_.reads);
  run(4, limits_.writes);
  run(1, limits_.read_bytes);
  run(5, limits_.written_bytes);
}

i64 DiskThrottle::wait(BlockRequest::Kind kind, i64 now) {
  leak(now);
  double longest = 0;
  each(kind, [&](Bucket& bucket, const DiskLimit& limit, bool) {
    const auto average = static_cast<double>(limit.average), burst = static_cast<double>(limit.burst);
    const double room = burst > 0 ? burst * static_cast<double>(limit.burst_time) : average * kAtOnce;
    longest = std::max(longest, (bucket.level - room) / average);
    if (burst > 0) longest = std::max(longest, (bucket.burst_level - burst * kAtOnce) / burst);
  });
  return static_cast<i64>(std::max(longest, 0.0) * kSecond);
}

void DiskThrottle::count(BlockRequest::Kind kind, u64 length, i64 now) {
  leak(now);
  const u64 size = limits_.request_size;
  const u64 requests = size == 0 || length == 0 ? 1 : (length + size - 1) / size;
  each(kind, [&](Bucket& bucket, const DiskLimit&, bool bytes) {
    const auto amount = static_cast<double>(bytes ? length : requests);
    bucket.level += amount;
    bucket.burst_level += amount;
  });
}

}  // namespace relic86
