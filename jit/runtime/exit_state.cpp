#include "jit/runtime/exit_state.h"

#include "cpu/effective_address.h"
#include "jit/runtime/engine_area.h"
#include "jit/runtime/flags.h"

namespace relic86::jit {

void settle_entry(Cpu& cpu, const FlagRecords& records) {
  EngineArea& area = engine_area(cpu.state());
  if (!FlagRecords::is_record(area.home_step)) {
    settle_home(cpu);
    return;
  }
  const FlagRecord& record = records[FlagRecords::number_of(area.home_step)];
  area.home_step = area.home_partial = 0;
  for (u32 i = record.first_step; i < record.last_step; ++i) apply_step(cpu, record.owner->steps[i]);
}

void settle_flags(Cpu& cpu, const FlagRecords& records, const ExitPoint& exit) {
  EngineArea& area = engine_area(cpu.state());
  if (exit.from_home) {
    settle_entry(cpu, records);
  } else {
    area.home_step = area.home_partial = 0;
  }
  for (u32 i = exit.first_step; i < exit.last_step; ++i) apply_step(cpu, exit.owner->steps[i]);
}

u64 rip_of(CpuState& state, i32 place) {
  const u64 rip = static_cast<u64>(engine_area(state).page_eip + place);
  return state.mode.code64 ? rip : static_cast<u32>(rip);
}

u64 access_offset(const Cpu& cpu, const ExitPoint& exit) {
  const CpuState& state = cpu.state();
  const Insn& insn = *exit.insn;
  const auto on_stack = [&](u64 offset) { return offset & cpu.pointer_mask(); };
  switch (exit.address) {
    case AddressForm::Operand: return effective_address(state, insn);
    case AddressForm::BitString: {
      const u64 index = state.gpr[insn.reg];
      const i64 unit = exit.size == 8   ? static_cast<i64>(index) >> 6
                       : exit.size == 4 ? static_cast<i32>(index) >> 5
                                        : static_cast<i16>(index) >> 4;
      return masked_offset(insn, effective_address(state, insn) + static_cast<u64>(unit) * exit.size);
    }
    case AddressForm::Table: return masked_offset(insn, state.gpr[kEbx] + (state.gpr[kEax] & 0xFF));
    case AddressForm::Push: return on_stack(state.gpr[kEsp] - exit.size);
    case AddressForm::PushSelector: return on_stack(state.gpr[kEsp] - 4);
    case AddressForm::StackTop: return on_stack(state.gpr[kEsp]);
    case AddressForm::Frame: return on_stack(state.gpr[kEbp]);
    case AddressForm::Source: return masked_offset(insn, state.gpr[kEsi]);
    case AddressForm::Destination: return masked_offset(insn, state.gpr[kEdi]);
  }
  return 0;
}

}  // namespace relic86::jit
