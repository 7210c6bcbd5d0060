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

class IrBuilder {
 public:
  template <class W>
  using Value = IrValue<W>;
  using Truth = IrTruth;
  using Pointer = u32;

  IrBuilder(InsnIr& ir, const Mode& mode) : ir_(ir), insn_(*ir.insn), mode_(mode) {}

  static constexpr bool faulted() { return false; }

  // --- Operands ---
  template <class W>
  Value<W> load(RmRegister<W>) {
    return get<W>(insn_.rm);
  }
  template <class W>
  Value<W> load(RegRegister<W>) {
    return get<W>(insn_.reg);
  }
  template <class W, u8 kIndex>
  Value<W> load(FixedRegister<W, kIndex>) {
    return get<W>(kIndex);
  }
  template <class W>
  Value<W> load(Immediate<W>) {
    if (insn_.patched_immediate()) return value<W>({Op::PatchedImmediate, sizeof(W)});
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
    return value<W>({Op::Load, sizeof(W), 0, place.address});
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
    return value<W>({Op::LoadForWrite, sizeof(W), 0, place.address});
  }
  template <class W>
  void store(RmRegister<W>, Value<W> v) {
    set<W>(insn_.rm, v);
  }
  template <class W>
  void store(RegRegister<W>, Value<W> v) {
    set<W>(insn_.reg, v);
  }
  template <class W, u8 kIndex>
  void store(FixedRegister<W, kIndex>, Value<W> v) {
    set<W>(kIndex, v);
  }
  template <class W>
  void store(Memory<W>, Value<W> v) {
    store(IrPlace<W>{address()}, v);
  }
  template <class W>
  void store(IrPlace<W> place, Value<W> v) {
    add_node({Op::Store, sizeof(W), 0, place.address, v.node});
  }
  template <class D, class W>
  void store_if(Truth truth, D d, Value<W> v, Value<W> unchanged) {
    store(d, select(truth, v, unchanged));
  }
  template <class D, class W>
  void store_unless(Truth truth, D d, Value<W> v, Value<W> unchanged) {
    store(d, select(truth, unchanged, v));
  }
  template <class D, class W>
  void store_found(D d, Value<W> v) {
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
    return {add_node({Op::BitAddress, sizeof(W), 0, base, index.node})};
  }
  template <class W>
  Value<W> constant(W raw) {
    return value<W>({Op::Constant, sizeof(W), 0, kNoValue, kNoValue, kNoValue, static_cast<u32>(raw)});
  }

  // --- Widths ---
  template <class To, class W>
  Value<To> zero_extend(Value<W> v) {
    if (ir_.nodes[v.node].op == Op::Constant) return constant<To>(static_cast<To>(ir_.nodes[v.node].immediate));
    return value<To>({Op::ZeroExtend, sizeof(To), sizeof(W), v.node});
  }
  template <class To, class W>
  Value<To> sign_extend(Value<W> v) {
    return value<To>({Op::SignExtend, sizeof(To), sizeof(W), v.node});
  }
  template <class To, class W>
  Value<To> truncate(Value<W> v) {
    return value<To>({Op::Truncate, sizeof(To), sizeof(W), v.node});
  }
  template <class To, class W>
  Value<To> high_half(Value<W> v) {
    return value<To>({Op::HighHalf, sizeof(To), sizeof(W), v.node});
  }

  // --- Arithmetic ---
#define RELIC86_IR_BINARY(name, operation)                          \
  template <class W>                                                \
  Value<W> name(Value<W> a, Value<W> b) {                           \
    return value<W>({Op::operation, sizeof(W), 0, a.node, b.node}); \
  }
#define RELIC86_IR_UNARY(name, operation)                   \
  template <class W>                                        \
  Value<W> name(Value<W> a) {                               \
    return value<W>({Op::operation, sizeof(W), 0, a.node}); \
  }
#define RELIC86_IR_SHIFT(name, operation)                           \
  template <class W>                                                \
  Value<W> name(Value<W> a, Value<u8> b) {                          \
    return value<W>({Op::operation, sizeof(W), 0, a.node, b.node}); \
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
    return value<W>({Op::Shld, sizeof(W), 0, a.node, filler.node, count.node});
  }
  template <class W>
  Value<W> shrd(Value<W> a, Value<W> filler, Value<u8> count) {
    if (sizeof(W) == 2) refuse();
    return value<W>({Op::Shrd, sizeof(W), 0, a.node, filler.node, count.node});
  }
  template <class W>
  void bt(Value<W> a, Value<W> index) {
    add_node({Op::Bt, sizeof(W), 0, a.node, index.node});
  }
  template <class W>
  IrPair<Value<W>> mul(Value<W> a, Value<W> b) {
    return halves<W>(add_node({Op::Mul, sizeof(W), 0, a.node, b.node}));
  }
  template <class W>
  IrPair<Value<W>> imul(Value<W> a, Value<W> b) {
    return halves<W>(add_node({Op::Imul, sizeof(W), 0, a.node, b.node}));
  }
  template <class W>
  IrPair<Value<W>> div(Value<W> high, Value<W> low, Value<W> divisor) {
    return halves<W>(add_node({Op::Div, sizeof(W), 0, high.node, low.node, divisor.node}));
  }
  template <class W>
  IrPair<Value<W>> idiv(Value<W> high, Value<W> low, Value<W> divisor) {
    if (sizeof(W) == 1) refuse();
    return halves<W>(add_node({Op::Idiv, sizeof(W), 0, high.node, low.node, divisor.node}));
  }
  Value<u32> byte_swap(Value<u32> a) { return value<u32>({Op::ByteSwap, 4, 0, a.node}); }
  Value<u16> byte_swap(Value<u16>) { return constant<u16>(0); }

