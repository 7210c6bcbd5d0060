// Instructions that the guest writes over, again and again: an inner loop whose immediates are set per row, a jump
// table of opcodes. Where the new instruction is as long as the old one and neither is more than plain arithmetic, the
// decoded block keeps its place and takes the new one in; engines that translate look up its immediate, or call its
// handler.
#pragma once

#include <functional>
#include <span>

#include "base/types.h"
#include "cpu/code_size.h"
#include "cpu/insn.h"

namespace relic86 {

class CodePatcher {
 public:
  using Decode = std::function<bool(std::span<const u8> window, CodeSize size, Insn& insn)>;
  CodePatcher() = default;
  explicit CodePatcher(Decode decode) : decode_(std::move(decode)) {}
  bool enabled() const { return decode_ != nullptr; }

  enum class Outcome : u8 {
    Misfit,    // the instruction cannot be taken in
    Followed,  // it was; a translation that knows the instruction's flags goes on to be right
    Changed,   // it was, and the instruction's flags are others now
  };
  // The bytes [first, end) of an instruction have changed; window: from its first byte to the end of the page.
  Outcome patch(Insn& insn, std::span<const u8> window, CodeSize size, u32 first, u32 end) const;

  // Whether [first, end) lies in an immediate that translations look up.
  static bool follows(const Insn& insn, u32 first, u32 end);
  // Sets the immediate from its bytes.
  static void set_immediate(Insn& insn, const u8* bytes);
  // Where the immediate begins; 0: none that could be patched.
  static u32 immediate_offset(const Insn& insn);

 private:
  Decode decode_;
};

}  // namespace relic86
