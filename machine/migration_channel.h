// Where a migrating machine goes to or comes from, as QEMU words it: "tcp:HOST:PORT", "unix:PATH", "exec:COMMAND",
// "fd:NUMBER", "file:PATH".
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "base/result.h"

namespace relic86 {

class MigrationChannel {
 public:
  MigrationChannel() = default;
  MigrationChannel(int fd, pid_t child) : fd_(fd), child_(child) {}
  MigrationChannel(MigrationChannel&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), child_(std::exchange(other.child_, 0)) {}
  MigrationChannel& operator=(MigrationChannel&& other) noexcept;
  // Does not wait for a command that is still at work.
  ~MigrationChannel();

  explicit operator bool() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  // Nothing more is sent or received. A command of exec: gets the end of its input, and may take its time.
  void close();
  // Whether nothing is waited for any more; an error if the command failed. After close().
  Result<bool> closed();
  // The machine does not go there after all: the command is ended.
  void abandon();

 private:
  int fd_ = -1;
  pid_t child_ = 0;  // of exec:
};

// What "fd:NAME" means; -1: there is no such name, and it may be a number.
using NamedDescriptor = std::function<int(const std::string& name)>;

// A socket may still be on its way to the other side when this returns (net::begin_connecting).
Result<MigrationChannel> open_outgoing(const std::string& uri, const NamedDescriptor& named);
// listens: the channel is a socket to which the other side connects first.
Result<MigrationChannel> open_incoming(const std::string& uri, const NamedDescriptor& named, bool& listens);
// Whether the words name a place at all.
Result<> check_migration_uri(const std::string& uri);

}  // namespace relic86
