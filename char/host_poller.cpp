#include "char/host_poller.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

namespace relic86 {

namespace {
int new_wake_up() {
  const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "no descriptor for the host's events");
  return fd;
}
}  // namespace

HostPoller::HostPoller() : wake_fd_(new_wake_up()) {}

HostPoller::~HostPoller() { close(wake_fd_); }

void HostPoller::watch(int fd, std::function<void()> on_readable, std::function<bool()> wants) {
  readers_[fd] = {std::move(on_readable), std::move(wants)};
}

void HostPoller::unwatch(int fd) { readers_.erase(fd); }

void HostPoller::watch_output(int fd, std::function<void()> on_writable, std::function<bool()> wants) {
  writers_[fd] = {std::move(on_writable), std::move(wants)};
}

void HostPoller::unwatch_output(int fd) { writers_.erase(fd); }

std::vector<pollfd> HostPoller::watched() const {
  std::vector<pollfd> fds{{wake_fd_, POLLIN, 0}};
  const auto add = [&fds](const Watches& watches, short events) {
    for (const auto& [fd, watch] : watches) {
      if (!watch.wants || watch.wants()) fds.push_back({fd, events, 0});
    }
  };
  add(readers_, POLLIN);
  add(writers_, POLLOUT);
  return fds;
}

void HostPoller::take_wake_up(const pollfd& wake) {
  if (wake.revents == 0) return;
  u64 count = 0;
  [[maybe_unused]] const auto drained = read(wake.fd, &count, sizeof count);
}

HostPoller::Wait HostPoller::prepare(i64 timeout, Sources sources) const {
  Wait wait{watched(), 0, timeout};
  wait.own = wait.fds.size();
  if (sources == Sources::Included) {
    for (Source* source : sources_) source->prepare(wait.fds, wait.timeout);
  }
  return wait;
}

bool HostPoller::wait(Wait& wait) {
  const timespec limit{wait.timeout / 1'000'000'000, wait.timeout % 1'000'000'000};
  if (ppoll(wait.fds.data(), wait.fds.size(), wait.timeout < 0 ? nullptr : &limit, nullptr) <= 0) return false;
  take_wake_up(wait.fds[0]);
  return std::any_of(wait.fds.begin() + 1, wait.fds.begin() + static_cast<std::ptrdiff_t>(wait.own),
                     [](const pollfd& each) { return each.revents != 0; });
}

void HostPoller::poll_sources() {
  const std::vector<Source*> sources = sources_;
  for (Source* source : sources) {
    i64 timeout = 0;
    std::vector<pollfd> fds;
    source->prepare(fds, timeout);
    const timespec at_once{};
    const int count = ppoll(fds.data(), fds.size(), &at_once, nullptr);
    source->dispatch(fds, count < 0);
  }
}

void HostPoller::poll(i64 timeout) {
  std::vector<pollfd> fds = watched();
  const std::size_t own = fds.size();
  std::vector<std::size_t> ends;  // of each source's descriptors
  for (Source* source : sources_) {
    source->prepare(fds, timeout);
    ends.push_back(fds.size());
  }
  timespec limit{timeout / 1'000'000'000, timeout % 1'000'000'000};
  const int ready_count = ppoll(fds.data(), fds.size(), timeout < 0 ? nullptr : &limit, nullptr);
  const std::vector<Source*> sources = sources_;  // a callback may remove one
  for (std::size_t i = 0, begin = own; i < sources.size(); begin = ends[i++]) {
    if (std::find(sources_.begin(), sources_.end(), sources[i]) != sources_.end())
      sources[i]->dispatch(std::span(fds).subspan(begin, ends[i] - begin), ready_count < 0);
  }
  if (ready_count <= 0) return;
  take_wake_up(fds[0]);
  for (const pollfd& ready : std::span(fds).first(own)) {
    if (ready.fd == wake_fd_ || ready.revents == 0) continue;
    const Watches& watches = ready.events == POLLIN ? readers_ : writers_;
    const auto watch = watches.find(ready.fd);  // an earlier callback may have removed it
    if (watch == watches.end()) continue;
    const auto callback = watch->second.callback;  // a copy: the callback may unwatch itself
    callback();
  }
}

void HostPoller::forked() {
  close(wake_fd_);
  wake_fd_ = new_wake_up();
}

void HostPoller::wake() {
  const u64 one = 1;
  [[maybe_unused]] const auto written = write(wake_fd_, &one, sizeof one);
}

}  // namespace relic86
