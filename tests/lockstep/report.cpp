#include "tests/lockstep/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>

#include "cpu/cpu_dump.h"
#include "cpu/disassembler.h"
#include "jit/translator.h"

namespace relic86 {

namespace {

constexpr u64 kTraced = 64;  // instructions before the difference

struct Traced {
  u64 number = 0;  // instructions executed before it
  u32 eip = 0;
  CodeSize size = CodeSize::Bits16;
  std::optional<BackingOffset> backing;
  std::string text;
};

std::optional<BackingOffset> backing_of(Machine& machine, u32 linear) {
  const auto physical = machine.cpu().mmu().debug_translate(LinAddr(linear));
  if (!physical) return std::nullopt;
  const PhysPage& page = machine.bus().page(*physical);
  if (page.read.kind != PageTarget::Kind::Backing) return std::nullopt;
  return page.read.backing + (linear & (kPageSize - 1));
}

Traced next_instruction(Machine& machine) {
  const CpuState& state = machine.cpu().state();
  Traced traced;
  traced.number = machine.cpu().instruction_count();
  traced.eip = state.eip();
  traced.size = code_size(state.mode);
  const u32 linear = static_cast<u32>(state.segment[kCs].base + state.rip);
  traced.backing = backing_of(machine, linear);
  std::array<u8, 15> bytes{};
  std::size_t have = 0;
  for (; have < bytes.size(); ++have) {
    const auto place = backing_of(machine, static_cast<u32>(linear + have));
    if (!place) break;
    bytes[have] = *machine.bus().store().host(*place);
  }
  const Disassembly line = disassemble(std::span(bytes).first(have), traced.eip, traced.size, AssemblerSyntax::Intel);
  std::string hex;
  for (unsigned i = 0; i < std::min<std::size_t>(line.length, have); ++i) hex += fmt::format("{:02x}", bytes[i]);
  traced.text = fmt::format("{:04x}:{:08x}  {:<22} {}", state.segment[kCs].selector.raw, traced.eip, hex, line.text);
  return traced;
}

std::string state_text(Machine& machine) {
  std::string text = describe_registers(machine.cpu(), true);
  const FxState& fx = machine.cpu().state().fx;
  text += fmt::format("FIP={:04x}:{:08x} FDP={:04x}:{:08x} FOP={:04x} MXCSR={:08x}\n", fx.instruction_selector,
                      fx.instruction, fx.data_selector, fx.data, fx.opcode, fx.mxcsr);
  return text;
}

// The lines of two texts that differ, one below the other.
std::string changed_lines(const std::string& left, const std::string& right) {
  std::string text;
  std::size_t l = 0, r = 0;
  while (l < left.size() && r < right.size()) {
    const std::size_t left_end = std::min(left.find('\n', l), left.size());
    const std::size_t right_end = std::min(right.find('\n', r), right.size());
    const std::string left_line = left.substr(l, left_end - l), right_line = right.substr(r, right_end - r);
    if (left_line != right_line) text += fmt::format("  interp {}\n  jit    {}\n", left_line, right_line);
    l = left_end + 1;
    r = right_end + 1;
  }
  return text;
}

// What the translator last made of the code around the difference: of the nearest block start that reaches it.
std::string translation_text(jit::Translator& translator, const std::deque<Traced>& trace, u64 last) {
  for (auto traced = trace.rbegin(); traced != trace.rend(); ++traced) {
    if (!traced->backing) continue;
    const auto listing = translator.listing(*traced->backing, traced->size, traced->eip);
    if (listing.instructions != 0 && traced->number + listing.instructions >= last)
      return fmt::format("--- translation entered after {} instructions ---\n{}", traced->number, listing.text);
  }
  return "--- no translation covers it: the translator interpreted, too ---\n";
}

}  // namespace

std::string report_difference(MachinePair& pair, u64 last) {
  Machine& interpreter = pair.interpreter();
  const u64 start = interpreter.instruction_count();
  pair.run_interpreter_to(std::max(start, last > kTraced ? last - kTraced : 0));
  std::deque<Traced> trace;
  std::string before;
  for (u64 at = interpreter.instruction_count(); at < last && !pair.ended(); at = interpreter.instruction_count()) {
    if (!trace.empty() && trace.back().number == at) break;  // sleeps for good
    interpreter.look_at(interpreter.processors().running().number());
    trace.push_back(next_instruction(interpreter));
    before = state_text(interpreter);
    pair.run_interpreter_to(at + 1);
  }
  pair.run_translator_to(last);
  pair.translator().look_at(interpreter.looked_at());

  std::string text = fmt::format("first difference after instruction {}\n", last);
  for (const Difference& each : pair.differences())
    text += fmt::format("  {}\n    interp {}\n    jit    {}\n", each.what, each.interpreter, each.translator);
  text += "--- guest code up to it, as interpreted ---\n";
  for (const Traced& each : trace) text += fmt::format("{:>14}  {}\n", each.number + 1, each.text);
  auto* const translator = dynamic_cast<jit::Translator*>(&pair.translator().engine());
  if (translator != nullptr) text += translation_text(*translator, trace, last);
  const std::string left = state_text(interpreter), right = state_text(pair.translator());
  text += "--- registers that differ ---\n" + changed_lines(left, right);
  text += "--- before the last instruction ---" + before;
  text += "--- after it, interpreter ---" + left + "--- after it, translator ---" + right;
  return text;
}

}  // namespace relic86
