// ExecBuilder carries out the operations of the semantics texts (arithmetic.h, shifts.h, ...) at once on a Cpu.
//
// A semantics text is `template <class B, class... D> static void run(B& b, D... operands)`. It names what an
// instruction does through the builder and is compiled for every engine. What a builder must offer:
//
//   Values        `auto v = b.load(d)`: an opaque value of width W. It converts neither to bool nor to an integer, so a
//                 text cannot branch on guest data; an IrBuilder returns the name of an IR node. Constants by
//                 b.constant<W>(n).
//   Operands      load(d), load_for_write(d) (read now, the store that follows cannot fault), store(d, v),
//                 effective_address(d), bit_string(d, index) (the operand of BT and its kin), place(d) (the operand
//                 with its address settled).
//   Faults        `if (b.faulted()) return;` ends the fault part of a text: everything that can fault stands before,
//                 every architectural write behind. An IrBuilder answers constexpr false: its operations carry exits.
//   Arithmetic    x86-shaped: add, adc, sub, sbb, and_, or_, xor_, inc, dec, neg, shl, ... define all their flags,
//                 as the host's instruction of the same name does. not_, zero_extend, sign_extend, truncate, byte_swap
//                 touch none.
//   Conditions    b.condition<c>(): a truth value of the guest's flags, for select(), truth() and jump_if().
//                 b.zero(v) and both(a, b) make others.
//   Stack         push(v) and pop<W>(): may fault; ESP changes only on success.
//   Flow          jump(target), jump_if(truth, target), jump_to(v) and next_instruction<W>(); check_target() is the
//                 fault part of a jump. At most one jump a text.
#pragma once

#include <bit>
#include <cstring>
#include <limits>
#include <type_traits>

#include "cpu/access.h"
#include "cpu/cpu.h"
#include "cpu/semantics/condition.h"
#include "cpu/semantics/operands.h"
#include "cpu/vendor_behaviour.h"

namespace relic86 {

class ExecBuilder;

template <class W>
class ExecValue {
 public:
  using Width = W;

 private:
  friend class ExecBuilder;
  explicit constexpr ExecValue(W raw) : raw_(raw) {}
  W raw_;
};

class ExecTruth {
  friend class ExecBuilder;
  explicit constexpr ExecTruth(bool raw) : raw_(raw) {}
  bool raw_;
};

// A memory operand whose offset is known.
template <class W>
struct ExecPlace {
  using Width = W;
  u32 offset;
};

template <class V>
struct ExecPair {
  V low;
  V high;
};

class ExecBuilder {
 public:
  template <class W>
  using Value = ExecValue<W>;
  using Truth = ExecTruth;

  ExecBuilder(Cpu& cpu, const Insn& insn) : cpu_(cpu), state_(cpu.state()), insn_(insn) {}

  bool faulted() const { return flow_ == Flow::Fault; }
  Flow flow() const { return flow_; }

  // --- Operands ---
  template <class W>
  Value<W> load(RmRegister<W>) const {
    return Value<W>(read_register<W>(insn_.rm));
  }
  template <class W>
  Value<W> load(RegRegister<W>) const {
    return Value<W>(read_register<W>(insn_.reg));
  }
  template <class W, u8 kIndex>
  Value<W> load(FixedRegister<W, kIndex>) const {
    return Value<W>(read_register<W>(kIndex));
  }
  template <class W>
  Value<W> load(Immediate<W>) const {
    return Value<W>(static_cast<W>(insn_.immediate));
  }
  template <class W>
  Value<W> load(ConstantOne<W>) const {
    return Value<W>(W{1});
  }
  template <class W>
  Value<W> load(Memory<W>) {
    return load(ExecPlace<W>{address()});
  }
  template <class W>
  [[gnu::always_inline]] Value<W> load(ExecPlace<W> place) {
    W value{};
    if (!cpu_.read(segment(), place.offset, value)) [[unlikely]]
      flow_ = Flow::Fault;
    return Value<W>(value);
  }

  template <class D>
  auto load_for_write(D d) {
    return load(d);
  }
  template <class W>
  Value<W> load_for_write(Memory<W>) {
    return load_for_write(ExecPlace<W>{address()});
  }
  template <class W>
  [[gnu::always_inline]] Value<W> load_for_write(ExecPlace<W> place) {
    W value{};
    if (!cpu_.read_for_write(segment(), place.offset, value)) [[unlikely]]
      flow_ = Flow::Fault;
    return Value<W>(value);
  }

