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
//   Stack         push(v) and pop<W>(): may fault; ESP changes only on success. Pointers and counts are of the width
//                 B::Pointer.
//   Flow          jump(target), jump_if(truth, target), jump_to(v) and next_instruction<W>(); check_target() is the
//                 fault part of a jump. At most one jump a text.
//
// There are two of them: of 16- and 32-bit code, and of 64-bit code (addresses, stack pointer and RIP of 64 bits, byte
// registers by REX, counts of 64-bit shifts modulo 64).
#pragma once

#include <bit>
#include <cstring>
#include <type_traits>

#include "cpu/access.h"
#include "cpu/canonical.h"
#include "cpu/cpu.h"
#include "cpu/semantics/condition.h"
#include "cpu/semantics/exec_values.h"
#include "cpu/semantics/operands.h"
#include "cpu/vendor_behaviour.h"

namespace relic86 {

template <bool kLong>
class ExecBuilderOf {
 public:
  template <class W>
  using Value = ExecValue<W>;
  using Truth = ExecTruth;
  using Pointer = std::conditional_t<kLong, u64, u32>;
  template <class W>
  using Place = ExecPlace<W, Pointer>;

  ExecBuilderOf(Cpu& cpu, const Insn& insn) : cpu_(cpu), state_(cpu.state()), insn_(insn) {}

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
    return Value<W>(read_fixed<W>(kIndex));
  }
  template <class W>
  Value<W> load(VexRegister<W>) const {
    return Value<W>(read_register<W>(insn_.vex_register));
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
    return load(Place<W>{address()});
  }
  // The source of MOVSXD, of which some parts read more than a 16-bit operand size has.
  template <class S>
  auto load_movsxd_source(S source) {
    return load(source);
  }
  Value<u16> load_movsxd_source(Memory<u16> source) {
    if (!cpu_.vendor().movsxd_reads_4_bytes) return load(source);
    return Value<u16>(static_cast<u16>(load(Memory<u32>{}).raw_));
  }
  template <class W>
  [[gnu::always_inline]] Value<W> load(Place<W> place) {
    W value{};
    if (!read_memory(segment(), place.offset, value)) [[unlikely]]
      flow_ = Flow::Fault;
    return Value<W>(value);
  }

  template <class D>
  auto load_for_write(D d) {
    return load(d);
  }
  template <class W>
  Value<W> load_for_write(Memory<W>) {
    return load_for_write(Place<W>{address()});
  }
  template <class W>
  [[gnu::always_inline]] Value<W> load_for_write(Place<W> place) {
    W value{};
    const bool good = [&] {
      if constexpr (kLong)
        return cpu_.read_for_write_long(segment(), place.offset, value);
      else
        return cpu_.read_for_write(segment(), place.offset, value);
    }();
    if (!good) [[unlikely]]
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
    write_fixed<W>(kIndex, value.raw_);
  }
  template <class W>
  void store(VexRegister<W>, Value<W> value) {
    write_register<W>(insn_.vex_register, value.raw_);
  }
  template <class W>
  void store(Memory<W>, Value<W> value) {
    store(Place<W>{address()}, value);
  }
  template <class W>
  [[gnu::always_inline]] void store(Place<W> place, Value<W> value) {
    if (!write_memory(segment(), place.offset, value.raw_)) [[unlikely]]
      flow_ = Flow::Fault;
  }

  // d := truth ? value : unchanged, where `unchanged` is what d holds: a register that keeps its value keeps the upper
  // half too, which a 32-bit store clears (seen on an AMD part). store_unless() the other way round.
  template <class D, class W>
  void store_if(Truth truth, D d, Value<W> value, Value<W> unchanged) {
    if constexpr (kLong && sizeof(W) == 4 && !std::is_same_v<D, Place<W>>) {
      if (truth.raw_) store(d, value);
    } else {
      store(d, select(truth, value, unchanged));
    }
  }
  template <class D, class W>
  void store_unless(Truth truth, D d, Value<W> value, Value<W> unchanged) {
    store_if(invert(truth), d, value, unchanged);
  }
  // What bsf() or bsr() gave; where they found nothing, d keeps all of its value.
  template <class D, class W>
  void store_found(D d, Value<W> value) {
    if constexpr (kLong && sizeof(W) == 4) {
      if (state_.flags.zf()) return;
    }
    store(d, value);
  }

