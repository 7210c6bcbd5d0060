#include "tests/jit/random/ir_interpreter.h"

#include <array>
#include <bit>
#include <utility>

#include "base/assert.h"
#include "cpu/semantics/exec_builder.h"
#include "tests/jit/random/numbers.h"

namespace relic86::jit {

namespace {

constexpr u64 mask_of(unsigned bytes) { return bytes >= 8 ? ~u64{0} : (u64{1} << (8 * bytes)) - 1; }

i64 signed_of(u64 value, unsigned bytes) {
  const unsigned unused = 64 - 8 * bytes;
  return static_cast<i64>(value << unused) >> unused;
}

}  // namespace

u64 IrInterpreter::get(u8 size, u8 reg) const {
  const Node named{.size = size, .reg = reg};
  const u64 whole = cpu_.state().gpr[register_of(named)];
  return whole >> (names_high_byte(named) ? 8 : 0) & mask_of(size);
}

// Four bytes clear the upper half.
void IrInterpreter::set(u8 size, u8 reg, u64 value) {
  const Node named{.size = size, .reg = reg};
  u64& whole = cpu_.state().gpr[register_of(named)];
  const unsigned shift = names_high_byte(named) ? 8 : 0;
  const u64 mask = mask_of(size) << shift;
  whole = (size == 4 ? 0 : whole & ~mask) | (value << shift & mask);
}

u64 IrInterpreter::offset_of(const Node& address) const {
  const auto part = [this](u8 reg) {
    return reg == kRipRegister ? begin_ : reg < kNoRegister ? cpu_.state().gpr[reg] : 0;
  };
  const u64 sum = part(address.base) + (part(address.index) << address.scale) + address.immediate;
  return sum & mask_of(address.address_size);
}

u64 IrInterpreter::string_offset(const Node& n) const { return cpu_.state().gpr[n.reg] & mask_of(n.address_size); }

u64 IrInterpreter::on_stack(u64 pointer) const {
  return mode_.code64 ? pointer : pointer & (mode_.stack32 ? 0xFFFFFFFF : 0xFFFF);
}

bool IrInterpreter::read(u8 segment, u64 offset, u8 size, u64& value) {
  return read_number(cpu_, static_cast<SegmentName>(segment), offset, size, value);
}

bool IrInterpreter::write(u8 segment, u64 offset, u8 size, u64 value) {
  return write_number(cpu_, static_cast<SegmentName>(segment), offset, size, value);
}

void IrInterpreter::move_stack_pointer(u64 to) {
  const u8 size = mode_.code64 ? 8 : mode_.stack32 ? 4 : 2;
  set(size, kEsp, to);
}

bool IrInterpreter::condition(u32 code) const {
  using Holds = bool (*)(const LazyFlags&);
  static constexpr auto kConditions = []<std::size_t... codes>(std::index_sequence<codes...>) {
    return std::array<Holds, sizeof...(codes)>{&holds<static_cast<Condition>(codes)>...};
  }
  (std::make_index_sequence<16>());
  return kConditions[code & 15](cpu_.state().flags);
}

// Flags are what the instructions of the same names make of them.
template <class W>
bool IrInterpreter::arithmetic_of(const Node& n, Result& result) {
  const Insn none;
  ExecBuilder b(cpu_, none);
  const auto number = [this](u16 id) { return id == kNoValue ? u64{0} : value(id); };
  const auto x = ExecBuilder::constant<W>(static_cast<W>(number(n.a)));
  const auto y = ExecBuilder::constant<W>(static_cast<W>(number(n.b)));
  const auto count = ExecBuilder::constant<u8>(static_cast<u8>(number(n.b)));
  const auto count3 = ExecBuilder::constant<u8>(static_cast<u8>(number(n.c)));
  // The builder's values are opaque: they come out by way of EAX.
  CpuState& state = cpu_.state();
  const u64 kept = state.gpr[kEax];
  const auto out = [&](const auto& made) {
    b.store(FixedRegister<W, kEax>{}, made);
    result.low = state.gpr[kEax] & mask_of(sizeof(W));
    state.gpr[kEax] = kept;
  };
  const auto out_pair = [&](const auto& made) {
    out(made.high);
    result.high = result.low;
    out(made.low);
  };
  switch (n.op) {
    case Op::Add: out(b.add(x, y)); return true;
    case Op::Adc: out(b.adc(x, y)); return true;
    case Op::Sub: out(b.sub(x, y)); return true;
    case Op::Sbb: out(b.sbb(x, y)); return true;
    case Op::And: out(b.and_(x, y)); return true;
    case Op::Or: out(b.or_(x, y)); return true;
    case Op::Xor: out(b.xor_(x, y)); return true;
    case Op::Neg: out(b.neg(x)); return true;
    case Op::Inc: out(b.inc(x)); return true;
    case Op::Dec: out(b.dec(x)); return true;
    case Op::Shl: out(b.shl(x, count)); return true;
    case Op::Shr: out(b.shr(x, count)); return true;
    case Op::Sar: out(b.sar(x, count)); return true;
    case Op::Rol: out(b.rol(x, count)); return true;
    case Op::Ror: out(b.ror(x, count)); return true;
    case Op::Rcl: out(b.rcl(x, count)); return true;
    case Op::Rcr: out(b.rcr(x, count)); return true;
    case Op::Mul: out_pair(b.mul(x, y)); return true;
    case Op::Imul: out_pair(b.imul(x, y)); return true;
    case Op::Bt: b.bt(x, y); return true;
    case Op::Bts: out(b.bts(x, y)); return true;
    case Op::Btr: out(b.btr(x, y)); return true;
    case Op::Btc: out(b.btc(x, y)); return true;
    case Op::Bsf: out(b.bsf(x, y)); return true;
    case Op::Bsr: out(b.bsr(x, y)); return true;
    case Op::Tzcnt: out(b.tzcnt(x)); return true;
    case Op::Lzcnt: out(b.lzcnt(x)); return true;
    case Op::Popcnt: out(b.popcnt(x)); return true;
    case Op::Blsr: out(b.blsr(x)); return true;
    case Op::Blsmsk: out(b.blsmsk(x)); return true;
    case Op::Blsi: out(b.blsi(x)); return true;
    case Op::Bzhi: out(b.bzhi(x, y)); return true;
    case Op::Bextr: out(b.bextr(x, y)); return true;
    case Op::Sarx: out(b.sarx(x, y)); return true;
    case Op::Shlx: out(b.shlx(x, y)); return true;
    case Op::Shrx: out(b.shrx(x, y)); return true;
    case Op::Pdep: out(b.pdep(x, y)); return true;
    case Op::Pext: out(b.pext(x, y)); return true;
    case Op::Mulx: out_pair(b.mulx(x)); return true;
    case Op::Shld:
      if constexpr (sizeof(W) > 1) out(b.shld(x, y, count3));
      return true;
    case Op::Shrd:
      if constexpr (sizeof(W) > 1) out(b.shrd(x, y, count3));
      return true;
    default: return false;
  }
}

bool IrInterpreter::arithmetic(const Node& n, Result& result) {
  switch (n.size) {
    case 1: return arithmetic_of<u8>(n, result);
    case 2: return arithmetic_of<u16>(n, result);
    case 8: return arithmetic_of<u64>(n, result);
    default: return arithmetic_of<u32>(n, result);
  }
}

IrInterpreter::Flow IrInterpreter::divide(const Node& n, Result& result) {
  const unsigned bits = 8u * n.size;
  const u128 dividend = static_cast<u128>(value(n.a)) << bits | value(n.b);
  const u64 divisor = value(n.c);
  if (divisor == 0) return Flow::Stopped;
  if (n.op == Op::Div) {
    if (dividend / divisor > mask_of(n.size)) return Flow::Stopped;
    result = {static_cast<u64>(dividend / divisor), static_cast<u64>(dividend % divisor)};
    return Flow::Next;
  }
  const unsigned unused = 128 - 2 * bits;
  const i128 left = static_cast<i128>(dividend << unused) >> unused, right = signed_of(divisor, n.size);
  if (right == -1 && dividend == static_cast<u128>(1) << (2 * bits - 1)) return Flow::Stopped;
  const i128 quotient = left / right;
  if (quotient != signed_of(static_cast<u64>(quotient), n.size)) return Flow::Stopped;
  result = {static_cast<u64>(quotient) & mask_of(n.size), static_cast<u64>(left % right) & mask_of(n.size)};
  return Flow::Next;
}

IrInterpreter::Flow IrInterpreter::memory(const InsnIr& insn, u16 id) {
  const Node& n = insn.nodes[id];
  const Node& named = insn.nodes[n.a];
  const Node& address = named.op == Op::BitAddress ? insn.nodes[named.a] : named;
  const u8 segment = address.segment;
  const u64 offset = value(n.a);
  observe(n, offset);
  u64 loaded = 0;
  bool good = false;
  if (n.op == Op::Store) {
    good = write(segment, offset, n.size, value(n.b));
  } else {
    good = read(segment, offset, n.size, loaded);
  }
  results_[id].low = loaded;
  return good ? Flow::Next : Flow::Stopped;
}

IrInterpreter::Flow IrInterpreter::stack(const Node& n, Result& result) {
  switch (n.op) {
    case Op::Push: {
      const u64 to = stack_pointer() - (n.immediate != 0 ? n.immediate : n.size);
      observe(n, on_stack(to));
      if (!write(kSs, on_stack(to), n.size, value(n.a))) return Flow::Stopped;
      move_stack_pointer(to);
      break;
    }
    case Op::Pop:
      observe(n, on_stack(stack_pointer()));
      if (!read(kSs, on_stack(stack_pointer()), n.size, result.low)) return Flow::Stopped;
      move_stack_pointer(stack_pointer() + n.size);
      break;
    case Op::Peek:
      observe(n, on_stack(cpu_.state().gpr[n.reg]));
      if (!read(kSs, on_stack(cpu_.state().gpr[n.reg]), n.size, result.low)) return Flow::Stopped;
      break;
    case Op::PushAll: {
      const u64 from = stack_pointer();
      for (u32 i = 0; i < 8; ++i) {
        if (!write(kSs, on_stack(from - (i + 1) * n.size), n.size, get(n.size, static_cast<u8>(i))))
          return Flow::Stopped;
      }
      move_stack_pointer(from - 8u * n.size);
      break;
    }
    case Op::PopAll: {
      const u64 from = stack_pointer();
      for (u32 i = 8; i-- > 0;) {
        u64 popped = 0;
        if (!read(kSs, on_stack(from + (7 - i) * n.size), n.size, popped)) return Flow::Stopped;
        if (i != kEsp) set(n.size, static_cast<u8>(i), popped);
      }
      move_stack_pointer(from + 8u * n.size);
      break;
    }
    case Op::Enter: {
      const u64 frame = stack_pointer() - n.size;
      if (!write(kSs, on_stack(frame), n.size, get(n.size, kEbp))) return Flow::Stopped;
      const u64 whole = mode_.stack32 ? frame : (stack_pointer() & 0xFFFF0000) | (frame & 0xFFFF);
      set(n.size, kEbp, whole);
      move_stack_pointer(frame - n.immediate);
      break;
    }
    default: move_stack_pointer(cpu_.state().gpr[n.reg] + n.immediate); break;  // SetStackPointer
  }
  return Flow::Next;
}

IrInterpreter::Flow IrInterpreter::jump(const Node& n) {
  if (n.op == Op::JumpIfCounting) set(n.address_size, kEcx, get(n.address_size, kEcx) - 1);
  if (n.op == Op::JumpIf || n.op == Op::JumpIfCounting) {
    if (value(n.a) == 0) return Flow::Next;
    target_ = {true, n.immediate};
    return Flow::Jumped;
  }
  const Node& to = insn_->nodes[n.a];
  target_ = {to.op == Op::TargetOf, to.op == Op::TargetOf ? to.immediate : value(n.a)};
  return Flow::Jumped;
}

IrInterpreter::Flow IrInterpreter::node(const InsnIr& insn, u16 id) {
  const Node& n = insn.nodes[id];
  Result& result = results_[id];
  CpuState& state = cpu_.state();
  switch (n.op) {
    case Op::Constant: result.low = n.immediate; break;
    case Op::GetRegister: result.low = get(n.size, n.reg); break;
    case Op::SetRegister: set(n.size, n.reg, value(n.a) & mask_of(n.size)); break;
    case Op::SetRegisterIf:
      if (value(n.a) != 0) set(n.size, n.reg, value(n.b));
      break;
    case Op::SignCopies: result.low = value(n.a) >> 63 != 0 ? ~u64{0} : 0; break;
    case Op::Address: result.low = offset_of(n); break;
    case Op::BitAddress: {
      const i64 index = signed_of(value(n.b), n.size) >> std::countr_zero(8u * n.size);
      const Node& address = insn.nodes[n.a];
      result.low = (value(n.a) + static_cast<u64>(index * n.size)) & mask_of(address.address_size);
      break;
    }
    case Op::Load:
    case Op::LoadForWrite:
    case Op::Store: return memory(insn, id);
    case Op::ZeroExtend:
    case Op::Truncate: result.low = value(n.a) & mask_of(n.size); break;
    case Op::SignExtend: result.low = static_cast<u64>(signed_of(value(n.a), n.reg)) & mask_of(n.size); break;
    case Op::HighHalf: result.low = value(n.a) >> (8 * n.size) & mask_of(n.size); break;
    case Op::Rorx: {
      const u64 whole = value(n.a) & mask_of(n.size);
      const u64 down = n.immediate, up = 8u * n.size - n.immediate;
      result.low = down == 0 ? whole : (whole >> down | whole << up) & mask_of(n.size);
      break;
    }
    case Op::Not: result.low = ~value(n.a) & mask_of(n.size); break;
    case Op::Div:
    case Op::Idiv: return divide(n, result);
    case Op::Low: result.low = results_[n.a].low; break;
    case Op::High: result.low = results_[n.a].high; break;
    case Op::ByteSwap:
      result.low = n.size == 8 ? __builtin_bswap64(value(n.a)) : __builtin_bswap32(static_cast<u32>(value(n.a)));
      break;
    case Op::SetCarry: {
      constexpr u32 kComplement = 2;
      state.flags.set_cf(n.immediate == kComplement ? !state.flags.cf() : n.immediate != 0);
      break;
    }
    case Op::SetFlagsByte: {
      constexpr u32 kByte = kSF | kZF | kAF | kPF | kCF;
      state.flags.set_eflags((state.flags.eflags() & kOF) | (static_cast<u32>(value(n.a)) & kByte));
      break;
    }
    case Op::FlagsByte: result.low = (state.flags.eflags() & 0xD5) | kFixed1; break;
    case Op::Condition: result.low = condition(static_cast<u32>(n.immediate)); break;
    case Op::ZeroCount: {
      // A jump that counts asks when it has counted.
      const u64 less = insn.nodes.back().op == Op::JumpIfCounting ? 1 : 0;
      result.low = ((get(n.size, kEcx) - less) & mask_of(n.size)) == 0;
      break;
    }
    case Op::Invert: result.low = value(n.a) ^ 1; break;
    case Op::Both: result.low = value(n.a) & value(n.b); break;
    case Op::Select: result.low = value(n.a) != 0 ? value(n.b) : value(n.c); break;
    case Op::Truth: result.low = value(n.a); break;
    case Op::Push:
    case Op::Pop:
    case Op::Peek:
    case Op::PushAll:
    case Op::PopAll:
    case Op::Enter:
    case Op::SetStackPointer: return stack(n, result);
    case Op::NextInstruction: result.low = (begin_ + n.immediate) & mask_of(n.size); break;
    case Op::TargetOf:
    case Op::Follow: break;
    case Op::Expect: RELIC86_ASSERT(false);  // regions over calls are not generated
    case Op::JumpTo:
    case Op::Call:
    case Op::Return:
    case Op::JumpIf:
    case Op::JumpIfCounting: return jump(n);
    case Op::StringLoad:
      if (!read(n.segment, string_offset(n), n.size, result.low)) return Flow::Stopped;
      break;
    case Op::StringStore:
      if (!write(n.segment, string_offset(n), n.size, value(n.b))) return Flow::Stopped;
      break;
    case Op::Advance:
      for (const u8 reg : {u8{kEsi}, u8{kEdi}}) {
        if ((n.immediate >> reg & 1) == 0) continue;
        set(n.address_size, reg, get(n.address_size, reg) + (mode_.down ? u64{0} - n.size : u64{n.size}));
      }
      break;
    case Op::TableLoad: {
      const u32 offset = (state.gpr32(kEbx) + (state.gpr32(kEax) & 0xFF)) & static_cast<u32>(mask_of(n.address_size));
      if (!read(n.segment, offset, 1, result.low)) return Flow::Stopped;
      break;
    }
    case Op::Selector: result.low = state.segment[n.segment].selector.raw; break;
    default: RELIC86_ASSERT(arithmetic(n, result)); break;
  }
  return Flow::Next;
}

IrInterpreter::Flow IrInterpreter::step(const BlockIr& block, std::size_t at) {
  insn_ = &block.insns[at];
  results_.assign(insn_->nodes.size(), Result{});
  for (u16 id = 0; id < insn_->nodes.size(); ++id) {
    const Flow flow = node(*insn_, id);
    if (flow != Flow::Next) return flow;
  }
  return Flow::Next;
}

}  // namespace relic86::jit
