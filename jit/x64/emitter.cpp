#include "jit/x64/emitter.h"

namespace relic86::jit::x64 {

namespace {

// asmjit reports what it cannot encode here; the block is then given up.
class Refusal final : public asmjit::ErrorHandler {
 public:
  void handleError(asmjit::Error, const char*, asmjit::BaseEmitter*) override { failed = true; }
  bool failed = false;
};

}  // namespace

Emitter::Emitter(asmjit::CodeHolder& code, const BlockIr& ir, const Mode& mode, Translation& translation,
                 const Thunks& thunks, const ModeTag& tag_of, FlagRecords& records, const EmitterOptions& options)
    : BlockHolder{{x86::Assembler(&code), ir, mode, translation, thunks, options}},
      BlockPart(block),
      pages_(block),
      addresses_(block, registers_),
      registers_(block, pages_, addresses_),
      deferred_(block, registers_),
      flags_(block, registers_, exits_, records),
      units_(block, flags_, exits_, deferred_, addresses_),
      exits_(block, registers_, pages_, flags_, units_, deferred_),
      region_(block, registers_, exits_, flags_, deferred_),
      memory_(block, registers_, addresses_, pages_, flags_, units_, exits_, region_, deferred_),
      branches_(block, tag_of, registers_, addresses_, memory_, flags_, exits_, region_, deferred_) {}

bool Emitter::run() {
  Refusal refusal;
  a_.setErrorHandler(&refusal);
  translation_.count = static_cast<u32>(ir_.insns.size());
  registers_.begin_block();
  flags_.begin_block();
  units_.begin_block();
  translation_.entry_offset = static_cast<u32>(a_.offset());
  if (mode_.limited) branches_.check_block();
  branches_.check_region_pages();
  if (ir_.loop) memory_.hoist();
  // The block's budget. Before any flag: at entry the home holds them all.
  a_.sub(kRemaining, translation_.count);
  ExitPoint* const budget = exits_.add(ExitKind::Budget, translation_.count);
  const Label out = a_.newLabel();
  a_.jl(out);  // there is no overflow: the sign decides, and hosts fuse SUB with JL, not with JS
  // A block that runs over the end of its page: the rest must be where it was. Else the dispatcher looks.
  if (translation_.second_page != 0) branches_.check_second_page(out);
  defer([=, this] {
    a_.bind(out);
    exits_.leave(budget);
  });
  for (index_ = 0; index_ < ir_.insns.size(); ++index_) {
    instruction();
    if (failed_ || refusal.failed) {
      failed_at_ = index_;
      return false;
    }
  }
  index_ = ir_.insns.size() - 1;
  if (!ended_) branches_.fall_through_exit();
  deferred_.emit();
  failed_at_ = ir_.insns.size();
  exits_.end_block();
  return !refusal.failed && !failed_;
}

void Emitter::instruction() {
  if (insn().cold) {
    cold();
    return;
  }
  pages_.begin_instruction();
  registers_.begin_instruction();
  region_.before_last();
  if (insn().native != nullptr) {
    native();
    return;
  }
  for (u16 id = 0; id < insn().nodes.size(); ++id) {
    node(id);
    registers_.release(id);
  }
  if (insn().leaves) leave_mode();
}

void Emitter::node(u16 id) {
  const Node& n = at(id);
  Value& value = registers_.value(id);
  registers_.begin_node();
  switch (n.op) {
    case Op::Constant:
      value.kind = Value::Constant;
      value.constant = n.immediate;
      break;
    case Op::PatchedImmediate: patched_immediate(id); break;
    case Op::GetRegister:
      value.reg = register_of(n);
      registers_.hold_for_reads(value.reg);
      value.kind = names_high_byte(n) ? Value::High : registers_.has_host(value.reg) ? Value::Guest : Value::Stored;
      break;
    case Op::SetRegister: set_register(id); break;
    case Op::SetRegisterIf: set_register_if(id); break;
    case Op::SignCopies: sign_copies(id); break;
    case Op::Address:
    case Op::BitAddress: value.kind = Value::Address; break;
    case Op::Load: load(id); break;
    case Op::LoadForWrite: load_for_write(id); break;
    case Op::Store: store(id); break;
    case Op::ZeroExtend:
    case Op::SignExtend:
    case Op::Truncate:
    case Op::HighHalf: extend(id); break;
    case Op::Add:
    case Op::Adc:
    case Op::Sub:
    case Op::Sbb:
    case Op::And:
    case Op::Or:
    case Op::Xor: binary(id); break;
    case Op::Neg:
    case Op::Inc:
    case Op::Dec:
    case Op::Not: unary(id); break;
    case Op::Shl:
    case Op::Shr:
    case Op::Sar:
    case Op::Rol:
    case Op::Ror:
    case Op::Rcl:
    case Op::Rcr: shift(id); break;
    case Op::PushAll: push_all(id); break;
    case Op::PopAll: pop_all(id); break;
    case Op::Enter: enter(id); break;
    case Op::TableLoad: table_load(id); break;
    case Op::CheckBounds: check_bounds(id); break;
    case Op::CheckOverflow: check_overflow(); break;
    case Op::DecimalAdjust: decimal_adjust(id); break;
    case Op::DivideDigits: divide_digits(id); break;
    case Op::MultiplyDigits: multiply_digits(id); break;
    case Op::Shld:
    case Op::Shrd: double_shift(id); break;
    case Op::Mul:
    case Op::Imul: multiply(id); break;
    case Op::Div:
    case Op::Idiv: divide(id); break;
    case Op::Low:
    case Op::High: break;  // placed by the operation
    case Op::Bt:
    case Op::Bts:
    case Op::Btr:
    case Op::Btc: bit_test(id); break;
    case Op::Bsf:
    case Op::Bsr: bit_scan(id); break;
    case Op::Tzcnt:
    case Op::Lzcnt:
    case Op::Popcnt:
    case Op::Blsr:
    case Op::Blsmsk:
    case Op::Blsi:
    case Op::Bzhi:
    case Op::Bextr:
    case Op::Sarx:
    case Op::Shlx:
    case Op::Shrx:
    case Op::Pdep:
    case Op::Pext: bit_operation(id); break;
    case Op::Rorx: rotate_without_flags(id); break;
    case Op::Mulx: multiply_without_flags(id); break;
    case Op::ByteSwap:
    case Op::NextInstruction: plain(id); break;
    case Op::SetCarry: set_carry(id); break;
    case Op::Literal:
    case Op::SetZero:
    case Op::Image: break;
    case Op::Selector: selector(id); break;
    case Op::FlagsImage:
    case Op::FlagsByte: flags_image(id); break;
    case Op::CheckTrusted: check_v86_trusted(); break;
    case Op::SetFlags: set_flags(id); break;
    case Op::SetFlagsByte: set_flags_byte(); break;
    case Op::ClearInterrupts: clear_interrupts(); break;
    case Op::SetInterrupts: set_interrupts(); break;
    case Op::LoadSegment: load_segment(id); break;
    case Op::PopSegment: pop_segment(id); break;
    case Op::VerifySegment: verify_segment(id); break;
    case Op::LoadFar: load_far(id); break;
    case Op::DescribeSegment: describe_segment(id); break;
    case Op::CheckProtected: check_protected(); break;
    case Op::AdjustLevel: adjust_level(id); break;
    case Op::FastTransfer: fast_transfer(id); break;
    case Op::SystemCall: system_call(id); break;
    case Op::SystemReturn: system_return(id); break;
    case Op::SwapGs: swap_gs(); break;
    case Op::SetUserAccess: set_user_access(id); break;
    case Op::FarTransfer: far_transfer(id); break;
    case Op::DirectTransfer: direct_transfer(id); break;
    case Op::TableRegister: table_register(id); break;
    case Op::SystemRegister: system_register(id); break;
    case Op::SetDirection: set_direction(id); break;
    case Op::StringLoad: string_load(id); break;
    case Op::StringStore: string_store(id); break;
    case Op::Advance: advance(id); break;
    case Op::CompareExchange8: compare_exchange8(id); break;
    case Op::Atomic:
    case Op::AtomicCompare: atomic(id); break;
    case Op::RepeatMove:
    case Op::RepeatStore: repeat_string(id); break;
    case Op::Condition:
    case Op::ZeroCount:
    case Op::Invert:
    case Op::Both:
    case Op::TargetOf: break;  // by their users
    case Op::Follow: break;    // the next instruction is emitted next
    case Op::Expect: expect(id); break;
    case Op::Select: select(id); break;
    case Op::Truth: truth(id); break;
    case Op::Push: push(id); break;
    case Op::Pop: pop(id); break;
    case Op::Peek: peek(id); break;
    case Op::SetStackPointer: set_stack_pointer(id); break;
    case Op::CheckTarget: check_target(id); break;
    case Op::JumpTo:
    case Op::Call:
    case Op::Return: jump_to(id); break;
    case Op::NativeRegister:
    case Op::NativeLoad:
    case Op::NativeStore: break;  // by native()
    case Op::JumpIf: jump_if(id); break;
    case Op::JumpIfCounting: counting_jump(id); break;
  }
}

// The dispatcher looks what mode it is now.
void Emitter::leave_mode() {
  flags_.write_home();
  units_.store_pointers();
  ExitPoint* const on = exits_.add_branch(next_eip(), Way::RunsOn);
  on->linkable = false;
  on->eip_mask = 0xFFFFFFFF;
  exits_.leave(on);
  ended_ = true;
}

// RDTSC, unless CR4.TSD may forbid it.
void Emitter::read_time(ExitPoint* exit) {
  constexpr i32 kTimeStampDisable = 1 << 2;
  const Label forbidden = a_.newLabel(), done = a_.newLabel();
  a_.test(state(offsetof(CpuState, cr4), 4), kTimeStampDisable);
  a_.jnz(forbidden);
  exits_.call_thunk(thunks_.time, exit);
  a_.bind(done);
  defer_to_handler(forbidden, exit, done);
}

// A cold instruction: its handler is called with everything in CpuState.
void Emitter::cold() {
  units_.store_pointers();
  units_.forget_data_segment();
  registers_.drop_copies();
  ExitPoint* const exit = exits_.add(ExitKind::Done, undone_before());
  exit->settles_flags = !insn().quiet;
  exit->changes_mode = insn().leaves;
  switch (insn().call) {
    case ColdCall::Time: read_time(exit); break;
    case ColdCall::Identify: exits_.call_thunk(thunks_.identify, exit); break;
    case ColdCall::Port: exits_.call_thunk(thunks_.port, exit); break;
    case ColdCall::Handler: exits_.call_thunk(thunks_.cold, exit); break;
  }
  flags_.host_lost();
  if (!insn().quiet) flags_.settle();
  // A handler goes on elsewhere; should one ever complete plainly, the next instruction follows.
  if (insn().ends && index_ + 1 == ir_.insns.size()) {
    branches_.fall_through_exit();
    ended_ = true;
  }
}

}  // namespace relic86::jit::x64
