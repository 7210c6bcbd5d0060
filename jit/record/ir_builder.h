// IrBuilder records what a semantics text does (cpu/semantics/exec_builder.h lists what a builder offers). An operation
// that the back end does not know makes the instruction a cold one: its handler is called.
#pragma once

#include <type_traits>

#include "cpu/semantics/condition.h"
#include "cpu/semantics/operands.h"
#include "jit/ir/ir.h"
#include "jit/ir/mode.h"

namespace relic86::jit {

template <class W>
struct IrValue {
  using Width = W;
  u16 node;
};
struct IrTruth {
  u16 node;
};
template <class W>
struct IrPlace {
  using Width = W;
  u16 address;
};
template <class V>
struct IrPair {
  V low;
  V high;
};
// ESP or EBP plus a constant: what the stack operations of the texts compute with.
struct IrPointer {
  u8 reg;
  u32 displacement;
};

// Bytes.
inline u8 operand_size_of(const Insn& insn) { return insn.operand64() ? 8 : insn.operand32() ? 4 : 2; }
inline u8 address_size_of(const Insn& insn) { return insn.address64() ? 8 : insn.address32() ? 4 : 2; }

// The address of an instruction's memory operand.
inline Node address_of(const InsnIr& ir) {
  const Insn& insn = *ir.insn;
  return {.op = Op::Address,
          .size = static_cast<u8>(insn.code64() ? 8 : 4),
          .segment = insn.segment,
          .base = insn.base,
          .index = insn.index,
          .immediate =
              insn.displacement + (insn.base == kRipRegister ? static_cast<u64>(i64{static_cast<i32>(ir.offset)}) : 0),
          .scale = insn.scale,
          .address_size = address_size_of(insn)};
}

class IrBuilder {
 public:
  template <class W>
  using Value = IrValue<W>;
  using Truth = IrTruth;
  // Of constants alone: pointers and counts are registers by role.
  using Pointer = u32;

  IrBuilder(InsnIr& ir, const Mode& mode) : ir_(ir), insn_(*ir.insn), mode_(mode) {}

  static constexpr bool faulted() { return false; }

