#include "options/json_properties.h"

#include <fmt/format.h>

#include <algorithm>

namespace relic86 {

namespace {

constexpr unsigned kDeepest = 16;  // options nest two or three levels
constexpr std::string_view kBlanks = " \t\r\n";

class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : text_(text) {}

  Result<Properties> read() {
    if (value("", 0) && (skip_blanks(), at_ != text_.size())) fail("there is something after the object");
    if (!error_.empty()) return Error{fmt::format("JSON: {} (character {})", error_, at_ + 1)};
    return std::move(properties_);
  }

 private:
  bool fail(std::string_view why) {
    if (error_.empty()) error_ = why;
    return false;
  }
  void skip_blanks() {
    while (at_ < text_.size() && kBlanks.find(text_[at_]) != std::string_view::npos) at_++;
  }
  bool take(char c) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    at_++;
    return true;
  }

  bool value(const std::string& name, unsigned depth) {
    if (depth > kDeepest) return fail("too many levels");
    if (take('{')) return object(name, depth);
    if (depth == 0) return fail("an object is expected");
    if (take('[')) return list(name, depth);
    skip_blanks();
    std::string word;
    if (at_ < text_.size() && text_[at_] == '"') {
      if (!string(word)) return false;
    } else {
      const auto end = text_.find_first_of(" \t\r\n,}]", at_);
      word = text_.substr(at_, end == std::string_view::npos ? end : end - at_);
      if (word == "null") {
        // Of all values only that of a backing file differs from one that is left out.
        if (name == "backing" || name.ends_with(".backing")) properties_.emplace_back(name, "");
        return at_ += word.size(), true;
      }
      if (word == "true" || word == "false") {
        at_ += word.size();
        word = word == "true" ? "on" : "off";
      } else if (word.empty() || word.find_first_not_of("+-.0123456789eE") != std::string::npos) {
        return fail("a value is expected");
      } else {
        at_ += word.size();
      }
    }
    properties_.emplace_back(name, word);
    return true;
  }

  bool object(const std::string& name, unsigned depth) {
    if (take('}')) return true;
    do {
      std::string key;
      skip_blanks();
      if (!string(key)) return false;
      if (!take(':')) return fail("a colon is expected");
      if (!value(name.empty() ? key : name + "." + key, depth + 1)) return false;
    } while (take(','));
    return take('}') || fail("a comma or a closing brace is expected");
  }

  bool list(const std::string& name, unsigned depth) {
    if (take(']')) return true;
    for (std::size_t i = 0;; i++) {
      if (!value(fmt::format("{}.{}", name, i), depth + 1)) return false;
      if (!take(',')) break;
    }
    return take(']') || fail("a comma or a closing bracket is expected");
  }

  bool string(std::string& word) {
    if (at_ >= text_.size() || text_[at_] != '"') return fail("a name in quotes is expected");
    for (at_++; at_ < text_.size(); at_++) {
      const char c = text_[at_];
      if (c == '"') return at_++, true;
      if (c != '\\') {
        word += c;
      } else if (!escape(word)) {
        return false;
      }
    }
    return fail("a closing quote is missing");
  }

  bool escape(std::string& word) {
    constexpr std::string_view kLetters = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
    if (++at_ >= text_.size()) return fail("a closing quote is missing");
    if (text_[at_] == 'u') {
      const auto digits = text_.substr(at_ + 1, 4);
      const auto code = parse_number("0x" + std::string(digits));
      if (digits.size() != 4 || !code || (code.value() >= 0xD800 && code.value() < 0xE000))
        return fail("\\u takes four hexadecimal digits of a character below 10000h");
      append_utf8(word, static_cast<u32>(code.value()));
      at_ += 4;
      return true;
    }
    const auto letter = kLetters.find(text_[at_]);
    if (letter == std::string_view::npos) return fail("an unknown escape");
    word += kMeanings[letter];
    return true;
  }

  static void append_utf8(std::string& word, u32 code) {
    if (code < 0x80) {
      word += static_cast<char>(code);
    } else if (code < 0x800) {
      word += static_cast<char>(0xC0 | code >> 6);
      word += static_cast<char>(0x80 | (code & 0x3F));
    } else {
      word += static_cast<char>(0xE0 | code >> 12);
      word += static_cast<char>(0x80 | (code >> 6 & 0x3F));
      word += static_cast<char>(0x80 | (code & 0x3F));
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string error_;
  Properties properties_;
};

}  // namespace

Result<Properties> parse_json_properties(std::string_view text) { return JsonReader(text).read(); }

Result<Properties> option_properties(std::string_view option, std::string_view value, std::string_view implied) {
  if (value.starts_with('{')) {
    auto properties = parse_json_properties(value);
    if (!properties) return Error{fmt::format("{}: {}; check its quotes and braces", option, properties.message())};
    return properties;
  }
  Properties properties = parse_properties(value);
  auto& first = properties.front();
  if (value.substr(0, value.find(',')).find('=') == std::string_view::npos && !first.first.empty())
    first = {std::string(implied), first.first};
  return properties;
}

std::string property_value(const Properties& properties, std::string_view key) {
  for (const auto& [name, word] : properties) {
    if (name == key) return word;
  }
  return "";
}

}  // namespace relic86
