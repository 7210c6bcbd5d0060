#include "jit/analyse/page_plan.h"

#include <algorithm>
#include <array>
#include <optional>

#include "cpu/state.h"
#include "jit/record/native_forms.h"

namespace relic86::jit {

namespace {

// The wider a group, the more often it lies over two pages.
constexpr u32 kSpan = 256;

// A value as an unknown plus a constant. Equal unknowns are equal values.
struct Symbolic {
  u32 unknown = 0;  // 0: the constant alone
  u64 constant = 0;
};

struct Place {
  u32 base = 0, index = 0;
  u8 scale = 0;
  u64 offset = 0;
  u8 segment = 0xFF;    // if not a flat one
  bool narrow = false;  // 16-bit offsets
  bool known = false;
  // Of addresses relative to RIP, and of constants in flat segments: where they lie in a page is known, too.
  bool paged = false;
  u64 position = 0;  // from the beginning of some page on
};

struct Access {
  u32 bytes = 0;
  bool write = false;
  bool aligned = false;  // faults where it is not
};

class Planner {
 public:
  Planner(BlockIr& block, const Mode& mode) : block_(block), mode_(mode), word_(mode.code64 ? 8 : 4) {
    for (Symbolic& each : registers_) each = fresh();
    initial_ = registers_;
  }

  void run() {
    for (InsnIr& insn : block_.insns) {
      insn_ = &insn;
      if (insn.cold) {
        for (Symbolic& each : registers_) each = fresh();
        // A segment may have been loaded. That a flat one stays flat is part of the mode.
        forget_segments();
        continue;
      }
      if (insn.native != nullptr) {
        native(insn);
        continue;
      }
      values_.assign(insn.nodes.size(), Symbolic{});
      followed_ = 0;
      for (std::size_t id = 0; id < insn.nodes.size(); ++id) values_[id] = node(insn.nodes[id]);
      lose(insn.writes_registers & ~followed_);
    }
    if (block_.loop) find_fixed();
    drop_single();
  }

 private:
  struct Open {
    Place place;
    u32 group;
  };

  void native(InsnIr& insn) {
    const NativeForm& form = *insn.native;
    Node& access = insn.nodes.back();
    if (access.a != kNoValue && form.special == NativeForm::Special::None && mode_.flat(insn.nodes[access.a].segment)) {
      note(access, operand(insn.nodes[access.a]), {access.size, form.store, form.aligned});
    }
    lose(insn.writes_registers);
  }

  void lose(u32 registers) {
    for (unsigned i = 0; i < registers_.size(); ++i) {
      if ((registers >> i & 1) != 0) registers_[i] = fresh();
    }
  }
  void follow(unsigned reg, Symbolic value) {
    registers_[reg] = value;
    followed_ |= 1u << reg;
  }

  void forget_segments() {
    std::erase_if(open_, [](const Open& open) { return open.place.segment != 0xFF; });
  }

  Symbolic fresh() { return {next_unknown_++, 0}; }
  u64 wrapped(u64 number) const { return mode_.code64 ? number : static_cast<u32>(number); }

