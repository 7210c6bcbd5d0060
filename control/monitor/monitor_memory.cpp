// x, xp, i, o: memory and ports under the debugger's eye.
#include <fmt/format.h>

#include <charconv>
#include <cstring>

#include "control/monitor/monitor_commands.h"
#include "cpu/disassembler.h"
#include "machine/guest_memory.h"

namespace relic86::monitor {
namespace {

struct Format {
  u64 count = 1;
  char letter = 'x';
  unsigned width = 4;
};

// "/4xw": count, format letter (x d u o c i), size letter (b h w g).
std::optional<Format> parse_format(std::string_view text, unsigned default_width) {
  Format format;
  format.width = default_width;
  text.remove_prefix(1);
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), format.count);
  if (failure == std::errc{}) text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  for (const char c : text) {
    switch (c) {
      case 'b': format.width = 1; break;
      case 'h': format.width = 2; break;
      case 'w': format.width = 4; break;
      case 'g': format.width = 8; break;
      case 'c':
        format.letter = c;
        format.width = 1;
        break;
      case 'x':
      case 'd':
      case 'u':
      case 'o':
      case 'i': format.letter = c; break;
      default: return std::nullopt;
    }
  }
  constexpr u64 kMost = 1u << 16;  // a slip of the finger must not print for hours
  if (format.count > kMost) return std::nullopt;
  return format;
}

std::string number_text(const Format& format, u64 value) {
  const unsigned bits = format.width * 8;
  switch (format.letter) {
    // Decimal and octal columns are as wide as their widest value; d shows what is stored, without a sign.
    case 'd':
    case 'u': return fmt::format(" {:{}}", value, format.width == 1 ? 3 : format.width == 2 ? 5 : bits == 32 ? 10 : 20);
    case 'o': return fmt::format(" {:#{}o}", value, (bits + 2) / 3);
    case 'c':
      if (value >= 32 && value < 127) return fmt::format(" '{}'", static_cast<char>(value));
      return fmt::format(" '\\x{:02x}'", value);
    default: return fmt::format(" 0x{:0{}x}", value, bits / 4);
  }
}

std::string disassemble_at(Machine& machine, bool physical, u64 address, u64 count) {
  std::string text;
  for (u64 n = 0; n < count; n++) {
    std::array<u8, 15> bytes{};
    std::size_t have = 0;
    while (have < bytes.size() && read_guest(machine, physical, address + have, std::span(&bytes[have], 1))) have++;
    if (have == 0) return text + fmt::format("Cannot access memory at address {:#x}\n", address);
    const Disassembly line =
        disassemble(std::span(bytes).first(have), address, code_size(machine.cpu().state().mode), AssemblerSyntax::Att);
    std::string hex;
    for (unsigned i = 0; i < line.length && i < have; i++) hex += fmt::format("{:02x} ", bytes[i]);
    const auto blank = line.text.find(' ');
    const std::string mnemonic = line.text.substr(0, blank);
    const std::string operands = blank == std::string::npos ? "" : line.text.substr(blank + 1);
    text += operands.empty() ? fmt::format("0x{:08x}:  {:<24} {}\n", address, hex, mnemonic)
                             : fmt::format("0x{:08x}:  {:<24} {:<8} {}\n", address, hex, mnemonic, operands);
    address += line.length;
  }
  return text;
}

std::string examine(Machine& machine, Words words, bool physical) {
  Format format;
  std::size_t next = 1;
  if (words.size() > 1 && words[1].starts_with('/')) {
    const auto parsed = parse_format(words[1], 4);
    if (!parsed) return fmt::format("invalid format '{}': write /COUNT FORMAT SIZE, such as /4xw\n", words[1]);
    format = *parsed;
    next = 2;
  }
  std::string expression;
  for (; next < words.size(); next++) expression += words[next];
  const auto address = evaluate(machine, expression);
  if (!address) return fmt::format("{}: an address is missing or not understood\n", words[0]);
  if (format.letter == 'i') return disassemble_at(machine, physical, *address, format.count);

  const unsigned per_line = format.width == 1 ? 8 : 16 / format.width;
  const int digits = physical || machine.cpu().model().has_long_mode() ? 16 : 8;
  std::string text;
  for (u64 n = 0; n < format.count; n++) {
    const u64 at = *address + n * format.width;
    if (n % per_line == 0)
      text += fmt::format("{}{:0{}x}:", n > 0 ? "\n" : "", physical ? at : guest_linear(machine, at).raw, digits);
    u64 value = 0;
    std::array<u8, 8> bytes{};
    if (!read_guest(machine, physical, at, std::span(bytes).first(format.width)))
      return text + " Cannot access memory\n";
    std::memcpy(&value, bytes.data(), 8);
    text += number_text(format, value);
  }
  return text + "\n";
}

}  // namespace

std::string examine_virtual(Machine& machine, Words words) { return examine(machine, words, false); }
std::string examine_physical(Machine& machine, Words words) { return examine(machine, words, true); }

