#include "cpu/string_instructions.h"

#include "cpu/access.h"
#include "cpu/cpu.h"
#include "cpu/effective_address.h"
#include "cpu/system_instructions.h"

namespace relic86 {

namespace {

enum class Step : u8 { Done, Last, Fault };  // Last: REPE or REPNE ends after this iteration

// The state that string instructions share: index registers and count of the address size, direction.
class StringState {
 public:
  StringState(Cpu& cpu, const Insn& insn, unsigned width)
      : state_(cpu.state()), mask_(insn.address_mask), step_((state_.system_flags & kDF) != 0 ? 0u - width : width) {}

  u32 get(Gpr index) const { return state_.gpr32(index) & mask_; }
  void set(Gpr index, u32 value) { state_.gpr[index] = (state_.gpr32(index) & ~mask_) | (value & mask_); }
  void advance(Gpr index) { set(index, get(index) + step_); }

 private:
  CpuState& state_;
  u32 mask_;
  u32 step_;
};

template <class W>
W accumulator(const CpuState& state) {
  return static_cast<W>(state.gpr[kEax]);
}

template <class W>
void compare(CpuState& state, W left, W right) {
  const W result = static_cast<W>(left - right);
  state.flags.result = static_cast<std::make_signed_t<W>>(result);
  state.flags.carries = LazyFlags::pack_carries<W>(static_cast<W>((~left & right) | ((~left | right) & result)));
}

bool goes_on(const CpuState& state, const Insn& insn) { return state.flags.zf() == ((insn.flags & kInsnRep) != 0); }

template <class W>
struct Movs {
  static Step iterate(Cpu& cpu, const Insn& insn) {
    StringState string(cpu, insn, sizeof(W));
    W value{};
    if (!cpu.read(operand_segment(insn), string.get(kEsi), value)) return Step::Fault;
    if (!cpu.write(kEs, string.get(kEdi), value)) return Step::Fault;
    string.advance(kEsi);
    string.advance(kEdi);
    return Step::Done;
  }
};

template <class W>
struct Cmps {
  static Step iterate(Cpu& cpu, const Insn& insn) {
    StringState string(cpu, insn, sizeof(W));
    W left{};
    W right{};
    if (!cpu.read(operand_segment(insn), string.get(kEsi), left)) return Step::Fault;
    if (!cpu.read(kEs, string.get(kEdi), right)) return Step::Fault;
    compare(cpu.state(), left, right);
    string.advance(kEsi);
    string.advance(kEdi);
    return goes_on(cpu.state(), insn) ? Step::Done : Step::Last;
  }
};

template <class W>
struct Stos {
  static Step iterate(Cpu& cpu, const Insn& insn) {
    StringState string(cpu, insn, sizeof(W));
    if (!cpu.write(kEs, string.get(kEdi), accumulator<W>(cpu.state()))) return Step::Fault;
    string.advance(kEdi);
    return Step::Done;
  }
};

template <class W>
struct Lods {
  static Step iterate(Cpu& cpu, const Insn& insn) {
    CpuState& state = cpu.state();
    StringState string(cpu, insn, sizeof(W));
    W value{};
    if (!cpu.read(operand_segment(insn), string.get(kEsi), value)) return Step::Fault;
    constexpr u64 kReplaced = sizeof(W) == 4 ? ~u64{0} : all_ones(sizeof(W));
    state.gpr[kEax] = (state.gpr[kEax] & ~kReplaced) | value;
    string.advance(kEsi);
    return Step::Done;
  }
};

template <class W>
struct Scas {
  static Step iterate(Cpu& cpu, const Insn& insn) {
    StringState string(cpu, insn, sizeof(W));
    W value{};
    if (!cpu.read(kEs, string.get(kEdi), value)) return Step::Fault;
    compare(cpu.state(), accumulator<W>(cpu.state()), value);
    string.advance(kEdi);
    return goes_on(cpu.state(), insn) ? Step::Done : Step::Last;
  }
};

template <class W>
struct Ins {
  static Step iterate(Cpu& cpu, const Insn& insn) {
    StringState string(cpu, insn, sizeof(W));
    const IoPort port(static_cast<u16>(cpu.state().gpr[kEdx]));
    if (!io_permitted(cpu, port, sizeof(W))) return Step::Fault;
    // The port is read only when the store is known to succeed: the read has effects.
    if (!cpu.probe_write(kEs, string.get(kEdi), sizeof(W))) return Step::Fault;
    const W value = static_cast<W>(cpu.io().read(port, sizeof(W)));
    if (!cpu.write(kEs, string.get(kEdi), value)) return Step::Fault;
    string.advance(kEdi);
    return Step::Done;
  }
};

template <class W>
struct Outs {
  static Step iterate(Cpu& cpu, const Insn& insn) {
    StringState string(cpu, insn, sizeof(W));
    const IoPort port(static_cast<u16>(cpu.state().gpr[kEdx]));
    if (!io_permitted(cpu, port, sizeof(W))) return Step::Fault;
    W value{};
    if (!cpu.read(operand_segment(insn), string.get(kEsi), value)) return Step::Fault;
    cpu.io().write(port, sizeof(W), value);
    string.advance(kEsi);
    return Step::Done;
  }
};

template <class Body>
Flow run(Cpu& cpu, const Insn& insn) {
  if (!insn.repeats()) return Body::iterate(cpu, insn) == Step::Fault ? Flow::Fault : Flow::Next;
  CpuState& state = cpu.state();
  StringState string(cpu, insn, 1);
  u32 count = string.get(kEcx);
  if (count == 0) return Flow::Next;
  const Handler self = insn.handler;
  const bool single = (state.system_flags & kTF) != 0 || (state.dr[7] & 0xFF) != 0;
  for (;;) {
    const Step step = Body::iterate(cpu, insn);
    if (step == Step::Fault) return Flow::Fault;
    string.set(kEcx, --count);
    // The engine counts the last iteration as it counts any instruction.
    if (count == 0 || step == Step::Last) return Flow::Next;
    cpu.retire();
    // Budget spent, a trap due, or the instruction itself overwritten.
    if (state.remaining <= 0 || single || insn.handler != self) return Flow::Again;
  }
}

template <template <class> class Body>
Flow run_full(Cpu& cpu, const Insn& insn) {
  return insn.operand32() ? run<Body<u32>>(cpu, insn) : run<Body<u16>>(cpu, insn);
}

}  // namespace

Flow string_movs_byte(Cpu& cpu, const Insn& insn) { return run<Movs<u8>>(cpu, insn); }
Flow string_movs_full(Cpu& cpu, const Insn& insn) { return run_full<Movs>(cpu, insn); }
Flow string_cmps_byte(Cpu& cpu, const Insn& insn) { return run<Cmps<u8>>(cpu, insn); }
Flow string_cmps_full(Cpu& cpu, const Insn& insn) { return run_full<Cmps>(cpu, insn); }
Flow string_stos_byte(Cpu& cpu, const Insn& insn) { return run<Stos<u8>>(cpu, insn); }
Flow string_stos_full(Cpu& cpu, const Insn& insn) { return run_full<Stos>(cpu, insn); }
Flow string_lods_byte(Cpu& cpu, const Insn& insn) { return run<Lods<u8>>(cpu, insn); }
Flow string_lods_full(Cpu& cpu, const Insn& insn) { return run_full<Lods>(cpu, insn); }
Flow string_scas_byte(Cpu& cpu, const Insn& insn) { return run<Scas<u8>>(cpu, insn); }
Flow string_scas_full(Cpu& cpu, const Insn& insn) { return run_full<Scas>(cpu, insn); }
Flow string_ins_byte(Cpu& cpu, const Insn& insn) { return run<Ins<u8>>(cpu, insn); }
Flow string_ins_full(Cpu& cpu, const Insn& insn) { return run_full<Ins>(cpu, insn); }
Flow string_outs_byte(Cpu& cpu, const Insn& insn) { return run<Outs<u8>>(cpu, insn); }
Flow string_outs_full(Cpu& cpu, const Insn& insn) { return run_full<Outs>(cpu, insn); }

}  // namespace relic86
