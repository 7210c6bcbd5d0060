#include "tests/native/told_cases.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <vector>

#include "cpu/decoder.h"
#include "cpu/lazy_flags.h"
#include "tests/native/comparison.h"
#include "tests/native/groups.h"

namespace relic86::native {

namespace {

constexpr std::string_view kRegisters[] = {"EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI"};
constexpr std::string_view kSegments[] = {"ES", "CS", "SS", "DS", "FS", "GS"};
constexpr unsigned kToldWords = 16;  // of memory, at most (comparison.cpp, input_text())
constexpr u32 kResume = 0x10000;

// "expected A actual B" of one field.
struct Told {
  std::string field, expected, actual;
};

struct ToldCase {
  std::string text;
  GuestCode code;
  CaseInput input{};
  std::vector<Told> told;
  bool stray = false;
  unsigned words = 0;
};

std::optional<u64> hex(std::string_view text) {
  u64 value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (end.ec != std::errc() || end.ptr == text.data()) return std::nullopt;
  return value;
}

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

// Written from the most significant byte on.
void take_bytes(std::string_view text, u8* into, unsigned count) {
  for (unsigned i = 0; i < count && 2 * i + 2 <= text.size(); ++i)
    into[count - 1 - i] = static_cast<u8>(hex(text.substr(2 * i, 2)).value_or(0));
}

bool starts_with_eip(const std::string& line) {
  if (!line.starts_with("  ") || line.size() < 14 || line[2] == ' ') return false;
  return line.find_first_not_of("0123456789ABCDEF", 2) == 10 && line.substr(10, 2) == "  ";
}

class Reader {
 public:
  explicit Reader(const Decoder& decoder) : decoder_(decoder) {}

  // One paragraph. False: it is not understood.
  bool read(const std::string& text, ToldCase& told) {
    told.text = text;
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    told.code.code16 = text.find(" 16-bit\n") != std::string::npos;
    bool before = true;
    for (std::size_t i = 1; i < lines.size(); ++i) {
      const std::string& line = lines[i];
      if (line.find(" expected ") != std::string::npos) before = false;
      if (line.starts_with("  memory outside the window differs")) {
        told.stray = true;
      } else if (!before) {
        if (!read_difference(line, told)) return false;
      } else if (starts_with_eip(line)) {
        if (!read_instruction(line, told)) return false;
      } else {
        read_state(line, told);
      }
    }
    if (told.code.pieces.empty()) return false;
    for (unsigned slot = 0; slot < kSlotCount; ++slot) told.code.segment[slot] = told.input.segment[slot];
    told.code.units = told.input.units;
    told.code.lay_out();
    told.input.eip = told.code.start();
    return true;
  }

 private:
  bool read_instruction(const std::string& line, ToldCase& told) {
    const u32 eip = static_cast<u32>(hex(line.substr(2, 8)).value_or(0));
    Piece piece;
    constexpr std::size_t kFirstByte = 12, kBytesEnd = 48;
    for (std::size_t at = kFirstByte; at + 2 <= line.size() && line[at] != ' '; at += 3)
      piece.bytes.push_back(static_cast<u8>(hex(std::string_view(line).substr(at, 2)).value_or(0)));
    if (piece.bytes.empty() || kFirstByte + piece.bytes.size() * 3 > kBytesEnd + 12) return false;
    std::vector<u8> window = piece.bytes;
    window.resize(kMaxInstructionLength, 0x90);
    Insn insn;
    if (decoder_.decode(window, told.code.code_size(), insn)) {
      piece.row = insn.row;
      piece.insn_flags = insn.flags;
      piece.decoded = insn.row != kNoRow;
    }
    if (told.code.pieces.empty()) {
      const u32 offset = eip - (told.code.code16 ? 0 : kCode);
      told.code.slot = offset / kSlotSize;
      told.code.lead = offset % kSlotSize;
    }
    told.code.pieces.push_back(std::move(piece));
    return true;
  }

