#include "jit/translator.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/assert.h"
#include "cpu/access.h"
#include "cpu/canonical.h"
#include "cpu/instruction_table.h"
#include "cpu/processor_thread.h"
#include "cpu/segmentation.h"
#include "cpu/system_instructions.h"
#include "cpu/trace.h"

namespace relic86::jit {

Translator::Translator(Cpu& cpu, PhysicalBus& bus, const TranslatorOptions& options)
    : cpu_(cpu),
      state_(cpu.state()),
      bus_(bus),
      store_(bus.store()),
      area_(engine_area(cpu.state())),
      options_(options),
      interpreter_(cpu, bus, options.thread),
      thread_(options.thread),
      cache_(options.code_limit, options.one_mapping),
      lookups_(reinterpret_cast<VcpuMemory&>(state_)),
      link_patience_(options.late_links) {
  lookups_.clear();
  for (u32 i = 0; i < JumpCache::kRegions; ++i) free_region_keys_.push_back(i);
  if (options_.host_nanoseconds != nullptr) started_ = options_.host_nanoseconds();
  statistics_.cold_by_row.resize(instruction_table().size());
  statistics_.flatten_by_row.resize(instruction_table().size());
  if (thread_ != nullptr) leave_out_what_threads_disturb();
  thunks_ = x64::make_thunks(cache_, helpers());
  if (!options_.ports) thunks_.port = thunks_.cold;
  if (thread_ != nullptr) thunks_.identify = thunks_.cold;  // it serializes, and so looks at what others have written
  constexpr u32 kDefaultMxcsr = 0x1F80;
  area_.host_mxcsr = kDefaultMxcsr;
  // Less than an instruction's translation takes: decoded code that has not been translated yet has room, too.
  constexpr u64 kCodeBytesPerInstruction = 40;
  interpreter_.blocks().set_room(options_.code_limit / kCodeBytesPerInstruction);
  interpreter_.patch_in_place(options_.patches);
  interpreter_.blocks().on_patch([this](CodeBlock& block) { block_died(block); });
  interpreter_.blocks().on_death([this](CodeBlock& block) { block_died(block); });
}

Translator::~Translator() {
  interpreter_.flush_code();
  collect();
}

ExitReason Translator::run(u64 budget) {
  if (tracing_execution()) [[unlikely]] {
    collect();
    return interpreter_.run_traced(budget);
  }
  interpreter_.begin(budget);
  spent_ = 0;
  const HostTraps::Running running(traps_);
  for (;;) {
    interpreter_.notice_foreign_writes();
    collect();
    if (const auto reason = interpreter_.boundary()) return *reason;
    if (state_.remaining <= 0) return ExitReason::BudgetSpent;
    if (interpreter_.must_step()) {
      if (const auto reason = interpreter_.step_checked()) return *reason;
      continue;
    }
    if (state_.mode.long_mode && !options_.long_mode) [[unlikely]] {
      pending_link_ = nullptr;
      unshared_ = false;
      if (const auto reason = interpreter_.run_interpreted()) return *reason;
      continue;
    }
    Flow flow = Flow::Next;
    do {
      if (const u8* const entry = known_entry(); entry != nullptr) {
        flow = enter(entry);
        continue;
      }
      CodeBlock* const block = interpreter_.current_block();
      if (block == nullptr && interpreter_.unkept()) {
        flow = run_unkept();
        continue;
      }
      if (block == nullptr) {
        pending_link_ = nullptr;
        unshared_ = false;
        if (!interpreter_.uncached()) {
          interpreter_.deliver();
        } else if (const auto reason = interpreter_.step_checked()) {
          return *reason;
        }
        break;
      }
      if (block->guarded) [[unlikely]] {
        pending_link_ = nullptr;
        unshared_ = false;
        if (interpreter_.meets_breakpoint()) return ExitReason::Breakpoint;
        if (interpreter_.meets_instruction_breakpoint()) {
          interpreter_.step();
          break;
        }
      }
      flow = run_one(*block);
    } while ((flow == Flow::Branched || flow == Flow::Lookup) && state_.remaining > 0);
  }
}

ExitReason Translator::single_step() {
  pending_link_ = nullptr;
  unshared_ = false;
  collect();
  return interpreter_.single_step();
}

// The usual way on from an exit: the same lookup that translated code makes. The code is about to be fetched.
const u8* Translator::known_entry() {
  const bool cut = cut_;
  cut_ = false;
  const LinAddr linear(code_linear());
  const Privilege privilege = cpu_.privilege();
  Tlb& tlb = cpu_.mmu().tlb();
  if (state_.mode.code64 && !options_.quick) {  // of the page behind, too: a block may run on to it
    for (const u64 place : {linear.raw, linear.raw + kPageSize})
      tlb.bring_inline(LinAddr(place), privilege, &HighTlbSlot::code);
  }
  if (cut || pending_link_ != nullptr || unshared_ || recorder_.active() || !options_.indirect) return nullptr;
  u64 page = tlb.code_entry(linear, privilege);
  if (page == 0) {
    Mmu::CodePage code;
    const bool within =
        state_.mode.code64 ? state_.linear.canonical(state_.rip) : state_.rip <= state_.segment[kCs].limit;
    if (!within || !cpu_.mmu().fetch_page(linear, privilege, code)) return nullptr;
    page = tlb.code_entry(linear, privilege);
  }
  return lookups_.find(page + linear.raw + LookupTable::tag_of(mode_number()));
}

void Translator::spend(u64 nanoseconds) {
  constexpr u64 kMost = 500'000;
  spent_ += nanoseconds;
  const bool real_time = cpu_.clock().line() != nullptr;
  if (spent_ > kMost && real_time) cpu_.shorten_slice(0);
}

constexpr u64 kInterpretedBlock = 300;  // ns

Flow Translator::run_unkept() {
  pending_link_ = nullptr;
  unshared_ = false;
  const u64 before = cpu_.instruction_count();
  const Flow flow = interpreter_.run_unkept();
  statistics_.interpreted_instructions += cpu_.instruction_count() - before;
  spend(kInterpretedBlock);
  return flow;
}

Flow Translator::run_one(CodeBlock& block) {
  const u64 translated = statistics_.translated;
  Translation* const translation = translation_of(block, unshared_);
  ExitPoint* const from = std::exchange(pending_link_, nullptr);
  const bool hot = std::exchange(hot_, nullptr) == from && from != nullptr;
  if (translation != nullptr) {
    const bool own = unshared_ || (from != nullptr && from->self);
    Translation* const region = own ? nullptr : translation->region;
    unshared_ = false;
    if (hot) from->heat = -1;
    if (from != nullptr) link(*from, region != nullptr ? *region : *translation);
    // An event may have led elsewhere than the branch does: that is no loop's head.
    if (hot && from->linked != nullptr) begin_path(*from, *translation);
    if (statistics_.translated != translated) spend(kTranslation);
    if (translation->wanted_head) begin_wanted_path(*translation);
    if (recorder_.active()) {
      if (const auto flow = walk(block)) return *flow;
    }
    // A region may be shorter than its head's own translation, and leads to it where its checks fail: with room for the
    // region alone the two would lead back and forth for ever.
    const auto has_room = [this](const Translation& each) { return state_.remaining >= static_cast<i64>(each.count); };
    const bool whole = region != nullptr && has_room(*region) && within_limit(*region);
    if (has_room(*translation)) return execute(whole ? *region : *translation);
    if (state_.remaining <= 0) return Flow::Branched;
  } else if (recorder_.active()) {
    unshared_ = false;
    if (const auto flow = walk(block)) return *flow;
  }
  unshared_ = false;
  ++statistics_.interpreted_blocks;
  const u64 before = cpu_.instruction_count();
  const Flow flow = interpreter_.run_block(block.insns.data());
  statistics_.interpreted_instructions += cpu_.instruction_count() - before;
  spend(kInterpretedBlock);
  if (thread_ != nullptr) thread_->give_way();
  return flow;
}

Flow Translator::execute(Translation& translation) { return enter(translation.entry()); }

Flow Translator::enter(const u8* entry) {
  ++statistics_.entries;
  settle_page();
  area_.home_step = area_.home_partial = 0;
  outcome_set_ = false;
  if (thread_ != nullptr) thread_->enter_guest();
  thunks_.enter(entry, &state_);
  if (thread_ != nullptr) {
    come_out();
    interpreter_.notice_foreign_writes();
  }
  return leave(*reinterpret_cast<ExitPoint*>(area_.exit_point));
}

void Translator::settle_x87(const ExitPoint& exit) {
  if (!exit.x87) return;
  FxState& fx = state_.fx;
  const u64 rip = rip_of(exit.x87_eip);
  fx.opcode = exit.x87_opcode;
  fx.instruction = static_cast<u32>(rip);
  fx.instruction_selector = state_.segment[kCs].selector.raw;
  fx.instruction_high = static_cast<u16>(rip >> 32);
}

u32 Translator::mode_number() {
#ifdef RELIC86_CHECK_MODES  // builds with sanitizers: too slow for others
  for (unsigned i = 0; i < kSegmentRegisters; ++i) {
    const Segment& segment = state_.segment[i];
    RELIC86_ASSERT(segment.kind == kind_of(segment));
    RELIC86_ASSERT(segment.end == (segment.usable() ? u64{segment.limit} + 1 : 0));
  }
#endif
  return number_of(Mode::key_of(state_));
}

// What follows an exit: Branched goes on with the next block, anything else looks at pending work first.
Flow Translator::leave(ExitPoint& exit) {
  const ExitKind kind = outcome_set_ ? outcome_ : exit.kind;
  ++statistics_.exits[static_cast<unsigned>(kind)];
  if (kind == ExitKind::Done) return outcome_flow_;
  settle_flags(exit);
  settle_x87(exit);
  state_.remaining += exit.undone;
  state_.rip = rip_of(exit.eip);
  switch (kind) {
    case ExitKind::Fault: interpreter_.deliver(); return Flow::Fault;
    case ExitKind::Indirect:
      state_.rip = state_.mode.code64 ? area_.target : static_cast<u32>(area_.target);
      return Flow::Branched;
    case ExitKind::Branch:
      unshared_ = exit.unshared;
      if (state_.mode.code64 && !state_.linear.canonical(state_.rip)) [[unlikely]]
        return left_canonical(exit);
      // Where IP 0 lies within a page, a branch back over it goes on below 64 KB, and not within the page.
      if (state_.eip() > exit.eip_mask) {
        state_.rip &= exit.eip_mask;
        return Flow::Branched;
      }
      if (options_.link && !exit.owner->dead && exit.linkable) pending_link_ = &exit;
      if (exit.counted && exit.linked != nullptr && pending_link_ == &exit) {
        detach(exit);
        hot_ = &exit;
      }
      return Flow::Branched;
    case ExitKind::Before: {
      const Insn& insn = *exit.insn;
      ++statistics_.interpreted_instructions;
      const Flow flow = insn.handler(cpu_, insn);
      const bool verifies = insn.handler == verr || insn.handler == verw || insn.handler == lar || insn.handler == lsl;
      if (verifies && flow == Flow::Next) descriptors_.remember(cpu_, Selector(static_cast<u16>(area_.value)));
      interpreter_.complete(flow, insn);
      return flow == Flow::Next ? Flow::Branched : flow;
    }
    default:  // Budget: what is left is interpreted
      cut_ = true;
      sample(*exit.owner);
      return Flow::Branched;
  }
}

// A direct branch that is taken to where no address is faults itself; what runs on to there faults when it is fetched.
Flow Translator::left_canonical(const ExitPoint& exit) {
  const Insn& insn = *exit.insn;
  const u64 branch = state_.rip - insn.immediate - insn.length;
  if (!exit.taken) return Flow::Branched;
  state_.rip = branch;
  ++state_.remaining;
  cpu_.raise(Vector::GeneralProtection, 0);
  interpreter_.deliver();
  return Flow::Fault;
}

u64 Translator::go_on(Flow flow) {
  area_.home_step = area_.home_partial = 0;
  return proceed(flow);
}

u64 Translator::proceed(Flow flow) {
  const bool plain = flow == Flow::Branched || flow == Flow::Stop || flow == Flow::StopAt || flow == Flow::Fault;
  const u8* const entry = plain && !due() && options_.direct ? known_entry() : nullptr;
  if (entry == nullptr) {
    settle_entry();
    outcome_set_ = true;
    outcome_ = ExitKind::Done;
    outcome_flow_ = flow;
    return 1;
  }
  ++statistics_.continued;
  settle_page();
  outcome_set_ = false;
  return reinterpret_cast<u64>(entry);
}

u64 Translator::depart(ExitPoint& exit) { return go_on(leave(exit)); }

void Translator::flush_code() {
  interpreter_.flush_code();
  collect();
}

namespace {

// The instructions that cost most calls.
std::string calls_by_name(std::string text, const std::vector<u64>& calls) {
  constexpr std::size_t kShown = 16;
  std::vector<std::size_t> rows(calls.size());
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  const std::size_t shown = std::min(kShown, rows.size());
  const auto more = [&](std::size_t a, std::size_t b) { return calls[a] > calls[b]; };
  std::partial_sort(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(shown), rows.end(), more);
  for (std::size_t i = 0; i < shown && calls[rows[i]] != 0; ++i) {
    const InstructionRow& row = instruction_table()[rows[i]];
    text += fmt::format(" {}{} {},", row.mnemonic, row.operands, calls[rows[i]]);
  }
  return text + '\n';
}

}  // namespace

std::string Translator::describe() const {
  const TranslatorStatistics& s = statistics_;
  std::string text = fmt::format(
      "translator: {} blocks translated ({} instructions, {} host bytes, {:.1f} ms), {} refused, {} died, {} cache "
      "flushes, {} bytes in use\n",
      s.translated, s.translated_instructions, s.host_bytes, static_cast<double>(s.translation_nanoseconds) / 1e6,
      s.refused, s.died, s.flushes, cache_.used());
  const u64 count = cpu_.instruction_count();
  const auto share = [](double part, double whole) { return whole > 0 ? part * 100 / whole : 0.0; };
  const auto per_thousand = [&](u64 events) {
    return share(static_cast<double>(events) * 10, static_cast<double>(count));
  };
  text += fmt::format("instructions {}, interpreted {} ({:.2f} %)", count, s.interpreted_instructions,
                      share(static_cast<double>(s.interpreted_instructions), static_cast<double>(count)));
  if (options_.host_nanoseconds != nullptr) {
    const double elapsed = static_cast<double>(options_.host_nanoseconds() - started_);
    text += fmt::format(", translating took {:.2f} % of {:.1f} s",
                        share(static_cast<double>(s.translation_nanoseconds), elapsed), elapsed / 1e9);
  }
  text += fmt::format(
      "\nof 1000 instructions: {:.3f} left translated code, {:.3f} missed an indirect lookup, {:.3f} were slow "
      "accesses, "
      "{:.3f} cold calls, {:.3f} flag computations\n",
      per_thousand(s.entries + s.continued), per_thousand(s.exits[static_cast<unsigned>(ExitKind::Indirect)]),
      per_thousand(s.loads + s.stores + s.probes + s.touches), per_thousand(s.cold_calls), per_thousand(s.flattens));
  text +=
      fmt::format("regions: {} made ({} over pages, {} instructions, {} host bytes), {} refused, {} died\n", s.regions,
                  s.far_regions, s.region_instructions, s.region_bytes, s.regions_refused, s.regions_died);
  text += fmt::format("entries {}, continued {}, links {}, interpreted blocks {}\n", s.entries, s.continued, s.links,
                      s.interpreted_blocks);
  text += fmt::format("exits: budget {}, branch {}, indirect {}, before {}, fault {}, done {}\n", s.exits[0],
                      s.exits[1], s.exits[2], s.exits[3], s.exits[4], s.exits[5]);
  text += fmt::format("helpers: load {}, store {}, probe {}, touch {}, cold {}, port {}, flatten {}, transfer {}\n",
                      s.loads, s.stores, s.probes, s.touches, s.cold_calls, s.ports, s.flattens, s.transfers);
  text += calls_by_name("cold calls:", s.cold_by_row);
  text += calls_by_name("flattens:", s.flatten_by_row);
  return text + interpreter_.describe();
}

}  // namespace relic86::jit
