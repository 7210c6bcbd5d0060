#include "frontend/host_memory.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace relic86 {

namespace {

constexpr u64 kMostReserve = u64{64} << 20;
constexpr u64 kGuestsInReserve = 16;  // a small guest needs less
// A guest fills its memory at most this fast, about: the less there is left, the sooner the next look.
constexpr u64 kBytesPerMillisecond = u64{8} << 20;
constexpr u64 kShortest = 10, kLongest = 1000;  // milliseconds between two looks

std::optional<u64> kilobytes(std::string_view text, std::string_view key) {
  const auto at = text.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + key.size());
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  u64 value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc{} ? std::optional(value) : std::nullopt;
}

}  // namespace

std::optional<u64> available_memory(std::string_view meminfo) {
  const auto memory = kilobytes(meminfo, "MemAvailable:");
  if (!memory) return std::nullopt;
  return (*memory + kilobytes(meminfo, "SwapFree:").value_or(0)) << 10;
}

HostMemoryGuard::HostMemoryGuard(u64 guest_bytes, const std::string& meminfo)
    : reserve_(std::min(kMostReserve, guest_bytes / kGuestsInReserve)),
      file_(open(meminfo.c_str(), O_RDONLY | O_CLOEXEC)),
      stop_(eventfd(0, EFD_CLOEXEC)) {}

HostMemoryGuard::~HostMemoryGuard() {
  if (thread_.joinable()) {
    eventfd_write(stop_, 1);
    thread_.join();
  }
  for (const int file : {file_, stop_}) {
    if (file >= 0) close(file);
  }
}

void HostMemoryGuard::watch(std::function<void(u64)> exhausted) {
  exhausted_ = std::move(exhausted);
  if (file_ >= 0 && stop_ >= 0) thread_ = std::thread([this] { run(); });
}

void HostMemoryGuard::run() {
  std::array<char, 4096> text{};
  pollfd stop{stop_, POLLIN, 0};
  while (stop.revents == 0) {
    const ssize_t length = pread(file_, text.data(), text.size(), 0);
    const auto available = available_memory({text.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0))});
    if (!available) return;
    if (*available < reserve_) return exhausted_(*available);
    const u64 wait = std::clamp((*available - reserve_) / kBytesPerMillisecond, kShortest, kLongest);
    poll(&stop, 1, static_cast<int>(wait));
  }
}

}  // namespace relic86
