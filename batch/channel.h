// A pair of connected ends, in two processes, that whole messages go through; an end of another pair may go along.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace relic86::batch {

class Channel {
 public:
  Channel() = default;
  explicit Channel(int fd) : fd_(fd) {}
  Channel(Channel&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Channel& operator=(Channel&& other) noexcept;
  ~Channel() { close(); }

  static Result<std::pair<Channel, Channel>> pair();

  int fd() const { return fd_; }
  bool open() const { return fd_ >= 0; }
  void close();

  // False: nobody is at the other end any more.
  bool send(std::string_view message, const Channel* along = nullptr) const;
  // Waits for a message; nullopt: the other end is closed.
  std::optional<std::string> receive(Channel* along = nullptr) const;

 private:
  int fd_ = -1;
};

}  // namespace relic86::batch
