#include "insight/profiler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "machine/guest_memory.h"

namespace relic86 {

namespace {

constexpr unsigned kDeepest = 64;         // frames
constexpr u64 kLargestFrame = 256 << 10;  // bytes between two frames of one stack

std::optional<u64> read_word(Machine& machine, u64 linear, unsigned bytes) {
  u8 raw[8] = {};
  if (!read_guest(machine, false, linear, std::span(raw).first(bytes))) return std::nullopt;
  u64 value = 0;
  std::memcpy(&value, raw, sizeof value);
  return value;
}

std::string name_of(u64 address, const std::vector<SymbolTable>& symbols) {
  for (const SymbolTable& table : symbols) {
    if (const Symbol* symbol = table.find(address)) return symbol->name;
  }
  return fmt::format("{:#x}", address & ~u64{kPageSize - 1});
}

}  // namespace

std::vector<u64> guest_stack(Machine& machine) {
  const CpuState& state = machine.cpu().state();
  std::vector<u64> frames{state.mode.code64 ? state.rip : static_cast<u32>(state.segment[kCs].base + state.rip)};
  if (!state.mode.code64 && !state.mode.code32) return frames;  // 16-bit code has far and near calls alike
  const unsigned word = state.mode.code64 ? 8 : 4;
  const u64 base = state.mode.code64 ? 0 : state.segment[kSs].base;
  u64 frame = state.mode.code64 ? state.gpr[kEbp] : state.gpr32(kEbp);
  while (frames.size() < kDeepest) {
    const auto caller = read_word(machine, base + frame, word);
    const auto target = read_word(machine, base + frame + word, word);
    if (!caller || !target || *target == 0) break;
    frames.push_back(*target);
    if (*caller <= frame || *caller - frame > kLargestFrame) break;
    frame = *caller;
  }
  return frames;
}

void Profiler::sample(u64 weight) {
  const unsigned before = machine_.looked_at();
  machine_.look_at(machine_.processors().running().number());
  const CpuState& state = machine_.cpu().state();
  counts_[{state.mode.cpl == 3, state.halted, guest_stack(machine_)}] += weight;
  machine_.look_at(before);
}

std::string Profiler::folded(const std::vector<SymbolTable>& symbols) const {
  std::map<std::string, u64> lines;
  for (const auto& [stack, count] : counts_) {
    std::string line = stack.user ? "[user]" : "";
    for (auto frame = stack.frames.rbegin(); frame != stack.frames.rend(); ++frame) {
      // A return address may be the first byte after its function: the call is what counts.
      const bool innermost = std::next(frame) == stack.frames.rend();
      line += (line.empty() ? "" : ";") + name_of(innermost ? *frame : *frame - 1, symbols);
    }
    if (stack.halted) line += ";[halted]";
    lines[line] += count;
  }
  std::string text;
  for (const auto& [line, count] : lines) text += fmt::format("{} {}\n", line, count);
  return text;
}

}  // namespace relic86