  template <class W>
  void store(RmRegister<W>, Value<W> value) {
    write_register<W>(insn_.rm, value.raw_);
  }
  template <class W>
  void store(RegRegister<W>, Value<W> value) {
    write_register<W>(insn_.reg, value.raw_);
  }
  template <class W, u8 kIndex>
  void store(FixedRegister<W, kIndex>, Value<W> value) {
    write_register<W>(kIndex, value.raw_);
  }
  template <class W>
  void store(Memory<W>, Value<W> value) {
    store(ExecPlace<W>{address()}, value);
  }
  template <class W>
  [[gnu::always_inline]] void store(ExecPlace<W> place, Value<W> value) {
    if (!cpu_.write(segment(), place.offset, value.raw_)) [[unlikely]]
      flow_ = Flow::Fault;
  }

  // The operand with its address settled: later writes of registers that the address is made of do not move it.
  template <class D>
  D place(D d) const {
    return d;
  }
  template <class W>
  ExecPlace<W> place(Memory<W>) const {
    return {address()};
  }

  template <class W>
  Value<W> effective_address(Memory<W>) const {
    return Value<W>(static_cast<W>(address()));
  }

  // The operand that holds bit `index` of the bit string at d: registers wrap, memory reaches -2^31 to 2^31-1 bits.
  template <class D, class W>
  D bit_string(D d, Value<W>) const {
    return d;
  }
  template <class W>
  ExecPlace<W> bit_string(Memory<W>, Value<W> index) const {
    using Signed = std::make_signed_t<W>;
    constexpr int kShift = std::countr_zero(sizeof(W) * 8);
    const i32 units = static_cast<Signed>(index.raw_) >> kShift;
    return {(address() + static_cast<u32>(units) * u32{sizeof(W)}) & insn_.address_mask};
  }

  template <class W>
  static constexpr Value<W> constant(W raw) {
    return Value<W>(raw);
  }

  // --- Widths ---
  template <class To, class W>
  static Value<To> zero_extend(Value<W> value) {
    return Value<To>(value.raw_);
  }
  template <class To, class W>
  static Value<To> sign_extend(Value<W> value) {
    return Value<To>(
        static_cast<To>(static_cast<std::make_signed_t<To>>(static_cast<std::make_signed_t<W>>(value.raw_))));
  }
  template <class To, class W>
  static Value<To> truncate(Value<W> value) {
    return Value<To>(static_cast<To>(value.raw_));
  }

  template <class To, class W>
  static Value<To> high_half(Value<W> value) {
    return Value<To>(static_cast<To>(value.raw_ >> kBits<To>));
  }

  // --- Arithmetic: all six flags ---
  template <class W>
  Value<W> add(Value<W> a, Value<W> b) {
    return sum(a.raw_, b.raw_, W{0});
  }
  template <class W>
  Value<W> adc(Value<W> a, Value<W> b) {
    return sum(a.raw_, b.raw_, static_cast<W>(state_.flags.cf()));
  }
  template <class W>
  Value<W> sub(Value<W> a, Value<W> b) {
    return difference(a.raw_, b.raw_, W{0});
  }
  template <class W>
  Value<W> sbb(Value<W> a, Value<W> b) {
    return difference(a.raw_, b.raw_, static_cast<W>(state_.flags.cf()));
  }
  template <class W>
  Value<W> neg(Value<W> a) {
    return difference(W{0}, a.raw_, W{0});
  }
  // CF = OF = 0; AF, undefined by the manual, is 0.
  template <class W>
  Value<W> and_(Value<W> a, Value<W> b) {
    return logic<W>(a.raw_ & b.raw_);
  }
  template <class W>
  Value<W> or_(Value<W> a, Value<W> b) {
    return logic<W>(a.raw_ | b.raw_);
  }
  template <class W>
  Value<W> xor_(Value<W> a, Value<W> b) {
    return logic<W>(a.raw_ ^ b.raw_);
  }
  template <class W>
  Value<W> inc(Value<W> a) {
    const bool carry = state_.flags.cf();
    const Value<W> result = sum(a.raw_, W{1}, W{0});
    state_.flags.set_cf(carry);
    return result;
  }
  template <class W>
  Value<W> dec(Value<W> a) {
    const bool carry = state_.flags.cf();
    const Value<W> result = difference(a.raw_, W{1}, W{0});
    state_.flags.set_cf(carry);
    return result;
  }
  template <class W>
  static Value<W> not_(Value<W> a) {
    return Value<W>(static_cast<W>(~a.raw_));
  }