  void read_state(const std::string& line, ToldCase& told) {
    CaseInput& input = told.input;
    for (const std::string& word : words_of(line)) {
      const auto equals = word.find('=');
      if (equals == std::string::npos) continue;
      const std::string name = word.substr(0, equals), value = word.substr(equals + 1);
      const u32 number = static_cast<u32>(hex(value).value_or(0));
      for (unsigned i = 0; i < 8; ++i) {
        if (name == kRegisters[i]) input.gpr[i] = number;
      }
      for (unsigned i = 0; i < kSlotCount; ++i) {
        if (name == kSegments[i]) input.segment[i] = static_cast<u16>(number);
      }
      if (name == "EFLAGS") input.eflags = number;
      if (name == "FCW") input.units = true, input.fx.control = static_cast<u16>(number);
      if (name == "FSW") input.fx.status = static_cast<u16>(number);
      if (name == "FTW") input.fx.tags = static_cast<u8>(number);
      if (name == "MXCSR") input.fx.mxcsr = number;
      if (name.starts_with("ST(")) take_bytes(value, input.fx.st[name[3] & 7].bytes, 10);
      if (name.starts_with("XMM")) take_bytes(value, input.fx.xmm[name[3] & 7].bytes, 16);
      if (name.starts_with('[')) {
        const u32 at = static_cast<u32>(hex(std::string_view(name).substr(1)).value_or(0)) - kWindow;
        if (at + 4 <= kWindowSize) std::memcpy(input.window + at, &number, 4);
        ++told.words;
      }
    }
  }

  static bool read_difference(const std::string& line, ToldCase& told) {
    const auto expected = line.find(" expected "), actual = line.find(" actual ");
    if (expected == std::string::npos || actual == std::string::npos) return false;
    Told each;
    each.field = words_of(line).front();
    each.expected = line.substr(expected + 10, actual - expected - 10);
    if (each.expected.ends_with(';')) each.expected.pop_back();
    each.actual = line.substr(actual + 8);
    told.told.push_back(each);
    return true;
  }

  const Decoder& decoder_;
};

// "ran to its end", "vector 14 error 0006 EIP 00407C11 CR2 00001004"
void set_end(const std::string& text, CaseResult& result) {
  const auto words = words_of(text);
  result.error_code = result.eip = result.cr2 = 0;
  if (words.front() == "ran") {
    result.vector = kCompleted;
    return;
  }
  for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
    if (words[i] == "vector") result.vector = static_cast<u32>(std::atoi(words[i + 1].c_str()));
    if (words[i] == "error") result.error_code = static_cast<u32>(hex(words[i + 1]).value_or(0));
    if (words[i] == "EIP") result.eip = static_cast<u32>(hex(words[i + 1]).value_or(0));
    if (words[i] == "CR2") result.cr2 = static_cast<u32>(hex(words[i + 1]).value_or(0));
  }
}

bool set_field(const std::string& field, const std::string& text, CaseResult& result) {
  const u32 number = static_cast<u32>(hex(text).value_or(0));
  if (field == "end") return set_end(text, result), true;
  for (unsigned i = 0; i < 8; ++i) {
    if (field == kRegisters[i]) return result.gpr[i] = number, true;
  }
  for (unsigned i = 0; i < kSlotCount; ++i) {
    if (field == kSegments[i]) return result.segment[i] = static_cast<u16>(number), true;
  }
  if (field == "EFLAGS") return result.eflags = number, true;
  if (field == "FCW") return result.fx.control = static_cast<u16>(number), true;
  if (field == "FSW") return result.fx.status = static_cast<u16>(number), true;
  if (field == "FTW") return result.fx.tags = static_cast<u8>(number), true;
  if (field == "MXCSR") return result.fx.mxcsr = number, true;
  if (field.starts_with("ST(")) return take_bytes(text, result.fx.st[field[3] & 7].bytes, 10), true;
  if (field.starts_with("XMM")) return take_bytes(text, result.fx.xmm[field[3] & 7].bytes, 16), true;
  const u32 at = static_cast<u32>(hex(field).value_or(0)) - kWindow;
  if (at >= kWindowSize) return false;
  result.window[at] = static_cast<u8>(number);
  return true;
}

// "host GenuineIntel family 6 model 207 stepping 2 (Intel(R) Xeon(R) Processor)"
std::optional<Processor> told_processor(const std::string& line) {
  const auto words = words_of(line);
  if (words.size() < 8 || words[0] != "host" || words[2] != "family" || words[4] != "model") return std::nullopt;
  Processor processor;
  processor.vendor = words[1];
  processor.family = static_cast<unsigned>(std::atoi(words[3].c_str()));
  processor.model = static_cast<unsigned>(std::atoi(words[5].c_str()));
  processor.stepping = static_cast<unsigned>(std::atoi(words[7].c_str()));
  return processor;
}

class Checker {
 public:
  Checker(Engine engine, const Processor& then, const Processor& host, const HostUnits& units)
      : then_(engine, then, units), host_(engine, host, units) {
    const std::vector<u8> stop(kCodeSize, 0xF4);
    then_.write_code(0, stop);
    host_.write_code(0, stop);
  }

