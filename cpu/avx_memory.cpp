// Masked moves and gathers, which reach memory only where a mask says so, and VZEROUPPER, VZEROALL (SDM 2). Their elements
// are never #AC (seen on an AMD part).
#include <optional>

#include "cpu/avx_instructions.h"
#include "cpu/avx_operands.h"
#include "cpu/vendor_behaviour.h"

namespace relic86 {

using namespace simd;
using Ymm = VexOperands::Vector;

namespace {

unsigned vector_bytes(const Insn& insn) { return insn.vector256() ? 32 : 16; }

const u8* element(const Ymm& vector, unsigned at, unsigned bytes) { return vector.half[0].bytes + at * bytes; }
u8* element(Ymm& vector, unsigned at, unsigned bytes) { return vector.half[0].bytes + at * bytes; }
static_assert(sizeof(Ymm) == 2 * sizeof(FxState::Slot));

// The sign of an element of the mask.
bool selects(const Ymm& mask, unsigned at, unsigned bytes) { return (element(mask, at, bytes)[bytes - 1] & 0x80) != 0; }

// Of a byte at a distance from the operand's offset. In 64-bit code 32-bit addresses wrap as a whole, and what lies
// behind one does not (captures).
u64 offset_at(const Cpu& cpu, const Insn& insn, u64 offset, u64 distance) {
  if (insn.code64()) return offset + distance;
  if (cpu.vendor().masked_elements_wrap) return masked_offset(insn, offset + distance);
  return static_cast<u32>(offset + distance);
}

template <unsigned bytes>
Flow masked_load(Cpu& cpu, const Insn& insn) {
  if (!enter_avx(cpu)) return Flow::Fault;
  CpuState& state = cpu.state();
  const Ymm mask = read_ymm(state, insn.vex_register);
  const u64 offset = offset_of(state, insn);
  Ymm result;
  for (unsigned i = 0; i < vector_bytes(insn) / bytes; i++) {
    if (!selects(mask, i, bytes)) continue;
    const bool done = unchecked(cpu, bytes, [&](unsigned at, unsigned size) {
      const u64 place = offset_at(cpu, insn, offset, i * bytes + at);
      return cpu.read_bytes(segment_of(insn), place, element(result, i, bytes) + at, size);
    });
    if (!done) return Flow::Fault;
  }
  write_ymm(state, insn.reg, result);
  return Flow::Next;
}

// Whether the first and the last byte that a masked store stores lie within the segment and, if their pages are not the
// same, may be written. False: fault.
template <unsigned bytes>
bool probe_ends(Cpu& cpu, const Insn& insn, const Ymm& mask, u64 offset) {
  std::optional<unsigned> first;
  unsigned last = 0;
  for (unsigned i = 0; i < vector_bytes(insn) / bytes; i++) {
    if (!selects(mask, i, bytes)) continue;
    if (!first) first = i * bytes;
    last = i * bytes + bytes - 1;
  }
  if (!first) return true;
  const SegmentName segment = segment_of(insn);
  const u64 ends[] = {offset_at(cpu, insn, offset, *first), offset_at(cpu, insn, offset, last)};
  for (const u64 end : ends) {
    if (!cpu.check_access(segment, end, 1, MemoryAccess::Write)) return false;
  }
  const auto page_of = [&](u64 at) { return cpu.linear_address(segment, at).raw >> kPageShift; };
  if (page_of(ends[0]) == page_of(ends[1])) return true;
  return cpu.probe_write(segment, ends[0], 1) && cpu.probe_write(segment, ends[1], 1);
}

// Nothing is written before all that is to be can be.
template <unsigned bytes>
Flow masked_store(Cpu& cpu, const Insn& insn) {
  if (!enter_avx(cpu)) return Flow::Fault;
  const CpuState& state = cpu.state();
  const Ymm mask = read_ymm(state, insn.vex_register), value = read_ymm(state, insn.reg);
  const u64 offset = offset_of(state, insn);
  const SegmentName segment = segment_of(insn);
  const auto each = [&](auto access) {
    for (unsigned i = 0; i < vector_bytes(insn) / bytes; i++) {
      if (!selects(mask, i, bytes)) continue;
      const bool done = unchecked(cpu, bytes, [&](unsigned at, unsigned size) {
        return access(offset_at(cpu, insn, offset, i * bytes + at), element(value, i, bytes) + at, size);
      });
      if (!done) return false;
    }
    return true;
  };
  const bool done =
      (!cpu.vendor().masked_store_checks_its_ends || probe_ends<bytes>(cpu, insn, mask, offset)) &&
      each([&](u64 at, const u8*, unsigned size) { return cpu.probe_write(segment, at, size); }) &&
      each([&](u64 at, const u8* from, unsigned size) { return cpu.write_bytes(segment, at, from, size); });
  return done ? Flow::Next : Flow::Fault;
}

// The sign of each element of the mask, all over the element, and 0 above the vector.
template <unsigned bytes>
void extend_signs(const Insn& insn, Ymm& mask) {
  for (unsigned i = 0; i < sizeof mask / bytes; i++) {
    const bool selected = i < vector_bytes(insn) / bytes && selects(mask, i, bytes);
    std::memset(element(mask, i, bytes), selected ? 0xFF : 0, bytes);
  }
}

// From element to element: what is loaded, and the mask cleared up to there (seen on an AMD part: in elements that
// select nothing, too), stays when a later one faults, and the instruction goes on from there.
template <unsigned index_bytes, unsigned bytes>
Flow gather(Cpu& cpu, const Insn& insn) {
  if (!enter_avx(cpu)) return Flow::Fault;
  CpuState& state = cpu.state();
  const Ymm indices = read_ymm(state, insn.index);
  Ymm result = read_ymm(state, insn.reg), mask = read_ymm(state, insn.vex_register);
  const u64 base = address_register(state, insn.base) + insn.displacement;
  constexpr unsigned kWider = index_bytes > bytes ? index_bytes : bytes;
  const unsigned count = vector_bytes(insn) / kWider;
  bool loads = false;  // has loaded something
  for (unsigned i = 0; i < count; i++) {
    if (!selects(mask, i, bytes)) {
      std::memset(element(mask, i, bytes), 0, bytes);
      continue;
    }
    i64 index = 0;
    if constexpr (index_bytes == 4) {
      i32 narrow = 0;
      std::memcpy(&narrow, element(indices, i, index_bytes), index_bytes);
      index = narrow;
    } else {
      std::memcpy(&index, element(indices, i, index_bytes), index_bytes);
    }
    const u64 offset = masked_offset(insn, base + (static_cast<u64>(index) << insn.scale));
    u8 loaded[bytes];  // what faults leaves the element alone
    const bool done = unchecked(cpu, bytes, [&](unsigned at, unsigned size) {
      return cpu.read_bytes(segment_of(insn), offset_at(cpu, insn, offset, at), loaded + at, size);
    });
    if (!done) {
      if (cpu.vendor().gather_extends_mask) {
        extend_signs<bytes>(insn, mask);
        if (loads && !insn.vector256()) result.half[1] = {};
      }
      write_ymm(state, insn.reg, result);
      write_ymm(state, insn.vex_register, mask);
      return Flow::Fault;
    }
    std::memcpy(element(result, i, bytes), loaded, bytes);
    loads = true;
    std::memset(element(mask, i, bytes), 0, bytes);
  }
  std::memset(element(result, count, bytes), 0, sizeof result - count * bytes);
  write_ymm(state, insn.reg, result);
  write_ymm(state, insn.vex_register, {});
  return Flow::Next;
}

unsigned register_count(const Insn& insn) { return insn.code64() ? 16 : 8; }

}  // namespace

Flow masked_load_4(Cpu& cpu, const Insn& insn) { return masked_load<4>(cpu, insn); }
Flow masked_load_8(Cpu& cpu, const Insn& insn) { return masked_load<8>(cpu, insn); }
Flow masked_store_4(Cpu& cpu, const Insn& insn) { return masked_store<4>(cpu, insn); }
Flow masked_store_8(Cpu& cpu, const Insn& insn) { return masked_store<8>(cpu, insn); }
Flow gather_4_4(Cpu& cpu, const Insn& insn) { return gather<4, 4>(cpu, insn); }
Flow gather_4_8(Cpu& cpu, const Insn& insn) { return gather<4, 8>(cpu, insn); }
Flow gather_8_4(Cpu& cpu, const Insn& insn) { return gather<8, 4>(cpu, insn); }
Flow gather_8_8(Cpu& cpu, const Insn& insn) { return gather<8, 8>(cpu, insn); }

Flow vzeroupper(Cpu& cpu, const Insn& insn) {
  if (!enter_avx(cpu)) return Flow::Fault;
  for (unsigned i = 0; i < register_count(insn); i++) cpu.state().ymm_high[i] = {};
  return Flow::Next;
}
Flow vzeroall(Cpu& cpu, const Insn& insn) {
  if (!enter_avx(cpu)) return Flow::Fault;
  for (unsigned i = 0; i < register_count(insn); i++) write_ymm(cpu.state(), i, {});
  return Flow::Next;
}

}  // namespace relic86