  // The sum without flags: addresses, pointers.
  template <class W>
  static Value<W> plain_add(Value<W> a, Value<W> b) {
    return Value<W>(static_cast<W>(a.raw_ + b.raw_));
  }

  // --- Shifts and rotates by count modulo 32; a count of 0 leaves the flags alone (SDM 2, SAL/SAR/SHL/SHR). OF,
  // undefined for counts other than 1, follows the formula for 1. AF, undefined, is what the 80286 gives: bit 4 of
  // SHL's result, 1 for SHR and SAR; 0 for SHLD and SHRD. ---
  template <class W>
  Value<W> shl(Value<W> a, Value<u8> count);
  template <class W>
  Value<W> shr(Value<W> a, Value<u8> count);
  template <class W>
  Value<W> sar(Value<W> a, Value<u8> count);
  template <class W>
  Value<W> rol(Value<W> a, Value<u8> count);
  template <class W>
  Value<W> ror(Value<W> a, Value<u8> count);
  template <class W>
  Value<W> rcl(Value<W> a, Value<u8> count);
  template <class W>
  Value<W> rcr(Value<W> a, Value<u8> count);
  template <class W>
  Value<W> shld(Value<W> a, Value<W> filler, Value<u8> count);
  template <class W>
  Value<W> shrd(Value<W> a, Value<W> filler, Value<u8> count);

  // --- Multiplication and division. CF and OF tell that the high half matters; of the undefined flags SF, ZF and PF
  // follow the high half and AF is 1, as on the 80286. Division leaves all flags (undefined) unchanged and may fault.
  // ---
  template <class W>
  ExecPair<Value<W>> mul(Value<W> a, Value<W> b) {
    using Double = DoubleWidth<W>;
    const Double product = static_cast<Double>(static_cast<Double>(a.raw_) * b.raw_);
    const W high = static_cast<W>(product >> kBits<W>);
    multiplication_flags(high, high != 0);
    return {Value<W>(static_cast<W>(product)), Value<W>(high)};
  }
  template <class W>
  ExecPair<Value<W>> imul(Value<W> a, Value<W> b) {
    using Double = std::make_signed_t<DoubleWidth<W>>;
    using Signed = std::make_signed_t<W>;
    const Double product =
        static_cast<Double>(static_cast<Double>(static_cast<Signed>(a.raw_)) * static_cast<Signed>(b.raw_));
    const W high = static_cast<W>(product >> kBits<W>);
    multiplication_flags(high, product != static_cast<Signed>(product));
    return {Value<W>(static_cast<W>(product)), Value<W>(high)};
  }
  template <class W>
  ExecPair<Value<W>> div(Value<W> high, Value<W> low, Value<W> divisor);  // low: quotient, high: remainder
  template <class W>
  ExecPair<Value<W>> idiv(Value<W> high, Value<W> low, Value<W> divisor);

  // --- Bits. bt and kin: CF is the bit; the other flags (undefined) are unchanged. ---
  template <class W>
  void bt(Value<W> a, Value<W> index) {
    state_.flags.set_cf(((a.raw_ >> bit_of<W>(index)) & 1) != 0);
  }
  template <class W>
  Value<W> bts(Value<W> a, Value<W> index) {
    bt(a, index);
    return Value<W>(static_cast<W>(a.raw_ | (W{1} << bit_of<W>(index))));
  }
  template <class W>
  Value<W> btr(Value<W> a, Value<W> index) {
    bt(a, index);
    return Value<W>(static_cast<W>(a.raw_ & ~(W{1} << bit_of<W>(index))));
  }
  template <class W>
  Value<W> btc(Value<W> a, Value<W> index) {
    bt(a, index);
    return Value<W>(static_cast<W>(a.raw_ ^ (W{1} << bit_of<W>(index))));
  }
  // The index of the lowest or highest set bit, `otherwise` for 0. ZF tells 0; the others (undefined) become 0.
  template <class W>
  Value<W> bsf(Value<W> a, Value<W> otherwise) {
    bit_scan_flags(a.raw_ == 0);
    return a.raw_ == 0 ? otherwise : Value<W>(static_cast<W>(std::countr_zero(a.raw_)));
  }
  template <class W>
  Value<W> bsr(Value<W> a, Value<W> otherwise) {
    bit_scan_flags(a.raw_ == 0);
    return a.raw_ == 0 ? otherwise : Value<W>(static_cast<W>(std::bit_width(a.raw_) - 1));
  }
  static Value<u32> byte_swap(Value<u32> a) { return Value<u32>(__builtin_bswap32(a.raw_)); }
  // BSWAP with a 16-bit operand is undefined; processors give 0 (SDM 2, BSWAP).
  static Value<u16> byte_swap(Value<u16>) { return Value<u16>(0); }

