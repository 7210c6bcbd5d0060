// Far transfers, INT and IRET at the end of a block, in the usual case (cpu/direct_transfers.h): no
// fault, so that nothing is settled beforehand and the next block is entered at once.
#include "base/assert.h"
#include "base/log.h"
#include "cpu/access.h"
#include "cpu/direct_transfers.h"
#include "cpu/interrupt_delivery.h"
#include "cpu/system_instructions.h"
#include "jit/translator.h"

namespace relic86::jit {

// Carries out the instruction, all of it but its count. False: nothing was done.
bool Translator::transfer(const ExitPoint& exit) {
  loaded_.reset();
  if (state_.mode.long_mode) return false;
  const Insn& insn = *exit.insn;
  const bool wide = insn.operand32();
  constexpr u32 kHighest16 = 0xFFFF, kHighest = 0xFFFFFFFF;
  const u32 next = (state_.eip() + insn.length) & (state_.mode.code32 ? kHighest : kHighest16);
  if (exit.far == FarKind::Interrupt) {
    if (exit.flags_in_value) {
      state_.flags.set_eflags(static_cast<u32>(area_.value));
      area_.home_step = area_.home_partial = 0;
    } else {
      settle_entry();
    }
    constexpr u8 kBreakpoint = static_cast<u8>(Vector::Breakpoint);
    if (insn.handler == int3) return interrupt_directly(cpu_, kBreakpoint, SoftInterrupt::Int3, next);
    return interrupt_directly(cpu_, static_cast<u8>(insn.immediate), SoftInterrupt::IntN, next);
  }
  if (log::enabled(log::Channel::ProtectedCalls)) return false;
  if (exit.far == FarKind::InterruptReturn) {
    if (!iret_directly(cpu_, wide)) return false;
    state_.nmi_blocked = false;
    area_.home_step = area_.home_partial = 0;
    return true;
  }
  Selector selector(insn.immediate2());
  u32 offset = static_cast<u32>(insn.immediate);
  if (insn.memory() && !far_pointer_directly(cpu_, insn, selector, offset)) return false;
  if (exit.far == FarKind::Jump) {
    if (!jump_directly(cpu_, selector, offset, wide)) return false;
  } else if (exit.far == FarKind::Call) {
    if (!call_directly(cpu_, selector, offset, wide, next)) return false;
  } else {
    if (!return_directly(cpu_, wide, static_cast<u32>(insn.immediate) & kHighest16)) return false;
    selector = state_.segment[kCs].selector;
  }
  loaded_ = selector;
  return true;
}

// The next block at once, if it is known and nothing else is due; else as after everything else.
u64 Translator::enter_next(const ExitPoint& exit) {
  const LinAddr linear(code_linear());
  const u64 page = cpu_.mmu().tlb().code_entry(linear, cpu_.privilege());
  if (due() || page == 0 || !options_.direct || !options_.indirect) return proceed(Flow::StopAt);
  const Mode::Key before = modes_.key_of(exit.owner->mode);
  const u32 mode = number_of(Mode::key_after(state_, before));
  // Translated code does it the next time, if it may.
  constexpr u16 kRpl = 3;
  const bool direct = loaded_ && ((loaded_->raw ^ state_.segment[kCs].selector.raw) & ~kRpl) == 0;
  if (direct && Mode::of_code32(before) == state_.mode.code32) descriptors_.remember(cpu_, *loaded_);
#ifdef RELIC86_CHECK_MODES
  RELIC86_ASSERT((before & Mode::kTraps) != 0 || mode == mode_number());
#endif
  const u8* const entry = lookups_.find(page + linear.raw + LookupTable::tag_of(mode));
  if (entry == nullptr) return proceed(Flow::StopAt);
  ++statistics_.continued;
  settle_page();
  outcome_set_ = false;
  return reinterpret_cast<u64>(entry);
}

u64 Translator::transfer_helper(void* context, void* exit_point) {
  Translator& self = *static_cast<Translator*>(context);
  const ExitPoint& exit = *static_cast<ExitPoint*>(exit_point);
  ++self.statistics_.transfers;
  // The count holds as it is: the instruction is the block's last.
  self.state_.rip = self.rip_of(exit.eip);
  if (self.transfer(exit)) {
    self.interpreter_.notice_foreign_writes();
    return self.enter_next(exit);
  }
  const u64 entry = cold_helper(context, exit_point);
  RELIC86_ASSERT(entry != 0);
  return entry;
}

}  // namespace relic86::jit