std::string print_value(Machine& machine, Words words) {
  char letter = 'd';
  std::size_t next = 1;
  if (words.size() > 1 && words[1].starts_with('/')) {
    const auto parsed = parse_format(words[1], 8);
    if (!parsed || parsed->letter == 'i') return fmt::format("invalid format '{}'\n", words[1]);
    letter = parsed->letter;
    next = 2;
  }
  std::string expression;
  for (; next < words.size(); next++) expression += words[next];
  const auto value = evaluate(machine, expression);
  if (!value) return fmt::format("{}: an expression is missing or not understood\n", words[0]);
  switch (letter) {
    case 'x': return fmt::format("{:#x}\n", *value);
    case 'o': return fmt::format("{:#o}\n", *value);
    case 'u': return fmt::format("{}\n", *value);
    case 'c': return number_text(Format{1, 'c', 1}, *value & 0xFF).substr(1) + "\n";
    default: return fmt::format("{}\n", static_cast<i64>(*value));
  }
}

std::string checksum(Machine& machine, Words words) {
  const auto address = words.size() > 2 ? evaluate(machine, words[1]) : std::nullopt;
  const auto size = words.size() > 2 ? evaluate(machine, words[2]) : std::nullopt;
  constexpr u64 kMost = u64{4} << 30;
  if (!address || !size || *size > kMost) return "sum: an address and a size of at most 4 GiB are expected\n";
  unsigned sum = 0;
  std::array<u8, kPageSize> page{};
  for (u64 done = 0; done < *size;) {
    const auto chunk = std::span(page).first(std::min<u64>(kPageSize, *size - done));
    read_guest(machine, true, *address + done, chunk);
    for (const u8 byte : chunk) sum = ((sum >> 1 | sum << 15) + byte) & 0xFFFF;
    done += chunk.size();
  }
  return fmt::format("{:05}\n", sum);
}

std::string translate(Machine& machine, Words words) {
  const auto address = words.size() > 1 ? evaluate(machine, words[1]) : std::nullopt;
  if (!address) return "gva2gpa: an address is expected\n";
  const auto physical = machine.cpu().mmu().debug_translate(guest_linear(machine, *address));
  return physical ? fmt::format("gpa: {:#x}\n", physical->raw) : "Unmapped\n";
}

std::string show_translation(Machine& machine, Words words) {
  const auto address = words.size() > 1 ? evaluate(machine, words[1]) : std::nullopt;
  if (!address) return "translation: an address is expected\n";
  const LinAddr linear = guest_linear(machine, *address);
  const auto physical = machine.cpu().mmu().debug_translate(linear);
  if (!physical) return "Unmapped\n";
  const PhysPage& page = machine.bus().page(*physical);
  if (page.read.kind != PageTarget::Kind::Backing) return "Neither RAM nor ROM\n";
  const u64 in_page = linear.raw & (kPageSize - 1);
  const CodeSize size = code_size(machine.cpu().state().mode);
  // The block may begin before the address: the nearest beginning whose translation reaches it.
  for (u64 back = 0; back <= in_page; back++) {
    const auto listing = machine.engine().listing(page.read.backing + (in_page - back), size, linear.raw - back);
    if (!listing.text.empty() && (back == 0 || listing.bytes > back)) return listing.text;
  }
  return "No translation: this code has not run often, or the interpreter runs it\n";
}

std::string save_memory(Machine& machine, Words words) {
  const bool physical = words[0] == "pmemsave";
  const auto address = words.size() > 3 ? evaluate(machine, words[1]) : std::nullopt;
  const auto size = words.size() > 3 ? evaluate(machine, words[2]) : std::nullopt;
  if (!address || !size) return fmt::format("{}: an address, a size and a file are expected\n", words[0]);
  const auto saved = save_guest_memory(machine, physical, *address, *size, words[3]);
  return saved ? "" : fmt::format("Error: {}\n", saved.message());
}

std::string port_read(Machine& machine, Words words) {
  Format format;
  format.width = 1;
  std::size_t next = 1;
  if (words.size() > 1 && words[1].starts_with('/')) {
    const auto parsed = parse_format(words[1], 1);
    if (!parsed || parsed->width > 4) return fmt::format("invalid format '{}'\n", words[1]);
    format = *parsed;
    next = 2;
  }
  const auto port = next < words.size() ? evaluate(machine, words[next]) : std::nullopt;
  if (!port || *port > 0xFFFF) return "i: a port from 0 to 0xffff is expected\n";
  const u32 value = machine.io().read(IoPort(static_cast<u16>(*port)), format.width);
  return fmt::format("port{}[0x{:04x}] = 0x{:0{}x}\n",
                     format.width == 1   ? 'b'
                     : format.width == 2 ? 'w'
                                         : 'l',
                     *port, value, format.width * 2);
}

std::string port_write(Machine& machine, Words words) {
  Format format;
  format.width = 1;
  std::size_t next = 1;
  if (words.size() > 1 && words[1].starts_with('/')) {
    const auto parsed = parse_format(words[1], 1);
    if (!parsed || parsed->width > 4) return fmt::format("invalid format '{}'\n", words[1]);
    format = *parsed;
    next = 2;
  }
  const auto port = next < words.size() ? evaluate(machine, words[next]) : std::nullopt;
  const auto value = next + 1 < words.size() ? evaluate(machine, words[next + 1]) : std::nullopt;
  if (!port || *port > 0xFFFF || !value) return "o: a port from 0 to 0xffff and a value are expected\n";
  machine.io().write(IoPort(static_cast<u16>(*port)), format.width, static_cast<u32>(*value));
  return "";
}

}  // namespace relic86::monitor
