#include "char/output_queue.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace relic86 {

namespace {

constexpr std::size_t kEagerly = 4096;  // so much is handed over without waiting for the poller
constexpr int kLastMoment = 200;        // ms without progress, at the end

bool writable(int fd, int milliseconds) {
  pollfd wait{fd, POLLOUT, 0};
  return ::poll(&wait, 1, milliseconds) > 0;
}

// A pipe or terminal that blocks is opened once more, so that O_NONBLOCK is ours alone. -1: the host does not let us.
int second_opening(int fd, const struct stat& about) {
  const bool terminal = S_ISCHR(about.st_mode) && ::isatty(fd) == 1;
  if (!S_ISFIFO(about.st_mode) && !terminal) return -1;
  return ::open(fmt::format("/proc/self/fd/{}", fd).c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

}  // namespace

void OutputQueue::open(int fd) {
  forget();
  watched_ = fd_ = fd;
  kind_ = Kind::Waits;
  struct stat about {};
  if (::fstat(fd, &about) == 0) {
    if (S_ISSOCK(about.st_mode)) {
      kind_ = Kind::Socket;
    } else if (!S_ISREG(about.st_mode) && (::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0) {
      const int own = second_opening(fd, about);
      if (own >= 0)
        fd_ = own;
      else
        kind_ = Kind::Shared;
    }
  }
  const auto on_writable = [this] {
    flush();
    on_room_();
  };
  const auto wants = [this] {
    quiet_ = kept() == 0;
    return !quiet_;
  };
  poller_.watch_output(fd_, on_writable, wants);
}

void OutputQueue::finish() {
  while (kept() > 0 && fd_ >= 0) {
    flush();
    if (kept() > 0 && !writable(fd_, kLastMoment)) break;
  }
}

void OutputQueue::close() {
  finish();
  forget();
}

void OutputQueue::abandon() { forget(); }

void OutputQueue::forget() {
  if (fd_ < 0) return;
  poller_.unwatch_output(fd_);
  if (fd_ != watched_) ::close(fd_);
  fd_ = watched_ = -1;
  kept_.clear();
  messages_.clear();
  sent_ = 0;
  taken_ = 0;
}

bool OutputQueue::put(u8 byte) {
  if (fd_ < 0) return true;
  if (kept() >= kMostKept) return false;
  kept_ += static_cast<char>(byte);
  taken_++;
  if (quiet_ || kept() == kEagerly) flush();
  quiet_ = false;
  return true;
}

bool OutputQueue::write(std::string_view bytes) {
  if (fd_ < 0) return true;
  if (kept() >= kMostKept) return false;
  kept_ += bytes;
  messages_.push_back({taken_, taken_ + bytes.size()});
  taken_ += bytes.size();
  flush();
  return true;
}

std::string OutputQueue::rest_of_message() const {
  const u64 out = taken_ - kept();
  if (messages_.empty() || messages_.front().begin >= out || messages_.front().end <= out) return {};
  return kept_.substr(sent_, messages_.front().end - out);
}

void OutputQueue::flush() {
  while (kept() > 0) {
    const i64 count = send_some();
    if (count > 0) {
      sent_ += static_cast<std::size_t>(count);
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    sent_ = kept_.size();  // the reader is gone, or the host's disk is full: nobody waits for this any more
  }
  while (!messages_.empty() && messages_.front().end <= taken_ - kept()) messages_.pop_front();
  // Taken out of the front in large pieces, so that a slow reader costs no quadratic copying.
  if (sent_ == kept_.size() || sent_ >= kMostKept / 16) {
    kept_.erase(0, sent_);
    sent_ = 0;
  }
}

i64 OutputQueue::send_some() {
  const std::string_view rest = std::string_view(kept_).substr(sent_);
  switch (kind_) {
    case Kind::Socket: return ::send(fd_, rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    case Kind::Shared:
      // A pipe that polls writable takes PIPE_BUF bytes without blocking (pipe(7)).
      if (!writable(fd_, 0)) return errno = EAGAIN, -1;
      return ::write(fd_, rest.data(), std::min<std::size_t>(rest.size(), PIPE_BUF));
    default: return ::write(fd_, rest.data(), rest.size());
  }
}

}  // namespace relic86
