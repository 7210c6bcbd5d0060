// A short sequence of instructions of 64-bit code in its place, and random ones from the rows of a group.
#pragma once

#include <string>
#include <vector>

#include "cpu/decoder.h"
#include "tests/native/random.h"
#include "tests/native64/layout.h"

namespace relic86::native64 {

// Where a relative branch leads; settled when the code is laid out.
enum class Goal : u8 { None, Next, Fill, Wild };

// One instruction. Its bytes stay the same wherever it is put, but for a target and an operand relative to RIP.
struct Piece {
  std::vector<u8> bytes;
  u16 row = kNoRow;
  bool decoded = false;
  u32 masked_registers = 0;  // bit n: register n differs on purpose
  Goal goal = Goal::None;
  u8 target_bytes = 0;  // the field's size, at the end of bytes
  u8 fill_distance = 0;
  u8 relative_at = 0;                         // where a displacement from RIP stands in bytes, or 0
  u64 relative_place = 0;                     // the address that it is to give
  u64 masked_place = 0;                       // of an image with bytes that are masked, or 0
  std::vector<std::pair<u32, u32>> masked{};  // first, last byte of it
};

struct GuestCode {
  std::vector<Piece> pieces;
  bool units = false;
  bool vectors = false;
  u32 slot = 0, lead = 0;  // the code starts at kCode + slot * kSlotSize + lead

  // Set by lay_out().
  std::vector<u8> bytes{};       // of the whole slot, ending in a jump to the stub
  std::vector<u64> starts{};     // RIP of each piece
  u64 end = 0;                   // RIP of that jump
  u64 fill = 0;                  // RIP of the first byte of what is filled with HLT
  std::vector<u32> undefined{};  // flags that are undefined before each piece, and after the last

  u64 start() const { return starts.front(); }
  void lay_out();
  u32 undefined_at(u64 rip) const;  // when the case stopped there
  std::string listing() const;
};

class CodeGenerator {
 public:
  // rows: of the instruction table; kNoRow stands for one that the table no longer has.
  CodeGenerator(std::vector<u16> rows, FeatureSet features, const VendorDecoding& vendor);

  // A sequence for the slot, laid out. The same seed gives the same code.
  GuestCode make(u32 slot, u64 seed);

 private:
  bool append(GuestCode& code, u32& undefined);
  Piece encode(const InstructionRow& row);
  void prefixes(const InstructionRow& row, Piece& piece);
  void modrm(const InstructionRow& row, Piece& piece);
  void immediate(const InstructionRow& row, Piece& piece);

  std::vector<u16> rows_;
  native::Random random_{0};
  Decoder decoder_;
  // Of the piece in the making.
  bool operand66_ = false, address67_ = false;
  u64 base_ = 0;  // of FS or GS if it is overridden with one
  u8 rex_ = 0;
};

// A linear address that is worth an access: mostly in the window, sometimes at the border of a page, not canonical, or
// in the upper half.
u64 interesting_address(native::Random& random, u32 alignment);
u64 wide_value(native::Random& random);

// Rows that 64-bit code of user mode reaches and both sides can be compared in.
std::vector<u16> rows_of_group(std::string_view group);

}  // namespace relic86::native64