  Symbolic node(Node& n) {
    switch (n.op) {
      case Op::Constant: return n.size == word_ ? Symbolic{0, n.immediate} : fresh();
      case Op::GetRegister: return n.size == word_ ? registers_[n.reg] : fresh();
      case Op::SetRegister: follow(register_of(n), n.size == word_ ? values_[n.a] : fresh()); break;
      case Op::Address: {
        const Place place = operand(n);
        return place.known && !place.narrow && place.index == 0 && place.scale == 0 ? Symbolic{place.base, place.offset}
                                                                                    : fresh();
      }
      case Op::Add:
      case Op::Sub: return sum(n);
      case Op::Inc:
      case Op::Dec:
        if (n.size != word_) return fresh();
        return {values_[n.a].unknown, wrapped(values_[n.a].constant + (n.op == Op::Inc ? 1 : ~u64{0}))};
      case Op::Store:
        if (follows_read(n)) return {};
        [[fallthrough]];
      case Op::Load:
      case Op::LoadForWrite:
        if (insn_->nodes[n.a].op == Op::Address) note(n, operand(insn_->nodes[n.a]), {n.size, n.op != Op::Load});
        return fresh();
      case Op::Push: move_stack(0u - (n.immediate != 0 ? n.immediate : n.size)); [[fallthrough]];
      case Op::Peek:
      case Op::Pop: {
        const Symbolic& pointer = registers_[n.op == Op::Peek ? n.reg : u8{kEsp}];
        const u8 stack = mode_.flat(kSs) ? u8{0xFF} : u8{kSs};
        if (mode_.stack32) {
          const Place top{.base = pointer.unknown, .offset = pointer.constant, .segment = stack, .known = true};
          note(n, top, {n.size, n.op == Op::Push});
        }
        if (n.op == Op::Pop) move_stack(n.size);
        return fresh();
      }
      case Op::SetStackPointer:
        follow(kEsp, registers_[n.reg]);
        move_stack(n.immediate);
        break;
      case Op::PopSegment:
        forget_segments();
        move_stack(n.size);
        break;
      case Op::PushAll: move_stack(0u - u64{8} * n.size); break;
      case Op::PopAll: move_stack(8u * n.size); break;
      case Op::Enter:
        move_stack(0u - u64{n.size});
        follow(kEbp, n.size == word_ ? registers_[kEsp] : fresh());
        move_stack(0u - n.immediate);
        break;
      default:
        if (info(n.op).has(kOpReloads)) forget_segments();
        if (info(n.op).has(kOpRemaps)) open_.clear();
        return fresh();  // what it writes, run() loses
    }
    return {};
  }

  // The second half of a read-modify-write uses what the first one found.
  bool follows_read(const Node& store) const {
    return std::any_of(insn_->nodes.begin(), insn_->nodes.end(),
                       [&](const Node& each) { return each.op == Op::LoadForWrite && each.a == store.a; });
  }

  Symbolic sum(const Node& n) {
    const Symbolic a = values_[n.a], b = values_[n.b];
    if (n.size != word_) return fresh();
    if (b.unknown == 0)
      return {a.unknown, wrapped(n.op == Op::Add ? a.constant + b.constant : a.constant - b.constant)};
    if (a.unknown == 0 && n.op == Op::Add) return {b.unknown, wrapped(a.constant + b.constant)};
    return fresh();
  }

  void move_stack(u64 by) {
    Symbolic moved = registers_[kEsp];
    moved.constant = wrapped(moved.constant + by);
    follow(kEsp, mode_.stack32 ? moved : fresh());
  }

  Place operand(const Node& address) const {
    Place place;
    place.narrow = address.address_size == 2;
    if (!mode_.flat(address.segment)) place.segment = address.segment;
    // 64-bit code with addresses of 32 bits is rare.
    place.known = !mode_.code64 || address.address_size == word_;
    place.offset = address.immediate;
    const auto add = [&](u8 reg, u32& unknown, u8 scale) {
      if (reg == kNoRegister) return;
      unknown = reg == kRipRegister ? kBlockStart : registers_[reg].unknown;
      if (reg != kRipRegister) place.offset = wrapped(place.offset + (registers_[reg].constant << scale));
    };
    add(address.base, place.base, 0);
    add(address.index, place.index, address.scale);
    if (place.index != 0) place.scale = address.scale;
    place.paged = place.segment == 0xFF && !place.narrow && place.index == 0 && place.base <= kBlockStart;
    place.position = place.offset + (place.base == kBlockStart ? block_.page_offset : 0);
    return place;
  }

  static u64 page_of(const Place& place) { return place.position >> kPageShift; }

  // The distance of an access from the group's first one, if the group takes it.
  std::optional<i32> distance_in(const Open& open, const Place& place, const Access& access) const {
    const Place& first = open.place;
    if (first.base != place.base || first.index != place.index || first.scale != place.scale ||
        first.segment != place.segment || first.narrow != place.narrow || first.paged != place.paged) {
      return std::nullopt;
    }
    const u64 distance = place.offset - first.offset;
    if (place.paged) {
      if (page_of(first) != page_of(place)) return std::nullopt;
      return static_cast<i32>(distance);
    }
    const i64 far = place.narrow   ? i64{static_cast<i16>(distance)}
                    : mode_.code64 ? static_cast<i64>(distance)
                                   : i64{static_cast<i32>(distance)};
    if (far < -i64{kSpan} || far > i64{kSpan}) return std::nullopt;
    const PageGroup& group = block_.groups[open.group];
    const i32 offset = static_cast<i32>(far), end = offset + static_cast<i32>(access.bytes);
    if (std::max(group.high, end) - std::min(group.low, offset) > static_cast<i32>(kSpan)) return std::nullopt;
    const bool agree = group.alignment == 0 || (group.alignment == access.bytes &&
                                                (offset - group.aligned_at) % static_cast<i32>(access.bytes) == 0);
    if (access.aligned && !agree) return std::nullopt;
    return offset;
  }