  // --- Operands ---
  template <class W>
  Value<W> load(RmRegister<W>) {
    return get<W>(encoded<W>(insn_.rm));
  }
  template <class W>
  Value<W> load(RegRegister<W>) {
    return get<W>(encoded<W>(insn_.reg));
  }
  template <class W, u8 kIndex>
  Value<W> load(FixedRegister<W, kIndex>) {
    return get<W>(kIndex);
  }
  template <class W>
  Value<W> load(VexRegister<W>) {
    return get<W>(insn_.vex_register);
  }
  template <class W>
  Value<W> load(Immediate<W>) {
    if (insn_.patched_immediate()) {
      ir_.patched = &insn_.immediate;
      return value<W>({.op = Op::PatchedImmediate, .size = sizeof(W)});
    }
    return constant<W>(static_cast<W>(insn_.immediate));
  }
  template <class W>
  Value<W> load(ConstantOne<W>) {
    return constant<W>(1);
  }
  template <class W>
  Value<W> load(Memory<W>) {
    return load(IrPlace<W>{address()});
  }
  template <class W>
  Value<W> load(IrPlace<W> place) {
    return value<W>({.op = Op::Load, .size = sizeof(W), .a = place.address});
  }
  template <class D>
  auto load_for_write(D d) {
    return load(d);
  }
  template <class W>
  Value<W> load_for_write(Memory<W>) {
    return load_for_write(IrPlace<W>{address()});
  }
  template <class W>
  Value<W> load_for_write(IrPlace<W> place) {
    return value<W>({.op = Op::LoadForWrite, .size = sizeof(W), .a = place.address});
  }
  template <class W>
  void store(RmRegister<W>, Value<W> v) {
    set<W>(encoded<W>(insn_.rm), v);
  }
  template <class W>
  void store(RegRegister<W>, Value<W> v) {
    set<W>(encoded<W>(insn_.reg), v);
  }
  template <class W, u8 kIndex>
  void store(FixedRegister<W, kIndex>, Value<W> v) {
    set<W>(kIndex, v);
  }
  template <class W>
  void store(VexRegister<W>, Value<W> v) {
    set<W>(insn_.vex_register, v);
  }
  template <class W>
  void store(Memory<W>, Value<W> v) {
    store(IrPlace<W>{address()}, v);
  }
  template <class W>
  void store(IrPlace<W> place, Value<W> v) {
    add_node({.op = Op::Store, .size = sizeof(W), .a = place.address, .b = v.node});
  }
  template <class D, class W>
  void store_if(Truth truth, D d, Value<W> v, Value<W> unchanged) {
    if constexpr (sizeof(W) == 4 && !std::is_same_v<D, IrPlace<W>>) {
      if (mode_.code64) return set_if<W>(truth, number_of(d), v);
    }
    store(d, select(truth, v, unchanged));
  }
  template <class D, class W>
  void store_unless(Truth truth, D d, Value<W> v, Value<W> unchanged) {
    if constexpr (sizeof(W) == 4 && !std::is_same_v<D, IrPlace<W>>) {
      if (mode_.code64) return set_if<W>(invert(truth), number_of(d), v);
    }
    store(d, select(truth, unchanged, v));
  }
  template <class D, class W>
  void store_found(D d, Value<W> v) {
    if constexpr (sizeof(W) == 4) {
      if (mode_.code64) return set_if<W>(condition<Condition::NotEqual>(), number_of(d), v);
    }
    store(d, v);
  }
  template <class D>
  D place(D d) {
    return d;
  }
  template <class W>
  IrPlace<W> place(Memory<W>) {
    return {address()};
  }
  // MOVSXD with an operand size of 16 bits is rare, and its access depends on the vendor: the handler's.
  template <class S>
  auto load_movsxd_source(S source) {
    if (sizeof(typename S::Width) == 2) refuse();
    return load(source);
  }
  template <class W>
  Value<W> effective_address(Memory<W>) {
    return {address()};
  }
  template <class D, class W>
  D bit_string(D d, Value<W>) {
    return d;
  }
  template <class W>
  IrPlace<W> bit_string(Memory<W>, Value<W> index) {
    const u16 base = address();
    return {add_node({.op = Op::BitAddress, .size = sizeof(W), .a = base, .b = index.node})};
  }
  template <class W>
  Value<W> constant(W raw) {
    return value<W>({.op = Op::Constant, .size = sizeof(W), .immediate = raw});
  }

  // --- Widths ---
  template <class To, class W>
  Value<To> zero_extend(Value<W> v) {
    if (ir_.nodes[v.node].op == Op::Constant) return constant<To>(static_cast<To>(ir_.nodes[v.node].immediate));
    return value<To>({.op = Op::ZeroExtend, .size = sizeof(To), .reg = sizeof(W), .a = v.node});
  }
  template <class To, class W>
  Value<To> sign_extend(Value<W> v) {
    return value<To>({.op = Op::SignExtend, .size = sizeof(To), .reg = sizeof(W), .a = v.node});
  }
  Value<u64> sign_copies(Value<u64> v) { return value<u64>({.op = Op::SignCopies, .size = 8, .a = v.node}); }
  template <class To, class W>
  Value<To> truncate(Value<W> v) {
    return value<To>({.op = Op::Truncate, .size = sizeof(To), .reg = sizeof(W), .a = v.node});
  }
  template <class To, class W>
  Value<To> high_half(Value<W> v) {
    return value<To>({.op = Op::HighHalf, .size = sizeof(To), .reg = sizeof(W), .a = v.node});
  }

