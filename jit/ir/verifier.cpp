#include "jit/ir/verifier.h"

#include <fmt/format.h>

namespace relic86::jit {

namespace {

using Breach = std::optional<std::string>;

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::None: return "nothing";
    case Kind::Value: return "a value";
    case Kind::Truth: return "a truth";
    case Kind::Address: return "an address";
    case Kind::Pair: return "a pair";
    case Kind::Target: return "a target";
  }
  return "?";
}

// Rules of one instruction's nodes.
class InsnVerifier {
 public:
  InsnVerifier(const InsnIr& insn, bool code64) : insn_(insn), code64_(code64) {}

  Breach run() {
    for (u16 id = 0; id < insn_.nodes.size(); ++id) {
      for (const auto rule : {&InsnVerifier::fields, &InsnVerifier::operands, &InsnVerifier::order,
                              &InsnVerifier::address_holds, &InsnVerifier::flags}) {
        if (Breach breach = (this->*rule)(id)) return fmt::format("v{} = {}: {}", id, info(at(id).op).name, *breach);
      }
      written_registers_ |= registers_written(at(id));
    }
    return summary();
  }

 private:
  const Node& at(u16 id) const { return insn_.nodes[id]; }

  Breach fields(u16 id) {
    const Node& n = at(id);
    const OpInfo& row = info(n.op);
    if (row.has(kOpFlagsOnly)) return "a step of flags is no node";
    if (n.size > 16 || (row.sizes >> n.size & 1) == 0 || (n.size == 8 && !code64_ && widens(row)))
      return fmt::format("size {}", n.size);
    if (row.has(kOpAddressed) ? !good_address_size(n.address_size) : n.address_size != 0)
      return fmt::format("address size {}", n.address_size);
    if (row.has(kOpSegment) ? n.segment >= kSegmentRegisters : n.segment != 0)
      return fmt::format("segment {}", n.segment);
    if (!good_register(n, row.reg)) return fmt::format("reg {}", n.reg);
    if (!good_immediate(n, row.immediate)) return fmt::format("immediate {:#x}", n.immediate);
    const auto plain = [this](u8 reg) { return reg < registers() || reg == kNoRegister; };
    const bool named = n.base != kNoRegister || n.index != kNoRegister || n.scale != 0;
    if (n.op == Op::Address) {
      const bool rip = code64_ && n.base == kRipRegister;
      if ((!plain(n.base) && !rip) || !plain(n.index) || n.scale > 3) return "base, index or scale";
      if (rip && n.index != kNoRegister) return "RIP with an index";
      if (n.index == kEsp) return "ESP as an index";
    } else if (named) {
      return "base, index or scale of what is no Address";
    }
    if (n.op == Op::PatchedImmediate && insn_.patched == nullptr) return "no place of the immediate";
    return std::nullopt;
  }

  // Whether 64-bit code alone has the operation with eight bytes. Operands of the units have them everywhere, and CDQ
  // takes the upper half of such a value.
  static bool widens(const OpInfo& row) {
    return (row.sizes & op_rows::W4) != 0 && row.sizes != op_rows::UNITS && row.operands[0] != Slot::Source;
  }
  u8 registers() const { return code64_ ? u8{kNoRegister} : u8{8}; }
  bool good_address_size(u8 bytes) const { return bytes == 4 || bytes == (code64_ ? 8 : 2); }

  // SPL, BPL, SIL, DIL.
  bool low_byte(const Node& n) const { return code64_ && n.size == 1 && n.reg >= kLowByte + 4 && n.reg < kLowByte + 8; }

  bool good_register(const Node& n, RegisterUse use) const {
    switch (use) {
      case RegisterUse::None: return n.reg == 0;
      case RegisterUse::Read:
      case RegisterUse::Written: return n.reg < registers() || low_byte(n);
      case RegisterUse::MaybeWritten: return n.reg < registers() || n.reg == kNoRegister;
      case RegisterUse::Width: return n.reg == 1 || n.reg == 2 || n.reg == 4 || n.reg == 8;
      case RegisterUse::Pointer: return n.reg == kEsp || n.reg == kEbp;
      case RegisterUse::Index: return n.reg == kEsi || n.reg == kEdi;
      case RegisterUse::Table: return n.reg <= 1;
    }
    return false;
  }