  void check(const ToldCase& told, ToldOutcome& outcome) {
    const CaseResult was = run(then_, told);
    CaseResult actual = was, expected = was;
    for (const Told& each : told.told) {
      if (!set_field(each.field, each.actual, actual) || !set_field(each.field, each.expected, expected)) {
        return fail(told, outcome, "a field that is not known: " + each.field + "\n");
      }
    }
    const CaseResult is = run(host_, told);
    if (!same(told, actual, was)) {
      if (told.words >= kToldWords) {
        ++outcome.truncated;
        return;
      }
      return fail(told, outcome,
                  "the processor of then does not do what it did:\n" + differences(told.code, told.input, actual, was));
    }
    CaseResult compared = is;
    if (told.stray) {
      // What the host stored outside the window is not told; only that it did, where the other did not.
      if (is.stray == was.stray) return fail(told, outcome, "memory outside the window is as it was then\n");
      compared.stray = expected.stray;
    }
    if (!same(told, expected, compared)) {
      return fail(told, outcome, "now:\n" + differences(told.code, told.input, expected, compared));
    }
    ++outcome.run;
  }

 private:
  static CaseResult run(EmulatedRunner& runner, const ToldCase& told) {
    CaseResult result{};
    runner.write_code(told.code.slot * kSlotSize, told.code.bytes);
    runner.run(told.input, result);
    settle_end(told.code, told.input, result);
    return result;
  }

  static bool same(const ToldCase& told, const CaseResult& expected, const CaseResult& actual) {
    // RF goes with the fault, whether or not a line tells of it.
    CaseResult a = expected, b = actual;
    if (a.vector == kCompleted) a.eflags &= ~kResume;
    if (b.vector == kCompleted) b.eflags &= ~kResume;
    const Verdict verdict = compare(told.code, told.input, a, b, false);
    return verdict == Verdict::Equal || verdict == Verdict::Masked;
  }

  static void fail(const ToldCase& told, ToldOutcome& outcome, const std::string& why) {
    ++outcome.failed;
    fmt::print("{}{}\n", told.text, why);
  }

  EmulatedRunner then_, host_;
};

}  // namespace

Result<ToldOutcome> check_told_cases(const std::string& path, Engine engine, const Processor& then,
                                     const HostUnits& host_units) {
  std::ifstream file(path);
  if (!file) return Error{fmt::format("--cases {}: it cannot be read", path)};
  std::string line;
  std::getline(file, line);
  const auto host = told_processor(line);
  if (!host) return Error{fmt::format("--cases {}: the first line does not name a processor", path)};
  const Decoder decoder(find_cpu_model("max")->instructions);
  Reader reader(decoder);
  Checker checker(engine, then, *host, host_units);
  ToldOutcome outcome;
  std::string text;
  const auto finish = [&]() -> bool {
    if (text.empty()) return true;
    ToldCase told;
    const bool understood = reader.read(text, told);
    text.clear();
    if (understood) checker.check(told, outcome);
    return understood;
  };
  bool understood = true;
  while (std::getline(file, line)) {
    const bool begins = line.starts_with("difference in ");
    if (begins || line.empty()) understood = finish() && understood;
    if (line.starts_with("a difference that does not come again alone")) ++outcome.alone;
    if (begins || !text.empty()) text += line + "\n";
  }
  understood = finish() && understood;
  if (!understood) return Error{fmt::format("--cases {}: a case is not understood", path)};
  return outcome;
}

}  // namespace relic86::native
