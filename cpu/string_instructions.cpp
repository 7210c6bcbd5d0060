#include "cpu/string_instructions.h"

#include <array>
#include <span>

#include "cpu/access.h"
#include "cpu/canonical.h"
#include "cpu/cpu.h"
#include "cpu/debug_registers.h"
#include "cpu/effective_address.h"
#include "cpu/string_runs.h"
#include "cpu/system_instructions.h"
#include "cpu/vendor_behaviour.h"

namespace relic86 {

namespace {

enum class Step : u8 { Done, Last, Fault };  // Last: REPE or REPNE ends after this iteration

// The state that string instructions share: index registers and count of the address size, direction.
class StringState {
 public:
  StringState(Cpu& cpu, const Insn& insn, unsigned width)
      : state_(cpu.state()),
        mask_(insn.address64() ? ~u64{0} : insn.address_mask),
        step_((state_.system_flags & kDF) != 0 ? u64{0} - width : width) {}

  u64 get(Gpr index) const { return state_.gpr[index] & mask_; }
  // A register written as 32 bits has an empty upper half; one written as 16 keeps the rest.
  void set(Gpr index, u64 value) {
    constexpr u64 kWord = 0xFFFF;
    const u64 kept = mask_ == kWord ? state_.gpr[index] & ~kWord : 0;
    state_.gpr[index] = kept | (value & mask_);
  }
  void advance(Gpr index, u32 count = 1) { set(index, get(index) + step_ * count); }
  bool down() const { return (state_.system_flags & kDF) != 0; }
  u64 mask() const { return mask_; }

