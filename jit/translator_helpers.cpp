// What translated code calls. The guest's registers are in CpuState; CpuState::remaining holds what is left behind the
// running block, so that exit->undone must be added for the exact count.
#include <atomic>
#include <cstring>
#include <span>

#include "base/whole_copy.h"
#include "cpu/access.h"
#include "cpu/canonical.h"
#include "cpu/debug_registers.h"
#include "cpu/effective_address.h"
#include "cpu/instruction_table.h"
#include "cpu/processor_thread.h"
#include "cpu/register_port.h"
#include "cpu/simd_instructions.h"
#include "cpu/system_instructions.h"
#include "jit/record/system_forms.h"
#include "jit/translator.h"
#include "jit/x64/clock_reader.h"
#include "jit/x64/host_instructions.h"
#include "jit/x64/plane_thunks.h"

namespace relic86::jit {

namespace {

Translator& translator(void* context) { return *static_cast<Translator*>(context); }

// What the instruction loads, if translated code does so itself once the descriptor is known; else kCs.
SegmentName loaded_segment(const Insn& insn) {
  const Handler handler = insn.handler;
  if (handler == les) return kEs;
  if (handler == lds) return kDs;
  if (handler == lfs) return kFs;
  if (handler == lgs) return kGs;
  const bool by_number = (handler == mov_to_segment || handler == pop_segment) && insn.reg < kSegmentRegisters;
  return by_number && insn.reg != kSs ? static_cast<SegmentName>(insn.reg) : kCs;
}

bool stores_from_mmx(const Insn& insn) {
  constexpr UnitShape kStore = kShapeMmx | kShapeStore;
  return insn.row != kNoRow && (instruction_table()[insn.row].shape & kStore) == kStore;
}

u64 granules_of(u64 offset, u32 size) {
  const u64 first = (offset & (kPageSize - 1)) / 64, last = ((offset & (kPageSize - 1)) + size - 1) / 64;
  return (~u64{0} << first) & (~u64{0} >> (63 - last));
}

}  // namespace

// What Cpu::check_access() allows, or Cpu::check_access_long().
bool Translator::allowed(SegmentName name, u64 place, u32 size, bool write) const {
  const Segment& segment = state_.segment[name];
  if (state_.mode.code64) {
    const u64 address = cpu_.linear_address(name, place).raw;
    if (!state_.linear.canonical(address, size) || (name >= kFs && !state_.linear.canonical(place))) return false;
    return !checks_alignment(state_) || address % Mode::alignment_of(size) == 0;
  }
  const u32 offset = static_cast<u32>(place);
  if (u64{offset} + size <= (write ? segment.write_end : segment.read_end)) return true;
  if ((segment.kind & (write ? kSegmentWrites : kSegmentReads)) == 0) return false;
  const u64 last = u64{offset} + size - 1;
  if ((segment.kind & kSegmentExpandsDown) != 0) {
    if (offset < segment.end || last > ((segment.kind & kSegmentTop4G) != 0 ? 0xFFFFFFFFu : 0xFFFFu)) return false;
  } else if (last >= segment.end) {
    return false;
  }
  const u32 linear = static_cast<u32>(segment.base + offset);
  return !checks_alignment(state_) || linear % Mode::alignment_of(size) == 0;
}

// Nobody answers there: writes to ROM, and memory that is not mapped.
bool Translator::nobody(u64 entry, bool write) const {
  if ((entry & kTlbMmio) == 0) return false;
  const PhysPage& page = bus_.page(PhysAddr(entry & ~u64{kPageSize - 1}));
  return (write ? page.write : page.read).kind == PageTarget::Kind::Unmapped;
}

// A temporary of translated code may hold a host address of a page whose TLB entry has been replaced: no access may go
// there any more without a new look.
bool Translator::lost_a_page(const ExitPoint& exit) const {
  const Tlb::Replaced& replaced = cpu_.mmu().tlb().replaced();
  if (exit.held == 0) return false;
  if (replaced.count > replaced.pages.size()) return true;
  for (u32 i = 0; i < replaced.count; ++i) {
    for (unsigned n = 0; n < std::size(area_.saved_temporaries); ++n) {
      if ((exit.held >> n & 1) != 0 && area_.saved_temporaries[n] - replaced.pages[i] < kPageSize) return true;
    }
  }
  return false;
}

// The access at linear may replace entries that the block has used, or of code. The interpreter carries the instruction
// out then, from the start: what translated code has done of it so far only has to be done again, and no entry goes
// twice.
bool Translator::may_replace_what_is_used(const ExitPoint& exit, u64 linear, bool write) const {
  const Tlb& tlb = cpu_.mmu().tlb();
  const Privilege privilege = cpu_.privilege();
  const auto missing = [&](u64 address) {
    return (write ? tlb.write_entry(LinAddr(address), privilege) : tlb.read_entry(LinAddr(address), privilege)) == 0;
  };
  if (!missing(linear) && !missing(after(linear, exit.size - 1u))) return false;
  const Tlb::InTurn in_turn = tlb.in_turn();
  if (in_turn.code) return true;
  for (unsigned n = 0; n < std::size(area_.saved_temporaries); ++n) {
    if ((exit.held >> n & 1) == 0) continue;
    for (const u64 page : in_turn.pages) {
      if (area_.saved_temporaries[n] - page < kPageSize) return true;
    }
  }
  return false;
}

bool Translator::prepare_access(const ExitPoint& exit, bool write, u64& linear) {
  const SegmentName name = static_cast<SegmentName>(exit.segment);
  present_ = false;
  outcome_set_ = true;
  state_.rip = rip_of(exit.eip);
  const u64 offset = access_offset(cpu_, exit);
  if (!allowed(name, offset, exit.size, write)) {
    outcome_ = ExitKind::Before;
    return false;
  }
  linear = cpu_.linear_address(name, offset).raw;
  outcome_ = ExitKind::Before;
  if (may_replace_what_is_used(exit, linear, write)) return false;
  Mmu& mmu = cpu_.mmu();
  const u64 flushes = mmu.tlb().flushes();
  const Privilege privilege = cpu_.privilege();
  const bool good = write ? mmu.probe_write(LinAddr(linear), exit.size, privilege)
                          : mmu.probe_read(LinAddr(linear), exit.size, privilege);
  if (!good) {
    cpu_.raise_page_fault(mmu.fault());
    outcome_ = ExitKind::Fault;
    return false;
  }
  if (mmu.tlb().flushes() != flushes) return false;  // the code page must be looked up again
  const auto plain = [&](u64 address) {
    const u64 entry =
        write ? mmu.tlb().write_entry(LinAddr(address), privilege) : mmu.tlb().read_entry(LinAddr(address), privilege);
    // Pages that breakpoints watch are accessed here as long as the bytes are others.
    const bool passes =
        (entry & kTlbDebug) != 0 && !mmu.has_watchpoints() && !may_match_data(state_, LinAddr(linear), exit.size);
    return (entry & kTlbFast) != 0 || (write && (entry & kTlbWatched) != 0) || passes ||
           (nobody(entry, write) && !mmu.has_watchpoints() && !watches_data(state_));
  };
  present_ = true;
  if (!plain(linear) || !plain(after(linear, exit.size - 1u))) return false;
  if (state_.mode.code64)
    mmu.tlb().bring_inline(LinAddr(linear), privilege, write ? &HighTlbSlot::write : &HighTlbSlot::read);
  outcome_set_ = false;
  return true;
}

// The linear address of an access within a page; false: it is none, or its segment does not allow it.
bool Translator::locate(const ExitPoint& exit, bool write, u64& linear) {
  const SegmentName name = static_cast<SegmentName>(exit.segment);
  state_.rip = rip_of(exit.eip);
  const u64 offset = access_offset(cpu_, exit);
  linear = cpu_.linear_address(name, offset).raw;
  return (linear & (kPageSize - 1)) + exit.size <= kPageSize && allowed(name, offset, exit.size, write);
}

// The device's page that a TLB entry leads to; null: it does not lead to registers. The bus is asked once between two
// flushes, which every change of what lies where brings.
const PageTarget* Translator::registers_at(u64 entry, bool write) {
  constexpr u64 kOthers = kTlbFast | kTlbWatched | kTlbDebug;
  if ((entry & (kTlbMmio | kOthers)) != kTlbMmio) return nullptr;
  Mmu& mmu = cpu_.mmu();
  RegisterPage& known = register_pages_[(entry >> kPageShift) % (register_pages_.size() / 2) * 2 + (write ? 1 : 0)];
  if (known.entry != entry || known.flushes != mmu.tlb().flushes()) {
    const PhysPage& page = mmu.bus().page(PhysAddr(entry & ~u64{kPageSize - 1}));
    known = {entry, mmu.tlb().flushes(), write ? &page.write : &page.read};
  }
  return known.target->kind == PageTarget::Kind::Mmio ? known.target : nullptr;
}

bool Translator::access_registers(ExitPoint& exit, bool write) {
  u64& value = area_.value;
  u64 linear = 0;
  Mmu& mmu = cpu_.mmu();
  if (!options_.registers || exit.size > sizeof value || watches_data(state_) || mmu.has_watchpoints() ||
      !locate(exit, write, linear)) {
    return false;
  }
  const Privilege privilege = cpu_.privilege();
  const u64 entry =
      write ? mmu.tlb().write_entry(LinAddr(linear), privilege) : mmu.tlb().read_entry(LinAddr(linear), privilege);
  const PageTarget* const target = registers_at(entry, write);
  if (target == nullptr) return false;
  if (!write) value = 0;
  const std::span<u8> bytes(reinterpret_cast<u8*>(&value), exit.size);
  const u64 offset = target->region_offset + (linear & (kPageSize - 1));
  state_.remaining += exit.undone;  // the clock that the device sees
  exit.met_registers = write ? target->handler->write_run(target->region, offset, bytes)
                             : target->handler->read_run(target->region, offset, bytes);
  state_.remaining -= exit.undone;
  if (exit.met_registers) note_planes(*target, PhysAddr(entry & ~u64{kPageSize - 1}));
  return exit.met_registers;
}

// What follows needs no C++ if it is planes. With threads nobody accesses a device's memory without the lock.
void Translator::note_planes(const PageTarget& target, PhysAddr page) {
  constexpr u64 kPagesEnd = u64{4} << 20;  // of a table of the bus, which the fixed code looks into
  if (target.handler == last_registers_ || page.raw >= kPagesEnd || thread_ != nullptr) return;
  last_registers_ = target.handler;
  auto* const planar = dynamic_cast<PlanarMemory*>(target.handler);
  PlaneWindow* const window = planar != nullptr ? planar->plane_window(target.region) : nullptr;
  if (window == nullptr) return;
  area_.plane_handler = reinterpret_cast<u64>(target.handler);
  area_.plane_region = target.region;
  area_.planes = reinterpret_cast<u64>(window);
  area_.plane_pages = reinterpret_cast<u64>(&bus_.page(PhysAddr(0)));
}

u64 Translator::load_helper(void* context, void* exit_point) {
  Translator& self = translator(context);
  ExitPoint& exit = *static_cast<ExitPoint*>(exit_point);
  ++self.statistics_.loads;
  u64 linear = 0;
  if (exit.met_registers && self.access_registers(exit, false)) return 0;
  if (!self.prepare_access(exit, false, linear)) {
    if (!self.present_ || !self.access_registers(exit, false)) return self.depart(exit);
    self.outcome_set_ = false;
    return 0;
  }
  self.area_.value = 0;
  if (const u8* const from = self.cpu_.mmu().readable_run(LinAddr(linear), self.cpu_.privilege());
      from != nullptr && (linear & (kPageSize - 1)) + exit.size <= kPageSize) {
    copy_whole(&self.area_.value, from, exit.size);
    return 0;
  }
  (void)self.cpu_.mmu().read_bytes(LinAddr(linear), &self.area_.value, exit.size, self.cpu_.privilege());
  return 0;
}

// Where the byte lies that a slow entry of plain memory leads to.
BackingOffset Translator::backing_of(u64 entry, u64 linear) const {
  const u64 page = entry & ~u64{kPageSize - 1};
  if ((entry & kTlbDebug) != 0) return BackingOffset(page + (linear & (kPageSize - 1)));
  return store_.offset_of(reinterpret_cast<const u8*>(page + linear));
}

// A store that hits no translated or decoded code.
bool Translator::plain_store(u64 linear, u32 size) const {
  const Tlb& tlb = cpu_.mmu().tlb();
  const u64 entry = tlb.write_entry(LinAddr(linear), cpu_.privilege());
  if ((entry & kTlbFast) != 0 || nobody(entry, true)) return true;
  const BackingOffset at = backing_of(entry, linear);
  return (store_.code_granules(at) & granules_of(at.raw, size)) == 0;
}

// A store of what is there.
bool Translator::rewrite_store(u64 linear, u32 size) const {
  if ((linear & (kPageSize - 1)) + size > kPageSize) return false;
  const u64 entry = cpu_.mmu().tlb().write_entry(LinAddr(linear), cpu_.privilege());
  return std::memcmp(store_.host(backing_of(entry, linear)), &area_.value, size) == 0;
}

// A store that only changes immediates which translations look up.
bool Translator::immediate_store(u64 linear, u32 size) {
  if ((linear & (kPageSize - 1)) + size > kPageSize) return false;
  const u64 entry = cpu_.mmu().tlb().write_entry(LinAddr(linear), cpu_.privilege());
  return interpreter_.blocks().immediates_only(backing_of(entry, linear), size);
}

// A store that hits code, but not the running block's: others may die while it runs.
bool Translator::others_store(const ExitPoint& exit, u64 linear) const {
  if (!options_.watched || (linear & (kPageSize - 1)) + exit.size > kPageSize) return false;
  const u64 entry = cpu_.mmu().tlb().write_entry(LinAddr(linear), cpu_.privilege());
  return !exit.owner->holds(backing_of(entry, linear), exit.size);
}

u64 Translator::store_helper(void* context, void* exit_point) {
  Translator& self = translator(context);
  ExitPoint& exit = *static_cast<ExitPoint*>(exit_point);
  ++self.statistics_.stores;
  u64 linear = 0;
  if (exit.met_registers && self.access_registers(exit, true)) return 0;
  if (!self.prepare_access(exit, true, linear)) {
    if (!self.present_ || !self.access_registers(exit, true)) return self.depart(exit);
    self.outcome_set_ = false;
    return 0;
  }
  const u32 in_page = kPageSize - static_cast<u32>(linear & (kPageSize - 1));
  const auto plain_over_two = [&] {
    const u64 second = self.after(linear, in_page);
    return self.plain_store(linear, in_page) && self.plain_store(second, exit.size - in_page);
  };
  const bool plain = exit.size <= in_page ? self.plain_store(linear, exit.size) : plain_over_two();
  if (!plain && !self.rewrite_store(linear, exit.size) && !self.immediate_store(linear, exit.size) &&
      !self.others_store(exit, linear)) {
    self.outcome_set_ = true;
    return self.depart(exit);
  }
  (void)self.cpu_.mmu().write_bytes(LinAddr(linear), &self.area_.value, exit.size, self.cpu_.privilege());
  return 0;
}

u64 Translator::probe_helper(void* context, void* exit_point) {
  Translator& self = translator(context);
  ExitPoint& exit = *static_cast<ExitPoint*>(exit_point);
  ++self.statistics_.probes;
  u64 linear = 0;
  if (!self.prepare_access(exit, true, linear)) return self.depart(exit);
  const bool again = (linear & (kPageSize - 1)) + exit.size <= kPageSize &&
                     (self.cpu_.mmu().tlb().write_entry(LinAddr(linear), self.cpu_.privilege()) & kTlbFast) != 0;
  self.outcome_set_ = !again;
  return again ? 0 : self.depart(exit);
}

u64 Translator::touch_helper(void* context, void* exit_point) {
  Translator& self = translator(context);
  ExitPoint& exit = *static_cast<ExitPoint*>(exit_point);
  ++self.statistics_.touches;
  u64 linear = 0;
  const auto leads_to_registers = [&] {
    const Access access = exit.write ? Access::Write : Access::Read;
    return self.options_.registers && self.cpu_.mmu().takes_run(LinAddr(linear), access, self.cpu_.privilege());
  };
  const bool known = exit.met_registers && self.locate(exit, exit.write, linear) && leads_to_registers();
  if (known || !self.prepare_access(exit, exit.write, linear)) {
    exit.met_registers = known || (self.present_ && leads_to_registers());
    if (!exit.met_registers) {
      // What else a store of the MMX unit leaves behind when it faults is its handler's to know.
      if (stores_from_mmx(*exit.insn)) {
        self.outcome_set_ = true;
        self.outcome_ = ExitKind::Before;
      }
      return self.depart(exit);
    }
    CodeBlock& block = *exit.owner->block;
    if (++block.register_touches == kTouchesOfRegisters) {  // it is translated anew, for what it does
      self.block_died(block);
      self.outcome_set_ = true;
      self.outcome_ = ExitKind::Before;
      return self.depart(exit);
    }
    self.outcome_set_ = false;  // the variant that shares no checks goes on
    self.area_.value = 0;
    return 0;
  }
  const Tlb& tlb = self.cpu_.mmu().tlb();
  const Privilege privilege = self.cpu_.privilege();
  const u64 entry =
      exit.wants_writable ? tlb.write_entry(LinAddr(linear), privilege) : tlb.read_entry(LinAddr(linear), privilege);
  self.area_.value = entry & kTlbFast;
  return 0;
}

// The mode is still the one that the translation assumes.
bool Translator::mode_stays(const ExitPoint& exit) { return mode_number() == exit.owner->mode; }

bool Translator::nothing_requested() const {
  return state_.pending == 0 && state_.shadow == 0 && !state_.halted && (state_.system_flags & (kTF | kRF)) == 0;
}

// After an instruction that stops the engine for a look at what it may have changed: nothing has.
bool Translator::undisturbed(const ExitPoint& exit) {
  return nothing_requested() && (leaves_flags_alone(*exit.insn) || mode_stays(exit));
}

u64 Translator::cold_helper(void* context, void* exit_point) {
  Translator& self = translator(context);
  const ExitPoint& exit = *static_cast<ExitPoint*>(exit_point);
  ++self.statistics_.cold_calls;
  if (exit.insn->row != kNoRow) ++self.statistics_.cold_by_row[exit.insn->row];
  CpuState& state = self.state_;
  state.rip = self.rip_of(exit.eip);
  state.remaining += exit.undone;
  if (exit.settles_flags) self.settle_flags(exit);
  self.settle_x87(exit);
  const i64 slice = state.slice;
  const u64 flushes = self.cpu_.mmu().tlb().flushes();
  self.cpu_.mmu().tlb().forget_replaced();
  self.code_died_ = false;
  self.interpreter_.notice_foreign_writes();  // the instruction may be one that serializes (SDM 3A 8.3)
  const Insn& insn = *exit.insn;
  const u8 length = insn.length;
  Flow flow = insn.handler(self.cpu_, insn);
  if (const SegmentName loaded = loaded_segment(insn); flow == Flow::Stop && loaded != kCs && !state.mode.long_mode)
    self.descriptors_.remember(self.cpu_, state.segment[loaded].selector);
  if (flow == Flow::Stop && insn.row != kNoRow && self.undisturbed(exit)) flow = Flow::Next;
  // FLDCW and its like change the mode without a stop, and so may what has been written over an instruction.
  const bool mode_known = !(insn.replaced() || exit.changes_mode) || self.mode_stays(exit);
  if (flow == Flow::Next && mode_known && slice == state.slice && !self.code_died_ &&
      self.cpu_.mmu().tlb().flushes() == flushes && !self.lost_a_page(exit) && state.remaining >= exit.undone)
      [[likely]] {
    state.remaining -= exit.undone;
    return 0;
  }
  self.outcome_set_ = true;
  self.outcome_ = ExitKind::Done;
  // Before a fault is delivered, or anyone else looks.
  if (!exit.settles_flags) self.settle_flags(exit);
  if (flow == Flow::Next) {
    state.rip += length;
    --state.remaining;
    return self.go_on(Flow::Stop);
  }
  self.interpreter_.complete(flow, insn);
  return self.go_on(flow);
}

u64 Translator::time_helper(void* context, void* exit_point) {
  Translator& self = translator(context);
  const ExitPoint& exit = *static_cast<ExitPoint*>(exit_point);
  self.state_.remaining += exit.undone;  // counted time is exact
  const u64 now = static_cast<u64>(self.cpu_.clock().now_on_line()) + self.state_.tsc_offset;
  self.state_.remaining -= exit.undone;
  return now;
}

u64 Translator::identify_helper(void* context, void* exit_point) {
  (void)cpuid(translator(context).cpu_, *static_cast<const ExitPoint*>(exit_point)->insn);
  return 0;
}

// A port access of a program that may make it. Most devices only answer: then translated code goes on at once.
u64 Translator::port_helper(void* context, void* exit_point) {
  enum Answer : u64 { kDone, kDisturbed, kForHandler };
  Translator& self = translator(context);
  const ExitPoint& exit = *static_cast<const ExitPoint*>(exit_point);
  CpuState& state = self.state_;
  if (state.mode.protected_mode && (state.mode.v86 || state.mode.cpl > (state.system_flags >> 12 & 3)))
    return kForHandler;
  if (static_cast<u16>(state.gpr[kEdx]) == kRegisterPort) return kForHandler;
  ++self.statistics_.ports;
  state.rip = self.rip_of(exit.eip);
  state.remaining += exit.undone;
  const i64 slice = state.slice;
  const Tlb& tlb = self.cpu_.mmu().tlb();
  const u64 flushes = tlb.flushes();
  self.code_died_ = false;
  const Flow flow = exit.insn->handler(self.cpu_, *exit.insn);  // never a fault
  if (slice != state.slice || self.code_died_ || tlb.flushes() != flushes || state.remaining < exit.undone ||
      (flow == Flow::Stop && !self.nothing_requested())) {
    return kDisturbed;
  }
  state.remaining -= exit.undone;
  return kDone;
}

u64 Translator::ported_helper(void* context, void* exit_point) {
  Translator& self = translator(context);
  const ExitPoint& exit = *static_cast<const ExitPoint*>(exit_point);
  self.settle_x87(exit);
  self.settle_flags(exit);
  self.state_.rip += exit.insn->length;
  --self.state_.remaining;
  return self.go_on(Flow::Stop);
}

u64 Translator::depart_helper(void* context, void* exit_point) {
  translator(context).interpreter_.notice_foreign_writes();
  return translator(context).depart(*static_cast<ExitPoint*>(exit_point));
}

u64 Translator::flatten_helper(void* context, void* exit_point) {
  Translator& self = translator(context);
  const ExitPoint& exit = *static_cast<ExitPoint*>(exit_point);
  ++self.statistics_.flattens;
  ++self.statistics_.flatten_by_row[exit.insn->row];
  self.settle_flags(exit);
  self.area_.value = u64{self.state_.flags.eflags()} | kFixed1 | kIF;
  return 0;
}

// --- Helpers of a processor with a host thread of its own ---

// Out of translated code: the lock is taken, and the TLB is what the others want it to be.
void Translator::come_out() {
  thread_->leave_guest();
  cpu_.mmu().catch_up();
}

template <x64::Helper kHelper>
u64 Translator::with_lock(void* context, void* exit_point) {
  Translator& self = translator(context);
  self.come_out();
  // What has been asked of the processor meanwhile is looked at after this block.
  if (self.cpu_.work_pending()) self.cpu_.shorten_slice(0);
  const u64 answer = kHelper(context, exit_point);
  self.thread_->enter_guest();
  return answer;
}

// The same for a helper after which translated code goes on with the slice as it was (x64/thunks.cpp): what has been
// asked of the processor meanwhile is seen to by the next one.
template <x64::Helper kHelper>
u64 Translator::lightly_with_lock(void* context, void* exit_point) {
  Translator& self = translator(context);
  const i64 slice = self.state_.slice, remaining = self.state_.remaining;
  self.come_out();
  self.state_.slice = slice;
  self.state_.remaining = remaining;
  const u64 answer = kHelper(context, exit_point);
  self.thread_->enter_guest();
  return answer;
}

// RDTSC without the lock, as long as the clock follows its line.
u64 Translator::line_helper(void* context, void* exit_point) {
  Translator& self = translator(context);
  if (ClockLine* const line = self.options_.clock ? self.cpu_.clock().line() : nullptr; line != nullptr) {
    self.thread_->note_reading();
    if (const auto now = x64::read_clock_line(*line)) return static_cast<u64>(*now) + self.state_.tsc_offset;
  }
  return lightly_with_lock<&time_helper>(context, exit_point);
}

// Cpu::work_pending() without the lock.
bool Translator::is_asked() const {
  const u32 pending = std::atomic_ref(state_.pending).load(std::memory_order_relaxed);
  return pending != 0 && (pending != kPendingIntr || (state_.system_flags & kIF) != 0);
}

x64::Helpers Translator::helpers() {
  if (thread_ == nullptr) {
    ClockLine* const line = options_.clock ? cpu_.clock().line() : nullptr;
    return {this,
            &load_helper,
            &store_helper,
            &probe_helper,
            &touch_helper,
            &cold_helper,
            &depart_helper,
            &transfer_helper,
            &flatten_helper,
            &time_helper,
            &identify_helper,
            &port_helper,
            &ported_helper,
            &no_frame_,
            descriptors_.data(),
            cpu_.host_units().avx,
            line,
            options_.fill};
  }
  // PAUSE takes nothing of the machine, unless something has been asked of the processor that it can act on, or others
  // wait for it to come out of translated code. Fences are between the guest's loads and stores, which are the host's.
  const x64::Helper cold = [](void* context, void* exit_point) {
    Translator& self = translator(context);
    const Handler handler = static_cast<const ExitPoint*>(exit_point)->insn->handler;
    if (handler == &simd_fence) {
      x64::fence();
      return u64{0};
    }
    if (handler != &pause || self.is_asked() || self.thread_->summoned())
      return with_lock<&cold_helper>(context, exit_point);
    self.thread_->spin();
    return u64{0};
  };
  return {this,
          &with_lock<&load_helper>,
          &with_lock<&store_helper>,
          &with_lock<&probe_helper>,
          &with_lock<&touch_helper>,
          cold,
          &with_lock<&depart_helper>,
          &with_lock<&transfer_helper>,
          &with_lock<&flatten_helper>,
          &line_helper,
          &with_lock<&identify_helper>,
          &lightly_with_lock<&port_helper>,
          &with_lock<&ported_helper>,
          &no_frame_,
          descriptors_.data(),
          cpu_.host_units().avx,
          nullptr,
          options_.fill};
}

// Regions were never tried with threads.
void Translator::leave_out_what_threads_disturb() { options_.regions = false; }

}  // namespace relic86::jit
