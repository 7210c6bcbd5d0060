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

u32 access_offset(const Cpu& cpu, const ExitPoint& exit) {
  const CpuState& state = cpu.state();
  const u32 mask = cpu.stack_mask();
  switch (exit.address) {
    case AddressForm::Operand: return static_cast<u32>(effective_address(state, *exit.insn));
    case AddressForm::BitString: {
      const Insn& insn = *exit.insn;
      const u32 index = state.gpr32(insn.reg);
      const i32 unit = exit.size == 4 ? static_cast<i32>(index) >> 5 : static_cast<i16>(index) >> 4;
      return (static_cast<u32>(effective_address(state, insn)) + static_cast<u32>(unit) * exit.size) &
             insn.address_mask;
    }
    case AddressForm::Table: return (state.gpr32(kEbx) + (state.gpr32(kEax) & 0xFF)) & exit.insn->address_mask;
    case AddressForm::Push: return (state.gpr32(kEsp) - exit.size) & mask;
    case AddressForm::PushSelector: return (state.gpr32(kEsp) - 4) & mask;
    case AddressForm::StackTop: return state.gpr32(kEsp) & mask;
    case AddressForm::Frame: return state.gpr32(kEbp) & mask;
    case AddressForm::Source: return state.gpr32(kEsi) & exit.insn->address_mask;
    case AddressForm::Destination: return state.gpr32(kEdi) & exit.insn->address_mask;
  }
  return 0;
}

}  // namespace relic86::jit
