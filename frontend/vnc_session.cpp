#include "frontend/vnc_session.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <system_error>

#include "devices/input/keyboard.h"
#include "devices/input/pointer.h"

namespace relic86 {

namespace {

// A client that sends more than this waits, and some time besides: a flood takes little of the machine's time.
constexpr std::size_t kMostInput = 256;
constexpr useconds_t kFloodPause = 5000;

}  // namespace

VncSession::VncSession(const Surroundings& surroundings, RemoteDisplay::Client client, const VncClientOptions& options)
    : machine_(surroundings.machine),
      feed_(surroundings.feed),
      owner_(surroundings.owner),
      serve_(surroundings.serve),
      client_(std::move(client)),
      options_(options),
      news_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      connection_(::fcntl(options.socket, F_DUPFD_CLOEXEC, 0)),
      input_(surroundings.machine) {
  state_ = machine_state();
  feed_.add(this);
}

VncSession::~VncSession() {
  leave();
  if (thread_.joinable())
    thread_.join();
  else
    ::close(options_.socket);
  feed_.remove(this);
  input_.release();
  if (news_ >= 0) ::close(news_);
  if (connection_ >= 0) ::close(connection_);
}

void VncSession::start() {
  if (news_ < 0 || connection_ < 0) return owner_.client_gone(client_.number);  // too many files are open
  // Signals are the other threads' to take.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] {
      serve_(*this, options_);
      owner_.client_gone(client_.number);
    });
  } catch (const std::system_error&) {
    owner_.client_gone(client_.number);  // the host has no thread for it
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void VncSession::leave() {
  leaving_ = true;
  if (connection_ >= 0) ::shutdown(connection_, SHUT_RDWR);
  tell();
  std::lock_guard lock(mutex_);
  taken_.notify_all();
}

void VncSession::tell() {
  if (news_ >= 0) ::eventfd_write(news_, 1);
}

void VncSession::take_news() {
  eventfd_t count = 0;
  ::eventfd_read(news_, &count);
}

VncState VncSession::machine_state() {
  return {.absolute_pointer = machine_.board().pointer().absolute(), .lights = machine_.board().keyboard().lights()};
}

VncState VncSession::state() {
  std::lock_guard lock(mutex_);
  return state_;
}

void VncSession::refresh() {
  {
    std::lock_guard lock(mutex_);
    if (refreshing_) return;
    refreshing_ = true;
  }
  machine_.post([this] {
    {
      std::lock_guard lock(mutex_);
      refreshing_ = false;
    }
    feed_.update();
  });
}

void VncSession::screen_changed(const Frame& frame, RowRange rows) {
  frames_.publish(frame, rows);
  tell();
}

void VncSession::frame_passed() {
  const VncState now = machine_state();
  {
    std::lock_guard lock(mutex_);
    if (now.absolute_pointer == state_.absolute_pointer && now.lights == state_.lights) return;
    state_ = now;
  }
  tell();
}

void VncSession::set_clipboard(std::string text) {
  if (text.size() > VncInput::kMostPasted) text.resize(VncInput::kMostPasted);
  bring(std::move(text));
}

void VncSession::bring(VncInputEvent event) {
  std::unique_lock lock(mutex_);
  if (inbox_.size() >= kMostInput) {
    taken_.wait(lock, [this] { return inbox_.size() < kMostInput || leaving_; });
    lock.unlock();
    ::usleep(kFloodPause);
    lock.lock();
  }
  if (leaving_) return;
  inbox_.push_back(std::move(event));
  if (std::exchange(posted_, true)) return;
  machine_.post([this] { take_input(); });
}

void VncSession::take_input() {
  std::vector<VncInputEvent> events;
  {
    std::lock_guard lock(mutex_);
    posted_ = false;
    events.swap(inbox_);
    taken_.notify_all();
  }
  for (const VncInputEvent& event : events) input_.apply(event);
}

}  // namespace relic86