 private:
  CpuState& state_;
  u64 mask_;
  u64 step_;
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

// One side of a run: how far it reaches, and where its first element lies in host memory (null: not plain memory, or
// not in the TLB yet; the next iteration is then done singly).
template <class Byte>
struct Side {
  u32 reach = 0;
  Byte* host = nullptr;
  LinAddr address{};
};
// In 64-bit mode there are no limits, and what is no canonical address has no page; alignment checks look at each
// element.
u64 end_of(const CpuState& state, u64 segment_end) {
  if (!state.mode.code64) return segment_end;
  return checks_alignment(state) ? 0 : ~u64{0};
}
Side<const u8> source_side(Cpu& cpu, const StringState& string, SegmentName name, Gpr index, u32 width) {
  const u64 end = end_of(cpu.state(), cpu.state().segment[name].read_end);
  const u64 offset = string.get(index);
  const LinAddr address = cpu.linear_address(name, offset);
  const u32 reach = string_runs::reach(address.raw, end, offset, string.mask(), string.down(), width);
  const LinearWidth& linear = cpu.state().linear;
  const bool plain = linear.canonical(address.raw) && linear.canonical(offset);
  return {reach, plain ? cpu.mmu().readable_run(address, cpu.privilege()) : nullptr, address};
}
Side<u8> destination_side(Cpu& cpu, const StringState& string, u32 width) {
  const u64 end = end_of(cpu.state(), cpu.state().segment[kEs].write_end);
  const u64 offset = string.get(kEdi);
  const LinAddr address = cpu.linear_address(kEs, offset);
  const u32 reach = string_runs::reach(address.raw, end, offset, string.mask(), string.down(), width);
  const LinearWidth& linear = cpu.state().linear;
  const bool plain = linear.canonical(address.raw) && linear.canonical(offset);
  return {reach, plain ? cpu.mmu().writable_run(address, cpu.privilege()) : nullptr, address};
}

// A run between memory and registers (a display's window), or within registers. False: element by element, as where
// data breakpoints want to see each.
bool move_registers(Cpu& cpu, const Side<const u8>& from, const Side<u8>& to, u32 width, u32 count) {
  if (watches_data(cpu.state())) return false;
  Mmu& mmu = cpu.mmu();
  const std::size_t bytes = std::size_t{count} * width;
  if (from.host != nullptr) return mmu.write_run(to.address, {from.host, bytes}, cpu.privilege());
  if (to.host != nullptr) return mmu.read_run(from.address, {to.host, bytes}, cpu.privilege());
  return mmu.copy_run(from.address, to.address, width, count, cpu.privilege());
}

template <class W>
bool fill_registers(Cpu& cpu, LinAddr address, W value, u32 count) {
  if (watches_data(cpu.state()) || !cpu.mmu().takes_run(address, Access::Write, cpu.privilege())) return false;
  std::array<u8, kPageSize> bytes;
  string_runs::fill<W>(bytes.data(), value, count, false);
  return cpu.mmu().write_run(address, std::span(bytes).first(std::size_t{count} * sizeof(W)), cpu.privilege());
}

// What a run did: 0 elements when it could not start.
struct RunResult {
  u32 done = 0;
  bool last = false;  // REPE or REPNE ends here
};

bool goes_on(const CpuState& state, const Insn& insn) { return state.flags.zf() == ((insn.flags & kInsnRep) != 0); }

struct Unrestricted {
  static constexpr bool kCompares = false;
  static constexpr std::array<Gpr, 0> kTruncated{};  // see truncate()
  static bool permitted(Cpu&) { return true; }
};
struct Comparing : Unrestricted {
  static constexpr bool kCompares = true;
};
// INS and OUTS check the I/O permission even when nothing is to be moved (seen on an AMD part).
template <class W>
struct PortAccess {
  static constexpr bool kCompares = false;
  static constexpr std::array<Gpr, 0> kTruncated{};
  static bool permitted(Cpu& cpu) {
    return io_permitted(cpu, IoPort(static_cast<u16>(cpu.state().gpr[kEdx])), sizeof(W));
  }
};

template <class W>
struct Movs : Unrestricted {
  static constexpr std::array kTruncated = {kEsi, kEdi};
  static Step iterate(Cpu& cpu, const Insn& insn) {
    StringState string(cpu, insn, sizeof(W));
    W value{};
    if (!cpu.read(operand_segment(insn), string.get(kEsi), value)) return Step::Fault;
    if (!cpu.write(kEs, string.get(kEdi), value)) return Step::Fault;
    string.advance(kEsi);
    string.advance(kEdi);
    return Step::Done;
  }
  static RunResult run(Cpu& cpu, const Insn& insn, u32 most) {
    StringState string(cpu, insn, sizeof(W));
    const auto from = source_side(cpu, string, operand_segment(insn), kEsi, sizeof(W));
    const auto to = destination_side(cpu, string, sizeof(W));
    const u32 count = std::min({most, from.reach, to.reach});
    if (count == 0) return {};
    if (from.host != nullptr && to.host != nullptr) {
      string_runs::move<W>(to.host, from.host, count, string.down());
    } else if (string.down() || !move_registers(cpu, from, to, sizeof(W), count)) {
      return {};
    }
    string.advance(kEsi, count);
    string.advance(kEdi, count);
    return {count, false};
  }
};

template <class W>
struct Cmps : Comparing {
  static Step iterate(Cpu& cpu, const Insn& insn) {
    StringState string(cpu, insn, sizeof(W));
    W left{};
    W right{};
    const auto read_left = [&] { return cpu.read(operand_segment(insn), string.get(kEsi), left); };
    const auto read_right = [&] { return cpu.read(kEs, string.get(kEdi), right); };
    const bool source_first = cpu.vendor().compare_order == CompareOrder::SourceFirst;
    if (!(source_first ? read_left() && read_right() : read_right() && read_left())) return Step::Fault;
    compare(cpu.state(), left, right);
    string.advance(kEsi);
    string.advance(kEdi);
    return goes_on(cpu.state(), insn) ? Step::Done : Step::Last;
  }
  static RunResult run(Cpu& cpu, const Insn& insn, u32 most) {
    StringState string(cpu, insn, sizeof(W));
    const auto left = source_side(cpu, string, operand_segment(insn), kEsi, sizeof(W));
    const auto right = source_side(cpu, string, kEs, kEdi, sizeof(W));
    const u32 count = std::min({most, left.reach, right.reach});
    if (count == 0 || left.host == nullptr || right.host == nullptr) return {};
    W last_left{};
    W last_right{};
    const u32 done = string_runs::compare<W>(left.host, right.host, count, string.down(), (insn.flags & kInsnRep) != 0,
                                             last_left, last_right);
    compare(cpu.state(), last_left, last_right);
    string.advance(kEsi, done);
    string.advance(kEdi, done);
    return {done, !goes_on(cpu.state(), insn)};
  }
};

template <class W>
struct Stos : Unrestricted {
  static constexpr std::array kTruncated = {kEdi};
  static Step iterate(Cpu& cpu, const Insn& insn) {
    StringState string(cpu, insn, sizeof(W));
    if (!cpu.write(kEs, string.get(kEdi), accumulator<W>(cpu.state()))) return Step::Fault;
    string.advance(kEdi);
    return Step::Done;
  }
  static RunResult run(Cpu& cpu, const Insn& insn, u32 most) {
    StringState string(cpu, insn, sizeof(W));
    const auto to = destination_side(cpu, string, sizeof(W));
    const u32 count = std::min(most, to.reach);
    if (count == 0) return {};
    const W value = accumulator<W>(cpu.state());
    if (to.host != nullptr) {
      string_runs::fill<W>(to.host, value, count, string.down());
    } else if (string.down() || !fill_registers(cpu, to.address, value, count)) {
      return {};
    }
    string.advance(kEdi, count);
    return {count, false};
  }
};

template <class W>
struct Lods : Unrestricted {
  static Step iterate(Cpu& cpu, const Insn& insn) {
    CpuState& state = cpu.state();
    StringState string(cpu, insn, sizeof(W));
    W value{};
    if (!cpu.read(operand_segment(insn), string.get(kEsi), value)) return Step::Fault;
    constexpr u64 kReplaced = sizeof(W) >= 4 ? ~u64{0} : all_ones(sizeof(W));
    state.gpr[kEax] = (state.gpr[kEax] & ~kReplaced) | value;
    string.advance(kEsi);
    return Step::Done;
  }
  static RunResult run(Cpu&, const Insn&, u32) { return {}; }
};

template <class W>
struct Scas : Comparing {
  static Step iterate(Cpu& cpu, const Insn& insn) {
    StringState string(cpu, insn, sizeof(W));
    W value{};
    if (!cpu.read(kEs, string.get(kEdi), value)) return Step::Fault;
    compare(cpu.state(), accumulator<W>(cpu.state()), value);
    string.advance(kEdi);
    return goes_on(cpu.state(), insn) ? Step::Done : Step::Last;
  }
  static RunResult run(Cpu& cpu, const Insn& insn, u32 most) {
    StringState string(cpu, insn, sizeof(W));
    const auto from = source_side(cpu, string, kEs, kEdi, sizeof(W));
    const u32 count = std::min(most, from.reach);
    if (count == 0 || from.host == nullptr) return {};
    W last{};
    const W value = accumulator<W>(cpu.state());
    const u32 done = string_runs::scan<W>(from.host, value, count, string.down(), (insn.flags & kInsnRep) != 0, last);
    compare(cpu.state(), value, last);
    string.advance(kEdi, done);
    return {done, !goes_on(cpu.state(), insn)};
  }
};

template <class W>
struct Ins : PortAccess<W> {
  static Step iterate(Cpu& cpu, const Insn& insn) {
    StringState string(cpu, insn, sizeof(W));
    const IoPort port(static_cast<u16>(cpu.state().gpr[kEdx]));
    if (!io_permitted(cpu, port, sizeof(W))) return Step::Fault;
    // The port is read only when the store is known to succeed: the read has effects.
    if (!cpu.probe_write(kEs, string.get(kEdi), sizeof(W))) return Step::Fault;
    check_io_breakpoints(cpu, port, sizeof(W));
    const W value = static_cast<W>(cpu.io().read(port, sizeof(W)));
    if (!cpu.write(kEs, string.get(kEdi), value)) return Step::Fault;
    string.advance(kEdi);
    return Step::Done;
  }
  static RunResult run(Cpu&, const Insn&, u32) { return {}; }
};

template <class W>
struct Outs : PortAccess<W> {
  static Step iterate(Cpu& cpu, const Insn& insn) {
    StringState string(cpu, insn, sizeof(W));
    const IoPort port(static_cast<u16>(cpu.state().gpr[kEdx]));
    if (!io_permitted(cpu, port, sizeof(W))) return Step::Fault;
    W value{};
    if (!cpu.read(operand_segment(insn), string.get(kEsi), value)) return Step::Fault;
    check_io_breakpoints(cpu, port, sizeof(W));
    cpu.io().write(port, sizeof(W), value);
    string.advance(kEsi);
    return Step::Done;
  }
  static RunResult run(Cpu&, const Insn&, u32) { return {}; }
};

// The arithmetic flags that a fault in a repeated comparison brings back, where the vendor has it so: they are kept
// from the first iteration to the last, over the parts that the instruction is carried out in.
class RepeatFlags {
 public:
  RepeatFlags(Cpu& cpu, bool compares)
      : state_(cpu.state()), active_(compares && cpu.vendor().repeat_fault_restores_flags) {
    if (!active_) return;
    before_ = (state_.repeat_flags & CpuState::kRepeatRuns) != 0 ? state_.repeat_flags & ~CpuState::kRepeatRuns
                                                                 : state_.flags.eflags();
    state_.repeat_flags = 0;
  }
  Flow fault() {
    if (active_) state_.flags.set_eflags(before_);
    return Flow::Fault;
  }
  Flow again() {
    if (active_) state_.repeat_flags = before_ | CpuState::kRepeatRuns;
    return Flow::Again;
  }

