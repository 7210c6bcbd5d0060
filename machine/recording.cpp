#include "machine/recording.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <tuple>

namespace relic86 {

namespace {

constexpr std::string_view kFirstLine = "relic86 recording 1";

// --- Writing ---

std::string coded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > ' ' && byte < 0x7F && c != '%')
      out += c;
    else
      out += fmt::format("%{:02x}", byte);
  }
  return out.empty() ? "%" : out;  // a word is never empty
}

std::string hexadecimal(const std::vector<u8>& bytes) { return fmt::format("{:02x}", fmt::join(bytes, "")); }

std::string coordinate(const std::optional<unsigned>& place) { return place ? fmt::format("{}", *place) : "-"; }

std::string text_of(const GuestMoment& moment) {
  return fmt::format("{} {} {}", moment.instructions, moment.time, moment.looks);
}

struct Describe {
  std::string operator()(const input::Key& key) const {
    return fmt::format("key {} {}", key_info(key.code).name, key.down ? "down" : "up");
  }
  std::string operator()(const input::AllKeysUp&) const { return "keys-up"; }
  std::string operator()(const input::Move& move) const {
    return fmt::format("move {} {} {}", move.dx, move.dy, move.dz);
  }
  std::string operator()(const input::Place& place) const {
    return fmt::format("place {} {}", coordinate(place.x), coordinate(place.y));
  }
  std::string operator()(const input::Buttons& buttons) const { return fmt::format("buttons {}", buttons.mask); }
  std::string operator()(const input::Joystick& joystick) const {
    const JoystickPosition& position = joystick.position;
    return fmt::format("joystick {} {} {} {} {}", joystick.stick, position.plugged ? "in" : "out", position.x,
                       position.y, position.buttons);
  }
  std::string operator()(const input::Byte& byte) const { return fmt::format("byte {} {}", byte.line, byte.byte); }
  std::string operator()(const input::Frame& frame) const {
    return fmt::format("frame {} {}", frame.card, hexadecimal(frame.bytes));
  }
  std::string operator()(const input::Link& link) const {
    return fmt::format("link {} {}", coded(link.name), link.up ? "up" : "down");
  }
  std::string operator()(const input::Reset&) const { return "reset"; }
  std::string operator()(const input::PowerButton&) const { return "power-button"; }
  std::string operator()(const input::Wake&) const { return "wake"; }
  std::string operator()(const input::Nmi&) const { return "nmi"; }
  std::string operator()(const input::Medium& medium) const {
    const MediumChange& change = medium.change;
    return fmt::format("medium {} {} {} {} {} {}", coded(medium.drive), coded(change.file), coded(change.format),
                       coded(change.node), change.read_only ? "read-only" : "writable", change.force ? "force" : "ask");
  }
  std::string operator()(const input::Tray& tray) const {
    return fmt::format("tray {} {} {}", coded(tray.drive), tray.open ? "open" : "close", tray.force ? "force" : "ask");
  }
};

// --- Reading ---

// The words of a line, one after the other. What is missing or malformed makes ok() false and reads as nothing.
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line) {}

  std::string_view word() {
    if (rest_.empty()) ok_ = false;
    const auto space = rest_.find(' ');
    const std::string_view word = rest_.substr(0, space);
    rest_ = space == std::string_view::npos ? std::string_view() : rest_.substr(space + 1);
    return word;
  }
  template <class T>
  T number(int base = 10) {
    return number_in<T>(word(), base);
  }
  std::optional<unsigned> coordinate() {
    const std::string_view text = word();
    return text == "-" ? std::nullopt : std::optional(number_in<unsigned>(text, 10));
  }
  bool either(std::string_view yes, std::string_view no) {
    const std::string_view text = word();
    ok_ = ok_ && (text == yes || text == no);
    return text == yes;
  }
  std::string text() {
    const std::string_view coded = word();
    if (coded == "%") return {};
    std::string out;
    for (std::size_t at = 0; at < coded.size(); at++) {
      if (coded[at] != '%') {
        out += coded[at];
        continue;
      }
      out += static_cast<char>(number_in<u8>(coded.substr(at + 1, 2), 16));
      at += 2;
    }
    return out;
  }
  std::vector<u8> bytes() {
    const std::string_view coded = word();
    std::vector<u8> out;
    out.reserve(coded.size() / 2);
    for (std::size_t at = 0; at < coded.size(); at += 2) out.push_back(number_in<u8>(coded.substr(at, 2), 16));
    ok_ = ok_ && coded.size() % 2 == 0;
    return out;
  }
  GuestMoment moment() { return {number<u64>(), number<GuestTime>(), number<u64>()}; }
  bool done() const { return ok_ && rest_.empty(); }

 private:
  template <class T>
  T number_in(std::string_view text, int base) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    ok_ = ok_ && error == std::errc() && end == text.data() + text.size();
    return value;
  }

  std::string_view rest_;
  bool ok_ = true;
};

