// relic86_random_lockstep [--group GROUP[.WORLD]] [--count N] [--seed S] [--inject N] [--cold 1]
// Random programs on both engines, compared after slices of random length: all of the processor's state, the number of
// TLB entries and memory. GROUP: which instructions are favoured; WORLD: the mode and what
// surrounds the program; default: all of them. --count: instructions for each. --inject N flips a bit in the
// translating machine after N instructions. --cold: the interpreter's TLB is emptied before every instruction, so that
// it carries far transfers and interrupts out the long way, and the other machine, which does not translate then,
// directly. Prints `GROUP.WORLD: N run, M masked, D differences`; exit code 1 when any D > 0, 2 when it could not run.
#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <string>

#include "base/print.h"
#include "cpu/disassembler.h"
#include "jit/translator.h"
#include "tests/jit/eager_options.h"
#include "tests/lockstep/random/watchdog.h"
#include "tests/lockstep/random/world.h"
#include "tests/lockstep/state_fields.h"

namespace relic86 {

namespace {

constexpr u32 kProgramInstructions = 1500;
constexpr u64 kNearMemory = 0x14000;  // what most accesses reach is compared after every slice, the rest at the end

struct Wishes {
  std::string group, world;
  u64 count = 1'000'000;
  u64 seed = 1;
  u64 inject = 0;
  u64 cold = 0;
};

jit::TranslatorOptions translator_options() {
  jit::TranslatorOptions options = jit::eager_options();
  options.regions = true;
  options.region_threshold = 0;  // wherever they can be made
  options.code_limit = 2u << 20;
  return options;
}

struct Pair {
  CpuTestMachine interpreter{"max"}, host{"max"};
  jit::Translator translator{host.cpu(), host.bus(), translator_options()};
  bool cold = false;
};

std::vector<u8> state_of(CpuTestMachine& machine) {
  StateWriter writer;
  machine.cpu().state_archive(writer);
  return writer.data();
}

// Which of the pages that programs reach have entries: read, write and code, by privilege.
std::string entries_of(CpuTestMachine& machine) {
  const Tlb& tlb = machine.cpu().mmu().tlb();
  std::string text;
  for (u32 page = 0; page < (kNearMemory >> kPageShift); ++page) {
    const LinAddr address(page << kPageShift);
    for (const Privilege privilege : {Privilege::Supervisor, Privilege::User}) {
      const bool read = tlb.read_entry(address, privilege) != 0, write = tlb.write_entry(address, privilege) != 0;
      text += "-rw"[write ? 2 : read ? 1 : 0];
      text += "-x"[tlb.code_entry(address, privilege) != 0 ? 1 : 0];
    }
  }
  return text;
}

std::vector<Difference> differences(Pair& pair) {
  std::vector<Difference> found;
  const u64 left_entries = pair.interpreter.cpu().mmu().tlb().live_entries();
  const u64 right_entries = pair.host.cpu().mmu().tlb().live_entries();
  if (left_entries != right_entries && !pair.cold)
    found.push_back({"TLB entries", std::to_string(left_entries), std::to_string(right_entries)});
  const u64 left_fills = pair.interpreter.cpu().mmu().tlb().fills(), right_fills = pair.host.cpu().mmu().tlb().fills();
  if (left_fills != right_fills && !pair.cold)
    found.push_back({"TLB fills", std::to_string(left_fills), std::to_string(right_fills)});
  const std::string left_pages = entries_of(pair.interpreter), right_pages = entries_of(pair.host);
  if (left_pages != right_pages && !pair.cold) found.push_back({"TLB pages", left_pages, right_pages});
  const std::vector<u8> left = state_of(pair.interpreter), right = state_of(pair.host);
  if (left == right) return found;
  const Fields left_fields = fields_of(left), right_fields = fields_of(right);
  for (const auto& [name, content] : left_fields) {
    if (content != right_fields.at(name)) found.push_back(difference_of(name, content, right_fields.at(name)));
  }
  return found;
}

void compare_memory(Pair& pair, u64 size, std::vector<Difference>& found) {
  BackingStore& left = pair.interpreter.bus().store();
  BackingStore& right = pair.host.bus().store();
  if (std::memcmp(left.host(BackingOffset(0)), right.host(BackingOffset(0)), size) == 0) return;
  for (u64 at = 0; at < size; at += kPageSize) {
    const auto left_page = left.bytes(BackingOffset(at), kPageSize),
               right_page = right.bytes(BackingOffset(at), kPageSize);
    if (!std::equal(left_page.begin(), left_page.end(), right_page.begin()))
      found.push_back(difference_of(fmt::format("memory {:08x}", at), left_page, right_page));
  }
}

struct Run {
  const World& world;
  const Group& group;
  u64 seed;
  Watchdog& watchdog;
  bool cold = false;
  u64 inject_at = 0;  // instructions of this program; 0: never
  // Where to stop short: after so many instructions of this slice; 0: all of them.
  u32 last_slice = ~0u, last_budget = 0;
};

struct Outcome {
  u64 instructions = 0;
  u32 slice = 0, budget = 0;  // of the difference
  std::vector<Difference> differences{};
};

Outcome run_program(Pair& pair, const Run& run) {
  run.watchdog.starts(run.seed);
  pair.cold = run.cold;
  Place place = prepare(pair.interpreter, run.world, run.group, run.seed);
  (void)prepare(pair.host, run.world, run.group, run.seed);
  ProgramGenerator random(run.seed + 99, true);
  Outcome outcome;
  const u64 start = pair.interpreter.cpu().instruction_count();
  bool injected = false;
  for (u32 slice = 0; outcome.instructions < kProgramInstructions; ++slice) {
    const u32 drawn = run.cold ? 1 : 1 + random.below(slice % 2 == 0 ? 40 : 500);
    if (run.cold) pair.interpreter.cpu().mmu().flush_all();
    const u32 budget = slice == run.last_slice && run.last_budget != 0 ? run.last_budget : drawn;
    if (run.world.writes_code && random.one_in(4)) {
      // A bus master, or a debugger, changes a byte of the program.
      const u32 at = place.first + random.below(place.length);
      const u8 byte = static_cast<u8>(random.value());
      pair.interpreter.poke<u8>(at, byte);
      pair.host.poke<u8>(at, byte);
    }
    const ExitReason left = pair.interpreter.run(budget);
    const ExitReason right = pair.translator.run(budget);
    outcome.instructions = pair.interpreter.cpu().instruction_count() - start;
    if (run.inject_at != 0 && !injected && outcome.instructions >= run.inject_at) {
      pair.host.state().gpr[kEdx] ^= 1;
      injected = true;
    }
    outcome.slice = slice;
    outcome.budget = budget;
    outcome.differences = differences(pair);
    compare_memory(pair, kNearMemory, outcome.differences);
    if (left != right)
      outcome.differences.push_back(
          {"exit reason", std::to_string(static_cast<int>(left)), std::to_string(static_cast<int>(right))});
    if (!outcome.differences.empty() || left != ExitReason::BudgetSpent || slice == run.last_slice) break;
  }
  if (outcome.differences.empty()) compare_memory(pair, CpuTestMachine::kRamSize, outcome.differences);
  return outcome;
}

std::string registers_text(CpuTestMachine& machine) {
  static constexpr const char* kNames[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
  const CpuState& state = machine.state();
  std::string text =
      fmt::format("{:04x}:{:08x} eflags {:08x}", state.segment[kCs].selector.raw, state.eip(), machine.cpu().eflags());
  for (unsigned i = 0; i < 8; ++i) text += fmt::format(" {} {:08x}", kNames[i], state.gpr32(i));
  for (unsigned i = 0; i < kSegmentRegisters; ++i)
    text += fmt::format(" {:x}+{:x}", state.segment[i].base, state.segment[i].limit);
  return text + fmt::format(" cr0 {:x} fcw {:x} fsw {:x} mxcsr {:x}\n", state.cr0, state.fx.control, state.fx.status,
                            state.fx.mxcsr);
}

std::string code_text(CpuTestMachine& machine, u32 first, u32 length, u32 eip, CodeSize size) {
  std::string text;
  for (u32 at = 0; at < length;) {
    u8 bytes[15];
    for (u32 i = 0; i < sizeof bytes; ++i) bytes[i] = machine.byte(first + at + i);
    const Disassembly line = disassemble(bytes, eip + at, size, AssemblerSyntax::Intel);
    std::string hex;
    for (unsigned i = 0; i < line.length; ++i) hex += fmt::format("{:02x}", bytes[i]);
    text += fmt::format("  {:08x}  {:<24} {}\n", eip + at, hex, line.text);
    at += line.length;
  }
  return text;
}

// Once more from the start, on machines that have run nothing else; the slice is cut to the instruction.
std::string report(const Run& run, const Outcome& first) {
  std::string text = fmt::format("{}.{} seed {}: slice {} of {} instructions\n", run.group.name, run.world.name,
                                 run.seed, first.slice, first.budget);
  for (const Difference& each : first.differences)
    text += fmt::format("  {}\n    interp {}\n    jit    {}\n", each.what, each.interpreter, each.translator);
  // [equal, different] shrinks to one instruction.
  Run cut = run;
  cut.last_slice = first.slice;
  u32 equal = 0, different = first.budget + 1;
  while (different - equal > 1) {
    cut.last_budget = equal + (different - equal) / 2;
    auto pair = std::make_unique<Pair>();
    (run_program(*pair, cut).differences.empty() ? equal : different) = cut.last_budget;
  }
  if (different > first.budget) return text + "it does not show on machines that have run nothing before\n";
  auto pair = std::make_unique<Pair>();
  cut.last_budget = different;
  const Outcome outcome = run_program(*pair, cut);
  auto before = std::make_unique<Pair>();
  if (different > 1) {
    cut.last_budget = different - 1;
    (void)run_program(*before, cut);
  } else if (first.slice > 0) {
    cut.last_slice = first.slice - 1;
    cut.last_budget = 0;
    (void)run_program(*before, cut);
  } else {
    (void)prepare(before->interpreter, run.world, run.group, run.seed);
  }
  text += fmt::format("first seen after instruction {} of slice {}\n", different, outcome.slice);
  for (const Difference& each : outcome.differences)
    text += fmt::format("  {}\n    interp {}\n    jit    {}\n", each.what, each.interpreter, each.translator);
  auto initial = std::make_unique<CpuTestMachine>("max");
  const Place place = prepare(*initial, run.world, run.group, run.seed);
  text += "program\n" + code_text(*initial, place.first, place.length, place.first,
                                  run.world.code32 ? CodeSize::Bits32 : CodeSize::Bits16);
  text += "before: " + registers_text(before->interpreter);
  const u32 linear = before->interpreter.linear_ip();
  const auto physical = before->interpreter.cpu().mmu().debug_translate(LinAddr(linear));
  if (physical)
    text += code_text(before->interpreter, static_cast<u32>(physical->raw), 24, before->interpreter.state().eip(),
                      code_size(before->interpreter.state().mode));
  text += "interp: " + registers_text(pair->interpreter) + "jit:    " + registers_text(pair->host);
  return text;
}

bool run_group(const Group& group, const World& world, const Wishes& wishes) {
  constexpr u64 kPairLasts = 100;  // programs
  auto pair = std::make_unique<Pair>();
  Watchdog watchdog(fmt::format("{}.{}", group.name, world.name));
  u64 instructions = 0, differ = 0, programs = 0;
  for (u64 seed = wishes.seed; instructions < wishes.count && differ == 0; ++seed) {
    if (++programs % kPairLasts == 0) pair = std::make_unique<Pair>();
    Run run{world, group, seed, watchdog, wishes.cold != 0};
    if (wishes.inject > instructions && wishes.inject <= instructions + kProgramInstructions)
      run.inject_at = wishes.inject - instructions;
    const Outcome outcome = run_program(*pair, run);
    instructions += std::max<u64>(outcome.instructions, 1);
    if (outcome.differences.empty()) continue;
    ++differ;
    print_text(stdout, report(run, outcome));
  }
  print_text(stdout,
             fmt::format("{}.{}: {} run, 0 masked, {} differences\n", group.name, world.name, instructions, differ));
  std::fflush(stdout);
  return differ == 0;
}

Result<Wishes> parse(const std::vector<std::string>& arguments) {
  Wishes wishes;
  for (std::size_t at = 0; at < arguments.size(); at += 2) {
    const std::string& name = arguments[at];
    if (at + 1 == arguments.size()) return Error{name + ": a value is missing"};
    const std::string& value = arguments[at + 1];
    if (name == "--group") {
      const auto dot = value.find('.');
      wishes.group = value.substr(0, dot);
      if (dot != value.npos) wishes.world = value.substr(dot + 1);
      continue;
    }
    u64 number = 0;
    const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (failure != std::errc{} || end != value.data() + value.size() || number == 0)
      return Error{fmt::format("{} {}: write a number, 1 or more", name, value)};
    if (name == "--count") {
      wishes.count = number;
    } else if (name == "--seed") {
      wishes.seed = number;
    } else if (name == "--inject") {
      wishes.inject = number;
    } else if (name == "--cold") {
      wishes.cold = number;
    } else {
      return Error{fmt::format("{}: unknown; there are --group, --count, --seed, --inject and --cold", name)};
    }
  }
  return wishes;
}

int run(const Wishes& wishes) {
  unsigned ran = 0;
  bool good = true;
  for (const Group& group : groups()) {
    for (const World& world : worlds()) {
      if ((!wishes.group.empty() && wishes.group != group.name && wishes.group != "all") ||
          (!wishes.world.empty() && wishes.world != world.name))
        continue;
      // Where a program may change the page tables, an empty TLB shows.
      if (wishes.cold != 0 && world.paging && !world.user) continue;
      ++ran;
      good = run_group(group, world, wishes) && good;
    }
  }
  if (ran == 0) {
    std::string names;
    for (const Group& group : groups()) names += std::string(" ") + group.name;
    for (const World& world : worlds()) names += std::string(" .") + world.name;
    print_text(stderr, "relic86_random_lockstep: --group: there are" + names + "\n");
    return 2;
  }
  return good ? 0 : 1;
}

}  // namespace

}  // namespace relic86

int main(int argc, char** argv) {
  const auto wishes = relic86::parse({argv + 1, argv + argc});
  if (!wishes) {
    relic86::print_text(stderr, fmt::format("relic86_random_lockstep: {}\n", wishes.message()));
    return 2;
  }
  return relic86::run(wishes.value());
}