  // --- Arithmetic ---
#define RELIC86_IR_BINARY(name, operation)                                               \
  template <class W>                                                                     \
  Value<W> name(Value<W> a, Value<W> b) {                                                \
    return value<W>({.op = Op::operation, .size = sizeof(W), .a = a.node, .b = b.node}); \
  }
#define RELIC86_IR_UNARY(name, operation)                                   \
  template <class W>                                                        \
  Value<W> name(Value<W> a) {                                               \
    return value<W>({.op = Op::operation, .size = sizeof(W), .a = a.node}); \
  }
#define RELIC86_IR_SHIFT(name, operation)                                                \
  template <class W>                                                                     \
  Value<W> name(Value<W> a, Value<u8> b) {                                               \
    return value<W>({.op = Op::operation, .size = sizeof(W), .a = a.node, .b = b.node}); \
  }
  RELIC86_IR_BINARY(add, Add)
  RELIC86_IR_BINARY(adc, Adc)
  RELIC86_IR_BINARY(sub, Sub)
  RELIC86_IR_BINARY(sbb, Sbb)
  RELIC86_IR_BINARY(and_, And)
  RELIC86_IR_BINARY(or_, Or)
  RELIC86_IR_BINARY(xor_, Xor)
  RELIC86_IR_BINARY(bts, Bts)
  RELIC86_IR_BINARY(btr, Btr)
  RELIC86_IR_BINARY(btc, Btc)
  RELIC86_IR_BINARY(bsf, Bsf)
  RELIC86_IR_BINARY(bsr, Bsr)
  RELIC86_IR_BINARY(bzhi, Bzhi)
  RELIC86_IR_BINARY(bextr, Bextr)
  RELIC86_IR_BINARY(sarx, Sarx)
  RELIC86_IR_BINARY(shlx, Shlx)
  RELIC86_IR_BINARY(shrx, Shrx)
  RELIC86_IR_BINARY(pdep, Pdep)
  RELIC86_IR_BINARY(pext, Pext)
  RELIC86_IR_UNARY(tzcnt, Tzcnt)
  RELIC86_IR_UNARY(lzcnt, Lzcnt)
  RELIC86_IR_UNARY(popcnt, Popcnt)
  RELIC86_IR_UNARY(blsr, Blsr)
  RELIC86_IR_UNARY(blsmsk, Blsmsk)
  RELIC86_IR_UNARY(blsi, Blsi)
  RELIC86_IR_UNARY(neg, Neg)
  RELIC86_IR_UNARY(inc, Inc)
  RELIC86_IR_UNARY(dec, Dec)
  RELIC86_IR_UNARY(not_, Not)
  RELIC86_IR_SHIFT(shl, Shl)
  RELIC86_IR_SHIFT(shr, Shr)
  RELIC86_IR_SHIFT(sar, Sar)
  RELIC86_IR_SHIFT(rol, Rol)
  RELIC86_IR_SHIFT(ror, Ror)
  RELIC86_IR_SHIFT(rcl, Rcl)
  RELIC86_IR_SHIFT(rcr, Rcr)
#undef RELIC86_IR_BINARY
#undef RELIC86_IR_UNARY
#undef RELIC86_IR_SHIFT
  template <class W>
  Value<W> shld(Value<W> a, Value<W> filler, Value<u8> count) {
    if (sizeof(W) == 2) refuse();
    return value<W>({.op = Op::Shld, .size = sizeof(W), .a = a.node, .b = filler.node, .c = count.node});
  }
  template <class W>
  Value<W> shrd(Value<W> a, Value<W> filler, Value<u8> count) {
    if (sizeof(W) == 2) refuse();
    return value<W>({.op = Op::Shrd, .size = sizeof(W), .a = a.node, .b = filler.node, .c = count.node});
  }
  template <class W>
  void bt(Value<W> a, Value<W> index) {
    add_node({.op = Op::Bt, .size = sizeof(W), .a = a.node, .b = index.node});
  }
  template <class W>
  IrPair<Value<W>> mul(Value<W> a, Value<W> b) {
    return halves<W>(add_node({.op = Op::Mul, .size = sizeof(W), .a = a.node, .b = b.node}));
  }
  template <class W>
  IrPair<Value<W>> imul(Value<W> a, Value<W> b) {
    return halves<W>(add_node({.op = Op::Imul, .size = sizeof(W), .a = a.node, .b = b.node}));
  }
  template <class W>
  IrPair<Value<W>> div(Value<W> high, Value<W> low, Value<W> divisor) {
    return halves<W>(add_node({.op = Op::Div, .size = sizeof(W), .a = high.node, .b = low.node, .c = divisor.node}));
  }
  template <class W>
  IrPair<Value<W>> idiv(Value<W> high, Value<W> low, Value<W> divisor) {
    if (sizeof(W) == 1) refuse();
    return halves<W>(add_node({.op = Op::Idiv, .size = sizeof(W), .a = high.node, .b = low.node, .c = divisor.node}));
  }
  template <class W>
  Value<W> rorx(Value<W> a, Immediate<u8>) {
    if (insn_.patched_immediate()) refuse();
    const u64 count = insn_.immediate & (8 * sizeof(W) - 1);
    return value<W>({.op = Op::Rorx, .size = sizeof(W), .a = a.node, .immediate = count});
  }
  template <class W>
  IrPair<Value<W>> mulx(Value<W> a) {
    return halves<W>(add_node({.op = Op::Mulx, .size = sizeof(W), .a = a.node}));
  }
  // 32-bit code may be in real-address mode, between MOV to CR0 and the far jump.
  void check_vex() {
    if (!mode_.code64) add_node({.op = Op::CheckProtected, .size = 2});
  }
  Value<u64> byte_swap(Value<u64> a) { return value<u64>({.op = Op::ByteSwap, .size = 8, .a = a.node}); }
  Value<u32> byte_swap(Value<u32> a) { return value<u32>({.op = Op::ByteSwap, .size = 4, .a = a.node}); }
  Value<u16> byte_swap(Value<u16>) { return constant<u16>(0); }

