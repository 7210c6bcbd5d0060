// Numbers as the monitor's users write them: "0x7c00+4", "$cs*16+$eip", "(1+2)*3", 'c'.
#include <fmt/format.h>

#include <cctype>
#include <charconv>

#include "control/monitor/monitor_commands.h"

namespace relic86::monitor {
namespace {

// A register by its name, without the '$'.
std::optional<u64> register_value(Machine& machine, std::string_view name) {
  static constexpr std::string_view kGeneral[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
  static constexpr std::string_view kSegments[] = {"es", "cs", "ss", "ds", "fs", "gs"};
  const CpuState& state = machine.cpu().state();
  for (unsigned i = 0; i < std::size(kGeneral); i++) {
    const std::string_view plain = kGeneral[i].substr(1);  // "ax"
    if (name == kGeneral[i] || name == plain || (name.starts_with('r') && name.substr(1) == plain)) return state.gpr[i];
  }
  for (unsigned i = 8; i < std::size(state.gpr); i++) {
    if (name == fmt::format("r{}", i)) return state.gpr[i];
  }
  for (unsigned i = 0; i < std::size(kSegments); i++) {
    if (name == kSegments[i]) return state.segment[i].selector.raw;
  }
  if (name == "eip" || name == "rip") return state.rip;
  if (name == "pc") return state.segment[kCs].base + state.rip;
  if (name == "eflags") return machine.cpu().eflags();
  if (name == "cr0") return state.cr0;
  if (name == "cr2") return state.cr2;
  if (name == "cr3") return state.cr3;
  if (name == "cr4") return state.cr4;
  return std::nullopt;
}

// As QEMU's monitor binds its operators: + and - last, before them & | ^, before them * / %.
class Expression {
 public:
  Expression(Machine& machine, std::string_view text) : machine_(machine), rest_(text) {}

  std::optional<u64> value() {
    const auto result = sum(0);
    skip_blanks();
    return rest_.empty() ? result : std::nullopt;
  }

 private:
  static constexpr unsigned kDeepest = 100;  // brackets and signs in each other
  using Part = std::optional<u64> (Expression::*)(unsigned);

  void skip_blanks() {
    while (rest_.starts_with(' ') || rest_.starts_with('\t')) rest_.remove_prefix(1);
  }
  // The next character if it is one of these, else 0.
  char take(std::string_view characters) {
    skip_blanks();
    if (rest_.empty() || characters.find(rest_[0]) == std::string_view::npos) return 0;
    const char taken = rest_[0];
    rest_.remove_prefix(1);
    return taken;
  }
  static std::optional<u64> apply(char operation, u64 left, u64 right) {
    switch (operation) {
      case '+': return left + right;
      case '-': return left - right;
      case '&': return left & right;
      case '|': return left | right;
      case '^': return left ^ right;
      case '*': return left * right;
      case '/': return right == 0 ? std::nullopt : std::optional(left / right);
      default: return right == 0 ? std::nullopt : std::optional(left % right);
    }
  }
  std::optional<u64> chain(std::string_view operations, Part part, unsigned depth) {
    auto left = (this->*part)(depth);
    while (left) {
      const char operation = take(operations);
      if (operation == 0) break;
      const auto right = (this->*part)(depth);
      left = right ? apply(operation, *left, *right) : std::nullopt;
    }
    return left;
  }
  std::optional<u64> sum(unsigned depth) { return chain("+-", &Expression::logic, depth); }
  std::optional<u64> logic(unsigned depth) { return chain("&|^", &Expression::product, depth); }
  std::optional<u64> product(unsigned depth) { return chain("*/%", &Expression::unary, depth); }

  std::optional<u64> unary(unsigned depth) {
    if (depth >= kDeepest) return std::nullopt;
    if (const char sign = take("+-~("); sign == '(') {
      const auto inner = sum(depth + 1);
      return take(")") != 0 ? inner : std::nullopt;
    } else if (sign != 0) {
      const auto inner = unary(depth + 1);
      if (!inner) return std::nullopt;
      return sign == '-' ? 0 - *inner : sign == '~' ? ~*inner : *inner;
    }
    if (rest_.size() >= 3 && rest_[0] == '\'' && rest_[2] == '\'') {
      const auto character = static_cast<unsigned char>(rest_[1]);
      rest_.remove_prefix(3);
      return character;
    }
    return take("$") != 0 ? register_value(machine_, word()) : number(word());
  }

  std::string_view word() {
    std::size_t length = 0;
    while (length < rest_.size() && (std::isalnum(static_cast<unsigned char>(rest_[length])) != 0)) length++;
    const std::string_view taken = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return taken;
  }

  static std::optional<u64> number(std::string_view digits) {
    int base = 10;
    if (digits.starts_with("0x") || digits.starts_with("0X")) {
      base = 16;
      digits.remove_prefix(2);
    } else if (digits.size() > 1 && digits.starts_with('0')) {
      base = 8;
    }
    u64 value = 0;
    const auto [stop, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
    if (failure != std::errc{} || stop != digits.data() + digits.size()) return std::nullopt;
    return value;
  }

  Machine& machine_;
  std::string_view rest_;
};

}  // namespace

std::optional<u64> evaluate(Machine& machine, std::string_view text) { return Expression(machine, text).value(); }

}  // namespace relic86::monitor
