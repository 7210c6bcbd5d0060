// A short sequence of instructions in its place: bytes for both sides, and what is known of it.
#pragma once

#include <string>
#include <vector>

#include "cpu/decoder.h"
#include "tests/native/layout.h"

namespace relic86::native {

// Where a relative branch or far pointer leads; settled when the code is laid out.
enum class Target : u8 { None, Next, Fill, Wild };

// Targets within the filled part are this near to its start.
inline constexpr u32 kFillTargets = 32;

// One instruction. Its bytes stay the same wherever it is put, but for a target.
struct Piece {
  std::vector<u8> bytes;
  u16 row = kNoRow;
  u16 insn_flags = 0;  // InsnFlags of what was decoded
  bool decoded = false;
  u8 masked_registers = 0;  // bit n: Gpr n differs on purpose
  Target target = Target::None;
  u8 target_bytes = 0;  // the field's size, at the end of bytes
  bool far = false;     // a far pointer, else relative
  u8 fill_distance = 0;
  u32 masked_at = 0;                        // linear address of an operand with bytes that are masked, or 0
  std::vector<std::pair<u8, u8>> masked{};  // first, last byte of it
};

struct GuestCode {
  std::vector<Piece> pieces;
  bool code16 = false;
  bool units = false;
  bool vectors = false;
  u32 slot = 0, lead = 0;  // the code starts at kCode + slot * kSlotSize + lead
  u16 segment[kSlotCount] = {};

  // Set by lay_out().
  std::vector<u8> bytes{};       // of the whole slot
  std::vector<u32> starts{};     // EIP of each piece
  u32 end = 0;                   // EIP of the far jump that ends a case, behind a NOP
  u32 fill = 0;                  // EIP of the first byte of what is filled with HLT
  std::vector<u32> undefined{};  // flags that are undefined before each piece, and after the last

  CodeSize code_size() const { return code16 ? CodeSize::Bits16 : CodeSize::Bits32; }
  u32 start() const { return starts.front(); }
  void lay_out();
  // Undefined flags when the case stopped at eip.
  u32 undefined_at(u32 eip) const;
  std::string listing() const;
};

u32 segment_base(u16 selector);

// Goes straight to the end of the code.
CaseInput idle_input(const GuestCode& code);

}  // namespace relic86::native
