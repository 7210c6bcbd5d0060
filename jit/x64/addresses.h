// Offsets of memory operands, which are computed in kAddress, and places of the code itself.
#pragma once

#include "jit/x64/block_part.h"

namespace relic86::jit::x64 {

class RegisterAllocator;

// What kAddress holds before a segment's base is added: an offset of 16 bits, one of 32 or 64, or a displacement alone,
// which is canonical.
enum class Offset : u8 { Full, Narrow, Constant };

class Addresses : BlockPart {
 public:
  Addresses(BlockCode& block, RegisterAllocator& registers) : BlockPart(block), registers_(registers) {}

  // to := the offset that an Address names, and `extra`. Of a BitAddress, that of its first bit.
  void load(const Gp& to, u16 address, i32 extra = 0);
  // to := EIP of a place relative to the page. No flags change.
  void load_eip(const Gp& to, i32 place);

  // What was computed last.
  Offset offset() const { return offset_; }
  bool narrow() const { return offset_ == Offset::Narrow; }
  // It was computed by others.
  void set_offset(Offset offset) { offset_ = offset; }
  void set_width(unsigned address_size) { offset_ = address_size == 2 ? Offset::Narrow : Offset::Full; }
  void set_stack() { offset_ = mode_.stack32 ? Offset::Full : Offset::Narrow; }

 private:
  void load_long(const Gp& to, const Node& n, i32 extra);
  void add_up(const Gp& to, const Gp* base, const Gp* index, u8 scale, i64 displacement);

  RegisterAllocator& registers_;
  Offset offset_ = Offset::Full;
};

}  // namespace relic86::jit::x64