  static bool good_immediate(const Node& n, ImmediateUse use) {
    switch (use) {
      case ImmediateUse::None: return n.immediate == 0;
      case ImmediateUse::Value: return n.size == 8 || n.immediate >> (8 * n.size) == 0;
      case ImmediateUse::Displacement:
      case ImmediateUse::Bytes:
      case ImmediateUse::Offset: return true;
      case ImmediateUse::Carry: return n.immediate <= 2;
      case ImmediateUse::Flag:
      case ImmediateUse::Slot: return n.immediate <= 1;
      case ImmediateUse::Condition: return n.immediate < 16;
      case ImmediateUse::Registers: return n.immediate != 0 && (n.immediate & ~(1u << kEsi | 1u << kEdi)) == 0;
      case ImmediateUse::Far: return n.immediate <= static_cast<u32>(FarKind::Cr0);
      case ImmediateUse::System: return n.immediate <= static_cast<u32>(SystemSource::Tr);
      case ImmediateUse::Decimal: return n.immediate < 4;
      case ImmediateUse::Atomic: return n.immediate <= static_cast<u32>(AtomicKind::ComplementBit);
      case ImmediateUse::Flags: return (n.immediate & ~u32{kArithmeticFlags & ~kOF}) == 0;
      case ImmediateUse::Table: return n.immediate <= static_cast<u32>(TableMove::Load32);
    }
    return false;
  }

  Breach operands(u16 id) {
    const Node& n = at(id);
    const OpInfo& row = info(n.op);
    const u16 uses[3] = {n.a, n.b, n.c};
    for (unsigned i = 0; i < 3; ++i) {
      const char name = static_cast<char>('a' + i);
      const Slot slot = row.operands[i];
      if (uses[i] == kNoValue) {
        if (slot == Slot::None || slot == Slot::Optional || slot == Slot::MaybeValue || slot == Slot::Constants)
          continue;
        return fmt::format("no operand {}", name);
      }
      if (slot == Slot::None) return fmt::format("an operand {} too many", name);
      if (uses[i] >= id) return fmt::format("operand {} is v{}, which is not defined before", name, uses[i]);
      if (!fits(n, slot, at(uses[i])))
        return fmt::format("operand {} is v{}, {} of {} bytes", name, uses[i], name_of(info(at(uses[i]).op).result),
                           at(uses[i]).size);
    }
    // Back ends place the halves as they make the pair.
    if (n.op == Op::Low && n.a + 1 != id) return "not right after its pair";
    if (n.op == Op::High && n.a + 2 != id) return "not right after its pair's Low";
    if (n.op == Op::BitAddress && at(n.a).op != Op::Address) return "bits of bits";
    return std::nullopt;
  }

  static bool fits(const Node& user, Slot slot, const Node& operand) {
    const Kind kind = info(operand.op).result;
    const bool value = kind == Kind::Value, same = operand.size == user.size;
    switch (slot) {
      case Slot::None: return false;
      case Slot::Value: return value && same;
      case Slot::Byte: return value && operand.size == 1;
      case Slot::Source: return value && operand.size == user.reg;
      case Slot::Any: return (value && same) || operand.op == Op::Address;
      case Slot::Selector: return (value && operand.size == 2) || operand.op == Op::Address;
      case Slot::Optional: return operand.op == Op::Address;
      case Slot::MaybeValue: return value;
      case Slot::Constants: return operand.op == Op::Constant;
      case Slot::Truth: return kind == Kind::Truth;
      case Slot::Address: return kind == Kind::Address;
      case Slot::Pair: return kind == Kind::Pair && same;
      case Slot::Place: return (value || kind == Kind::Target) && same;
    }
    return false;
  }

  // An Address whose page has been looked at for writing.
  bool settled(const Node& n, u16 before) const {
    for (u16 id = 0; id < before; ++id) {
      if (at(id).op == Op::LoadForWrite && at(id).a == n.a) return true;
    }
    return false;
  }