  // --- Flags ---
  Value<u8> flags_byte() { return value<u8>({Op::FlagsImage, 1, 0, kNoValue, kNoValue, kNoValue, 1}); }
  // SAHF's byte is AH, where it is.
  void set_flags_byte(Value<u8> high) { add_node({Op::SetFlagsByte, 1, 0, high.node}); }
  void set_carry(bool carry) { add_node({Op::SetCarry, 1, 0, kNoValue, kNoValue, kNoValue, carry ? 1u : 0u}); }
  void complement_carry() { add_node({Op::SetCarry, 1, 0, kNoValue, kNoValue, kNoValue, 2}); }
  void set_direction(bool down) { add_node({Op::SetDirection, 1, 0, kNoValue, kNoValue, kNoValue, down ? 1u : 0u}); }

  // --- Conditions ---
  template <Condition kCode>
  Truth condition() {
    return {add_node({Op::Condition, 1, 0, kNoValue, kNoValue, kNoValue, static_cast<u32>(kCode)})};
  }
  Truth invert(Truth a) { return {add_node({Op::Invert, 1, 0, a.node})}; }
  Truth both(Truth a, Truth b) { return {add_node({Op::Both, 1, 0, a.node, b.node})}; }
  template <class W>
  Value<W> select(Truth truth, Value<W> yes, Value<W> no) {
    return value<W>({Op::Select, sizeof(W), 0, truth.node, yes.node, no.node});
  }
  Value<u8> truth(Truth truth) { return value<u8>({Op::Truth, 1, 0, truth.node}); }

  // --- Registers by role ---
  struct Count {};
  Count count_register() { return {}; }
  Count plain_add(Count, Value<u32>) { return {}; }
  Truth zero_count(Count) { return {add_node({Op::ZeroCount, static_cast<u8>(insn_.address32() ? 4 : 2)})}; }
  IrPointer frame_pointer() { return {kEbp, 0}; }
  IrPointer stack_pointer() { return {kEsp, 0}; }
  IrPointer plain_add(IrPointer p, Value<u32> v) { return {p.reg, p.displacement + ir_.nodes[v.node].immediate}; }
  void set_stack_pointer(IrPointer p) {
    add_node({Op::SetStackPointer, 4, p.reg, kNoValue, kNoValue, kNoValue, p.displacement});
    ir_.writes_registers |= 1u << kEsp;
  }

  // --- Stack ---
  template <class W>
  void push(Value<W> v) {
    add_node({Op::Push, sizeof(W), 0, v.node});
    ir_.writes_registers |= 1u << kEsp;
  }
  template <class W>
  Value<W> pop() {
    ir_.writes_registers |= 1u << kEsp;
    return value<W>({Op::Pop, sizeof(W)});
  }
  template <class W>
  Value<W> peek(IrPointer p) {
    return value<W>({Op::Peek, sizeof(W), p.reg});
  }

  // --- Flow ---
  template <class W>
  Value<W> next_instruction() {
    return value<W>({Op::NextInstruction, sizeof(W)});
  }
  template <class W>
  Value<W> target(Target<W>) {
    return value<W>({Op::TargetOf, sizeof(W)});
  }
  template <class W>
  void check_target(Value<W> target) {
    if (mode_.checks_target(sizeof(W))) add_node({Op::CheckTarget, sizeof(W), 0, target.node});
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
    add_node({Op::JumpTo, sizeof(W), 0, checked.node});
  }
  template <class W>
  void jump_if(Truth truth, Target<W> d) {
    (void)d;
    add_node({Op::JumpIf, sizeof(W), 0, truth.node});
  }
  template <class W>
  void jump_if_counting(Truth truth, Target<W> d, Count) {
    (void)d;
    add_node({Op::JumpIfCounting, sizeof(W), static_cast<u8>(insn_.address32() ? 4 : 2), truth.node});
    ir_.writes_registers |= 1u << kEcx;
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
    return value<W>({Op::GetRegister, sizeof(W), reg});
  }
  template <class W>
  void set(u8 reg, Value<W> v) {
    add_node({Op::SetRegister, sizeof(W), reg, v.node});
    ir_.writes_registers |= 1u << (sizeof(W) == 1 ? reg & 3u : reg);
  }
  template <class W>
  IrPair<Value<W>> halves(u16 pair) {
    const auto low = value<W>({Op::Low, sizeof(W), 0, pair});
    return {low, value<W>({Op::High, sizeof(W), 0, pair})};
  }
  u16 address() {
    if (address_ == kNoValue) address_ = add_node({Op::Address, 4});
    return address_;
  }

  InsnIr& ir_;
  const Insn& insn_;
  Mode mode_;
  u16 address_ = kNoValue;
};

}  // namespace relic86::jit