  // --- Flags ---
  Value<u8> flags_byte() {
    return value<u8>({.op = Op::FlagsByte, .size = 1, .immediate = kArithmeticFlags & ~u32{kOF}});
  }
  // SAHF's byte is AH, where it is.
  void set_flags_byte(Value<u8> high) { add_node({.op = Op::SetFlagsByte, .size = 1, .a = high.node}); }
  void set_carry(bool carry) { add_node({.op = Op::SetCarry, .size = 1, .immediate = carry ? 1u : 0u}); }
  void complement_carry() { add_node({.op = Op::SetCarry, .size = 1, .immediate = 2}); }
  void set_direction(bool down) { add_node({.op = Op::SetDirection, .size = 1, .immediate = down ? 1u : 0u}); }

  // --- Conditions ---
  template <Condition kCode>
  Truth condition() {
    return {add_node({.op = Op::Condition, .size = 1, .immediate = static_cast<u32>(kCode)})};
  }
  Truth invert(Truth a) { return {add_node({.op = Op::Invert, .size = 1, .a = a.node})}; }
  Truth both(Truth a, Truth b) { return {add_node({.op = Op::Both, .size = 1, .a = a.node, .b = b.node})}; }
  template <class W>
  Value<W> select(Truth truth, Value<W> yes, Value<W> no) {
    return value<W>({.op = Op::Select, .size = sizeof(W), .a = truth.node, .b = yes.node, .c = no.node});
  }
  Value<u8> truth(Truth truth) { return value<u8>({.op = Op::Truth, .size = 1, .a = truth.node}); }

  // --- Registers by role ---
  struct Count {};
  Count count_register() { return {}; }
  Count plain_add(Count, Value<u32>) { return {}; }
  Truth zero_count(Count) { return {add_node({.op = Op::ZeroCount, .size = address_size()})}; }
  IrPointer frame_pointer() { return {kEbp, 0}; }
  IrPointer stack_pointer() { return {kEsp, 0}; }
  IrPointer plain_add(IrPointer p, Value<u32> v) {
    return {p.reg, p.displacement + static_cast<u32>(ir_.nodes[v.node].immediate)};
  }
  void set_stack_pointer(IrPointer p) {
    add_node({.op = Op::SetStackPointer, .size = mode_.pointer_bytes(), .reg = p.reg, .immediate = p.displacement});
  }

  // --- Stack ---
  template <class W>
  void push(Value<W> v) {
    add_node({.op = Op::Push, .size = sizeof(W), .a = v.node});
  }
  template <class W>
  Value<W> pop() {
    return value<W>({.op = Op::Pop, .size = sizeof(W)});
  }
  template <class W>
  Value<W> peek(IrPointer p) {
    returns_ = p.reg == kEsp;
    return value<W>({.op = Op::Peek, .size = sizeof(W), .reg = p.reg});
  }

