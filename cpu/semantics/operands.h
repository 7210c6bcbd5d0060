// Operand descriptors: what an operand of a decoded instruction is, as a type. The notation types (Eb, Gv, ...) are the
// manual's (SDM 2 appendix A.2) and turn into a descriptor for a width and a register or memory form.
#pragma once

#include <type_traits>

#include "base/types.h"
#include "cpu/state.h"

namespace relic86 {

// --- Descriptors. W is the operand's width as an unsigned type. ---
template <class W>
struct RmRegister {  // the register in ModRM.rm
  using Width = W;
};
template <class W>
struct Memory {  // the memory operand of ModRM, or the offset of Ob and Ov
  using Width = W;
};
template <class W>
struct RegRegister {  // the register in ModRM.reg, or in the opcode's low three bits (and REX's fourth)
  using Width = W;
};
template <class W, u8 kIndex>
struct FixedRegister {  // encoding kIndex; with W = u8 4 to 7 are AH, CH, DH, BH, REX or not
  using Width = W;
};
template <class W>
struct VexRegister {  // the register in VEX.vvvv
  using Width = W;
};
template <class W>
struct Immediate {
  using Width = W;
};
template <class W>
struct ConstantOne {
  using Width = W;
};
// A relative branch target; W is the operand size, which truncates EIP.
template <class W>
struct Target {
  using Width = W;
};

// --- Notation. As<V, memory>: V is u16, u32 or u64 by the operand size. ---
namespace notation {

template <class W, bool memory>
using EitherOf = std::conditional_t<memory, Memory<W>, RmRegister<W>>;

struct Base {
  static constexpr bool kSplits = false;  // has a register and a memory form
  static constexpr bool kOpcodeRegister = false;
  static constexpr int kImmediate = 0;  // ImmediateKind
  static constexpr bool kModRm = false;
  // ModRM.reg and ModRM.rm name one of eight registers, whatever REX says.
  static constexpr bool kEightByReg = false;
  static constexpr bool kEightByRm = false;
  static constexpr bool kVexRegister = false;  // an operand is the register in VEX.vvvv
};
struct ModRmBase : Base {
  static constexpr bool kModRm = true;
};
template <int kind>
struct ImmediateBase : Base {
  static constexpr int kImmediate = kind;
};

struct Eb : ModRmBase {
  static constexpr bool kSplits = true;
  template <class V, bool memory>
  using As = EitherOf<u8, memory>;
};
struct Ew : ModRmBase {
  static constexpr bool kSplits = true;
  template <class V, bool memory>
  using As = EitherOf<u16, memory>;
};
// The manual's Ed and, in 64-bit mode with REX.W, Eq: Ey.
struct Ed : ModRmBase {
  static constexpr bool kSplits = true;
  template <class V, bool memory>
  using As = EitherOf<std::conditional_t<sizeof(V) == 8, u64, u32>, memory>;
};
struct Ez : ModRmBase {  // 16 bits, or 32 for operand sizes of 32 and 64
  static constexpr bool kSplits = true;
  template <class V, bool memory>
  using As = EitherOf<std::conditional_t<sizeof(V) == 2, u16, u32>, memory>;
};
struct Ev : ModRmBase {
  static constexpr bool kSplits = true;
  template <class V, bool memory>
  using As = EitherOf<V, memory>;
};
struct Gb : ModRmBase {
  template <class V, bool memory>
  using As = RegRegister<u8>;
};
struct Gw : ModRmBase {
  template <class V, bool memory>
  using As = RegRegister<u16>;
};
struct Gd : ModRmBase {  // as Ed
  template <class V, bool memory>
  using As = RegRegister<std::conditional_t<sizeof(V) == 8, u64, u32>>;
};
struct Gv : ModRmBase {
  template <class V, bool memory>
  using As = RegRegister<V>;
};
struct M : ModRmBase {  // an address; nothing is read
  template <class V, bool memory>
  using As = Memory<V>;
};
struct Zb : Base {  // register in the opcode's low three bits
  static constexpr bool kOpcodeRegister = true;
  template <class V, bool memory>
  using As = RegRegister<u8>;
};
struct Zv : Base {
  static constexpr bool kOpcodeRegister = true;
  template <class V, bool memory>
  using As = RegRegister<V>;
};
struct Ib : ImmediateBase<1> {
  template <class V, bool memory>
  using As = Immediate<u8>;
};
struct sIb : ImmediateBase<2> {  // sign-extended to the operand size
  template <class V, bool memory>
  using As = Immediate<V>;
};
struct Iw : ImmediateBase<3> {
  template <class V, bool memory>
  using As = Immediate<u16>;
};
struct Iz : ImmediateBase<4> {
  template <class V, bool memory>
  using As = Immediate<V>;
};
struct Jb : ImmediateBase<5> {
  template <class V, bool memory>
  using As = Target<V>;
};
struct Jz : ImmediateBase<6> {
  template <class V, bool memory>
  using As = Target<V>;
};
struct Ap : ImmediateBase<7> {  // far pointer: cold functions only
  template <class V, bool memory>
  using As = Immediate<V>;
};
struct Ob : ImmediateBase<8> {
  template <class V, bool memory>
  using As = Memory<u8>;
};
struct Ov : ImmediateBase<8> {
  template <class V, bool memory>
  using As = Memory<V>;
};
struct Iv : ImmediateBase<10> {  // of all of the operand size
  template <class V, bool memory>
  using As = Immediate<V>;
};
struct IwIb : ImmediateBase<9> {  // ENTER
  template <class V, bool memory>
  using As = Immediate<u16>;
};
struct IbIb : ImmediateBase<11> {  // EXTRQ, INSERTQ
  template <class V, bool memory>
  using As = Immediate<u16>;
};
struct AL : Base {
  template <class V, bool memory>
  using As = FixedRegister<u8, kEax>;
};
struct CL : Base {
  template <class V, bool memory>
  using As = FixedRegister<u8, kEcx>;
};
struct rAX : Base {
  template <class V, bool memory>
  using As = FixedRegister<V, kEax>;
};
struct RBP : Base {
  template <class V, bool memory>
  using As = FixedRegister<V, kEbp>;
};
struct One : Base {
  template <class V, bool memory>
  using As = ConstantOne<u8>;
};
// Operands that only cold functions know: they need no descriptor.
struct Cold : Base {};
struct ColdModRm : ModRmBase {};
struct DX : Cold {};
struct Sw : ColdModRm {
  static constexpr bool kEightByReg = true;
};
struct Cd : ColdModRm {};
struct Dd : ColdModRm {};
struct Fv : Cold {};
struct Xb : Cold {};
struct Xv : Cold {};
struct Yb : Cold {};
struct Yv : Cold {};
struct Mp : ColdModRm {};
struct Ms : ColdModRm {};
struct Ma : ColdModRm {};
struct Md : ColdModRm {};
struct Mq : ColdModRm {};
struct Rd : ColdModRm {};
struct ES : Cold {};
struct CS : Cold {};
struct SS : Cold {};
struct DS : Cold {};
struct FS : Cold {};
struct GS : Cold {};
struct ST0 : Cold {};
struct STi : ColdModRm {};
struct Pq : ColdModRm {
  static constexpr bool kEightByReg = true;
};
struct Qq : ColdModRm {
  static constexpr bool kEightByRm = true;
};
struct Bd : ModRmBase {  // VEX.vvvv: 32 bits, or 64 with VEX.W
  static constexpr bool kVexRegister = true;
  template <class V, bool memory>
  using As = VexRegister<std::conditional_t<sizeof(V) == 8, u64, u32>>;
};
struct Hx : ColdModRm {  // a vector register there
  static constexpr bool kVexRegister = true;
};
struct Lx : ColdModRm {  // a vector register in bits 7:4 of the immediate
  static constexpr int kImmediate = 1;
};
struct Vx : ColdModRm {};
struct Wx : ColdModRm {};

}  // namespace notation

template <class... Notation>
struct Operands {
  static constexpr bool kSplits = (false || ... || Notation::kSplits);
  static constexpr bool kOpcodeRegister = (false || ... || Notation::kOpcodeRegister);
  static constexpr bool kModRm = (false || ... || Notation::kModRm);
  static constexpr bool kEightByReg = (false || ... || Notation::kEightByReg);
  static constexpr bool kEightByRm = (false || ... || Notation::kEightByRm);
  static constexpr bool kVexRegister = (false || ... || Notation::kVexRegister);
  static constexpr int kImmediate = (0 + ... + Notation::kImmediate);  // rows have at most one
};

}  // namespace relic86
