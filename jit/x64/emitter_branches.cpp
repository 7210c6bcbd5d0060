#include <algorithm>
#include <functional>

#include "jit/x64/canonical_check.h"
#include "jit/x64/emitter.h"

namespace relic86::jit::x64 {

x86::CondCode Emitter::condition_of(u16 id) {
  const Node& n = at(id);
  switch (n.op) {
    case Op::Condition: return flags_.condition_code(static_cast<u32>(n.immediate));
    case Op::ZeroCount: {
      const Gp count = registers_.guest(kEcx, n.size);
      if (counting_) {
        a_.sub(count, 1);
      } else {
        a_.test(count, count);
      }
      flags_.host_lost();
      return x86::CondCode::kZ;
    }
    case Op::Invert: {
      const x86::CondCode inner = condition_of(n.a);
      return x86::negateCond(inner);
    }
    case Op::Both: {  // the count first asks for the flags, then goes down
      const x86::CondCode second = condition_of(n.b);
      a_.set(second, kAddress.r8());
      const u8 host = registers_.take();
      const x86::CondCode first = condition_of(n.a);
      a_.set(first, sized(host, 1));
      a_.test(sized(host, 1), kAddress.r8());
      registers_.give(host);
      flags_.host_lost();
      return x86::CondCode::kNZ;
    }
    default: failed_ = true; return x86::CondCode::kZ;
  }
}

void Emitter::check_target(u16 id) {
  const bool returns = mode_.code64 && insn().nodes.back().op == Op::Return && branches_.frames_apply(at(id).size);
  if (returns) {
    compare_with_frame(id);
  } else {
    branches_.check_target(id);
  }
}

// RET of 64-bit code: r10 := where the guest says it returns to. What the last call left on the host's stack is
// canonical, and the host's RET will go there.
void Emitter::compare_with_frame(u16 id) {
  ExitPoint* const exit = exits_.add(ExitKind::Before, undone_before());
  const Label other = a_.newLabel();
  registers_.move_to(x86::r10, at(id).a, at(id).size);
  flags_.host_lost();
  branches_.compare_frame(x86::r10);
  a_.jne(other);
  returns_to_frame_ = true;
  defer([=, this, snapshot = exits_.moment()] {
    a_.bind(other);
    exits_.restore(snapshot);
    go_elsewhere(id, exit, [this] { branches_.leave_frame(x86::r10); });
  });
}

// Where a region goes on after a return or an indirect jump.
void Emitter::expect(u16 id) {
  const Node& n = at(id);
  ExitPoint* const exit = exits_.add(ExitKind::Before, undone_before());
  const Label other = a_.newLabel();
  const Gp value = registers_.in_register(n.a, n.size);
  flags_.host_lost();
  addresses_.load_eip(kAddress, place(static_cast<u32>(n.immediate)));
  a_.cmp(value, sized(kAddress.id(), n.size));
  a_.jne(other);
  defer([=, this, snapshot = exits_.moment()] {
    a_.bind(other);
    exits_.restore(snapshot);
    a_.mov(code_register(x86::r10), code_register(value));
    go_elsewhere(id, exit, [this] {
      const auto moves_stack = [](const Node& node) { return node.op == Op::SetStackPointer; };
      const u16 call = insn().followed_call;
      const bool returns = std::ranges::any_of(insn().nodes, moves_stack);
      region_.push_frames(returns ? ir_.calls[call - 1u].outer : call);
      branches_.indirect_exit(x86::r10, undone_after());
    });
  });
}

// The rest of a return or an indirect jump whose target, in r10, is not where the block's code goes on. `before`: the
// exit for one that is not canonical.
void Emitter::go_elsewhere(u16 id, ExitPoint* before, const std::function<void()>& jump) {
  const Label beyond = a_.newLabel();
  if (mode_.code64) {
    a_.mov(kAddress, x86::r10);
    check_canonical(a_, mode_.linear_bits(), kAddress, beyond);
  }
  for (u16 rest = id; rest < insn().nodes.size(); ++rest) {
    if (at(rest).op == Op::SetStackPointer) set_stack_pointer(rest);
  }
  units_.store_pointers();
  flags_.write_home();
  jump();
  if (!mode_.code64) return;
  a_.bind(beyond);
  exits_.leave(before);
}

void Emitter::jump_to(u16 id) {
  const Node n = at(id);
  ended_ = true;
  const bool call = n.op == Op::Call && branches_.frames_apply(n.size);
  if (at(n.a).op == Op::TargetOf) {
    const i32 target = place(static_cast<u32>(at(n.a).immediate));
    if (call && options_.cross_page) {
      branches_.direct_call(target);
    } else {
      branches_.direct_exit(target, n.size, 0, Way::Branches);
    }
    return;
  }
  const Gp eip = x86::r10;
  flags_.write_home();
  if (returns_to_frame_) {
    a_.ret();
    return;
  }
  registers_.move_to(eip, n.a, n.size);
  if (n.size == 2) a_.movzx(eip.r32(), eip.r16());
  if (n.op == Op::Return && branches_.frames_apply(n.size)) {
    branches_.return_jump();
  } else {
    branches_.indirect_exit(eip, 0, call);
  }
}

void Emitter::jump_if(u16 id) {
  const Node n = at(id);
  const i32 target = place(static_cast<u32>(n.immediate));
  const unsigned undone = undone_after();
  // In a region the opposite of the guest's branch may stand here: where it leads, the guest's code runs on.
  const Way way = insn().nodes.back().op == Op::Follow ? Way::RunsOn : Way::Branches;
  // LOOP and JCXZ ask for no flags: those go first. Else they go home before the condition may take the host's, or a
  // record does behind it.
  const Op asks = at(n.a).op == Op::Invert ? at(at(n.a).a).op : at(n.a).op;
  if (undone == 0 && asks == Op::ZeroCount && !flags_.leave_record()) flags_.write_home();
  if (undone == 0 && asks != Op::ZeroCount && (!options_.lazy_flags || flags_.from_home())) flags_.write_home();
  const x86::CondCode condition = condition_of(n.a);
  if (undone == 0 && asks != Op::ZeroCount && !flags_.leave_record()) flags_.write_home();
  if (undone == 0 && branches_.linkable(target, n.size)) {
    exits_.jump_if(condition, exits_.add_branch(target, way));
    return;
  }
  const Label taken = a_.newLabel();
  a_.j(condition, taken);
  defer([=, this, snapshot = exits_.moment()] {
    a_.bind(taken);
    exits_.restore(snapshot);
    branches_.check_taken(target, n.size);
    units_.store_pointers();
    branches_.direct_exit(target, n.size, undone, way);
  });
}

// LOOP: the count goes down; the guest's flags are not those of the host then.
void Emitter::counting_jump(u16 id) {
  const Node n = at(id);
  const u16 count = at(n.a).op == Op::Both ? at(n.a).a : n.a;
  if (at(count).op != Op::Invert || at(at(count).a).op != Op::ZeroCount) {
    failed_ = true;
    return;
  }
  if (mode_.code64) branches_.check_canonical_place(place(static_cast<i32>(n.immediate)), n.size);
  counting_ = true;
  jump_if(id);
  counting_ = false;
}

}  // namespace relic86::jit::x64