  // --- Flow ---
  template <class W>
  Value<W> next_instruction() {
    calls_ = true;
    return value<W>({.op = Op::NextInstruction, .size = sizeof(W), .immediate = ir_.end});
  }
  template <class W>
  Value<W> target(Target<W>) {
    return value<W>({.op = Op::TargetOf, .size = sizeof(W), .immediate = place_of_target()});
  }
  template <class W>
  void check_target(Value<W> target) {
    if (mode_.checks_target(sizeof(W))) add_node({.op = Op::CheckTarget, .size = sizeof(W), .a = target.node});
  }
  template <class W>
  void check_call_target(Value<W> target) {
    check_target(target);
  }
  template <class W>
  void check_indirect_call_target(Value<W> target) {
    check_target(target);
  }
  template <class W>
  void jump_to(Value<W> checked) {
    add_node({.op = calls_ ? Op::Call : returns_ ? Op::Return : Op::JumpTo, .size = sizeof(W), .a = checked.node});
  }
  template <class W>
  void jump_if(Truth truth, Target<W>) {
    add_node({.op = Op::JumpIf, .size = sizeof(W), .a = truth.node, .immediate = place_of_target()});
  }
  template <class W>
  void jump_if_counting(Truth truth, Target<W>, Count) {
    add_node({.op = Op::JumpIfCounting,
              .size = sizeof(W),
              .a = truth.node,
              .immediate = place_of_target(),
              .address_size = address_size()});
  }

 private:
  void refuse() { ir_.cold = true; }
  u16 add_node(const Node& node) {
    ir_.nodes.push_back(node);
    return static_cast<u16>(ir_.nodes.size() - 1);
  }
  template <class W>
  Value<W> value(const Node& node) {
    return {add_node(node)};
  }
  template <class W>
  Value<W> get(u8 reg) {
    return value<W>({.op = Op::GetRegister, .size = sizeof(W), .reg = reg});
  }
  template <class W>
  void set(u8 reg, Value<W> v) {
    add_node({.op = Op::SetRegister, .size = sizeof(W), .reg = reg, .a = v.node});
  }
  // r := v if the truth holds, else it keeps all of its value.
  template <class W>
  void set_if(Truth truth, u8 reg, Value<W> v) {
    add_node({.op = Op::SetRegisterIf, .size = sizeof(W), .reg = reg, .a = truth.node, .b = v.node});
  }
  // Node::reg of a register that the encoding names: with a REX prefix 4 to 7 are the low bytes of ESP to EDI.
  template <class W>
  u8 encoded(u8 reg) const {
    const bool low = sizeof(W) == 1 && reg >= 4 && reg < 8 && (insn_.flags & kInsnRex) != 0;
    return low ? reg + kLowByte : reg;
  }
  template <class W>
  u8 number_of(RmRegister<W>) const {
    return insn_.rm;
  }
  template <class W>
  u8 number_of(RegRegister<W>) const {
    return insn_.reg;
  }
  template <class W, u8 kIndex>
  u8 number_of(FixedRegister<W, kIndex>) const {
    return kIndex;
  }
  template <class W>
  IrPair<Value<W>> halves(u16 pair) {
    const auto low = value<W>({.op = Op::Low, .size = sizeof(W), .a = pair});
    return {low, value<W>({.op = Op::High, .size = sizeof(W), .a = pair})};
  }
  u16 address() {
    if (address_ == kNoValue) address_ = add_node(address_of(ir_));
    return address_;
  }
  u8 address_size() const { return address_size_of(insn_); }
  // Targets near the end of what 32 bits reach are the handler's in 64-bit code, where they do not wrap.
  u32 place_of_target() {
    constexpr i64 kReach = (i64{1} << 31) - 2 * i64{kPageSize};
    const i64 place = i64{static_cast<i32>(ir_.end)} + static_cast<i64>(insn_.immediate);
    if (mode_.code64 && (place >= kReach || place < -kReach)) refuse();
    return static_cast<u32>(place);
  }

  InsnIr& ir_;
  const Insn& insn_;
  Mode mode_;
  u16 address_ = kNoValue;
  bool calls_ = false, returns_ = false;  // what the jump that follows is
};

}  // namespace relic86::jit