std::optional<GuestInput> input_in(Words& words) {
  const std::string_view kind = words.word();
  // Braces keep the words in their order.
  if (kind == "key") {
    const auto code = key_from_name(words.word());
    if (!code) return std::nullopt;
    return input::Key{*code, words.either("down", "up")};
  }
  if (kind == "keys-up") return input::AllKeysUp{};
  if (kind == "move") return input::Move{words.number<int>(), words.number<int>(), words.number<int>()};
  if (kind == "place") return input::Place{words.coordinate(), words.coordinate()};
  if (kind == "buttons") return input::Buttons{words.number<u8>()};
  if (kind == "joystick")
    return input::Joystick{words.number<u8>(),
                           {words.either("in", "out"), words.number<i16>(), words.number<i16>(), words.number<u8>()}};
  if (kind == "byte") return input::Byte{words.number<u32>(), words.number<u8>()};
  if (kind == "frame") return input::Frame{words.number<u32>(), 0, words.bytes()};
  if (kind == "link") return input::Link{words.text(), words.either("up", "down")};
  if (kind == "reset") return input::Reset{};
  if (kind == "power-button") return input::PowerButton{};
  if (kind == "wake") return input::Wake{};
  if (kind == "nmi") return input::Nmi{};
  if (kind == "medium") {
    input::Medium medium{words.text(), {}};
    medium.change = {.file = words.text(), .format = words.text(), .node = words.text()};
    medium.change.read_only = words.either("read-only", "writable");
    medium.change.force = words.either("force", "ask");
    return medium;
  }
  if (kind == "tray") return input::Tray{words.text(), words.either("open", "close"), words.either("force", "ask")};
  return std::nullopt;
}

bool comes_before(const GuestMoment& moment, const GuestMoment& other) {
  return std::tie(moment.instructions, moment.time) < std::tie(other.instructions, other.time);
}

}  // namespace

std::string recording_head(u64 machine) { return fmt::format("{}\nmachine {:016x}\n", kFirstLine, machine); }
std::string recording_line(const RecordedInput& entry) {
  return fmt::format("@ {} {:08x} {}\n", text_of(entry.moment), entry.registers, std::visit(Describe{}, entry.input));
}
std::string recording_line(const input::Frame& answer) {
  return fmt::format("> {} {} {}\n", answer.answers, answer.card, hexadecimal(answer.bytes));
}
std::string recording_line(const RecordedEnd& end) {
  return fmt::format("end {} {:016x}\n", text_of(end.moment), end.hash);
}

Result<Recording> Recording::parse(std::string_view text) {
  Recording recording;
  for (u64 number = 1; !text.empty(); number++) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) break;
    Words words(text.substr(0, end));
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    const auto refuse = [&](std::string_view what) { return Error{fmt::format("line {}: {}", number, what)}; };
    if (number == 1) {
      if (line != kFirstLine) return refuse(fmt::format("'{}' is expected; this is no recording", kFirstLine));
      continue;
    }
    if (recording.end) return refuse("nothing comes after the end");
    const std::string_view sign = words.word();
    if (number == 2) {
      if (sign != "machine") return refuse("'machine HASH' is expected");
      recording.machine = words.number<u64>(16);
    } else if (sign == "@") {
      RecordedInput entry;
      entry.moment = words.moment();
      entry.registers = words.number<u32>(16);
      auto input = input_in(words);
      if (!input) return refuse("there is no such input");
      entry.input = std::move(*input);
      if (!recording.inputs.empty() && comes_before(entry.moment, recording.inputs.back().moment))
        return refuse("an input comes before the one that stands above it");
      recording.inputs.push_back(std::move(entry));
    } else if (sign == ">") {
      input::Frame answer;
      answer.answers = words.number<u64>();
      answer.card = words.number<u32>();
      answer.bytes = words.bytes();
      if (answer.answers == 0) return refuse("frames are numbered from 1 on");
      if (!recording.answers.empty() && answer.answers < recording.answers.back().answers)
        return refuse("an answer comes before the one that stands above it");
      recording.answers.push_back(std::move(answer));
    } else if (sign == "end") {
      RecordedEnd last;
      last.moment = words.moment();
      last.hash = words.number<u64>(16);
      recording.end = last;
    } else {
      return refuse(fmt::format("'{}' is no line of a recording", sign));
    }
    if (!words.done()) return refuse("a number or a word is missing, malformed, or too much");
  }
  return recording;
}

Result<Recording> Recording::load(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{std::strerror(errno)};
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) return Error{std::strerror(errno)};
  if (text.find('\n') == std::string::npos) return Error{"line 1: the file is empty or cut off"};
  return parse(text);
}

Result<RecordingFile> RecordingFile::create(const std::string& path) {
  std::FILE* const file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return Error{std::strerror(errno)};
  return RecordingFile(file);
}

Result<> RecordingFile::append(std::string_view lines) {
  const bool whole = std::fwrite(lines.data(), 1, lines.size(), file_.get()) == lines.size();
  if (!whole || std::fflush(file_.get()) != 0) return Error{std::strerror(errno)};
  return {};
}

}  // namespace relic86