  // The operand with its address settled: later writes of registers that the address is made of do not move it.
  template <class D>
  D place(D d) const {
    return d;
  }
  template <class W>
  Place<W> place(Memory<W>) const {
    return {address()};
  }

  template <class W>
  Value<W> effective_address(Memory<W>) const {
    return Value<W>(static_cast<W>(address()));
  }

  // The operand that holds bit `index` of the bit string at d: registers wrap, memory reaches as far as the index says.
  template <class D, class W>
  D bit_string(D d, Value<W>) const {
    return d;
  }
  template <class W>
  Place<W> bit_string(Memory<W>, Value<W> index) const {
    using Signed = SignedOf<W>;
    constexpr int kShift = std::countr_zero(sizeof(W) * 8);
    using SignedPointer = std::make_signed_t<Pointer>;
    const SignedPointer units = static_cast<Signed>(index.raw_) >> kShift;
    return {masked(address() + static_cast<Pointer>(units) * Pointer{sizeof(W)})};
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
  // As many copies of the sign.
  template <class W>
  static Value<W> sign_copies(Value<W> value) {
    return Value<W>(static_cast<W>(static_cast<SignedOf<W>>(value.raw_) >> (kBits<W> - 1)));
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

  // --- Shifts and rotates by count modulo 32, of 64 bits modulo 64; a count of 0 leaves the flags alone (SDM 2,
  // SAL/SAR/SHL/SHR). OF, undefined for counts other than 1, follows the formula for 1. AF, undefined, is what the
  // 80286 gives: bit 4 of SHL's result, 1 for SHR and SAR; 0 for SHLD and SHRD. ---
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
    using Double = typename ExecWidths<W>::Double;
    const Double product = static_cast<Double>(static_cast<Double>(a.raw_) * b.raw_);
    const W high = static_cast<W>(product >> kBits<W>);
    multiplication_flags(high, high != 0);
    return {Value<W>(static_cast<W>(product)), Value<W>(high)};
  }
  template <class W>
  ExecPair<Value<W>> imul(Value<W> a, Value<W> b) {
    using Double = typename ExecWidths<W>::SignedDouble;
    using Signed = SignedOf<W>;
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
  // Counts, and BMI's operations (exec_bits.h): TZCNT to BEXTR define all flags, the others none.
  template <class W>
  Value<W> tzcnt(Value<W> a) {
    return bit_count(a.raw_, std::countr_zero(a.raw_));
  }
  template <class W>
  Value<W> lzcnt(Value<W> a) {
    return bit_count(a.raw_, std::countl_zero(a.raw_));
  }
  template <class W>
  Value<W> popcnt(Value<W> a);
  template <class W>
  Value<W> blsr(Value<W> a);
  template <class W>
  Value<W> blsmsk(Value<W> a);
  template <class W>
  Value<W> blsi(Value<W> a);
  template <class W>
  Value<W> bzhi(Value<W> a, Value<W> index);
  template <class W>
  Value<W> bextr(Value<W> a, Value<W> control);
  template <class W>
  static Value<W> shlx(Value<W> a, Value<W> count) {
    return Value<W>(static_cast<W>(a.raw_ << (count.raw_ & (kBits<W> - 1))));
  }
  template <class W>
  static Value<W> shrx(Value<W> a, Value<W> count) {
    return Value<W>(static_cast<W>(a.raw_ >> (count.raw_ & (kBits<W> - 1))));
  }
  template <class W>
  static Value<W> sarx(Value<W> a, Value<W> count);
  template <class W>
  Value<W> rorx(Value<W> a, Immediate<u8>) const {
    return Value<W>(std::rotr(a.raw_, static_cast<int>(insn_.immediate & (kBits<W> - 1))));
  }
  template <class W>
  ExecPair<Value<W>> mulx(Value<W> a);  // by EDX
  template <class W>
  static Value<W> pdep(Value<W> source, Value<W> mask);
  template <class W>
  static Value<W> pext(Value<W> source, Value<W> mask);
  // VEX does not exist in real-address and virtual-8086 mode (SDM 2 2.3).
  void check_vex() {
    if (state_.mode.real_or_v86()) [[unlikely]]
      flow_ = cpu_.raise(Vector::InvalidOpcode);
  }

  static Value<u64> byte_swap(Value<u64> a) { return Value<u64>(__builtin_bswap64(a.raw_)); }
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

  // --- Registers by role: CX, ECX or RCX by the address size (LOOP, JCXZ), BP or EBP by the stack size (LEAVE) ---
  Value<Pointer> count_register() const {
    if constexpr (kLong)
      return Value<u64>(masked(state_.gpr[kEcx]));
    else
      return Value<u32>(state_.gpr32(kEcx) & insn_.address_mask);
  }
  void set_count_register(Value<Pointer> value) {
    if constexpr (kLong) {
      state_.gpr[kEcx] = masked(value.raw_);
    } else if (insn_.address32()) {
      state_.set_gpr32(kEcx, value.raw_);
    } else {
      write_register<u16>(kEcx, static_cast<u16>(value.raw_));
    }
  }
  Truth zero_count(Value<Pointer> count) const { return Truth(masked(count.raw_) == 0); }
  Value<Pointer> frame_pointer() const {
    if constexpr (kLong)
      return Value<u64>(state_.gpr[kEbp]);
    else
      return Value<u32>(state_.gpr32(kEbp) & stack_mask());
  }
  // ESP := value under the stack size: a 16-bit stack keeps ESP's upper half.
  void set_stack_pointer(Value<Pointer> value) {
    if constexpr (kLong) {
      state_.gpr[kEsp] = value.raw_;
    } else {
      const u32 mask = stack_mask();
      state_.set_gpr32(kEsp, (state_.gpr32(kEsp) & ~mask) | (value.raw_ & mask));
    }
  }
  Value<Pointer> stack_pointer() const { return Value<Pointer>(static_cast<Pointer>(state_.gpr[kEsp])); }

  // --- Stack ---
  template <class W>
  void push(Value<W> value) {
    const bool good = [&] {
      if constexpr (kLong)
        return cpu_.push_long(value.raw_);
      else if constexpr (sizeof(W) == 2)
        return cpu_.push16(value.raw_);
      else
        return cpu_.push32(value.raw_);
    }();
    if (!good) [[unlikely]]
      flow_ = Flow::Fault;
  }
  template <class W>
  Value<W> pop() {
    W value{};
    const bool good = [&] {
      if constexpr (kLong) {
        return cpu_.pop_long(value);
      } else if constexpr (sizeof(W) == 2) {
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
  Value<W> peek(Value<Pointer> pointer) {
    W value{};
    if (!read_memory(kSs, on_stack(pointer.raw_), value)) [[unlikely]]
      flow_ = Flow::Fault;
    return Value<W>(value);
  }

  // --- Flow ---
  template <class W>
  Value<W> next_instruction() const {
    return Value<W>(static_cast<W>(state_.rip + insn_.length));
  }
  template <class W>
  Value<W> target(Target<W>) const {
    return Value<W>(static_cast<W>(state_.rip + insn_.length + insn_.immediate));
  }
  // #GP(0) when the target lies outside the code segment, in 64-bit mode when it is not canonical.
  template <class W>
  void check_target(Value<W> target) {
    if (!reaches(target.raw_)) [[unlikely]]
      flow_ = cpu_.raise(Vector::GeneralProtection, 0);
  }
  // As check_target; a push that would fault comes first (seen on an AMD part).
  template <class W>
  void check_call_target(Value<W> target) {
    if (reaches(target.raw_)) [[likely]]
      return;
    const Pointer top = on_stack(static_cast<Pointer>(state_.gpr[kEsp]) - static_cast<Pointer>(sizeof(W)));
    if (!cpu_.probe_write(kSs, top, sizeof(W))) {
      flow_ = Flow::Fault;
    } else {
      check_target(target);
    }
  }
  // Of an indirect CALL: some parts have stored the return address by the time the target is checked.
  template <class W>
  void check_indirect_call_target(Value<W> target) {
    if (reaches(target.raw_)) [[likely]]
      return;
    if (!cpu_.vendor().indirect_call_stores_first) return check_call_target(target);
    const Pointer top = on_stack(static_cast<Pointer>(state_.gpr[kEsp]) - static_cast<Pointer>(sizeof(W)));
    if (write_memory(kSs, top, next_instruction<W>().raw_)) {
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
  void jump_if_counting(Truth truth, Target<W> d, Value<Pointer> count) {
    jump_if(truth, d);
    if (!faulted()) set_count_register(count);
  }

 private:
  template <class W>
  static constexpr unsigned kBits = sizeof(W) * 8;
  template <class W>
  using SignedOf = typename ExecWidths<W>::Signed;

  template <class W>
  static unsigned bit_of(Value<W> index) {
    return index.raw_ & (kBits<W> - 1);
  }
  template <class W>
  static unsigned shift_count(Value<u8> count) {
    return count.raw_ & (sizeof(W) == 8 ? 63u : 31u);
  }

  [[gnu::always_inline]] Pointer address() const {
    if constexpr (kLong) {
      return masked(address_register(state_, insn_.base) + (state_.gpr[insn_.index] << insn_.scale) +
                    insn_.displacement);
    } else {
      return (state_.gpr32(insn_.base) + (state_.gpr32(insn_.index) << insn_.scale) +
              static_cast<u32>(insn_.displacement)) &
             insn_.address_mask;
    }
  }
  // By the address size.
  [[gnu::always_inline]] Pointer masked(Pointer value) const {
    if constexpr (kLong)
      return insn_.address64() ? value : static_cast<u32>(value);
    else
      return value & insn_.address_mask;
  }
  SegmentName segment() const { return static_cast<SegmentName>(insn_.segment); }

  u32 stack_mask() const { return state_.mode.stack32 ? 0xFFFFFFFFu : 0xFFFFu; }
  Pointer on_stack(Pointer pointer) const {
    if constexpr (kLong)
      return pointer;
    else
      return pointer & stack_mask();
  }
  template <class W>
  bool reaches(W target) const {
    if constexpr (!kLong)
      return target <= state_.segment[kCs].limit;
    else
      return sizeof(W) < 8 || state_.linear.canonical(target);
  }

  template <class W>
  [[gnu::always_inline]] bool read_memory(SegmentName name, Pointer offset, W& value) {
    if constexpr (kLong)
      return cpu_.read_long(name, offset, value);
    else
      return cpu_.read(name, offset, value);
  }
  template <class W>
  [[gnu::always_inline]] bool write_memory(SegmentName name, Pointer offset, W value) {
    if constexpr (kLong)
      return cpu_.write_long(name, offset, value);
    else
      return cpu_.write(name, offset, value);
  }

  template <class W>
  W read_register(unsigned index) const {
    W value;
    std::memcpy(&value, register_bytes<W>(index), sizeof value);
    return value;
  }
  template <class W>
  W read_fixed(unsigned index) const {
    W value;
    std::memcpy(&value, fixed_bytes<W>(index), sizeof value);
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
  template <class W>
  void write_fixed(unsigned index, W value) {
    if constexpr (sizeof(W) == 4) {
      state_.gpr[index] = value;
    } else {
      std::memcpy(fixed_bytes<W>(index), &value, sizeof value);
    }
  }
  // Byte registers 4 to 7 are the second bytes of 0 to 3, but with a REX prefix. The host is little-endian.
  template <class W>
  u8* register_bytes(unsigned index) const {
    if constexpr (kLong && sizeof(W) == 1) {
      if ((insn_.flags & kInsnRex) != 0) return register_file() + index * sizeof(u64);
    }
    return fixed_bytes<W>(index);
  }
  // Of a register that the instruction names itself: AH whatever its prefixes.
  template <class W>
  u8* fixed_bytes(unsigned index) const {
    if constexpr (sizeof(W) == 1) {
      return register_file() + (index & 3) * sizeof(u64) + (index >> 2);
    } else {
      return register_file() + index * sizeof(u64);
    }
  }
  u8* register_file() const { return reinterpret_cast<u8*>(state_.gpr.data()); }

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
  template <class W>
  Value<W> bit_result(W result, bool carry);
  template <class W>
  Value<W> bit_count(W source, int count);
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

using ExecBuilder = ExecBuilderOf<false>;     // of 16- and 32-bit code
using LongExecBuilder = ExecBuilderOf<true>;  // of 64-bit code

}  // namespace relic86

#include "cpu/semantics/exec_bits.h"
#include "cpu/semantics/exec_shifts.h"