  // What faults comes first, what writes afterwards.
  Breach order(u16 id) {
    const Node& n = at(id);
    const OpInfo& row = info(n.op);
    if (row.has(kOpEnds) && id + 1u != insn_.nodes.size()) return "not the last of its instruction";
    const bool safe = n.op == Op::Store && settled(n, id);
    if (row.has(kOpFaults) && !safe && writer_ != kNoValue)
      return fmt::format("may fault after v{} = {} has written", writer_, info(at(writer_).op).name);
    const bool writes = registers_written(n) != 0 || flags_defined(n) != 0 || row.has(kOpStores) || row.has(kOpChanges);
    if (writes && writer_ == kNoValue) writer_ = id;
    return std::nullopt;
  }

  // Back ends compute an address where it is used.
  Breach address_holds(u16 id) {
    const Node& n = at(id);
    if (n.a == kNoValue || info(at(n.a).op).result != Kind::Address) return std::nullopt;
    if (n.op == Op::Store && settled(n, id)) return std::nullopt;
    const Node& address = at(n.a).op == Op::BitAddress ? at(at(n.a).a) : at(n.a);
    for (const u8 reg : {address.base, address.index}) {
      if (reg < kNoRegister && (written_registers_ >> reg & 1) != 0)
        return fmt::format("register {} of its address has changed", reg);
    }
    return std::nullopt;
  }

  Breach flags(u16 id) {
    const Node& n = at(id);
    flags_read_ |= flags_read(n) & ~flags_defined_;
    if (!info(n.op).has(kOpMaybeFlags) || certain_count(n)) flags_defined_ |= flags_defined(n);
    return std::nullopt;
  }

  // Of a shift: the count is known, and not 0.
  bool certain_count(const Node& n) const {
    const u16 count = n.c != kNoValue ? n.c : n.b;
    return at(count).op == Op::Constant && (at(count).immediate & (n.size == 8 ? 63 : 31)) != 0;
  }

  Breach summary() {
    if (const u32 missing = flags_read_ & ~insn_.flags_read; missing != 0)
      return fmt::format("the nodes read flags {:#x} that flags_read lacks", missing);
    if (const u32 more = insn_.flags_killed & ~flags_defined_; more != 0)
      return fmt::format("flags_killed has {:#x}, which the nodes do not define for certain", more);
    InsnIr summed;
    summed.leaves = insn_.leaves;
    summed.nodes = insn_.nodes;
    summarise(summed);
    if (summed.writes_registers != insn_.writes_registers)
      return fmt::format("writes_registers is {:#x}, of the nodes {:#x}", insn_.writes_registers,
                         summed.writes_registers);
    if (summed.may_exit != insn_.may_exit) return fmt::format("may_exit is {}", insn_.may_exit);
    return std::nullopt;
  }

  const InsnIr& insn_;
  bool code64_;
  u16 writer_ = kNoValue;  // the first node that writes
  u32 written_registers_ = 0;
  u32 flags_read_ = 0, flags_defined_ = 0;
};

class BlockVerifier {
 public:
  explicit BlockVerifier(const BlockIr& block) : block_(block) {}

  Breach run() {
    if (block_.insns.empty()) return "no instructions";
    for (std::size_t i = 0; i < block_.insns.size(); ++i) {
      if (Breach breach = instruction(i)) return fmt::format("instruction {}, {}", i, *breach);
    }
    if (block_.loop) {
      if (Breach breach = loop()) return breach;
    }
    return groups();
  }