 private:
  CpuState& state_;
  bool active_;
  u32 before_ = 0;
};

// What some vendors' parts do before the first iteration, and whether there is one or not.
template <class Body>
void truncate(Cpu& cpu, const Insn& insn, StringState& string) {
  if (!insn.code64() || insn.address64() || !cpu.vendor().repeat_truncates_first) return;
  string.set(kEcx, string.get(kEcx));
  for (const Gpr index : Body::kTruncated) string.set(index, string.get(index));
}

template <class Body>
Flow run(Cpu& cpu, const Insn& insn) {
  if (!insn.repeats()) return Body::iterate(cpu, insn) == Step::Fault ? Flow::Fault : Flow::Next;
  CpuState& state = cpu.state();
  StringState string(cpu, insn, 1);
  u64 count = string.get(kEcx);
  if (!Body::permitted(cpu)) return Flow::Fault;
  truncate<Body>(cpu, insn, string);
  if (count == 0) return Flow::Next;
  const Handler self = insn.handler;
  const bool single = (state.system_flags & kTF) != 0;
  RepeatFlags flags(cpu, Body::kCompares);
  for (;;) {
    if (!single && count > 1) {
      // No run is longer than a page.
      const i64 wanted = static_cast<i64>(std::min<u64>(count, kPageSize));
      const u32 most = static_cast<u32>(std::clamp<i64>(state.remaining, 1, wanted));
      if (const RunResult result = Body::run(cpu, insn, most); result.done != 0) {
        string.set(kEcx, count -= result.done);
        const bool finished = count == 0 || result.last;
        cpu.retire(finished ? result.done - 1 : result.done);
        if (finished) return Flow::Next;
        if (state.remaining <= 0) return flags.again();
        continue;
      }
    }
    const Step step = Body::iterate(cpu, insn);
    if (step == Step::Fault) return flags.fault();
    string.set(kEcx, --count);
    // The engine counts the last iteration as it counts any instruction.
    if (count == 0 || step == Step::Last) return Flow::Next;
    cpu.retire();
    // Budget spent, a trap due, or the instruction itself overwritten.
    if (state.remaining <= 0 || single || insn.handler != self) return flags.again();
  }
}

template <template <class> class Body>
Flow run_full(Cpu& cpu, const Insn& insn) {
  if (insn.operand64()) return run<Body<u64>>(cpu, insn);
  return insn.operand32() ? run<Body<u32>>(cpu, insn) : run<Body<u16>>(cpu, insn);
}

// Ports are 32 bits wide at most, REX.W or not.
template <template <class> class Body>
Flow run_ports(Cpu& cpu, const Insn& insn) {
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
Flow string_ins_full(Cpu& cpu, const Insn& insn) { return run_ports<Ins>(cpu, insn); }
Flow string_outs_byte(Cpu& cpu, const Insn& insn) { return run<Outs<u8>>(cpu, insn); }
Flow string_outs_full(Cpu& cpu, const Insn& insn) { return run_ports<Outs>(cpu, insn); }

}  // namespace relic86
