// Random blocks of the intermediate representation that keep the verifier's rules. Which operation stands where follows
// from the rows of ops.def: all that take two values and give one are drawn from where a sum is, and so on.
#pragma once

#include <random>
#include <vector>

#include "jit/ir/ir.h"
#include "jit/ir/mode.h"

namespace relic86::jit {

// A block, and the decoded instructions that its slow accesses ask for their addresses.
struct GeneratedBlock {
  BlockIr ir;
  std::vector<Insn> insns;
};

class IrGenerator {
 public:
  IrGenerator(u64 seed, const Mode& mode) : random_(seed), mode_(mode) {}

  GeneratedBlock block(unsigned instructions);

  u32 below(u32 limit) { return static_cast<u32>(random_() % limit); }
  bool one_in(u32 n) { return below(n) == 0; }
  u32 number();
  u64 wide_number();

 private:
  using Nodes = std::vector<Node>;
  u16 add(const Node& node);
  u16 get(u8 size, u8 reg) { return add({.op = Op::GetRegister, .size = size, .reg = reg}); }
  void set(u8 size, u8 reg, u16 value) { add({.op = Op::SetRegister, .size = size, .reg = reg, .a = value}); }
  u16 constant(u8 size, u64 value);
  u16 address();
  u16 long_address();
  // Of code's own words: what addresses, stack slots and targets have.
  u8 native_size() const { return static_cast<u8>(mode_.code_bytes()); }
  u8 any_size() { return static_cast<u8>(1u << below(mode_.code64 ? 4 : 3)); }
  u8 word_size() { return one_in(3) ? 2 : mode_.code64 && one_in(2) ? 8 : 4; }
  u8 stack_size() { return one_in(3) ? 2 : mode_.code64 ? 8 : 4; }
  u8 any_register(u8 size);
  u16 count();
  // A value of this width from a register, a constant or memory.
  u16 value(u8 size, bool memory);
  // One operation of those whose rows fit; nothing that faults.
  Op operation(Slot a, Slot b, Slot c, u8 size, bool with_flags);

  // Instructions.
  void arithmetic();
  void compare();
  void unary();
  void shift();
  void double_shift();
  void move();
  void extend();
  void multiply();
  void divide();
  void bits();
  void bit_fields();
  void stack();
  void condition();
  void flags();
  void exchange();
  void string();
  void branch(u32 begin, u32 length, bool last);

  std::mt19937_64 random_;
  const Mode& mode_;
  Nodes nodes_;
  u32 flags_read_ = 0, flags_killed_ = 0;
  bool branches_ = false;
};

}  // namespace relic86::jit
