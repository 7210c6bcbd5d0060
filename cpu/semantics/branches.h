// Near transfers of control.
#pragma once

#include "cpu/semantics/condition.h"
#include "cpu/semantics/operands.h"

namespace relic86::semantics {

template <Condition condition>
struct Jcc {
  template <class B, class T>
  static void run(B& b, T target) {
    b.jump_if(b.template condition<condition>(), target);
  }
};

struct Jmp {
  template <class B, class W>
  static void run(B& b, Target<W> target) {
    const auto to = b.target(target);
    b.check_target(to);
    if (b.faulted()) return;
    b.jump_to(to);
  }
};
struct JmpIndirect {
  template <class B, class S>
  static void run(B& b, S source) {
    const auto to = b.load(source);
    if (b.faulted()) return;
    b.check_target(to);
    if (b.faulted()) return;
    b.jump_to(to);
  }
};
struct Call {
  template <class B, class W>
  static void run(B& b, Target<W> target) {
    const auto to = b.target(target);
    b.check_call_target(to);
    if (b.faulted()) return;
    b.push(b.template next_instruction<W>());
    if (b.faulted()) return;
    b.jump_to(to);
  }
};
struct CallIndirect {
  template <class B, class S>
  static void run(B& b, S source) {
    const auto to = b.load(source);
    if (b.faulted()) return;
    b.check_indirect_call_target(to);
    if (b.faulted()) return;
    b.push(b.template next_instruction<typename S::Width>());
    if (b.faulted()) return;
    b.jump_to(to);
  }
};
// RET and RET Iw. The accumulator operand only carries the operand size.
struct Ret {
  template <class B, class W>
  static void run(B& b, FixedRegister<W, kEax>) {
    const auto pointer = b.stack_pointer();
    const auto to = b.template peek<W>(pointer);
    if (b.faulted()) return;
    b.check_target(to);
    if (b.faulted()) return;
    b.set_stack_pointer(b.plain_add(pointer, b.template constant<typename B::Pointer>(sizeof(W))));
    b.jump_to(to);
  }
  template <class B, class W>
  static void run(B& b, FixedRegister<W, kEax>, Immediate<u16> extra) {
    const auto pointer = b.stack_pointer();
    const auto to = b.template peek<W>(pointer);
    if (b.faulted()) return;
    b.check_target(to);
    if (b.faulted()) return;
    const auto above = b.plain_add(pointer, b.template constant<typename B::Pointer>(sizeof(W)));
    b.set_stack_pointer(b.plain_add(above, b.template zero_extend<typename B::Pointer>(b.load(extra))));
    b.jump_to(to);
  }
};

// LOOP, LOOPE and LOOPNE count CX, ECX or RCX by the address size. The count is written only when the branch does not
// fault.
template <class Decide>
struct LoopForm {
  template <class B, class W>
  static void run(B& b, Target<W> target) {
    using P = typename B::Pointer;
    const auto count = b.plain_add(b.count_register(), b.template constant<P>(~P{0}));
    b.jump_if_counting(Decide::template decide<B>(b, count), target, count);
  }
};
struct LoopAlways {
  template <class B, class V>
  static auto decide(B& b, V count) {
    return b.invert(b.zero_count(count));
  }
};
struct LoopWhileEqual {
  template <class B, class V>
  static auto decide(B& b, V count) {
    return b.both(b.invert(b.zero_count(count)), b.template condition<Condition::Equal>());
  }
};
struct LoopWhileNotEqual {
  template <class B, class V>
  static auto decide(B& b, V count) {
    return b.both(b.invert(b.zero_count(count)), b.template condition<Condition::NotEqual>());
  }
};
using Loop = LoopForm<LoopAlways>;
using Loope = LoopForm<LoopWhileEqual>;
using Loopne = LoopForm<LoopWhileNotEqual>;

struct Jcxz {
  template <class B, class W>
  static void run(B& b, Target<W> target) {
    b.jump_if(b.zero_count(b.count_register()), target);
  }
};

}  // namespace relic86::semantics
