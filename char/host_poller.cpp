#include "char/host_poller.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/assert.h"

namespace relic86 {

HostPoller::HostPoller() : wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) { RELIC86_ASSERT(wake_fd_ >= 0); }

HostPoller::~HostPoller() { close(wake_fd_); }

void HostPoller::watch(int fd, std::function<void()> on_readable, std::function<bool()> wants) {
  watches_[fd] = {std::move(on_readable), std::move(wants)};
}

void HostPoller::unwatch(int fd) { watches_.erase(fd); }

void HostPoller::poll(i64 timeout) {
  std::vector<pollfd> fds{{wake_fd_, POLLIN, 0}};
  for (const auto& [fd, watch] : watches_) {
    if (!watch.wants || watch.wants()) fds.push_back({fd, POLLIN, 0});
  }
  timespec limit{timeout / 1'000'000'000, timeout % 1'000'000'000};
  if (ppoll(fds.data(), fds.size(), timeout < 0 ? nullptr : &limit, nullptr) <= 0) return;
  if (fds[0].revents != 0) {
    u64 count = 0;
    [[maybe_unused]] const auto drained = read(wake_fd_, &count, sizeof count);
  }
  for (const pollfd& ready : fds) {
    if (ready.fd == wake_fd_ || ready.revents == 0) continue;
    const auto watch = watches_.find(ready.fd);  // an earlier callback may have removed it
    if (watch == watches_.end()) continue;
    const auto callback = watch->second.on_readable;  // a copy: the callback may unwatch itself
    callback();
  }
}

void HostPoller::wake() {
  const u64 one = 1;
  [[maybe_unused]] const auto written = write(wake_fd_, &one, sizeof one);
}

}  // namespace relic86
