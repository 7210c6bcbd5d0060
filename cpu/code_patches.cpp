#include "cpu/code_patches.h"

#include <cstring>

#include "cpu/instruction_table.h"

namespace relic86 {

namespace {

// Neither ends a block nor branches nor depends on privilege: any of these may stand in another's place.
bool plain(const Insn& insn) {
  constexpr u16 kOther = kTraitEndsBlock | kTraitBranch | kTraitCpl0 | kTraitIopl;
  return insn.row != kNoRow && instruction_table()[insn.row].hot &&
         (instruction_table()[insn.row].traits & kOther) == 0;
}

u32 immediate_size(const Insn& insn) {
  switch (instruction_table()[insn.row].immediate) {
    case ImmediateKind::Byte:
    case ImmediateKind::SignedByte: return 1;
    case ImmediateKind::Word: return 2;
    case ImmediateKind::OperandSize: return insn.operand32() ? 4 : 2;
    case ImmediateKind::OperandFull: return insn.operand64() ? 8 : insn.operand32() ? 4 : 2;
    default: return 0;
  }
}

// Sign-extended to the width that the code size gives immediates (cpu/insn.h).
void set_extended(Insn& insn, i32 value) {
  insn.immediate = insn.code64() ? static_cast<u64>(i64{value}) : static_cast<u32>(value);
}

}  // namespace

u32 CodePatcher::immediate_offset(const Insn& insn) {
  if (!plain(insn)) return 0;
  const u32 size = immediate_size(insn);
  return size == 0 ? 0 : insn.length - size;
}

void CodePatcher::set_immediate(Insn& insn, const u8* bytes) {
  switch (instruction_table()[insn.row].immediate) {
    case ImmediateKind::Byte: insn.immediate = *bytes; break;
    case ImmediateKind::SignedByte: set_extended(insn, static_cast<i8>(*bytes)); break;
    default: {
      const u32 size = immediate_size(insn);
      insn.immediate = 0;
      std::memcpy(&insn.immediate, bytes, size);
      if (size == 4 && instruction_table()[insn.row].immediate == ImmediateKind::OperandSize)
        set_extended(insn, static_cast<i32>(insn.immediate));
      break;
    }
  }
}

bool CodePatcher::follows(const Insn& insn, u32 first, u32 end) {
  if (!insn.patched_immediate() && !insn.replaced()) return false;
  const u32 offset = immediate_offset(insn);
  return offset != 0 && first >= offset && end <= insn.length;
}

CodePatcher::Outcome CodePatcher::patch(Insn& insn, std::span<const u8> window, CodeSize size, u32 first,
                                        u32 end) const {
  if (!plain(insn)) return Outcome::Misfit;
  const u32 offset = immediate_offset(insn);
  const u16 known = insn.flags & (kInsnPatchedImmediate | kInsnReplaced);
  if (offset != 0 && first >= offset && end <= insn.length) {
    set_immediate(insn, window.data() + offset);
    if (known != 0) return Outcome::Followed;
    insn.flags |= kInsnPatchedImmediate;
    return Outcome::Changed;
  }
  Insn fresh;
  if (!decode_(window, size, fresh) || fresh.length != insn.length || !plain(fresh)) return Outcome::Misfit;
  fresh.flags |= known | kInsnReplaced;
  insn = fresh;
  return (known & kInsnReplaced) != 0 ? Outcome::Followed : Outcome::Changed;
}

}  // namespace relic86
