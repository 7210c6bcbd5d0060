// What a region is made of (jit/region/): the path that is taken down, branches that a path follows, which regions die.
#include <gtest/gtest.h>

#include "jit/region/path.h"
#include "jit/region/region_table.h"

namespace relic86::jit {

namespace {

constexpr u32 kLength = 4;  // of every instruction here

CodeBlock block_at(u64 first, std::size_t instructions = 3) {
  CodeBlock block;
  block.first = BackingOffset(first);
  block.bytes = static_cast<u32>(instructions) * kLength;
  block.insns.resize(instructions + 1);  // and the sentinel
  return block;
}

TEST(PathRecorder, TakesDownBlocksUntilThePathCloses) {
  CodeBlock head = block_at(0x1000), body = block_at(0x1100);
  PathRecorder recorder;
  recorder.begin(head);
  ASSERT_TRUE(recorder.may_enter(head));
  recorder.enter(head);
  EXPECT_TRUE(recorder.ran(2));
  ASSERT_TRUE(recorder.may_enter(body));
  recorder.enter(body);
  EXPECT_TRUE(recorder.ran(3));
  EXPECT_FALSE(recorder.may_enter(head));  // closed
  ASSERT_EQ(recorder.steps().size(), 2u);
  EXPECT_EQ(recorder.steps()[0].count, 2u);
  EXPECT_EQ(recorder.steps()[1].block, &body);
}

TEST(PathRecorder, StaysInThePageAndWithinItsBounds) {
  CodeBlock head = block_at(0x1000), elsewhere = block_at(0x2000), other = block_at(0x1800);
  PathRecorder recorder;
  recorder.begin(head);
  EXPECT_FALSE(recorder.may_enter(other));  // a path begins with its head
  recorder.enter(head);
  EXPECT_TRUE(recorder.ran(3));
  EXPECT_FALSE(recorder.may_enter(elsewhere));
  other.guarded = true;
  EXPECT_FALSE(recorder.may_enter(other));
  other.guarded = false;
  other.straddles = true;
  EXPECT_FALSE(recorder.may_enter(other));
  CodeBlock big = block_at(0x1400, PathRecorder::kMaxInstructions);
  EXPECT_FALSE(recorder.may_enter(big));
}

TEST(PathRecorder, GoesThroughOtherRegionsOnlyIfItCloses) {
  CodeBlock head = block_at(0x1000), other = block_at(0x1100);
  PathRecorder recorder;
  recorder.begin(head);
  recorder.enter(head);
  EXPECT_TRUE(recorder.ran(3));
  recorder.enter_region();
  recorder.enter(other);
  EXPECT_TRUE(recorder.ran(3));
  EXPECT_EQ(recorder.region().size(), 1u);
  recorder.close();
  EXPECT_EQ(recorder.region().size(), 2u);
  recorder.begin(other);
  recorder.enter(other);
  EXPECT_EQ(recorder.region().size(), 1u);
}

TEST(PathRecorder, EndsWhereARepeatedInstructionCountsMore) {
  CodeBlock head = block_at(0x1000);
  PathRecorder recorder;
  recorder.begin(head);
  recorder.enter(head);
  EXPECT_FALSE(recorder.ran(4));
  EXPECT_TRUE(recorder.steps().empty());
}

TEST(PathRecorder, ForgetsAPathWhoseBlockDies) {
  CodeBlock head = block_at(0x1000), body = block_at(0x1100), other = block_at(0x1200);
  PathRecorder recorder;
  recorder.begin(head);
  recorder.enter(head);
  EXPECT_TRUE(recorder.ran(3));
  recorder.enter(body);
  recorder.forget(other);
  EXPECT_TRUE(recorder.active());
  recorder.forget(body);
  EXPECT_FALSE(recorder.active());
}

InsnIr branch(std::vector<Node> nodes) {
  InsnIr insn;
  insn.offset = 8;
  insn.end = 12;
  insn.nodes = std::move(nodes);
  insn.branches = true;
  summarise(insn);
  return insn;
}

InsnIr conditional(u32 target) {
  return branch({{.op = Op::Condition, .size = 1, .immediate = static_cast<u32>(Condition::Equal)},
                 {.op = Op::JumpIf, .size = 4, .a = 0, .immediate = target}});
}

TEST(Follow, ATakenBranchLeavesWhereItIsNotTaken) {
  InsnIr insn = conditional(0x40);
  ASSERT_TRUE(follow(insn, 0x40, 4));
  ASSERT_EQ(insn.nodes.size(), 4u);
  EXPECT_EQ(insn.nodes[1].op, Op::Invert);
  EXPECT_EQ(insn.nodes[2].op, Op::JumpIf);
  EXPECT_EQ(insn.nodes[2].a, 1u);
  EXPECT_EQ(insn.nodes[2].immediate, 12u);
  EXPECT_EQ(insn.nodes[3].op, Op::Follow);
  EXPECT_EQ(insn.nodes[3].immediate, 0x40u);
}

TEST(Follow, ABranchThatIsNotTakenStays) {
  InsnIr insn = conditional(0x40);
  ASSERT_TRUE(follow(insn, 12, 4));
  EXPECT_EQ(insn.nodes.size(), 2u);
}

TEST(Follow, AJumpBecomesNothing) {
  const u32 back = 0u - 0x20;  // before the first block
  InsnIr insn = branch({{.op = Op::TargetOf, .size = 4, .immediate = back}, {.op = Op::JumpTo, .size = 4, .a = 0}});
  ASSERT_TRUE(follow(insn, back, 4));
  ASSERT_EQ(insn.nodes.size(), 1u);
  EXPECT_EQ(insn.nodes[0].op, Op::Follow);
  EXPECT_FALSE(insn.may_exit);
  EXPECT_FALSE(insn.branches);
}

TEST(Follow, AJumpWithinThePathNeedsNoCheckOfItsTarget) {
  const std::vector<Node> nodes = {{.op = Op::TargetOf, .size = 8, .immediate = 0x40},
                                   {.op = Op::CheckTarget, .size = 8, .a = 0},
                                   {.op = Op::JumpTo, .size = 8, .a = 0}};
  InsnIr insn = branch(nodes);
  EXPECT_FALSE(follow(insn, 0x44, 8));  // it leads elsewhere
  EXPECT_EQ(insn.nodes.size(), 3u);
  ASSERT_TRUE(follow(insn, 0x40, 8));
  ASSERT_EQ(insn.nodes.size(), 1u);
  EXPECT_EQ(insn.nodes[0].op, Op::Follow);
}

TEST(Follow, NeitherOtherPlacesNorNarrowBranchesNorCalls) {
  InsnIr elsewhere = conditional(0x40);
  EXPECT_FALSE(follow(elsewhere, 0x44, 4));
  InsnIr narrow = conditional(0x40);
  narrow.nodes.back().size = 2;  // cuts EIP
  EXPECT_FALSE(follow(narrow, 0x40, 4));
  InsnIr call = branch({{.op = Op::TargetOf, .size = 4, .immediate = 0x40}, {.op = Op::Call, .size = 4, .a = 0}});
  EXPECT_FALSE(follow(call, 0x40, 4));
  InsnIr cold;
  cold.end = 12;
  cold.cold = cold.ends = true;
  EXPECT_FALSE(follow(cold, 12, 4));
  cold.ends = false;
  EXPECT_TRUE(follow(cold, 12, 4));
  EXPECT_FALSE(follow(cold, 0x40, 4));
}

TEST(RegionTable, FindsARegionByAnyOfItsBlocks) {
  CodeBlock head = block_at(0x1000), body = block_at(0x1100), other = block_at(0x1200);
  Translation region, second;
  region.path = {{&head, 3}, {&body, 3}};
  second.path = {{&body, 3}, {&other, 3}};
  RegionTable table;
  table.add(region);
  table.add(second);
  EXPECT_EQ(table.any_of(head), &region);
  EXPECT_NE(table.any_of(body), nullptr);
  table.remove(region);
  EXPECT_EQ(table.any_of(head), nullptr);
  EXPECT_EQ(table.any_of(body), &second);
  table.remove(second);
  EXPECT_EQ(table.any_of(other), nullptr);
}

}  // namespace

}  // namespace relic86::jit
