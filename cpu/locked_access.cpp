#include "cpu/locked_access.h"

#include <string_view>

#include "cpu/access.h"
#include "cpu/effective_address.h"
#include "cpu/instruction_table.h"
#include "cpu/processor_thread.h"
#include "cpu/segmentation.h"
#include "memory/atomic_access.h"

namespace relic86 {

bool locks_memory(const Insn& insn) {
  if (!insn.memory() || insn.row == kNoRow) return false;
  return (insn.flags & kInsnLock) != 0 || std::string_view(instruction_table()[insn.row].mnemonic) == "xchg";
}

namespace {

TlbTables& tables_of(Cpu& cpu) { return reinterpret_cast<VcpuMemory&>(cpu.state()).tlb; }

u32 operand_size(const Insn& insn, const InstructionRow& row) {
  const std::string_view operands(row.operands);
  if (operands.starts_with("(Mq")) return insn.operand64() ? 16 : 8;  // CMPXCHG8B, CMPXCHG16B
  if (operands.starts_with("(Eb")) return 1;
  return insn.operand64() ? 8 : insn.operand32() ? 4 : 2;
}

// The operand's offset. BTS, BTR and BTC with an index in a register reach as far as that says.
u64 operand_offset(const Cpu& cpu, const Insn& insn, const InstructionRow& row, u32 size) {
  const CpuState& state = cpu.state();
  const u64 offset = effective_address(state, insn);
  const bool bit_string =
      std::string_view(row.mnemonic).starts_with("bt") && std::string_view(row.operands) == "(Ev, Gv)";
  if (!bit_string) return offset;
  const u64 raw = state.gpr[insn.reg];
  const i64 index = size == 8   ? static_cast<i64>(raw)
                    : size == 4 ? static_cast<i64>(static_cast<i32>(raw))
                                : static_cast<i64>(static_cast<i16>(raw));
  const i64 bits = 8 * static_cast<i64>(size);
  const u64 distance = static_cast<u64>((index - ((index % bits) + bits) % bits) / 8);
  return masked_offset(insn, offset + distance);
}

}  // namespace

Flow carry_out_locked(Cpu& cpu, const Insn& insn) {
  const InstructionRow& row = instruction_table()[insn.row];
  const Handler own = handlers_of(insn.row).of(insn);
  CpuState& state = cpu.state();
  const SegmentName segment = operand_segment(insn);
  const u32 size = operand_size(insn, row);
  const u64 offset = operand_offset(cpu, insn, row, size);
  if (!cpu.probe_write(segment, offset, size)) return Flow::Fault;
  const LinAddr address = cpu.linear_address(segment, offset);
  const auto registers = state.gpr;
  const LazyFlags flags = state.flags;
  ProcessorThread& thread = *ProcessorThread::current();
  for (;;) {
    AtomicAccess access(cpu.mmu(), tables_of(cpu), thread, address, size, cpu.privilege());
    const Flow flow = own(cpu, insn);
    if (flow == Flow::Fault || access.commit()) return flow;
    state.gpr = registers;
    state.flags = flags;
  }
}

bool change_bits(Cpu& cpu, LinAddr address, u8 clear, u8 set) {
  Mmu& mmu = cpu.mmu();
  const auto change = [&] {
    u8 byte = 0;
    if (!cpu.read_system(address, byte)) return false;
    return cpu.write_system(address, static_cast<u8>((byte & ~clear) | set));
  };
  ProcessorThread* const thread = ProcessorThread::current();
  if (thread == nullptr) return change();
  if (!mmu.allows_implicit(address, 1, Access::Write) || !mmu.probe_write(address, 1, Privilege::Supervisor)) {
    cpu.raise_page_fault(mmu.fault());
    return false;
  }
  for (;;) {
    AtomicAccess access(mmu, tables_of(cpu), *thread, address, 1, Privilege::Supervisor);
    if (!change()) return false;
    if (access.commit()) return true;
  }
}

}  // namespace relic86
