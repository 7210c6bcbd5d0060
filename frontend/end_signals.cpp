#include "frontend/end_signals.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/print.h"

namespace relic86 {

namespace {

constexpr int kPatience = 5000;  // ms until the machine's thread has heard of the first signal
constexpr int kForever = -1;
constexpr int kSignalled = 128;  // exit codes of what a signal ended, as shells give them

sigset_t end_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  return set;
}

}  // namespace

EndSignals::EndSignals(Machine& machine, std::function<void()> by_force)
    : machine_(machine), by_force_(std::move(by_force)) {
  const sigset_t set = end_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_ = signalfd(-1, &set, SFD_CLOEXEC);
  over_ = eventfd(0, EFD_CLOEXEC);
  if (signals_ >= 0 && over_ >= 0)
    thread_ = std::thread([this] { serve(); });
  else
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);  // without descriptors: the default, which is to end
}

EndSignals::~EndSignals() {
  if (thread_.joinable()) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto told = ::write(over_, &one, sizeof one);
    thread_.join();
  }
  for (const int fd : {signals_, over_}) {
    if (fd >= 0) ::close(fd);
  }
  const sigset_t set = end_signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

int EndSignals::next_signal(int timeout_ms) const {
  pollfd fds[] = {{signals_, POLLIN, 0}, {over_, POLLIN, 0}};
  while (::poll(fds, 2, timeout_ms) < 0) {
  }
  if (fds[1].revents != 0) return -1;
  if (fds[0].revents == 0) return 0;
  signalfd_siginfo info{};
  if (::read(signals_, &info, sizeof info) != sizeof info) return 0;
  return static_cast<int>(info.ssi_signo);
}

void EndSignals::serve() {
  const int first = next_signal(kForever);
  if (first <= 0) return;
  const auto heard = std::make_shared<std::atomic<bool>>(false);
  machine_.post([this, heard] {
    *heard = true;
    machine_.quit();
  });
  int second = next_signal(kPatience);
  if (second == 0 && !*heard) force(first, "the machine does not answer; ended by force");
  while (second == 0) second = next_signal(kForever);
  if (second > 0) force(second, "ended by force");
}

void EndSignals::force(int signal, const char* why) const {
  by_force_();
  pollfd stream{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&stream, 1, 0) > 0) print_text(stderr, fmt::format("relic86: signal {}: {}\n", signal, why));
  ::_exit(kSignalled + signal);
}

}  // namespace relic86
