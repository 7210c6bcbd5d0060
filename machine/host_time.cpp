#include "machine/host_time.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <memory>
#ifdef __x86_64__
#include <cpuid.h>
#include <x86intrin.h>
#endif

namespace relic86 {

i64 host_monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * i64{1'000'000'000} + now.tv_nsec;
}

#ifdef __x86_64__
u64 host_ticks() { return __rdtsc(); }

bool host_ticks_are_steady() {
  constexpr unsigned kPowerManagement = 0x80000007, kInvariantTsc = 1u << 8;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(kPowerManagement, &eax, &ebx, &ecx, &edx) != 0 && (edx & kInvariantTsc) != 0;
}
#else
u64 host_ticks() { return 0; }
bool host_ticks_are_steady() { return false; }
#endif

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

pid_t host_thread() { return gettid(); }

i64 host_thread_wait_ns(pid_t thread) {
  const auto close = [](std::FILE* file) { std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> file(
      std::fopen(fmt::format("/proc/self/task/{}/schedstat", thread).c_str(), "re"), close);
  long long ran = 0, waited = 0;  // Documentation/scheduler/sched-stats.rst: time run, time waited, slices
  if (file == nullptr || std::fscanf(file.get(), "%lld %lld", &ran, &waited) != 2) return 0;
  return waited;
}

i64 host_thread_work_ns(pthread_t thread) {
  clockid_t clock{};
  timespec time{};
  if (pthread_getcpuclockid(thread, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
  return i64{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

i64 host_utc_offset_seconds(i64 unix_seconds) {
  const time_t moment = unix_seconds;
  tm local{};
  localtime_r(&moment, &local);
  return local.tm_gmtoff;
}

}  // namespace relic86
