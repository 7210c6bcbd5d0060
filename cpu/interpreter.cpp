#include "cpu/interpreter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "cpu/access.h"
#include "cpu/canonical.h"
#include "cpu/cpuid.h"
#include "cpu/debug_registers.h"
#include "cpu/interrupt_delivery.h"
#include "cpu/nmi_latch.h"
#include "cpu/processor_thread.h"
#include "cpu/system_instructions.h"
#include "cpu/system_management.h"
#include "cpu/trace.h"
#include "cpu/vendor_behaviour.h"

namespace relic86 {

namespace {

// INT, INTO and their relatives clear TF as they go to their handler: no single-step trap follows them (SDM 3B
// 17.3.1.4). SYSCALL and SYSRET ask for it themselves.
bool suppresses_single_step(const Insn& insn, Flow flow) {
  if (flow != Flow::StopAt) return false;  // INTO that was not taken
  return insn.handler == int_n || insn.handler == int3 || insn.handler == into || insn.handler == int1 ||
         insn.handler == syscall || insn.handler == sysret;
}

}  // namespace

Interpreter::Interpreter(Cpu& cpu, PhysicalBus& bus, ProcessorThread* thread)
    : cpu_(cpu),
      state_(cpu.state()),
      bus_(bus),
      store_(bus.store()),
      decoder_(cpu.model().instructions, Decoder::Reading::CommonHere, VendorDecoding::of(cpu.vendor())),
      blocks_(bus.store()),
      memo_(decoder_),
      thread_(thread) {
  store_.add_code_watch(*this);
  if (thread_ != nullptr) decoder_.make_locks_atomic();
  patch_in_place(true);
}

void Interpreter::patch_in_place(bool wanted) {
  blocks_.patch_in_place(!wanted ? CodePatcher::Decode{}
                                 : [this](std::span<const u8> window, CodeSize size, Insn& insn) {
                                     return decoder_.decode(window, size, insn);
                                   });
}

Interpreter::~Interpreter() { store_.remove_code_watch(*this); }

void Interpreter::flush_code() {
  if (breakpoints_.empty()) cuts_ = wanted_cuts();
  blocks_.clear();
  forget_fetch_page();
  foreign_writes_.clear();
  doubtful_.clear();
}

// Another thread's write: this engine's may be in the middle of a block.
void Interpreter::take_foreign_writes() {
  for (const ForeignWrite& write : std::exchange(foreign_writes_, {}))
    blocks_.invalidate(write.first, write.length, std::nullopt);
  // This may be before an instruction that serializes, behind which other code has to be seen (SDM 3A 8.1.3).
  std::erase_if(doubtful_, [this](const Doubtful& each) {
    const bool certain = thread_->have_passed(each.passages);  // asked first: what was stored before is there then
    if (std::memcmp(store_.host(each.first), each.bytes.data(), each.bytes.size()) == 0) return certain;
    blocks_.invalidate(each.first, each.bytes.size(), std::nullopt);
    return true;
  });
}

// Who stores directly may do so for as long as it has not come out of translated code, whatever its TLB says by now.
// passages: from before the bytes were read, as one that has come out meanwhile may have stored in between.
void Interpreter::doubt(BackingOffset first, std::span<const u8> bytes, const std::vector<u64>& passages) {
  if (!passages.empty()) doubtful_.push_back({first, {bytes.begin(), bytes.end()}, passages});
}

void Interpreter::code_written(BackingOffset first, u64 length) {
  if (thread_ != nullptr && !thread_->here()) {
    // A processor that sleeps for long would gather writes without end, each of which found the code still there.
    if (thread_->rests()) return blocks_.invalidate(first, length, std::nullopt);
    return foreign_writes_.push_back({first, length});
  }
  const LinAddr linear(linear_rip());
  const u64 code = cpu_.mmu().tlb().code_entry(linear, cpu_.privilege());
  std::optional<BackingOffset> writer;
  if (code != 0) writer = store_.offset_of(reinterpret_cast<const u8*>((code & ~u64{kPageSize - 1}) + linear.raw));
  blocks_.invalidate(first, length, writer);
}

u64 Interpreter::linear_after(u32 bytes) const {
  if (state_.mode.code64) [[unlikely]]
    return state_.rip + bytes;
  return static_cast<u32>(state_.segment[kCs].base + state_.rip + bytes);
}

// In 64-bit mode code goes on to the end of its half of the canonical addresses; 0 where RIP is not canonical.
u64 Interpreter::code_limit() const {
  if (!state_.mode.code64) [[likely]]
    return state_.segment[kCs].limit;
  if (!state_.linear.canonical(state_.rip)) return 0;
  const u64 end = state_.linear.lower_half_end();
  return state_.rip < end ? end - 1 : ~u64{0};
}

void Interpreter::begin(u64 budget) {
  cpu_.begin_slice(budget);
  forget_fetch_page();
}

void Interpreter::set_breakpoints(const std::vector<LinAddr>& addresses) {
  breakpoints_ = addresses;
  cut_blocks();
}

std::bitset<kPageSize> Interpreter::wanted_cuts() const {
  std::bitset<kPageSize> cuts;
  for (const LinAddr address : breakpoints_) cuts.set(address.raw & (kPageSize - 1));
  for (const LinAddr address : instruction_breakpoints(state_)) cuts.set(address.raw & (kPageSize - 1));
  return cuts;
}

// Debuggers take their breakpoints out at every stop, and systems do at every switch of tasks: cuts that are there stay
// until none is wanted for long, or they are many.
void Interpreter::cut_blocks() {
  constexpr std::size_t kMost = 64;
  const std::bitset<kPageSize> cuts = wanted_cuts();
  if ((cuts & ~cuts_).none()) return;
  cuts_ |= cuts;
  if (cuts_.count() > kMost) cuts_ = cuts;
  blocks_.clear();
  forget_fetch_page();
}

bool Interpreter::meets_instruction_breakpoint() const {
  return (state_.dr[7] & 0xFF) != 0 && relic86::meets_instruction_breakpoint(state_, LinAddr(linear_rip()));
}

bool Interpreter::meets_breakpoint() {
  const Passage here{linear_rip(), cpu_.instruction_count()};
  if (here == passed_) return false;
  if (std::find(breakpoints_.begin(), breakpoints_.end(), LinAddr(here.linear)) == breakpoints_.end()) return false;
  passed_ = here;
  return true;
}

ExitReason Interpreter::single_step() {
  begin(1);
  notice_foreign_writes();
  blocks_.collect();
  if (const auto reason = boundary()) return *reason;
  step();
  return ExitReason::BudgetSpent;
}

std::optional<ExitReason> Interpreter::step_checked() {
  if (!breakpoints_.empty() && meets_breakpoint()) return ExitReason::Breakpoint;
  step();
  return std::nullopt;
}

ExitReason Interpreter::run(u64 budget) {
  return tracing_execution() ? run_blocks<true>(budget) : run_blocks<false>(budget);
}

template <bool traced>
ExitReason Interpreter::run_blocks(u64 budget) {
  begin(budget);
  for (;;) {
    notice_foreign_writes();
    blocks_.collect();
    if (const auto reason = boundary()) return *reason;
    if (state_.remaining <= 0) return ExitReason::BudgetSpent;
    if (must_step()) {
      if constexpr (traced) trace_entered(cpu_, BackingOffset(0));
      if (const auto reason = step_checked()) return *reason;
      continue;
    }
    if (const auto reason = run_chain<traced>()) return *reason;
  }
}

// Blocks follow each other without a look at pending work as long as they end in plain branches.
template <bool traced>
std::optional<ExitReason> Interpreter::run_chain() {
  Flow flow = Flow::Next;
  do {
    CodeBlock* const block = current_block();
    if (block == nullptr && unkept_) {
      flow = run_unkept();
      continue;
    }
    if (block == nullptr) {
      if (uncached_) return step_checked();
      deliver();
      return std::nullopt;
    }
    if (block->guarded) [[unlikely]] {
      if (meets_breakpoint()) return ExitReason::Breakpoint;
      if (meets_instruction_breakpoint()) {
        step();
        return std::nullopt;
      }
    }
    if constexpr (traced) trace_entered(cpu_, block->first);
    flow = run_block(block->insns.data());
  } while ((flow == Flow::Branched || flow == Flow::Lookup) && state_.remaining > 0);
  return std::nullopt;
}

// The header's inline functions need them where everything here is inlined.
template ExitReason Interpreter::run_blocks<true>(u64 budget);
template std::optional<ExitReason> Interpreter::run_chain<false>();

// Acts on what is pending between two instructions, in the order of SDM 3A table 6-2.
std::optional<ExitReason> Interpreter::boundary() {
  if (state_.shutdown) return ExitReason::Shutdown;
  if (state_.pending == 0 && !state_.halted) [[likely]]
    return std::nullopt;
  if ((state_.pending & kPendingBreakpoints) != 0) {
    state_.pending &= ~u32{kPendingBreakpoints};
    cut_blocks();
  }
  if ((state_.pending & (kPendingStop | kPendingReset | kPendingInit)) != 0) return ExitReason::Stopped;
  // A breakpoint that MOV SS or POP SS matched waits for the next instruction (SDM 3A 6.8.3).
  if ((state_.pending & (kPendingSingleStep | kPendingDataBreak)) != 0 && (state_.shadow & kShadowMovSs) == 0) {
    deliver_debug_trap(cpu_);
    forget_fetch_page();
  }
  // Traps first: SMRAM has no room for a pending one. The shadows, which it does not hold either, are waited for.
  if ((state_.pending & kPendingSmi) != 0 && !state_.in_smm && state_.shadow == 0) {
    enter_system_management_mode(cpu_);
    forget_fetch_page();
  }
  // STI's shadow holds it back as well: returning from it between STI and HLT would lose the interrupt that HLT is for.
  if ((state_.pending & kPendingNmi) != 0 && !state_.nmi_blocked && state_.shadow == 0) {
    state_.pending &= ~nmi_to_take(state_);
    state_.halted = false;
    deliver_nmi(cpu_);
    forget_fetch_page();
  }
  if ((state_.pending & kPendingIntr) != 0 && (state_.system_flags & kIF) != 0 && state_.shadow == 0) {
    state_.halted = false;
    deliver_external_interrupt(cpu_, cpu_.interrupts().acknowledge());
    forget_fetch_page();
  }
  if (state_.shutdown) return ExitReason::Shutdown;
  if (state_.halted) return ExitReason::Halted;
  return std::nullopt;
}

Flow Interpreter::run_block(const Insn* insn) {
  CpuState& state = state_;
  for (;;) {
    const Flow flow = insn->handler(cpu_, *insn);
    if (flow != Flow::Next) [[unlikely]] {
      complete(flow, *insn);
      return flow;
    }
    state.rip += insn->length;
    if (--state.remaining <= 0) [[unlikely]]
      return flow;
    ++insn;
  }
}

void Interpreter::complete(Flow flow, const Insn& insn) {
  switch (flow) {
    case Flow::Next: state_.rip += insn.length; [[fallthrough]];
    case Flow::Branched: --state_.remaining; break;
    case Flow::Stop: state_.rip += insn.length; [[fallthrough]];
    case Flow::StopAt:
      --state_.remaining;
      forget_fetch_page();
      break;
    case Flow::Again:  // the same instruction goes on: it was reported when it began
      // A trap between two iterations pushes RF set (SDM 3B 17.3.1.1).
      if ((state_.pending & kPendingDataBreak) != 0) state_.system_flags |= kRF;
      if (!breakpoints_.empty()) pass_breakpoint();
      break;
    case Flow::Lookup: break;
    case Flow::Fault: deliver(); break;
  }
}

// A delivery counts no instruction. A guest whose handlers fault at once would never end a slice: from the 257th
// delivery without a completed instruction on, each counts one.
void Interpreter::deliver() {
  constexpr unsigned kFreeDeliveries = 256;
  const u64 count = cpu_.instruction_count();
  deliveries_ = count == last_delivery_ ? deliveries_ + 1 : 0;
  if (deliveries_ >= kFreeDeliveries) --state_.remaining;
  last_delivery_ = cpu_.instruction_count();
  deliver_fault(cpu_);
  forget_fetch_page();
}

// One instruction with everything that the fast loop leaves out.
void Interpreter::step() {
  const bool single_step = (state_.system_flags & kTF) != 0;
  const bool hidden = (state_.shadow & kShadowMovSs) != 0 && cpu_.vendor().loading_ss_hides_code_breakpoints;
  if ((state_.dr[7] & 0xFF) != 0 && (state_.system_flags & kRF) == 0 && !hidden &&
      instruction_breakpoint(cpu_, LinAddr(linear_rip()))) {
    deliver();
    return;
  }
  CodeBlock* const block = current_block();
  Insn insn;
  if (block != nullptr) {
    insn = block->insns.front();
  } else if (!uncached_ || !fetch_uncached(insn)) {
    deliver();
    return;
  }
  state_.shadow = 0;
  const u32 resume = state_.system_flags & kRF;
  state_.system_flags &= ~u32{kRF};
  const Flow flow = insn.handler(cpu_, insn);
  // RF lasts until an instruction completes. Events between two iterations push it set (SDM 3B 17.3.1.1).
  if (flow == Flow::Fault || flow == Flow::Again || flow == Flow::Lookup) state_.system_flags |= resume;
  if (flow == Flow::Again && (single_step || (state_.dr[7] & 0xFF) != 0)) state_.system_flags |= kRF;
  complete(flow, insn);
  const bool completed = flow != Flow::Fault && flow != Flow::Lookup;
  if (single_step && completed && !suppresses_single_step(insn, flow) && (state_.shadow & kShadowMovSs) == 0) {
    state_.pending |= kPendingSingleStep;
  }
}

bool Interpreter::translate(u64 linear, FetchPage& page) {
  if (!cpu_.mmu().fetch_page(LinAddr(linear), cpu_.privilege(), page.code)) {
    cpu_.raise_page_fault(cpu_.mmu().fault());
    return false;
  }
  page.linear_page = page_of(linear);
  page.flushes = cpu_.mmu().tlb().flushes();
  return true;
}

CodeBlock* Interpreter::current_block() { return state_.mode.code64 ? block_at_rip<true>() : block_at_rip<false>(); }

template <bool long_code>
CodeBlock* Interpreter::block_at_rip() {
  const u64 linear = long_code ? state_.rip : static_cast<u32>(state_.segment[kCs].base + state_.rip);
  const u64 limit = long_code ? code_limit() : state_.segment[kCs].limit;
  uncached_ = unkept_ = false;
  if (state_.rip > limit) [[unlikely]] {
    cpu_.raise(Vector::GeneralProtection, 0);
    return nullptr;
  }
  if ((page_of(linear) != fetch_.linear_page || cpu_.mmu().tlb().flushes() != fetch_.flushes) &&
      !translate(linear, fetch_)) [[unlikely]] {
    forget_fetch_page();
    return nullptr;
  }
  if (!fetch_.code.backed) [[unlikely]] {
    uncached_ = true;
    return nullptr;
  }
  const BackingOffset first = fetch_.code.backing + (linear & (kPageSize - 1));
  const CodeSize size = long_code ? CodeSize::Bits64 : state_.mode.code32 ? CodeSize::Bits32 : CodeSize::Bits16;
  CodeBlock* block = blocks_.find(CodeBlocks::key_of(first, size));
  if (block == nullptr || (block->straddles && !second_page_matches(*block))) [[unlikely]] {
    if (!std::exchange(keeps_next_, false) && blocks_.passes_unkept(first) && may_run_unkept()) {
      uncached_ = unkept_ = true;
      return nullptr;
    }
    block = decode_block(first, size);
    if (block == nullptr) return nullptr;
  }
  if (state_.rip + block->bytes - 1 > limit) [[unlikely]] {
    uncached_ = true;
    return nullptr;
  }
  return block;
}

// Whoever wants to see blocks, or to stop within them, needs them; so do threads, which are told of writes to them.
bool Interpreter::may_run_unkept() const {
  return thread_ == nullptr && cuts_.none() && !tracing_execution() && !log::enabled(log::Channel::Disassembly) &&
         !decode_listener_;
}

// Up to a branch, a stop, the end of the budget or of the page. Nothing is kept of the code but what its bytes mean,
// which are read anew for every instruction: a write to it needs no notice.
Flow Interpreter::run_unkept() {
  for (;;) {
    const u64 linear = linear_rip(), in_page = linear & (kPageSize - 1);
    if (page_of(linear) != fetch_.linear_page || cpu_.mmu().tlb().flushes() != fetch_.flushes) return Flow::Lookup;
    const bool whole =
        in_page + InstructionMemo::kWindow <= kPageSize && state_.rip + kMaxInstructionLength <= code_limit();
    if (!whole) {
      step();
      return Flow::Stop;
    }
    const Insn& insn = memo_.at(store_.host(fetch_.code.backing) + in_page, code_size(state_.mode));
    if (insn.repeats()) {  // a repeated instruction is told of writes over itself by the death of its block
      keeps_next_ = true;
      return Flow::Lookup;
    }
    const Flow flow = insn.handler(cpu_, insn);
    if (flow != Flow::Next) {
      complete(flow, insn);
      return flow;
    }
    state_.rip += insn.length;
    if (--state_.remaining <= 0) [[unlikely]]
      return flow;
  }
}

bool Interpreter::second_page_matches(CodeBlock& block) {
  FetchPage second;
  if (!translate(linear_after(kMaxInstructionLength), second)) return false;
  return second.code.backed && second.code.backing == block.second_page;
}

namespace {
// Memory that nobody has written holds zeros, which are an ADD each: whoever runs into it has not come to other code.
bool is_code(std::span<const u8> bytes) {
  return std::ranges::any_of(bytes, [](u8 byte) { return byte != 0; });
}
}  // namespace

CodeBlock* Interpreter::decode_block(BackingOffset first, CodeSize size) {
  auto block = std::make_unique<CodeBlock>();
  block->key = CodeBlocks::key_of(first, size);
  block->first = first;
  u32 room = kPageSize - static_cast<u32>(first.raw & (kPageSize - 1));
  const u8* bytes = store_.host(first);
  std::array<u8, CodeBlocks::kMaxInstructions * kMaxInstructionLength> copy;
  ProcessorThread::Passages passages;
  if (thread_ != nullptr) {  // what is decoded is what doubt() compares
    passages = thread_->others_outside();
    room = std::min<u32>(room, copy.size());
    std::memcpy(copy.data(), bytes, room);
    bytes = copy.data();
  }
  block->guarded = cuts_[first.raw & (kPageSize - 1)];
  decoding_.clear();
  while (block->bytes < room && decoding_.size() < CodeBlocks::kMaxInstructions) {
    if (block->bytes != 0 && cuts_[(first.raw + block->bytes) & (kPageSize - 1)]) break;
    Insn insn;
    if (!decoder_.decode({bytes + block->bytes, room - block->bytes}, size, insn)) break;
    decoded_ += is_code({bytes + block->bytes, insn.length}) ? 1 : 0;
    decoding_.push_back(insn);
    block->bytes += insn.length;
    if (ends_block(insn)) break;
  }
  if (decoding_.empty()) return decode_straddling(first, size);
  block->insns.reserve(decoding_.size() + CodeBlocks::kSentinels);
  block->insns.assign(decoding_.begin(), decoding_.end());
  if (log::enabled(log::Channel::Disassembly)) trace_decoded(cpu_, {bytes, block->bytes});
  tell_decoded(block->bytes);
  doubt(first, {bytes, block->bytes}, passages);
  return blocks_.insert(std::move(block));
}

// The first instruction runs over the end of its page: a block of its own that depends on both pages.
CodeBlock* Interpreter::decode_straddling(BackingOffset first, CodeSize size) {
  const u32 room = kPageSize - static_cast<u32>(first.raw & (kPageSize - 1));
  const u64 left = code_limit() - state_.rip + 1;
  if (left <= room) {
    cpu_.raise(Vector::GeneralProtection, 0);
    return nullptr;
  }
  FetchPage second;
  if (!translate(linear_after(room), second)) return nullptr;
  if (!second.code.backed) {
    uncached_ = true;
    return nullptr;
  }
  ProcessorThread::Passages passages;
  if (thread_ != nullptr) passages = thread_->others_outside();
  u8 window[kMaxInstructionLength];
  const u32 most = static_cast<u32>(std::min<u64>(left, sizeof window));
  const u8* const head = store_.host(first);
  const u8* const tail = store_.host(second.code.backing);
  for (u32 i = 0; i < most; ++i) window[i] = i < room ? head[i] : tail[i - room];
  auto block = std::make_unique<CodeBlock>();
  block->key = CodeBlocks::key_of(first, size);
  block->first = first;
  block->guarded = cuts_[first.raw & (kPageSize - 1)];
  Insn insn;
  if (!decoder_.decode({window, most}, size, insn)) {
    cpu_.raise(Vector::GeneralProtection, 0);
    return nullptr;
  }
  decoded_ += is_code({window, insn.length}) ? 1 : 0;
  block->insns.reserve(1 + CodeBlocks::kSentinels);
  block->insns.push_back(insn);
  block->bytes = insn.length;
  if (log::enabled(log::Channel::Disassembly)) trace_decoded(cpu_, {window, insn.length});
  tell_decoded(insn.length);
  block->straddles = insn.length > room;
  block->second_page = second.code.backing;
  const u32 in_first = std::min<u32>(room, insn.length);
  doubt(first, {window, in_first}, passages);
  if (block->straddles) doubt(second.code.backing, {window + in_first, insn.length - in_first}, passages);
  return blocks_.insert(std::move(block));
}

bool Interpreter::fetch_uncached(Insn& insn) {
  u8 window[kMaxInstructionLength];
  FetchPage page = fetch_;
  for (u32 have = 1; have <= kMaxInstructionLength; ++have) {
    if (state_.rip + have - 1 > code_limit()) {
      cpu_.raise(Vector::GeneralProtection, 0);
      return false;
    }
    const u64 linear = linear_after(have - 1);
    if (page_of(linear) != page.linear_page && !translate(linear, page)) return false;
    const u64 in_page = linear & (kPageSize - 1);
    window[have - 1] =
        page.code.backed ? page.code.host[in_page] : static_cast<u8>(bus_.read(page.code.physical + in_page, 1));
    if (!decoder_.decode({window, have}, code_size(state_.mode), insn)) continue;
    tell_decoded(insn.length);
    return true;
  }
  cpu_.raise(Vector::GeneralProtection, 0);
  return false;
}

void Interpreter::on_decoded(DecodeListener listener) {
  decode_listener_ = std::move(listener);
  flush_code();
}

std::string Interpreter::describe() const {
  return fmt::format("interpreter: {} blocks cached, {} instructions decoded\n", blocks_.live(), decoded_);
}

}  // namespace relic86