  // --- Flags as values ---
  Value<u8> flags_byte() const { return Value<u8>(static_cast<u8>((state_.flags.eflags() & 0xD5) | kFixed1)); }
  void set_flags_byte(Value<u8> value) {
    state_.flags.set_eflags((value.raw_ & 0xD5u) | (state_.flags.of() ? kOF : 0u));
  }
  void set_carry(bool carry) { state_.flags.set_cf(carry); }  // a constant of the text, not guest data
  void complement_carry() { state_.flags.set_cf(!state_.flags.cf()); }
  void set_direction(bool down) { state_.system_flags = (state_.system_flags & ~u32{kDF}) | (down ? kDF : 0u); }

  // --- Conditions ---
  template <Condition kCode>
  Truth condition() const {
    return Truth(holds<kCode>(state_.flags));
  }
  template <class W>
  static Truth zero(Value<W> value) {
    return Truth(value.raw_ == 0);
  }
  static Truth invert(Truth a) { return Truth(!a.raw_); }
  static Truth both(Truth a, Truth b) { return Truth(a.raw_ && b.raw_); }
  template <class W>
  static Value<W> select(Truth truth, Value<W> yes, Value<W> no) {
    return truth.raw_ ? yes : no;
  }
  static Value<u8> truth(Truth truth) { return Value<u8>(truth.raw_ ? 1 : 0); }

  // --- Registers by role: CX or ECX by the address size (LOOP, JCXZ), BP or EBP by the stack size (LEAVE) ---
  Value<u32> count_register() const { return Value<u32>(state_.gpr32(kEcx) & insn_.address_mask); }
  void set_count_register(Value<u32> value) {
    if (insn_.address32()) {
      state_.set_gpr32(kEcx, value.raw_);
    } else {
      write_register<u16>(kEcx, static_cast<u16>(value.raw_));
    }
  }
  Truth zero_count(Value<u32> count) const { return Truth((count.raw_ & insn_.address_mask) == 0); }
  Value<u32> frame_pointer() const { return Value<u32>(state_.gpr32(kEbp) & cpu_.stack_mask()); }
  // ESP := value under the stack size: a 16-bit stack keeps ESP's upper half.
  void set_stack_pointer(Value<u32> value) {
    const u32 mask = cpu_.stack_mask();
    state_.set_gpr32(kEsp, (state_.gpr32(kEsp) & ~mask) | (value.raw_ & mask));
  }
  Value<u32> stack_pointer() const { return Value<u32>(state_.gpr32(kEsp)); }

  // --- Stack ---
  void push(Value<u16> value) {
    if (!cpu_.push16(value.raw_)) [[unlikely]]
      flow_ = Flow::Fault;
  }
  void push(Value<u32> value) {
    if (!cpu_.push32(value.raw_)) [[unlikely]]
      flow_ = Flow::Fault;
  }
  template <class W>
  Value<W> pop() {
    W value{};
    const bool good = [&] {
      if constexpr (sizeof(W) == 2) {
        return cpu_.pop16(value);
      } else {
        return cpu_.pop32(value);
      }
    }();
    if (!good) [[unlikely]]
      flow_ = Flow::Fault;
    return Value<W>(value);
  }
  // The value that pop would give; ESP stays.
  template <class W>
  Value<W> peek(Value<u32> pointer) {
    W value{};
    if (!cpu_.read(kSs, pointer.raw_ & cpu_.stack_mask(), value)) [[unlikely]]
      flow_ = Flow::Fault;
    return Value<W>(value);
  }