 private:
  Breach instruction(std::size_t i) const {
    const InsnIr& insn = block_.insns[i];
    if (insn.offset != (i == 0 ? 0 : place_after(i - 1)) || static_cast<i32>(insn.end - insn.offset) <= 0)
      return "it does not stand right after the one before it";
    if (insn.cold) {
      if (!insn.nodes.empty()) return "cold, with nodes";
      if (!insn.may_exit || insn.flags_killed != 0 || insn.writes_registers != kAllRegisters)
        return "cold: everything must be taken to change";
      return std::nullopt;
    }
    const bool last = i + 1 == block_.insns.size();
    if (insn.leaves && !last) return "it leaves the block, which goes on";
    if (insn.native != nullptr) return native(insn);
    for (const Node& n : insn.nodes) {
      const OpInfo& row = info(n.op);
      if (n.op == Op::Follow && (!block_.region || last || &n != &insn.nodes.back()))
        return "Follow, but not before the next instruction of a region";
      if (n.op == Op::Expect && (insn.nodes.back().op != Op::Follow || insn.nodes.back().immediate != n.immediate))
        return "Expect, but Follow leads elsewhere";
      if (row.has(kOpEnds) && !last) return fmt::format("{} ends the block, which goes on", row.name);
    }
    return InsnVerifier(insn, block_.code64).run();
  }

  // Where the instruction after this one stands.
  u32 place_after(std::size_t i) const {
    const InsnIr& insn = block_.insns[i];
    const bool follows = !insn.nodes.empty() && insn.nodes.back().op == Op::Follow;
    return follows ? static_cast<u32>(insn.nodes.back().immediate) : insn.end;
  }

  // One operation, with its address before it if it has an operand in memory.
  static Breach native(const InsnIr& insn) {
    const std::size_t count = insn.nodes.size();
    const bool memory = count == 2 && insn.nodes[0].op == Op::Address && insn.nodes[1].a == 0 &&
                        (insn.nodes[1].op == Op::NativeLoad || insn.nodes[1].op == Op::NativeStore);
    if (memory || (count == 1 && insn.nodes[0].op == Op::NativeRegister)) return std::nullopt;
    return "native, but not one operation of the units";
  }

  Breach loop() const {
    const InsnIr& last = block_.insns.back();
    i32 target = -1;
    if (last.nodes.empty() || !direct_target(last, last.nodes.back(), target) || target != 0)
      return "a loop whose last branch does not lead to its start";
    for (const InsnIr& insn : block_.insns) {
      if (insn.cold || insn.leaves) return "a loop with a cold instruction";
      for (const Node& n : insn.nodes) {
        if (info(n.op).has(kOpNoLoop)) return fmt::format("a loop with {}", info(n.op).name);
      }
    }
    return std::nullopt;
  }

  Breach groups() const {
    struct Seen {
      u32 accesses = 0;
      bool writes = false;
    };
    std::vector<Seen> seen(block_.groups.size());
    for (const InsnIr& insn : block_.insns) {
      for (const Node& n : insn.nodes) {
        if (n.group == kNoGroup) continue;
        if (!info(n.op).has(kOpShares)) return fmt::format("{} in a group", info(n.op).name);
        if (n.group >= block_.groups.size()) return fmt::format("group {} is none", n.group);
        const PageGroup& group = block_.groups[n.group];
        if (n.offset < group.low || n.offset + n.size > group.high)
          return fmt::format("{} at {} is not within group {}", info(n.op).name, n.offset, n.group);
        ++seen[n.group].accesses;
        seen[n.group].writes = seen[n.group].writes || info(n.op).has(kOpStores) || n.op == Op::LoadForWrite;
      }
    }
    for (std::size_t i = 0; i < seen.size(); ++i) {
      const PageGroup& group = block_.groups[i];
      if (seen[i].accesses == 0) continue;  // given up: nothing is shared
      if (seen[i].accesses != group.accesses) return fmt::format("group {} has {} accesses", i, seen[i].accesses);
      if (seen[i].writes != group.writes) return fmt::format("whether group {} is written is wrong", i);
      if (group.insn >= block_.insns.size()) return fmt::format("group {} begins nowhere", i);
      const auto& nodes = block_.insns[group.insn].nodes;
      if (group.address != kNoValue && (group.address >= nodes.size() || nodes[group.address].op != Op::Address))
        return fmt::format("group {} has no Address", i);
      if (group.fixed && (!block_.loop || group.address == kNoValue))
        return fmt::format("group {} is fixed without a loop or an Address", i);
    }
    return std::nullopt;
  }

  const BlockIr& block_;
};

}  // namespace

std::optional<std::string> broken_rule(const BlockIr& block) { return BlockVerifier(block).run(); }

}  // namespace relic86::jit
