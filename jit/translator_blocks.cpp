// Translating, linking and forgetting blocks.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "base/assert.h"
#include "cpu/access.h"
#include "cpu/cpuid.h"
#include "cpu/instruction_table.h"
#include "cpu/integer_instructions.h"
#include "cpu/locked_access.h"
#include "cpu/simd_instructions.h"
#include "jit/analyse/page_plan.h"
#include "jit/ir/verifier.h"
#include "jit/listing.h"
#include "jit/record/compound_forms.h"
#include "jit/record/recorders.h"
#include "jit/record/system_forms.h"
#include "jit/translator.h"
#include "jit/x64/emitter.h"
#include "jit/x64/host_instructions.h"

namespace relic86::jit {

namespace {

constexpr std::size_t kUsualNodes = 6;  // of an instruction

// What other threads can tell from plain accesses of memory.
bool orders_memory(const Insn& insn) { return insn.handler == simd_fence; }
bool is_locked(const Insn& insn) { return insn.handler == carry_out_locked; }

bool is_rewritten(const CodeBlock& block) {
  return std::ranges::any_of(block.insns, [](const Insn& insn) { return insn.patched_immediate() || insn.replaced(); });
}

}  // namespace

// What the check at the entry of limited code will say.
bool Translator::within_limit(const Translation& translation) {
  if (!translation.limited) return true;
  settle_page();
  return area_.page_eip >= -i64{translation.lowest} && area_.page_end >= translation.end;
}

// A block over two pages can run if the check at its entry will hold: the second page's entry is there.
bool Translator::straddling_entry(const CodeBlock& block, u32 mode) const {
  if (!options_.cross_page) return false;
  const bool limited = modes_.mode_of(mode).limited;
  if (!state_.mode.code32 && !limited && u64{state_.eip()} + block.bytes > 0x10000) return false;
  const u64 second = after(code_linear() & ~u64{kPageSize - 1}, kPageSize);
  const u64 entry = cpu_.mmu().tlb().code_entry(LinAddr(second), cpu_.privilege());
  return entry + second == reinterpret_cast<u64>(store_.host(block.second_page)) + kTlbFast;
}

Translation* Translator::translation_of(CodeBlock& block, bool unshared) {
  // Code that the guest writes over runs a few times between two writes, as a rule.
  constexpr u32 kPatience = 8;
  const bool rewritten = is_rewritten(block);
  const u32 wanted = rewritten ? kPatience * options_.threshold : block.translation == nullptr ? options_.threshold : 0;
  u32& heat = interpreter_.blocks().heat(block);
  if (heat < wanted) {
    ++heat;
    return nullptr;
  }
  if (!usable() || block.guarded) return nullptr;
  const u32 mode = mode_number();
  if (mode == ModeNumbers::kNone || modes_.full() || cache_.full()) {
    // All at once: a guest that makes code, or meets modes, all the time keeps within the bound. The block itself dies
    // too.
    ++statistics_.flushes;
    interpreter_.blocks().clear();
    modes_.clear();
    return nullptr;
  }
  if (block.straddles && !straddling_entry(block, mode)) return nullptr;
  Translation* translation = static_cast<Translation*>(block.translation);
  while (translation != nullptr && (translation->mode != mode || translation->unshared != unshared))
    translation = translation->next_mode;
  if (translation == nullptr) {
    translation = translate(block, mode, unshared);
    if (!rewritten) heat = 0;  // for others that share the count
  }
  if (translation == nullptr || translation->code == nullptr || !within_limit(*translation)) return nullptr;
  if (options_.indirect && !unshared)
    enter_in_lookups(translation->region != nullptr ? *translation->region : *translation);
  return translation;
}

void Translator::enter_in_lookups(const Translation& translation) {
  lookups_.insert(lookup_key(translation), translation.entry());
}

// The guest's x87 has loaded a denormal number since its exceptions were cleared. Code of programs that meet none is
// not to look for them: in a Fourier transform of doubles that takes a sixth of the time.
bool Translator::met_denormal() const {
  constexpr u16 kDenormalOperand = 2;
  return (state_.fx.status & kDenormalOperand) != 0;
}

Translation* Translator::translate(CodeBlock& block, u32 mode, bool unshared) {
  const i64 start = options_.host_nanoseconds != nullptr ? options_.host_nanoseconds() : 0;
  auto translation = std::make_unique<Translation>();
  translation->block = &block;
  translation->mode = mode;
  translation->unshared = unshared;
  if (block.straddles) translation->second_page = reinterpret_cast<u64>(store_.host(block.second_page));
  translation->code_address = reinterpret_cast<u64>(store_.host(block.first));
  if (compile(*translation)) {
    ++statistics_.translated;
    statistics_.translated_instructions += translation->count;
    statistics_.host_bytes += translation->code_size;
    if (options_.perf_map) name_for_profilers(*translation);
  } else {
    ++statistics_.refused;
    translation->code = nullptr;
  }
  translation->next_mode = static_cast<Translation*>(block.translation);
  block.translation = translation.get();
  if (options_.host_nanoseconds != nullptr)
    statistics_.translation_nanoseconds += static_cast<u64>(options_.host_nanoseconds() - start);
  return translation.release();
}

void Translator::name_for_profilers(const Translation& translation) {
  if (std::FILE* const map = std::fopen(fmt::format("/tmp/perf-{}.map", ::getpid()).c_str(), "a")) {
    // A region is made when its path has ended, somewhere.
    const u64 first = translation.block->first.raw;
    const std::string name = translation.is_region() ? fmt::format("region_at_{:x}", first)
                                                     : fmt::format("guest_{:08x}_at_{:x}", code_linear(), first);
    fmt::print(map, "{:x} {:x} {}\n", reinterpret_cast<u64>(translation.code), translation.code_size, name);
    std::fclose(map);
  }
}

namespace {

bool of_strings(const Insn& insn) {
  return insn.row != kNoRow && (instruction_table()[insn.row].traits & kTraitString) != 0;
}

// A count of bits, or one of BMI1 and BMI2.
bool manipulates_bits(const Insn& insn) {
  if (insn.row == kNoRow) return false;
  const Feature feature = instruction_table()[insn.row].feature;
  return feature == Feature::Popcnt || feature == Feature::Lzcnt || feature == Feature::Bmi1 ||
         feature == Feature::Bmi2;
}

// A branch to the block's start, and nothing that calls C++ but for slow accesses: those leave the block when they
// change what is mapped.
bool closes_loop(const BlockIr& ir) {
  i32 target = -1;
  for (const InsnIr& each : ir.insns) {
    if (each.cold || each.leaves) return false;
    for (const Node& node : each.nodes) {
      if (info(node.op).has(kOpNoLoop)) return false;
      if (node.op == Op::Call || !direct_target(each, node, target)) target = -1;
    }
  }
  return target == 0;
}

bool is_compare_exchange16(const Insn& insn) { return insn.handler == cmpxchg8b && insn.operand64(); }

void assert_verified(const BlockIr& ir) {
  const auto broken = broken_rule(ir);
  if (!broken) return;
  std::string text = *broken;
  for (std::size_t i = 0; i < ir.insns.size(); ++i) text += fmt::format("\n{}:\n{}", i, ir_text(ir.insns[i]));
  assertion_failed(text.c_str(), __FILE__, __LINE__);
}

}  // namespace

BlockIr Translator::empty_ir(const CodeBlock& first, const Mode& mode) {
  BlockIr ir;
  ir.page_offset = static_cast<u32>(first.first.raw & (kPageSize - 1));
  ir.head_page = first.first.raw >> kPageShift;
  ir.code32 = mode.code32;
  ir.code64 = mode.code64;
  return ir;
}

void Translator::record_instruction(BlockIr& ir, const Insn& insn, u32 offset, bool cold, const Mode& mode) const {
  const bool bits = options_.bits && x64::host_has_bit_instructions();
  const bool exchange16 = options_.exchange16 && x64::host_has_compare_exchange16() &&
                          (cpu_.model().instructions & feature_bit(Feature::Cmpxchg16b)) != 0;
  InsnIr& made = ir.insns.emplace_back();
  made.nodes.reserve(kUsualNodes);
  made.insn = &insn;
  made.offset = offset;
  made.end = offset + insn.length;
  made.cold = cold || (thread_ != nullptr && orders_memory(insn)) || (!options_.atomics && is_locked(insn)) ||
              (!options_.strings && of_strings(insn)) || (!options_.segments && changes_segments(insn)) ||
              (!options_.system && concerns_system(insn)) || (!options_.compound && is_compound(insn)) ||
              (!bits && manipulates_bits(insn)) || (!exchange16 && is_compare_exchange16(insn)) ||
              (cpu_.entry_watch() != nullptr && is_watched_entry(insn));
  record(made, mode, cpu_.vendor(), cpu_.host_units());
}

BlockIr Translator::block_ir(const CodeBlock& block, const std::vector<bool>& cold, const Mode& mode) const {
  BlockIr ir = empty_ir(block, mode);
  u32 offset = 0;
  ir.insns.reserve(block.insns.size());
  for (std::size_t i = 0; i + 1 < block.insns.size(); ++i) {  // the last is the sentinel
    const Insn& insn = block.insns[i];
    record_instruction(ir, insn, offset, cold[i], mode);
    const InsnIr& made = ir.insns.back();
    offset = made.end;
    if (made.leaves && !made.cold) break;
    // A backward branch closes a loop: the code behind it is another block.
    if (!made.cold && insn.row != kNoRow && (instruction_table()[insn.row].traits & kTraitBranch) != 0 &&
        static_cast<i32>(insn.immediate) < 0) {
      break;
    }
  }
  return ir;
}

bool Translator::shares_checks(const Translation& translation) const {
  const auto meets_registers = [](const CodeBlock& block) { return block.register_touches >= kTouchesOfRegisters; };
  return options_.share && !translation.unshared && !meets_registers(*translation.block) &&
         std::ranges::none_of(translation.path, [&](const PathStep& step) { return meets_registers(*step.block); });
}

// An instruction that the back end refuses becomes a cold one.
bool Translator::compile(Translation& translation) {
  std::size_t count = translation.block->insns.size();
  for (const PathStep& step : translation.path) count += step.count;
  std::vector<bool> cold(count, false);
  const Mode mode = modes_.mode_of(translation.mode);
  for (unsigned attempt = 0; attempt < 8; ++attempt) {
    if (emit(translation, cold, mode)) return true;
  }
  return false;
}

bool Translator::emit(Translation& translation, std::vector<bool>& cold, const Mode& mode) {
  BlockIr ir =
      translation.is_region() ? region_ir(translation.path, cold, mode) : block_ir(*translation.block, cold, mode);
  translation.over_pages = !ir.pages.empty();
  translation.exits.clear();
  translation.steps.clear();
  translation.trap_sites.clear();
  drop_records(translation);
  ir.loop = options_.loops && !translation.no_loop && translation.second_page == 0 && closes_loop(ir);
  if (shares_checks(translation) && !mode.aligned) plan_pages(ir, mode);
  if (options_.verify) assert_verified(ir);
  asmjit::CodeHolder code;
  code.init(asmjit::Environment::host());
  const CodeScratch::Loan loan(scratch_, code);
  const x64::ModeTag tag = [this](const Mode& of) {
    const u32 number = number_of(of.key());
    if (number < JumpCache::kModes) jumps().admit(number);
    return LookupTable::tag_of(number);
  };
  using x64::Counted;
  const Counted counted = !options_.regions || !options_.link ? Counted::Nothing
                          : options_.region_threshold == 0    ? Counted::Everything
                                                              : Counted::Backward;
  x64::Emitter emitter(code, ir, mode, translation, thunks_, tag, records_,
                       {.share = options_.share,
                        .lazy_flags = options_.lazy_flags,
                        .returns = options_.returns,
                        .cross_page = options_.cross_page,
                        .fill = options_.fill,
                        .aside = options_.aside,
                        .watched = options_.watched,
                        .quick = options_.quick,
                        .jumps = options_.jumps,
                        .copies = options_.copies,
                        .fusion = options_.fusion,
                        .denormals = options_.denormals && met_denormal(),
                        .counted = counted,
                        .heat = static_cast<i32>(options_.region_threshold)});
  if (!emitter.run()) {
    if (translation.loop_offset != 0) {  // pages of the loop may have taken too many registers
      translation.no_loop = true;
      translation.loop_offset = 0;
      return false;
    }
    const std::size_t at = emitter.failed_at();
    if (at >= cold.size() || cold[at]) return false;
    cold[at] = true;
    return false;
  }
  const CodeCache::Placed placed = cache_.place(code);
  if (placed.executable == nullptr) return false;
  translation.code = placed.executable;
  translation.writable = placed.writable;
  translation.code_size = placed.size;
  traps_.add(translation);
  translation.exits.shrink_to_fit();
  translation.steps.shrink_to_fit();
  return true;
}

namespace {

void patch(const Translation& owner, u32 at, const u8* target) {
  const i64 distance = target - (owner.code + at + 4);
  const i32 displacement = static_cast<i32>(distance);
  std::memcpy(owner.writable + at, &displacement, sizeof displacement);
}

void patch_page(const ExitPoint& exit, u64 expected) {
  std::memcpy(exit.owner->writable + exit.check_offset, &expected, sizeof expected);
}

bool reachable(const Translation& owner, u32 at, const u8* target) {
  const i64 distance = target - (owner.code + at + 4);
  return distance == static_cast<i32>(distance);
}

}  // namespace

void Translator::link(ExitPoint& exit, Translation& target) {
  Translation& owner = *exit.owner;
  if (exit.linked != nullptr || target.mode != owner.mode || target.unshared != exit.unshared || owner.dead) return;
  if (!link_patience_.over(exit)) return;
  // The place that the branch names: in the same page, by backing, or in one that the code will check.
  const u64 first = target.block->first.raw;
  if ((first & (kPageSize - 1)) != (static_cast<u32>(exit.eip) & (kPageSize - 1))) return;
  if (!exit.crosses && target.code_address - (first & (kPageSize - 1)) != reinterpret_cast<u64>(exit.page)) return;
  if (!reachable(owner, exit.jump_offset, target.entry())) return;
  if (exit.crosses) {
    const u64 mask = exit.checks_place ? ~u64{0} : ~u64{kPageSize - 1};
    patch_page(exit, (target.code_address & mask) + kTlbFast);
  }
  const bool at_once = !exit.lazy || (target.lazy_entry && (target.entry_clobbers & exit.lazy_registers) == 0);
  const bool loop = at_once && &target == &owner && target.loop_offset != 0 && exit.loop;
  const u8* to = loop ? target.code + target.loop_offset : target.entry();
  if (exit.counted && exit.heat >= 0 && may_become_head(target)) {
    const ExitPoint::CountStub& stub = at_once ? exit.count : exit.late_count;
    patch(owner, stub.jump, to);
    to = owner.code + stub.offset;
  }
  patch(owner, at_once ? exit.jump_offset : exit.late_jump_offset, to);
  exit.linked = &target;
  target.incoming.push_back(&exit);
  ++statistics_.links;
}

void Translator::unlink(ExitPoint& exit) {
  if (exit.crosses) patch_page(exit, ~u64{0});
  patch(*exit.owner, exit.jump_offset, exit.owner->code + exit.stub_offset);
  if (exit.lazy) patch(*exit.owner, exit.late_jump_offset, exit.owner->code + exit.late_stub_offset);
  exit.linked = nullptr;
  if (exit.counted) exit.heat = static_cast<i32>(options_.region_threshold);
}

// The block may be running: its code stays until collect().
void Translator::block_died(CodeBlock& block) {
  code_died_ = true;
  recorder_.forget(block);
  while (Translation* const region = regions_.any_of(block)) bury(region);
  Translation* translation = static_cast<Translation*>(block.translation);
  block.translation = nullptr;
  while (translation != nullptr) {
    Translation* const next = translation->next_mode;
    bury(translation);
    translation = next;
  }
}

void Translator::bury(Translation* translation) {
  ++statistics_.died;
  translation->dead = true;
  if (translation->is_region()) {
    ++statistics_.regions_died;
    regions_.remove(*translation);
    translation->head->region = nullptr;
  }
  if (pending_link_ != nullptr && pending_link_->owner == translation) pending_link_ = nullptr;
  if (translation->code != nullptr && !translation->unshared) {
    lookups_.remove(lookup_key(*translation));
    jumps().forget();
  }
  for (ExitPoint* const exit : translation->incoming) unlink(*exit);
  translation->incoming.clear();
  for (const auto& exit : translation->exits) {
    if (exit->linked == nullptr) continue;
    std::erase(exit->linked->incoming, exit.get());
    unlink(*exit);
  }
  dead_.push_back(translation);
}

void Translator::drop_records(Translation& translation) {
  for (const u32 number : translation.flag_records) records_.remove(number);
  translation.flag_records.clear();
}

// No translated code runs: nobody needs the flags of the dead.
void Translator::collect() {
  for (Translation* const translation : dead_) {
    traps_.remove(*translation);
    if (translation->code != nullptr) cache_.release(translation->code, translation->code_size);
    drop_records(*translation);
    give_back_key(*translation);
    delete translation;
  }
  dead_.clear();
  interpreter_.blocks().collect();
}

}  // namespace relic86::jit
