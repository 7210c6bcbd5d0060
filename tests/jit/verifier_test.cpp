// The verifier of the intermediate representation: blocks that keep every rule pass, and each of a list of blocks that
// break one is refused, for that rule.
#include "jit/ir/verifier.h"

#include <gtest/gtest.h>

#include <functional>

namespace relic86::jit {

namespace {

constexpr u16 kNone = kNoValue;

Node get(u8 size, u8 reg) { return {.op = Op::GetRegister, .size = size, .reg = reg}; }
Node set(u8 size, u8 reg, u16 a) { return {.op = Op::SetRegister, .size = size, .reg = reg, .a = a}; }
Node constant(u8 size, u32 value) { return {.op = Op::Constant, .size = size, .immediate = value}; }
Node address(u8 base, u32 displacement = 0) {
  return {.op = Op::Address, .size = 4, .segment = kDs, .base = base, .immediate = displacement, .address_size = 4};
}
Node load(u8 size, u16 a) { return {.op = Op::Load, .size = size, .a = a}; }
Node store(u8 size, u16 a, u16 b) { return {.op = Op::Store, .size = size, .a = a, .b = b}; }
Node binary(Op op, u8 size, u16 a, u16 b) { return {.op = op, .size = size, .a = a, .b = b}; }

constexpr u32 kLength = 3;  // of every instruction here

void add(BlockIr& block, std::vector<Node> nodes, u32 flags_read = 0, u32 flags_killed = 0) {
  InsnIr insn;
  insn.offset = static_cast<u32>(block.insns.size()) * kLength;
  insn.end = insn.offset + kLength;
  insn.nodes = std::move(nodes);
  insn.flags_read = flags_read;
  insn.flags_killed = flags_killed;
  summarise(insn);
  block.insns.push_back(std::move(insn));
}

// add [ebx], eax; mov ecx, [ebx+4]; jnz to the start.
BlockIr good() {
  BlockIr block;
  add(block,
      {get(4, kEax),
       address(kEbx),
       {.op = Op::LoadForWrite, .size = 4, .a = 1, .group = 0},
       binary(Op::Add, 4, 2, 0),
       {.op = Op::Store, .size = 4, .a = 1, .b = 3, .group = 0}},
      0, kArithmeticFlags);
  add(block, {address(kEbx, 4), {.op = Op::Load, .size = 4, .a = 0, .group = 0, .offset = 4}, set(4, kEcx, 1)});
  add(block,
      {{.op = Op::Condition, .size = 1, .immediate = static_cast<u32>(Condition::NotEqual)},
       {.op = Op::JumpIf, .size = 4, .a = 0}},
      kZF);
  block.groups.push_back({.low = 0, .high = 8, .accesses = 3, .writes = true, .fixed = true, .insn = 0, .address = 1});
  block.loop = true;
  return block;
}

TEST(Verifier, TakesWhatKeepsTheRules) {
  EXPECT_EQ(broken_rule(good()), std::nullopt);
  BlockIr cold = good();
  cold.loop = false;
  cold.groups[0].fixed = false;
  InsnIr last;
  last.offset = 3 * kLength;
  last.end = last.offset + 1;
  last.cold = last.may_exit = true;
  last.writes_registers = kAllRegisters;
  cold.insns.push_back(last);
  EXPECT_EQ(broken_rule(cold), std::nullopt);
}

struct Breach {
  const char* rule;  // part of the message
  std::function<void(BlockIr&)> breaks;
};

// Changes of good().
const std::vector<Breach>& breaches_of_fields() {
  static const std::vector<Breach> list = {
      {"size 3", [](BlockIr& b) { b.insns[0].nodes[3].size = 3; }},
      {"size 8", [](BlockIr& b) { b.insns[1].nodes[2].size = 8; }},
      {"a step of flags", [](BlockIr& b) { b.insns[0].nodes[0].op = Op::Image; }},
      {"address size", [](BlockIr& b) { b.insns[0].nodes[1].address_size = 0; }},
      {"address size", [](BlockIr& b) { b.insns[1].nodes[2].address_size = 4; }},
      {"segment", [](BlockIr& b) { b.insns[0].nodes[1].segment = 6; }},
      {"segment", [](BlockIr& b) { b.insns[1].nodes[2].segment = 1; }},
      {"reg", [](BlockIr& b) { b.insns[1].nodes[2].reg = 8; }},
      {"reg", [](BlockIr& b) { b.insns[0].nodes[3].reg = 1; }},
      {"immediate", [](BlockIr& b) { b.insns[2].nodes[0].immediate = 16; }},
      {"immediate", [](BlockIr& b) { b.insns[0].nodes[3].immediate = 1; }},
      {"base, index", [](BlockIr& b) { b.insns[0].nodes[1].base = 9; }},
      {"ESP as an index", [](BlockIr& b) { b.insns[0].nodes[1].index = kEsp; }},
      {"no Address", [](BlockIr& b) { b.insns[1].nodes[1].base = kEax; }},
      {"no operand a", [](BlockIr& b) { b.insns[1].nodes[2].a = kNone; }},
      {"too many", [](BlockIr& b) { b.insns[1].nodes[1].b = 0; }},
      {"not defined before", [](BlockIr& b) { b.insns[0].nodes[3].a = 3; }},
      {"not defined before", [](BlockIr& b) { b.insns[0].nodes[3].b = 77; }},
      {"an address", [](BlockIr& b) { b.insns[0].nodes[3].b = 1; }},
      {"a value", [](BlockIr& b) { b.insns[2].nodes[0] = constant(1, 0); }},
      {"of 2 bytes", [](BlockIr& b) { b.insns[0].nodes[0].size = 2; }},
      {"no place of the immediate", [](BlockIr& b) { b.insns[0].nodes[0] = {.op = Op::PatchedImmediate, .size = 4}; }},
  };
  return list;
}

const std::vector<Breach>& breaches_of_order() {
  static const std::vector<Breach> list = {
      // mov eax, ecx; then a load.
      {"may fault after",
       [](BlockIr& b) {
         b.insns.clear();
         add(b, {get(4, kEcx), set(4, kEax, 0), address(kEbx), load(4, 2), set(4, kEdx, 3)});
       }},
      {"may fault after",  // flags are written, then a store faults
       [](BlockIr& b) {
         b.insns.clear();
         add(b, {get(4, kEcx), binary(Op::Add, 4, 0, 0), address(kEbx), store(4, 2, 1)}, 0, kArithmeticFlags);
       }},
      {"may fault after",  // two stores, the second of which was not looked at
       [](BlockIr& b) {
         b.insns.clear();
         add(b, {get(4, kEcx), address(kEbx), store(4, 1, 0), address(kEbx, 4), store(4, 3, 0)});
       }},
      {"may fault after",  // a push, then the check of a branch's target
       [](BlockIr& b) {
         b.insns.clear();
         add(b, {get(4, kEcx),
                 {.op = Op::Push, .size = 4, .a = 0},
                 {.op = Op::CheckTarget, .size = 4, .a = 0},
                 {.op = Op::Call, .size = 4, .a = 0}});
       }},
      {"of its address has changed",
       [](BlockIr& b) {
         b.insns.clear();
         add(b, {address(kEbx), get(4, kEax), set(4, kEbx, 1), set(4, kEcx, 0)});
       }},
      {"right after its pair",
       [](BlockIr& b) {
         b.insns.clear();
         add(b, {get(4, kEax), binary(Op::Mul, 4, 0, 0), get(4, kEcx), {.op = Op::Low, .size = 4, .a = 1}}, 0,
             kArithmeticFlags);
       }},
      {"not the last of its instruction",
       [](BlockIr& b) {
         b.insns[2].nodes = {get(4, kEax), {.op = Op::JumpTo, .size = 4, .a = 0}, get(4, kEax)};
       }},
      {"ends the block",
       [](BlockIr& b) {
         b.insns[1].nodes = {get(4, kEax), {.op = Op::JumpTo, .size = 4, .a = 0}};
       }},
      {"leaves the block, which goes on", [](BlockIr& b) { b.insns[1].leaves = true; }},
      {"right after the one before", [](BlockIr& b) { b.insns[1].offset = 4; }},
      {"right after the one before", [](BlockIr& b) { b.insns[1].end = b.insns[1].offset; }},
      {"no instructions", [](BlockIr& b) { b.insns.clear(); }},
      {"cold, with nodes", [](BlockIr& b) { b.insns[1].cold = true; }},
  };
  return list;
}

const std::vector<Breach>& breaches_of_summaries() {
  static const std::vector<Breach> list = {
      {"flags_read lacks", [](BlockIr& b) { b.insns[2].flags_read = kCF; }},
      {"do not define for certain", [](BlockIr& b) { b.insns[1].flags_killed = kZF; }},
      {"do not define for certain",  // a shift by CL may leave all flags alone
       [](BlockIr& b) {
         b.insns.clear();
         add(b, {get(4, kEax), get(1, kEcx), binary(Op::Shl, 4, 0, 1), set(4, kEax, 2)}, 0, kArithmeticFlags);
       }},
      {"writes_registers", [](BlockIr& b) { b.insns[1].writes_registers = 0; }},
      {"may_exit", [](BlockIr& b) { b.insns[0].may_exit = false; }},
      {"does not lead to its start", [](BlockIr& b) { b.insns[2].nodes[1].immediate = 3; }},
      {"a loop with a cold instruction",
       [](BlockIr& b) {
         InsnIr& insn = b.insns[1];
         insn.nodes.clear();
         insn.cold = insn.may_exit = true;
         insn.writes_registers = kAllRegisters;
       }},
      {"a loop with SetInterrupts",
       [](BlockIr& b) {
         b.insns[1].nodes = {{.op = Op::SetInterrupts, .size = 4}};
         summarise(b.insns[1]);
       }},
      {"is not within group", [](BlockIr& b) { b.insns[1].nodes[1].offset = 5; }},
      {"group 1 is none", [](BlockIr& b) { b.insns[1].nodes[1].group = 1; }},
      {"in a group", [](BlockIr& b) { b.insns[0].nodes[3].group = 0; }},
      {"accesses", [](BlockIr& b) { b.groups[0].accesses = 4; }},
      {"is written", [](BlockIr& b) { b.groups[0].writes = false; }},
      {"has no Address", [](BlockIr& b) { b.groups[0].address = 0; }},
      {"begins nowhere", [](BlockIr& b) { b.groups[0].insn = 3; }},
      {"is fixed without", [](BlockIr& b) { b.loop = false; }},
  };
  return list;
}

void expect_refusals(const std::vector<Breach>& breaches) {
  for (std::size_t i = 0; i < breaches.size(); ++i) {
    BlockIr block = good();
    breaches[i].breaks(block);
    const auto broken = broken_rule(block);
    ASSERT_TRUE(broken.has_value()) << "breach " << i << " (" << breaches[i].rule << ") is taken";
    EXPECT_NE(broken->find(breaches[i].rule), std::string::npos) << "breach " << i << ": " << *broken;
  }
}

TEST(Verifier, RefusesFieldsThatTheirRowsDoNotAllow) { expect_refusals(breaches_of_fields()); }
TEST(Verifier, RefusesWhatHappensInTheWrongOrder) { expect_refusals(breaches_of_order()); }
TEST(Verifier, RefusesSummariesThatAreNotTrue) { expect_refusals(breaches_of_summaries()); }

}  // namespace

}  // namespace relic86::jit
