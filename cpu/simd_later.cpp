// AES, PCLMULQDQ and SHA (SDM 2) as far as their operands are not two registers of one plain form, and SSE4a (APM 4).
#include "cpu/instruction_table.h"
#include "cpu/simd_instructions.h"
#include "cpu/simd_operands.h"
#include "cpu/vendor_behaviour.h"

namespace relic86 {

using namespace simd;

namespace {

enum class Alignment { Checked, ByVendor };

Flow carry_out(Cpu& cpu, const Insn& insn, simd_unit::XmmOperation operation, Alignment alignment) {
  if (!enter_sse(cpu)) return Flow::Fault;
  FxState::Slot source;
  const bool aligned = alignment == Alignment::Checked || cpu.vendor().checks_alignment_of_sha;
  if (!read_xmm_source(cpu, insn, 16, aligned, source)) return Flow::Fault;
  operation(cpu.state().fx.xmm[insn.reg], source);
  return Flow::Next;
}
unsigned immediate(const Insn& insn) { return static_cast<u8>(insn.immediate); }

// A field of SSE4a: its length and the number of its lowest bit, each of six bits; a length of 0 is 64.
struct Field {
  Field(unsigned length_bits, unsigned index_bits) : index(index_bits & 63) {
    const unsigned length = length_bits & 63;
    mask = length == 0 ? ~u64{0} : (u64{1} << length) - 1;
  }
  unsigned index;
  u64 mask;
};
Field immediate_field(const Insn& insn) { return {immediate(insn), insn.immediate2()}; }

u64 half(const FxState::Slot& slot, unsigned which) {
  u64 value = 0;
  std::memcpy(&value, slot.bytes + which * sizeof value, sizeof value);
  return value;
}
// The upper half, which the manual leaves undefined, becomes zero, as it does on AMD's parts.
void set_low_half(FxState::Slot& slot, u64 value) {
  slot = {};
  std::memcpy(slot.bytes, &value, sizeof value);
}

Flow extract(Cpu& cpu, unsigned from, Field field) {
  if (!enter_sse(cpu)) return Flow::Fault;
  FxState::Slot& slot = cpu.state().fx.xmm[from];
  set_low_half(slot, half(slot, 0) >> field.index & field.mask);
  return Flow::Next;
}
Flow insert(Cpu& cpu, const Insn& insn, Field field) {
  if (!enter_sse(cpu)) return Flow::Fault;
  FxState& fx = cpu.state().fx;
  const u64 source = half(fx.xmm[insn.rm], 0) & field.mask;
  const u64 rest = half(fx.xmm[insn.reg], 0) & ~(field.mask << field.index);
  set_low_half(fx.xmm[insn.reg], rest | source << field.index);
  return Flow::Next;
}

}  // namespace

Flow pclmulqdq(Cpu& cpu, const Insn& insn) {
  return carry_out(cpu, insn, simd_unit::carryless_operation(immediate(insn)), Alignment::Checked);
}
Flow aeskeygenassist(Cpu& cpu, const Insn& insn) {
  return carry_out(cpu, insn, simd_unit::round_key_operation(immediate(insn)), Alignment::Checked);
}
Flow simd_xmm_sha(Cpu& cpu, const Insn& insn) {
  const u8 opcode = instruction_table()[insn.row].opcode;
  return carry_out(cpu, insn, simd_unit::xmm_operation(Map::Escape38, Prefix::None, opcode), Alignment::ByVendor);
}
Flow sha1rnds4(Cpu& cpu, const Insn& insn) {
  return carry_out(cpu, insn, simd_unit::sha1_rounds_operation(immediate(insn)), Alignment::ByVendor);
}

Flow sha256rnds2(Cpu& cpu, const Insn& insn) {
  if (!enter_sse(cpu)) return Flow::Fault;
  FxState::Slot source;
  if (!read_xmm_source(cpu, insn, 16, cpu.vendor().checks_alignment_of_sha, source)) return Flow::Fault;
  FxState& fx = cpu.state().fx;
  simd_unit::sha256_rounds(fx.xmm[insn.reg], source, fx.xmm[0]);
  return Flow::Next;
}

Flow extrq_immediate(Cpu& cpu, const Insn& insn) { return extract(cpu, insn.rm, immediate_field(insn)); }
// The source's lowest bytes are length and index; INSERTQ has them in its upper half.
Flow extrq_register(Cpu& cpu, const Insn& insn) {
  const FxState::Slot& source = cpu.state().fx.xmm[insn.rm];
  return extract(cpu, insn.reg, {source.bytes[0], source.bytes[1]});
}
Flow insertq_immediate(Cpu& cpu, const Insn& insn) { return insert(cpu, insn, immediate_field(insn)); }
Flow insertq_register(Cpu& cpu, const Insn& insn) {
  const FxState::Slot& source = cpu.state().fx.xmm[insn.rm];
  return insert(cpu, insn, {source.bytes[8], source.bytes[9]});
}

}  // namespace relic86
