// What goes to a descriptor of the host without ever waiting for who reads it. A byte that comes after a while without
// any is handed over at once, so that who takes the time of a line or a letter is not misled; those that follow it are
// gathered until the poller finds the descriptor writable, or flush(); what nobody reads is kept up to a bound.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "base/types.h"
#include "char/host_poller.h"

namespace relic86 {

class OutputQueue {
 public:
  // A device waits while more than this is kept. What it writes even so is dropped beyond kMostKept.
  static constexpr std::size_t kMostBeforeWaiting = 16384;
  static constexpr std::size_t kMostKept = 1 << 20;

  // on_room is called when the reader has taken something after a while of taking nothing.
  OutputQueue(HostPoller& poller, std::function<void()> on_room) : poller_(poller), on_room_(std::move(on_room)) {}
  ~OutputQueue() { close(); }
  OutputQueue(const OutputQueue&) = delete;
  OutputQueue& operator=(const OutputQueue&) = delete;

  // fd stays the caller's, who closes it after close() of this. Its file description may be shared with other programs
  // (stdout): its flags are left alone.
  void open(int fd);
  // Gives the reader a moment for what is kept, then forgets the descriptor.
  void close();
  // The same without that moment: the reader is gone, or is to go.
  void abandon();

  // False: it is full and the byte was dropped. Without a descriptor bytes go nowhere, and that is well.
  bool put(u8 byte);
  // All of it, even beyond the bound, or nothing (false) while the bound is reached: messages stay whole.
  bool write(std::string_view bytes);
  void flush();
  // As flush(), but waits a moment for a reader that is slow; one that takes nothing is not waited for long.
  void finish();
  // What is missing of the message of write() that is half out; empty: none is.
  std::string rest_of_message() const;
  std::size_t kept() const { return kept_.size() - sent_; }
  bool has_room() const { return kept() <= kMostBeforeWaiting; }

 private:
  enum class Kind : u8 { Waits, Socket, Shared };  // Waits: never blocks for long (files), or says EAGAIN
  void forget();
  i64 send_some();

  HostPoller& poller_;
  std::function<void()> on_room_;
  int watched_ = -1;  // the caller's descriptor
  int fd_ = -1;       // what is written to: the same, or a second opening of it that does not block
  Kind kind_ = Kind::Waits;
  std::string kept_;
  std::size_t sent_ = 0;  // bytes at the front of kept_ that are out
  bool quiet_ = true;     // no byte has come since the poller looked last
  struct Message {
    u64 begin, end;  // in the stream of all bytes that were taken
  };
  std::deque<Message> messages_;  // those of write() that are not out
  u64 taken_ = 0;                 // bytes since open()
};

}  // namespace relic86
