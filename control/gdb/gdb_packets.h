// The framing of gdb's remote serial protocol (GDB manual, appendix E.1): $DATA#checksum, acknowledgements, ^C.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/types.h"

namespace relic86 {

class GdbPackets {
 public:
  static constexpr std::size_t kLongest = 0x4000;  // bytes of a packet's data, both ways

  struct Handler {
    std::function<void(std::string_view bytes)> send;     // to the host
    std::function<void(const std::string& data)> packet;  // a good packet came, escapes resolved
    std::function<void()> interrupt;                      // ^C
  };
  explicit GdbPackets(Handler handler) : handler_(std::move(handler)) {}

  // One byte from gdb; anything goes.
  void receive(u8 byte);
  // Frames, escapes and sends; kept for a repetition until it is acknowledged.
  void send(std::string_view data);
  void stop_acknowledging() { acknowledges_ = false; }  // QStartNoAckMode
  // A new client.
  void reset();

 private:
  enum class State : u8 { Idle, Data, Checksum1, Checksum2 };
  void finish(u8 checksum_digit);

  Handler handler_;
  State state_ = State::Idle;
  std::string raw_;  // as it came, escaped
  bool too_long_ = false;
  u8 first_digit_ = 0;
  bool acknowledges_ = true;
  std::string last_sent_;
};

// Numbers and bytes as packets have them.
std::string to_hex(std::span<const u8> bytes);
std::string to_hex(std::string_view text);
// Nothing if the text is no even number of hexadecimal digits.
std::optional<std::string> from_hex(std::string_view text);
std::optional<unsigned> hex_digit(char c);
// Takes a hexadecimal number of up to 64 bits off the front of text; nothing: there is none.
std::optional<u64> take_hex(std::string_view& text);
// Takes one character off the front if it is the expected one.
bool take(std::string_view& text, char expected);

}  // namespace relic86
