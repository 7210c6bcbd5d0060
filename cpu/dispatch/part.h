// How a part of the instruction table becomes the interpreter's handlers. Included by cpu/dispatch/<part>.cpp only.
#pragma once

#include <span>

#include "cpu/instruction_table.h"
#include "cpu/semantics/exec_builder.h"

namespace relic86::dispatch {

template <class Builder, class Semantics, class V, bool memory, class... Notation>
Flow execute(Cpu& cpu, const Insn& insn) {
  Builder builder(cpu, insn);
  Semantics::run(builder, typename Notation::template As<V, memory>{}...);
  return builder.flow();
}

template <class Semantics, class... Notation>
constexpr HandlerSet hot_handlers(Operands<Notation...>) {
  // Forms without an E operand have one handler; M, Ob and Ov are memory whichever is asked for.
  constexpr bool kSplits = Operands<Notation...>::kSplits;
  using B = ExecBuilder;
  using L = LongExecBuilder;
  return {{&execute<B, Semantics, u16, false, Notation...>, &execute<B, Semantics, u16, kSplits, Notation...>,
           &execute<B, Semantics, u32, false, Notation...>, &execute<B, Semantics, u32, kSplits, Notation...>},
          {&execute<L, Semantics, u16, false, Notation...>, &execute<L, Semantics, u16, kSplits, Notation...>,
           &execute<L, Semantics, u32, false, Notation...>, &execute<L, Semantics, u32, kSplits, Notation...>},
          &execute<L, Semantics, u64, false, Notation...>,
          &execute<L, Semantics, u64, kSplits, Notation...>};
}
constexpr HandlerSet cold_handlers(Handler function) {
  const SizedHandlers same{function, function, function, function};
  return {same, same, function, function};
}

std::span<const HandlerSet> arithmetic_handlers();
std::span<const HandlerSet> shifts_handlers();
std::span<const HandlerSet> moves_handlers();
std::span<const HandlerSet> branches_handlers();
std::span<const HandlerSet> system_handlers();
std::span<const HandlerSet> x87_handlers();
std::span<const HandlerSet> simd_handlers();
std::span<const HandlerSet> long_handlers();
std::span<const HandlerSet> vex_handlers();

}  // namespace relic86::dispatch

#define RELIC86_NOTATION(...) ::relic86::Operands<__VA_ARGS__>
#define HOT(map, opcode, match, mnemonic, operands, Semantics, ...) \
  ::relic86::dispatch::hot_handlers<::relic86::semantics::Semantics>(RELIC86_NOTATION operands{}),
#define COLD(map, opcode, match, mnemonic, operands, function, ...) \
  ::relic86::dispatch::cold_handlers(&::relic86::function),
#define UNIT(...) COLD(__VA_ARGS__)
