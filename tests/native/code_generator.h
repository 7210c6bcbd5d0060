// Random sequences from the rows of a group.
#pragma once

#include <memory>

#include "cpu/decoder.h"
#include "tests/native/groups.h"
#include "tests/native/guest_code.h"
#include "tests/native/random.h"

namespace relic86::native {

class CodeGenerator {
 public:
  CodeGenerator(std::vector<u16> rows, u64 seed);

  // A sequence for the slot, laid out. Reseeded by `seed`, so that the same seed gives the same code.
  GuestCode make(u32 slot, u64 seed);

 private:
  void choose_segments(GuestCode& code);
  bool append(GuestCode& code, u32& undefined);
  Piece encode(const GuestCode& code, const InstructionRow& row);
  void prefixes(const GuestCode& code, const InstructionRow& row, Piece& piece);
  void modrm(const GuestCode& code, const InstructionRow& row, Piece& piece);
  void address32(u8 reg, u32 offset, std::vector<u8>& bytes);
  void address16(u8 reg, u32 offset, std::vector<u8>& bytes);
  void immediate(const GuestCode& code, const InstructionRow& row, Piece& piece);
  static void mask_pointers(const InstructionRow& row, Piece& piece, bool operand32);
  u32 linear_target(bool aligned);
  u16 segment_of(const GuestCode& code, bool stack_register) const;

  std::vector<u16> rows_;
  Random random_;
  Decoder decoder_;
  // Of the piece in the making.
  bool operand66_ = false, address67_ = false;
  u8 override_ = 0xFF;  // SegmentSlot
};

// A linear address that is worth an access: mostly in the window, sometimes at the border of a page.
u32 interesting_address(Random& random, u32 alignment);

}  // namespace relic86::native
