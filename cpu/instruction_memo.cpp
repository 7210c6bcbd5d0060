#include "cpu/instruction_memo.h"

#include <cstring>

#include "base/assert.h"

namespace relic86 {

const Insn& InstructionMemo::at(const u8* bytes, CodeSize size) {
  constexpr u64 kSizeMask = u64{0xFF} << 56;
  Words words;
  std::memcpy(&words.low, bytes, sizeof words.low);
  std::memcpy(&words.high, bytes + sizeof words.low, sizeof words.high);
  words.high = (words.high & ~kSizeMask) | (u64{static_cast<u8>(size)} + 1) << 56;

  constexpr u32 kGoldenRatio = 0x9E3779B1;
  constexpr unsigned kShift = 32 - 10;
  static_assert(kEntries == 1u << (32 - kShift));
  Entry& entry = (*entries_)[static_cast<u32>(static_cast<u32>(words.low) * kGoldenRatio) >> kShift];
  const u64 difference =
      ((words.low ^ entry.bytes.low) & entry.mask.low) | ((words.high ^ entry.bytes.high) & entry.mask.high);
  if (difference == 0) [[likely]]
    return entry.insn;

  const bool whole = decoder_.decode({bytes, kMaxInstructionLength}, size, entry.insn);
  RELIC86_ASSERT(whole);
  // What is no instruction may be none for any of its bytes.
  const u32 length = entry.insn.row == kNoRow ? kMaxInstructionLength : entry.insn.length;
  entry.bytes = words;
  entry.mask.low = length >= 8 ? ~u64{0} : (u64{1} << (8 * length)) - 1;
  entry.mask.high = kSizeMask | (length <= 8 ? 0 : (u64{1} << (8 * (length - 8))) - 1);
  return entry.insn;
}

}  // namespace relic86
