#include "machine/host_time.h"

#include <ctime>

namespace relic86 {

i64 host_monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * i64{1'000'000'000} + now.tv_nsec;
}

i64 host_unix_seconds() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec;
}

i64 host_unix_microseconds() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * i64{1'000'000} + now.tv_nsec / 1'000;
}

i64 host_utc_offset_seconds(i64 unix_seconds) {
  const time_t moment = unix_seconds;
  tm local{};
  localtime_r(&moment, &local);
  return local.tm_gmtoff;
}

}  // namespace relic86
