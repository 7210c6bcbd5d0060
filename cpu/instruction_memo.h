// Decoded instructions by their bytes alone, wherever they stand: for code that the guest writes over as often as it
// runs it, of which blocks would die before they pay. What is found is always right, since the bytes are compared.
#pragma once

#include <array>
#include <memory>

#include "base/types.h"
#include "cpu/decoder.h"
#include "cpu/insn.h"

namespace relic86 {

class InstructionMemo {
 public:
  // As many readable bytes must follow the front of an instruction.
  static constexpr u32 kWindow = 16;

  explicit InstructionMemo(const Decoder& decoder) : decoder_(decoder) {}

  // The instruction that these kWindow bytes begin with; it stays until the next call.
  const Insn& at(const u8* bytes, CodeSize size);

 private:
  // Bytes as two words. No instruction has a 16th byte: the code size stands there.
  struct Words {
    u64 low = 0, high = 0;
  };
  struct Entry {
    Words bytes, mask{~u64{0}, ~u64{0}};  // an entry that nothing matches, as no code size is 0
    Insn insn;
  };
  static constexpr std::size_t kEntries = 1024;

  const Decoder& decoder_;
  std::unique_ptr<std::array<Entry, kEntries>> entries_ = std::make_unique<std::array<Entry, kEntries>>();
};

}  // namespace relic86
