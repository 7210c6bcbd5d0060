#include "control/gdb/gdb_packets.h"

#include <fmt/format.h>

namespace relic86 {

namespace {

constexpr u8 kInterrupt = 3;
constexpr char kEscape = '}', kEscapeMask = 0x20;

u8 checksum(std::string_view raw) {
  u8 sum = 0;
  for (const char c : raw) sum = static_cast<u8>(sum + static_cast<u8>(c));
  return sum;
}

std::string unescaped(std::string_view raw) {
  std::string data;
  for (std::size_t i = 0; i < raw.size(); i++) {
    if (raw[i] == kEscape && i + 1 < raw.size()) {
      data += static_cast<char>(raw[++i] ^ kEscapeMask);
    } else {
      data += raw[i];
    }
  }
  return data;
}

}  // namespace

void GdbPackets::reset() {
  state_ = State::Idle;
  raw_.clear();
  last_sent_.clear();
  acknowledges_ = true;
}

void GdbPackets::receive(u8 byte) {
  const char c = static_cast<char>(byte);
  switch (state_) {
    case State::Idle:
      if (byte == kInterrupt) handler_.interrupt();
      if (c == '-' && acknowledges_ && !last_sent_.empty()) handler_.send(last_sent_);
      if (c != '$') return;
      raw_.clear();
      too_long_ = false;
      state_ = State::Data;
      return;
    case State::Data:
      if (c == '#') {
        state_ = State::Checksum1;
      } else if (c == '$') {  // the end of the last one was lost
        raw_.clear();
        too_long_ = false;
      } else if (raw_.size() >= 2 * kLongest) {
        too_long_ = true;
      } else {
        raw_ += c;
      }
      return;
    case State::Checksum1:
      first_digit_ = byte;
      state_ = State::Checksum2;
      return;
    case State::Checksum2: finish(byte); return;
  }
}

void GdbPackets::finish(u8 checksum_digit) {
  state_ = State::Idle;
  const auto high = hex_digit(static_cast<char>(first_digit_)), low = hex_digit(static_cast<char>(checksum_digit));
  const bool good = !too_long_ && (!acknowledges_ || (high && low && (*high << 4 | *low) == checksum(raw_)));
  if (acknowledges_) handler_.send(good ? "+" : "-");
  if (!good) return;
  handler_.packet(unescaped(raw_));
}

void GdbPackets::send(std::string_view data) {
  std::string body;
  for (const char c : data) {
    if (c == '#' || c == '$' || c == '*' || c == kEscape) {
      body += kEscape;
      body += static_cast<char>(c ^ kEscapeMask);
    } else {
      body += c;
    }
  }
  last_sent_ = fmt::format("${}#{:02x}", body, checksum(body));
  handler_.send(last_sent_);
}

std::string to_hex(std::span<const u8> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const u8 byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string to_hex(std::string_view text) {
  return to_hex(std::span(reinterpret_cast<const u8*>(text.data()), text.size()));
}

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const auto high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
    if (!high || !low) return std::nullopt;
    bytes += static_cast<char>(*high << 4 | *low);
  }
  return bytes;
}

std::optional<u64> take_hex(std::string_view& text) {
  u64 value = 0;
  std::size_t digits = 0;
  for (; digits < text.size() && digits < 16; digits++) {
    const auto digit = hex_digit(text[digits]);
    if (!digit) break;
    value = value << 4 | *digit;
  }
  if (digits == 0) return std::nullopt;
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, char expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace relic86
