#include "tests/lockstep/machine_pair.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <functional>

#include "machine/saved_machine.h"
#include "tests/lockstep/state_fields.h"

namespace relic86 {

namespace {

constexpr std::size_t kMostPages = 16;  // listed in one report

std::vector<u8> state_of(Machine& machine) {
  StateWriter writer;
  machine.state(writer);
  return writer.data();
}

using Place = std::function<u8*(Machine&)>;

// The byte that an injection changes; empty: no such target.
Place place_of(const std::string& target) {
  const auto numbered = [&](std::string_view prefix, unsigned count) -> std::optional<unsigned> {
    if (!target.starts_with(prefix) || target.size() != prefix.size() + 1) return std::nullopt;
    const unsigned number = static_cast<unsigned>(target.back() - '0');
    return number < count ? std::optional(number) : std::nullopt;
  };
  static constexpr const char* kRegisters[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
  for (unsigned i = 0; i < 8; ++i) {
    if (target == kRegisters[i])
      return [i](Machine& machine) { return reinterpret_cast<u8*>(&machine.cpu().state().gpr[i]); };
  }
  if (const auto n = numbered("dr", 4))
    return [i = *n](Machine& machine) { return reinterpret_cast<u8*>(&machine.cpu().state().dr[i]); };
  if (const auto n = numbered("xmm", 8))
    return [i = *n](Machine& machine) { return machine.cpu().state().fx.xmm[i].bytes; };
  if (const auto n = numbered("st", 8))
    return [i = *n](Machine& machine) { return machine.cpu().state().fx.st[i].bytes; };
  if (!target.starts_with('@')) return {};
  u64 address = 0;
  const auto [end, failure] = std::from_chars(target.data() + 1, target.data() + target.size(), address, 16);
  if (failure != std::errc{} || end != target.data() + target.size()) return {};
  return [address](Machine& machine) {
    BackingStore& store = machine.bus().store();
    return store.host(BackingOffset(address % store.ram_size()));
  };
}

}  // namespace

bool valid_injection_target(const std::string& target) { return static_cast<bool>(place_of(target)); }

MachinePair::~MachinePair() = default;

// Of all processors.
static u64 tlb_entries(Machine& machine) {
  u64 sum = 0;
  for (unsigned n = 0; n < machine.processors().count(); n++)
    sum += machine.processors()[n].cpu().mmu().tlb().live_entries();
  return sum;
}

Result<std::unique_ptr<MachinePair>> MachinePair::create(Options options, std::optional<Injection> injection,
                                                         std::set<std::string> masked) {
  std::unique_ptr<MachinePair> pair(new MachinePair(std::move(injection), std::move(masked)));
  if (!options.icount) options.icount = IcountOption{};
  options.icount->sleep = false;
  options.snapshot = true;
  options.serials = {"null"};
  options.parallels.clear();
  options.monitors.clear();
  options.gdb.clear();
  options.nographic = false;
  options.display = "none";
  if (!options.debugcon.empty()) options.debugcon = "null";
  options.accel = Options::Accel::Interpreter;
  if (auto built = build(pair->interpreter_, options); !built) return built.error();
  options.accel = Options::Accel::Jit;
  options.jit_opt += options.jit_opt.empty() ? "+one-mapping,+verify" : ",+one-mapping,+verify";
  if (auto built = build(pair->translator_, options); !built) return built.error();
  pair->position_ = pair->interpreter().instruction_count();  // not 0 after -loadvm
  return pair;
}

Result<> MachinePair::build(Side& side, const Options& options) {
  side.options = options;
  auto machine = Machine::create(side.options, side.poller);
  if (!machine) return machine.error();
  side.machine = std::move(machine).value();
  auto consoles = Consoles::create(side.options, *side.machine, side.poller);
  if (!consoles) return consoles.error();
  side.consoles = std::move(consoles).value();
  if (options.load_vm.empty()) return {};
  if (auto loaded = load_machine(*side.machine, options.load_vm); !loaded) return loaded.error();
  side.machine->resume();
  return {};
}

void MachinePair::run_translator_to(u64 instruction) {
  Machine& machine = *translator_.machine;
  if (injection_ && machine.instruction_count() < injection_->instruction && injection_->instruction <= instruction) {
    run(translator_, injection_->instruction);
    if (machine.instruction_count() == injection_->instruction) inject();
  }
  run(translator_, instruction);
}

void MachinePair::inject() {
  if (const Place place = place_of(injection_->target)) *place(translator()) ^= 1;
}

void MachinePair::run_to(u64 instruction) {
  run(interpreter_, instruction);
  run_translator_to(instruction);
  position_ = interpreter().instruction_count();
}

bool MachinePair::ended() { return interpreter().ended() || (position_ != 0 && interpreter().paused()); }

bool MachinePair::memory_equal() {
  BackingStore& left = interpreter().bus().store();
  BackingStore& right = translator().bus().store();
  return std::memcmp(left.host(BackingOffset(0)), right.host(BackingOffset(0)), left.size()) == 0;
}

bool MachinePair::equal() {
  if (!memory_equal()) return false;
  if (tlb_entries(interpreter()) != tlb_entries(translator())) return false;
  if (interpreter().ended() != translator().ended()) return false;
  const std::vector<u8> left = state_of(interpreter()), right = state_of(translator());
  if (left == right) return true;
  if (masked_.empty() || !differences().empty()) return false;
  ++masked_count_;
  return true;
}

std::vector<Difference> MachinePair::differences() {
  std::vector<Difference> found;
  const auto counted = [&](const char* what, u64 left, u64 right) {
    if (left != right) found.push_back({what, std::to_string(left), std::to_string(right)});
  };
  counted("TLB entries", tlb_entries(interpreter()), tlb_entries(translator()));
  counted("ended", interpreter().ended() ? 1 : 0, translator().ended() ? 1 : 0);
  const Fields left = fields_of(state_of(interpreter())), right = fields_of(state_of(translator()));
  for (const auto& [name, content] : left) {
    const auto other = right.find(name);
    if (other != right.end() && content != other->second && !masked_.contains(name))
      found.push_back(difference_of(name, content, other->second));
  }
  BackingStore& left_store = interpreter().bus().store();
  BackingStore& right_store = translator().bus().store();
  std::size_t pages = 0;
  for (u64 at = 0; at < left_store.size() && pages < kMostPages; at += kPageSize) {
    const auto left_page = left_store.bytes(BackingOffset(at), kPageSize);
    const auto right_page = right_store.bytes(BackingOffset(at), kPageSize);
    if (std::equal(left_page.begin(), left_page.end(), right_page.begin())) continue;
    found.push_back(difference_of(fmt::format("memory {:08x}", at), left_page, right_page));
    ++pages;
  }
  return found;
}

}  // namespace relic86