  // --- Flow ---
  template <class W>
  Value<W> next_instruction() const {
    return Value<W>(static_cast<W>(state_.eip() + insn_.length));
  }
  template <class W>
  Value<W> target(Target<W>) const {
    return Value<W>(static_cast<W>(state_.eip() + insn_.length + insn_.immediate));
  }
  // #GP(0) when the target lies outside the code segment.
  template <class W>
  void check_target(Value<W> target) {
    if (target.raw_ > state_.segment[kCs].limit) [[unlikely]]
      flow_ = cpu_.raise(Vector::GeneralProtection, 0);
  }
  // As check_target; a push that would fault comes first (seen on an AMD part).
  template <class W>
  void check_call_target(Value<W> target) {
    if (target.raw_ <= state_.segment[kCs].limit) [[likely]]
      return;
    const u32 top = (state_.gpr32(kEsp) - static_cast<u32>(sizeof(W))) & cpu_.stack_mask();
    if (!cpu_.probe_write(kSs, top, sizeof(W))) {
      flow_ = Flow::Fault;
    } else {
      check_target(target);
    }
  }
  // Of an indirect CALL: some parts have stored the return address by the time the target is checked.
  template <class W>
  void check_indirect_call_target(Value<W> target) {
    if (target.raw_ <= state_.segment[kCs].limit) [[likely]]
      return;
    if (!cpu_.vendor().indirect_call_stores_first) return check_call_target(target);
    const u32 top = (state_.gpr32(kEsp) - static_cast<u32>(sizeof(W))) & cpu_.stack_mask();
    if (cpu_.write(kSs, top, next_instruction<W>().raw_)) {
      check_target(target);
    } else {
      flow_ = Flow::Fault;
    }
  }
  template <class W>
  void jump_to(Value<W> checked_target) {
    state_.rip = checked_target.raw_;
    flow_ = Flow::Branched;
  }
  template <class W>
  void jump_if(Truth truth, Target<W> d) {
    if (!truth.raw_) return;
    const auto to = target(d);
    check_target(to);
    if (!faulted()) jump_to(to);
  }
  // LOOP: as jump_if, and the counter becomes `count` unless the branch faults.
  template <class W>
  void jump_if_counting(Truth truth, Target<W> d, Value<u32> count) {
    jump_if(truth, d);
    if (!faulted()) set_count_register(count);
  }

 private:
  template <class W>
  static constexpr unsigned kBits = sizeof(W) * 8;
  template <class W>
  using DoubleWidth = std::conditional_t<sizeof(W) == 1, u16, std::conditional_t<sizeof(W) == 2, u32, u64>>;
  template <class W>
  using SignedOf = std::make_signed_t<W>;

  template <class W>
  static unsigned bit_of(Value<W> index) {
    return index.raw_ & (kBits<W> - 1);
  }

  [[gnu::always_inline]] u32 address() const {
    return (state_.gpr32(insn_.base) + (state_.gpr32(insn_.index) << insn_.scale) + insn_.displacement) &
           insn_.address_mask;
  }
  SegmentName segment() const { return static_cast<SegmentName>(insn_.segment); }

  template <class W>
  W read_register(unsigned index) const {
    W value;
    std::memcpy(&value, register_bytes<W>(index), sizeof value);
    return value;
  }
  template <class W>
  void write_register(unsigned index, W value) {
    if constexpr (sizeof(W) == 4) {
      state_.gpr[index] = value;
    } else {
      std::memcpy(register_bytes<W>(index), &value, sizeof value);
    }
  }
  // Byte registers 4 to 7 are the second bytes of 0 to 3. The host is little-endian.
  template <class W>
  u8* register_bytes(unsigned index) const {
    u8* const registers = reinterpret_cast<u8*>(state_.gpr.data());
    if constexpr (sizeof(W) == 1) {
      return registers + (index & 3) * sizeof(u64) + (index >> 2);
    } else {
      return registers + index * sizeof(u64);
    }
  }

