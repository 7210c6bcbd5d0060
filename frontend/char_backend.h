// The host side of character devices: what -serial, -parallel, -debugcon and -monitor name.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "devices/host_sinks.h"
#include "frontend/host_poller.h"

namespace relic86 {

class CharBackend : public CharSink {
 public:
  virtual ~CharBackend() = default;
  // Whom the host's bytes go to; null: they wait.
  void connect(CharSource* receiver) { receiver_ = receiver; }
  // A server: called whenever a client has come. False: not a server, or its first client is there already.
  virtual bool on_client(std::function<void()>) { return false; }
  // Called when the client, or whoever wrote to us, has gone.
  void on_end_of_input(std::function<void()> listener) { end_listener_ = std::move(listener); }
  // Many bytes at once.
  virtual void write(std::string_view bytes) {
    for (const char byte : bytes) put(static_cast<u8>(byte));
  }
  // Hands over held bytes that the receiver can take by now. Called between slices.
  virtual void pump() {}

 protected:
  CharSource* receiver_ = nullptr;
  std::function<void()> end_listener_;
};

// spec: stdio, file:PATH, null, none, pty, tcp:[HOST]:PORT[,server[=on]][,nowait|wait=off],
// unix:PATH[,server][,nowait]. option: for messages. A server waits for its client unless nowait is given, as in QEMU.
Result<std::unique_ptr<CharBackend>> open_char_backend(const std::string& option, const std::string& spec,
                                                       HostPoller& poller);

// Puts the terminal on stdin into raw mode (no echo, no line editing) while it lives; nothing if stdin is no terminal.
class RawTerminal {
 public:
  explicit RawTerminal(bool keep_signals);
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  struct Saved;
  std::unique_ptr<Saved> saved_;
};

// mon:stdio: one stream shared by a serial port and the monitor. Ctrl-A c switches, Ctrl-A x asks to quit, Ctrl-A a
// sends Ctrl-A.
class MuxBackend final : public CharSource {
 public:
  MuxBackend(CharBackend& stream, std::function<void()> quit);
  CharBackend& port(unsigned index) { return *ports_[index]; }  // 0: serial, 1: monitor

  bool can_receive() const override;
  void receive(u8 byte) override;

 private:
  class Port;
  CharBackend& stream_;
  std::function<void()> quit_;
  std::array<std::unique_ptr<CharBackend>, 2> ports_;
  unsigned focus_ = 0;
  bool escape_ = false;
};

}  // namespace relic86
