// The host side of character devices: what -serial, -parallel, -debugcon and -monitor name.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "char/host_poller.h"
#include "char/output_queue.h"
#include "devices/host_sinks.h"

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
  // A whole message, which is never cut. False: nothing of it was taken, because too much waits for a reader already.
  virtual bool write(std::string_view bytes) {
    for (const char byte : bytes) put(static_cast<u8>(byte));
    return true;
  }
  // Where the bytes go, as QEMU words it: "pty:/dev/pts/3", "unix:PATH,server=on". For people and programs that ask.
  const std::string& filename() const { return filename_; }
  void set_filename(std::string name) { filename_ = std::move(name); }
  // Lets go of a client that does not read; what waits for it is dropped. Nothing if the stream is no server.
  virtual void drop_client() {}
  // Hands over held bytes that the receiver can take by now. Called between slices.
  virtual void pump() {}
  // The descriptor that came beside the last bytes (SCM_RIGHTS), the caller's from now on; -1: none did.
  virtual int take_descriptor() { return -1; }
  // At the end of a run: what has been written goes to its reader before anything else is printed.
  virtual void flush() {}

 protected:
  CharSource* receiver_ = nullptr;
  std::function<void()> end_listener_;

 private:
  std::string filename_;
};

// spec: stdio, file:PATH, pipe:PATH, null, none, pty, a terminal's path below /dev, tcp:[HOST]:PORT or
// telnet:[HOST]:PORT[,server[=on]][,nowait|wait=off], unix:PATH[,server][,nowait], fd:N[,server][,nowait]. option: for
// messages. label: QEMU's name of the device, told with a pty's path on stdout. A server waits for its client unless
// nowait is given, as in QEMU.
Result<std::unique_ptr<CharBackend>> open_char_backend(const std::string& option, const std::string& spec,
                                                       const std::string& label, HostPoller& poller);

// Puts the terminal on stdin into raw mode (no echo, no line editing) while it lives; nothing if stdin is no terminal.
class RawTerminal {
 public:
  explicit RawTerminal(bool keep_signals);
  ~RawTerminal();
  void restore() const;
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  struct Saved;
  std::unique_ptr<Saved> saved_;
};

// One stream shared by serial ports and monitors (mon:stdio, -chardev mux=on). Ctrl-A c switches to the next, Ctrl-A x
// asks to quit, Ctrl-A a sends Ctrl-A, Ctrl-A h lists these.
class MuxBackend final : public CharSource {
 public:
  // escape: the control character before a command, 1 (Ctrl-A) to 26.
  MuxBackend(CharBackend& stream, u8 escape, std::function<void()> quit);
  ~MuxBackend();
  // A new user of the stream; the first one has the keyboard at the start.
  CharBackend& add_port();

  bool can_receive() const override;
  void receive(u8 byte) override;

 private:
  class Port;
  void command(u8 byte);

  CharBackend& stream_;
  u8 escape_character_;
  std::function<void()> quit_;
  std::vector<std::unique_ptr<Port>> ports_;
  std::size_t focus_ = 0;
  bool escape_ = false;
};

// A stream whose output goes to a file, too (-chardev logfile=).
class LoggedBackend final : public CharBackend, public CharSource {
 public:
  // Stream and poller must outlive it.
  static Result<std::unique_ptr<CharBackend>> open(CharBackend& stream, const std::string& file, bool append,
                                                   HostPoller& poller);
  ~LoggedBackend() override;

  void put(u8 byte) override;
  bool can_take() const override { return stream_.can_take(); }
  bool write(std::string_view bytes) override;
  void drop_client() override { stream_.drop_client(); }
  void pump() override { stream_.pump(); }
  void flush() override;
  bool on_client(std::function<void()> listener) override { return stream_.on_client(std::move(listener)); }
  bool can_receive() const override { return receiver_ == nullptr || receiver_->can_receive(); }
  void receive(u8 byte) override {
    if (receiver_ != nullptr) receiver_->receive(byte);
  }

 private:
  LoggedBackend(CharBackend& stream, int file, HostPoller& poller);
  CharBackend& stream_;
  int file_;
  OutputQueue log_;
};

}  // namespace relic86