  template <class W>
  void set_flags(W result, W carry_vector) {
    state_.flags.result = static_cast<SignedOf<W>>(result);
    state_.flags.carries = LazyFlags::pack_carries<W>(carry_vector);
  }
  template <class W>
  Value<W> sum(W a, W b, W carry) {
    const W result = static_cast<W>(a + b + carry);
    set_flags<W>(result, static_cast<W>((a & b) | ((a | b) & ~result)));
    return Value<W>(result);
  }
  template <class W>
  Value<W> difference(W a, W b, W borrow) {
    const W result = static_cast<W>(a - b - borrow);
    set_flags<W>(result, static_cast<W>((~a & b) | ((~a | b) & result)));
    return Value<W>(result);
  }
  template <class W>
  Value<W> logic(W result) {
    state_.flags.result = static_cast<SignedOf<W>>(result);
    state_.flags.carries = 0;
    return Value<W>(result);
  }
  template <class W>
  Value<W> shifted(W result, bool carry, bool overflow, bool adjust) {
    state_.flags.result = static_cast<SignedOf<W>>(result);
    state_.flags.carries = (carry ? LazyFlags::kCarryBit : 0u) | (carry != overflow ? LazyFlags::kBelowTopBit : 0u) |
                           (adjust ? LazyFlags::kAuxBit : 0u);
    return Value<W>(result);
  }
  template <class W>
  void multiplication_flags(W high, bool wide) {
    shifted(high, wide, wide, true);
  }
  template <class W>
  Value<W> rotated(W result, bool carry, bool overflow) {
    state_.flags.set_cf_of(carry, overflow);
    return Value<W>(result);
  }
  template <class W>
  static bool top_bit(W value) {
    return (value >> (kBits<W> - 1)) != 0;
  }
  void bit_scan_flags(bool zero) { state_.flags.set_eflags(zero ? kZF : 0u); }

  template <class W>
  ExecPair<Value<W>> divide_error() {
    flow_ = cpu_.raise(Vector::DivideError);
    return {Value<W>(0), Value<W>(0)};
  }

