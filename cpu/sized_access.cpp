#include "cpu/sized_access.h"

#include "cpu/access.h"
#include "cpu/cpu.h"
#include "cpu/effective_address.h"
#include "cpu/vendor_behaviour.h"

namespace relic86 {

bool read_sized(Cpu& cpu, SegmentName segment, u64 offset, unsigned bytes, u64& value) {
  if (bytes == 8) return cpu.read(segment, offset, value);
  u32 half = 0;
  u16 word = 0;
  u8 byte = 0;
  const bool read = bytes == 4   ? cpu.read(segment, offset, half)
                    : bytes == 2 ? cpu.read(segment, offset, word)
                                 : cpu.read(segment, offset, byte);
  if (!read) return false;
  value = bytes == 4 ? half : bytes == 2 ? word : byte;
  return true;
}

bool write_sized(Cpu& cpu, SegmentName segment, u64 offset, unsigned bytes, u64 value) {
  if (bytes == 8) return cpu.write(segment, offset, value);
  return bytes == 4 ? cpu.write(segment, offset, static_cast<u32>(value))
                    : cpu.write(segment, offset, static_cast<u16>(value));
}

void write_sized_register(CpuState& state, unsigned index, unsigned bytes, u64 value) {
  u64& reg = state.gpr[index];
  if (bytes == 2) {
    reg = (reg & ~u64{0xFFFF}) | (value & 0xFFFF);
  } else {
    reg = bytes == 4 ? static_cast<u32>(value) : value;
  }
}

bool read_rm(Cpu& cpu, const Insn& insn, unsigned bytes, u64& value) {
  const CpuState& state = cpu.state();
  if (insn.memory()) return read_sized(cpu, operand_segment(insn), effective_address(state, insn), bytes, value);
  const bool high = bytes == 1 && insn.rm >= 4 && insn.rm < 8 && (insn.flags & kInsnRex) == 0;  // AH to BH
  const u64 whole = high ? state.gpr[insn.rm & 3] >> 8 : state.gpr[insn.rm];
  value = whole & (~u64{0} >> (64 - bytes * 8));
  return true;
}

bool read_far_pointer(Cpu& cpu, const Insn& insn, Selector& selector, u64& offset) {
  constexpr unsigned kLargest32 = 4;
  const SegmentName segment = operand_segment(insn);
  const u64 at = effective_address(cpu.state(), insn);
  unsigned bytes = operand_bytes(insn);
  if (bytes == 8 && !cpu.vendor().far_pointers_of_64_bits) bytes = kLargest32;
  u16 word = 0;
  if (!read_sized(cpu, segment, at, bytes, offset) || !cpu.read(segment, masked_offset(insn, at + bytes), word))
    return false;
  selector = Selector(word);
  return true;
}

}  // namespace relic86