  void note(Node& n, const Place& place, const Access& access) {
    if (!place.known) return;
    if (place.paged) {
      const u64 in_page = place.position & (kPageSize - 1);
      if (in_page + access.bytes > kPageSize || (access.aligned && in_page % access.bytes != 0)) return;
    }
    for (const Open& open : open_) {
      const std::optional<i32> offset = distance_in(open, place, access);
      if (!offset) continue;
      PageGroup& group = block_.groups[open.group];
      group.low = std::min(group.low, *offset);
      group.high = std::max(group.high, *offset + static_cast<i32>(access.bytes));
      ++group.accesses;
      group.writes = group.writes || access.write;
      n.group = static_cast<u16>(open.group);
      n.offset = *offset;
      if (access.aligned) align(group, place, access, *offset);
      return;
    }
    n.group = static_cast<u16>(block_.groups.size());
    n.offset = 0;
    open_.push_back({place, n.group});
    const bool operand = n.a != kNoValue && n.op != Op::Push;
    block_.groups.push_back({
        .high = static_cast<i32>(access.bytes),
        .accesses = 1,
        .writes = access.write,
        .within_page = place.paged,
        // As the registers are at the block's start, so far.
        .fixed = operand && place.offset == insn_->nodes[n.a].immediate,
        .insn = static_cast<u16>(insn_ - block_.insns.data()),
        .address = operand ? n.a : kNoValue,
    });
    if (access.aligned) align(block_.groups.back(), place, access, 0);
  }

  // Where the place in the page is known there is nothing left to look at.
  static void align(PageGroup& group, const Place& place, const Access& access, i32 offset) {
    if (place.paged) return;
    group.alignment = access.bytes;
    group.aligned_at = offset;
  }

  // The registers of the address end the iteration as they began it.
  void find_fixed() {
    const auto keeps = [&](u8 reg) {
      return reg >= kNoRegister || (registers_[reg].unknown == initial_[reg].unknown && registers_[reg].constant == 0);
    };
    const auto begins = [&](u8 reg, u32 unknown) { return reg >= kNoRegister || initial_[reg].unknown == unknown; };
    for (const Open& open : open_) {
      PageGroup& group = block_.groups[open.group];
      if (!group.fixed) continue;
      const Node& address = block_.insns[group.insn].nodes[group.address];
      group.fixed = keeps(address.base) && keeps(address.index) && begins(address.base, open.place.base) &&
                    begins(address.index, open.place.index);
    }
  }

  bool single(u16 group) const { return block_.groups[group].accesses < 2 && !block_.groups[group].fixed; }

  void drop_single() {
    if (!block_.loop) {
      for (PageGroup& group : block_.groups) group.fixed = false;
    }
    for (InsnIr& insn : block_.insns) {
      for (Node& n : insn.nodes) {
        if (n.group != kNoGroup && single(n.group)) n.group = kNoGroup;
      }
    }
  }

  BlockIr& block_;
  const Mode& mode_;
  InsnIr* insn_ = nullptr;
  // Unknowns: where the block begins, what registers hold there, and what comes later.
  static constexpr u32 kBlockStart = 1;
  u32 next_unknown_ = kBlockStart + 1;
  u8 word_;  // bytes of a whole register
  std::array<Symbolic, kNoRegister> registers_{}, initial_{};
  u32 followed_ = 0;  // bit n: the present instruction gives register n a value that is known here
  std::vector<Symbolic> values_;
  std::vector<Open> open_;
};

}  // namespace

void plan_pages(BlockIr& block, const Mode& mode) { Planner(block, mode).run(); }

}  // namespace relic86::jit