  Cpu& cpu_;
  CpuState& state_;
  const Insn& insn_;
  Flow flow_ = Flow::Next;
};

template <class W>
ExecValue<W> ExecBuilder::shl(Value<W> a, Value<u8> count) {
  const unsigned n = count.raw_ & 31u;
  if (n == 0) return a;
  const u64 wide = static_cast<u64>(a.raw_) << n;
  const W result = static_cast<W>(wide);
  const bool carry = ((wide >> kBits<W>)&1) != 0;
  return shifted(result, carry, top_bit(result) != carry, (result & 0x10) != 0);
}

template <class W>
ExecValue<W> ExecBuilder::shr(Value<W> a, Value<u8> count) {
  const unsigned n = count.raw_ & 31u;
  if (n == 0) return a;
  const u64 wide = (static_cast<u64>(a.raw_) << 1) >> n;  // bit 0: the carry
  const W result = static_cast<W>(wide >> 1);
  const bool overflow = top_bit(static_cast<W>(result ^ (result << 1)));
  return shifted(result, (wide & 1) != 0, overflow, true);
}

template <class W>
ExecValue<W> ExecBuilder::sar(Value<W> a, Value<u8> count) {
  const unsigned n = count.raw_ & 31u;
  if (n == 0) return a;
  const i64 wide = (static_cast<i64>(static_cast<SignedOf<W>>(a.raw_)) * 2) >> n;
  return shifted(static_cast<W>(wide >> 1), (wide & 1) != 0, false, true);
}

template <class W>
ExecValue<W> ExecBuilder::rol(Value<W> a, Value<u8> count) {
  if ((count.raw_ & 31u) == 0) return a;
  const W result = std::rotl(a.raw_, static_cast<int>(count.raw_ & 31u));
  const bool carry = (result & 1) != 0;
  return rotated(result, carry, top_bit(result) != carry);
}

template <class W>
ExecValue<W> ExecBuilder::ror(Value<W> a, Value<u8> count) {
  if ((count.raw_ & 31u) == 0) return a;
  const W result = std::rotr(a.raw_, static_cast<int>(count.raw_ & 31u));
  return rotated(result, top_bit(result), top_bit(static_cast<W>(result ^ (result << 1))));
}

template <class W>
ExecValue<W> ExecBuilder::rcl(Value<W> a, Value<u8> count) {
  if ((count.raw_ & 31u) == 0) return a;
  const unsigned n = (count.raw_ & 31u) % (kBits<W> + 1);
  const u64 carry_in = state_.flags.cf() ? 1 : 0;
  const u64 value = a.raw_;
  // The carry is a bit on top of the operand: a rotation of kBits + 1 bits.
  const u64 ring = (carry_in << kBits<W>) | value;
  const u64 turned = (ring << n) | (ring >> (kBits<W> + 1 - n));
  const W result = static_cast<W>(turned);
  const bool carry = ((turned >> kBits<W>)&1) != 0;
  return rotated(result, carry, top_bit(result) != carry);
}

template <class W>
ExecValue<W> ExecBuilder::rcr(Value<W> a, Value<u8> count) {
  if ((count.raw_ & 31u) == 0) return a;
  const unsigned n = (count.raw_ & 31u) % (kBits<W> + 1);
  const u64 ring = (static_cast<u64>(state_.flags.cf() ? 1 : 0) << kBits<W>) | a.raw_;
  const u64 turned = (ring >> n) | (ring << (kBits<W> + 1 - n));
  const W result = static_cast<W>(turned);
  const bool carry = ((turned >> kBits<W>)&1) != 0;
  return rotated(result, carry, top_bit(static_cast<W>(result ^ (result << 1))));
}

// A 16-bit double shift by more than 16 is undefined: what comes in then is the vendor's choice (DoubleShiftFill).
template <class W>
ExecValue<W> ExecBuilder::shld(Value<W> a, Value<W> filler, Value<u8> count) {
  const unsigned n = count.raw_ & 31u;
  if (n == 0) return a;
  W result;
  bool carry;
  if constexpr (sizeof(W) == 2) {
    const bool turns = cpu_.vendor().double_shift_fill == DoubleShiftFill::Destination;
    const u64 ring =
        (static_cast<u64>(a.raw_) << 32) | (static_cast<u64>(filler.raw_) << 16) | (turns ? a.raw_ : filler.raw_);
    result = static_cast<W>((ring << n) >> 32);
    carry = (n <= 16 || turns) && ((ring >> (48 - n)) & 1) != 0;
  } else {
    const u64 both = (static_cast<u64>(a.raw_) << 32) | filler.raw_;
    result = static_cast<W>((both << n) >> 32);
    carry = ((both >> (64 - n)) & 1) != 0;
  }
  return shifted(result, carry, top_bit(static_cast<W>(result ^ a.raw_)), false);
}

template <class W>
ExecValue<W> ExecBuilder::shrd(Value<W> a, Value<W> filler, Value<u8> count) {
  const unsigned n = count.raw_ & 31u;
  if (n == 0) return a;
  u64 both;
  bool defined = true;
  if constexpr (sizeof(W) == 2) {
    const bool turns = cpu_.vendor().double_shift_fill == DoubleShiftFill::Destination;
    both = (static_cast<u64>(turns ? a.raw_ : filler.raw_) << 32) | (static_cast<u64>(filler.raw_) << 16) | a.raw_;
    defined = n <= 16 || turns;
  } else {
    both = (static_cast<u64>(filler.raw_) << 32) | a.raw_;
  }
  const W result = static_cast<W>(both >> n);
  const bool carry = defined && ((both >> (n - 1)) & 1) != 0;
  return shifted(result, carry, top_bit(static_cast<W>(result ^ a.raw_)), false);
}

template <class W>
ExecPair<ExecValue<W>> ExecBuilder::div(Value<W> high, Value<W> low, Value<W> divisor) {
  using Double = DoubleWidth<W>;
  if (divisor.raw_ == 0) [[unlikely]]
    return divide_error<W>();
  const Double dividend = static_cast<Double>((static_cast<Double>(high.raw_) << kBits<W>) | low.raw_);
  const Double quotient = static_cast<Double>(dividend / divisor.raw_);
  if (quotient > std::numeric_limits<W>::max()) [[unlikely]]
    return divide_error<W>();
  return {Value<W>(static_cast<W>(quotient)), Value<W>(static_cast<W>(dividend % divisor.raw_))};
}

template <class W>
ExecPair<ExecValue<W>> ExecBuilder::idiv(Value<W> high, Value<W> low, Value<W> divisor) {
  using Double = DoubleWidth<W>;
  using SignedDouble = std::make_signed_t<Double>;
  using Signed = SignedOf<W>;
  if (divisor.raw_ == 0) [[unlikely]]
    return divide_error<W>();
  const auto dividend = static_cast<SignedDouble>((static_cast<Double>(high.raw_) << kBits<W>) | low.raw_);
  const auto by = static_cast<Signed>(divisor.raw_);
  // The one quotient that does not fit the wide type; the host would trap.
  if (by == -1 && dividend == std::numeric_limits<SignedDouble>::min()) [[unlikely]]
    return divide_error<W>();
  const SignedDouble quotient = static_cast<SignedDouble>(dividend / by);
  if (quotient != static_cast<Signed>(quotient)) [[unlikely]]
    return divide_error<W>();
  return {Value<W>(static_cast<W>(quotient)), Value<W>(static_cast<W>(dividend % by))};
}

}  // namespace relic86
