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
  ASSERT_TRUE(recorder.may_enter(head, 0));
  recorder.enter(head, 0);
  EXPECT_TRUE(recorder.ran(2));
  ASSERT_TRUE(recorder.may_enter(body, 0x100));
  recorder.enter(body, 0x100);
  EXPECT_TRUE(recorder.ran(3));
  EXPECT_FALSE(recorder.may_enter(head, 0));  // closed
  ASSERT_EQ(recorder.steps().size(), 2u);
  EXPECT_EQ(recorder.steps()[0].count, 2u);
  EXPECT_EQ(recorder.steps()[1].block, &body);
}

TEST(PathRecorder, StaysInThePageAndWithinItsBounds) {
  CodeBlock head = block_at(0x1000), elsewhere = block_at(0x2000), other = block_at(0x1800);
  PathRecorder recorder;
  recorder.begin(head);
  EXPECT_FALSE(recorder.may_enter(other, 0x800));  // a path begins with its head
  recorder.enter(head, 0);
  EXPECT_TRUE(recorder.ran(3));
  EXPECT_FALSE(recorder.may_enter(elsewhere, 0x1000));
  EXPECT_FALSE(recorder.may_enter(other, 0x1800));  // the same page, mapped a second time
  EXPECT_TRUE(recorder.may_enter(other, 0x800));
  other.guarded = true;
  EXPECT_FALSE(recorder.may_enter(other, 0x800));
  other.guarded = false;
  other.straddles = true;
  EXPECT_FALSE(recorder.may_enter(other, 0x800));
  CodeBlock big = block_at(0x1400, PathRecorder::kMaxInstructions);
  EXPECT_FALSE(recorder.may_enter(big, 0x400));
}

TEST(PathRecorder, GoesIntoOtherPagesWithinItsReach) {
  CodeBlock head = block_at(0x1000);
  PathRecorder recorder;
  recorder.begin(head, Reach::Far);
  recorder.enter(head, 0);
  EXPECT_TRUE(recorder.ran(3));
  CodeBlock elsewhere = block_at(0x2000);
  EXPECT_TRUE(recorder.may_enter(elsewhere, 0x70000));
  EXPECT_FALSE(recorder.may_enter(elsewhere, PathRecorder::kMaxDistance));
  EXPECT_FALSE(recorder.may_enter(head, 0));  // closed
  std::vector<CodeBlock> others;
  for (u32 page = 2; page < 2 + PathRecorder::kMaxPages; ++page) others.push_back(block_at(page * 0x1000));
  for (std::size_t i = 0; i + 1 < others.size(); ++i) {
    ASSERT_TRUE(recorder.may_enter(others[i], static_cast<u32>(i + 1) * 0x1000)) << i;
    recorder.enter(others[i], static_cast<u32>(i + 1) * 0x1000);
    EXPECT_TRUE(recorder.ran(3));
  }
  EXPECT_FALSE(recorder.may_enter(others.back(), 0x9000));  // a page too many
}

TEST(PathRecorder, GoesThroughOtherRegionsOnlyIfItCloses) {
  CodeBlock head = block_at(0x1000), other = block_at(0x1100);
  PathRecorder recorder;
  recorder.begin(head);
  recorder.enter(head, 0);
  EXPECT_TRUE(recorder.ran(3));
  recorder.enter_region();
  recorder.enter(other, 0x100);
  EXPECT_TRUE(recorder.ran(3));
  EXPECT_EQ(recorder.region().size(), 1u);
  recorder.close();
  EXPECT_EQ(recorder.region().size(), 2u);
  recorder.begin(other);
  recorder.enter(other, 0x100);
  EXPECT_EQ(recorder.region().size(), 1u);
}

TEST(PathRecorder, EndsWhereARepeatedInstructionCountsMore) {
  CodeBlock head = block_at(0x1000);
  PathRecorder recorder;
  recorder.begin(head);
  recorder.enter(head, 0);
  EXPECT_FALSE(recorder.ran(4));
  EXPECT_TRUE(recorder.steps().empty());
}

TEST(PathRecorder, ForgetsAPathWhoseBlockDies) {
  CodeBlock head = block_at(0x1000), body = block_at(0x1100), other = block_at(0x1200);
  PathRecorder recorder;
  recorder.begin(head);
  recorder.enter(head, 0);
  EXPECT_TRUE(recorder.ran(3));
  recorder.enter(body, 0x100);
  recorder.forget(other);
  EXPECT_TRUE(recorder.active());
  recorder.forget(body);
  EXPECT_FALSE(recorder.active());
}

// Within one page.
bool follow(InsnIr& insn, u32 next, unsigned code_bytes) {
  BlockIr region;
  return PathFollower(region, code_bytes, Reach::Page).follow(insn, next);
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

TEST(Follow, NeitherOtherPlacesNorNarrowBranches) {
  InsnIr elsewhere = conditional(0x40);
  EXPECT_FALSE(follow(elsewhere, 0x44, 4));
  InsnIr narrow = conditional(0x40);
  narrow.nodes.back().size = 2;  // cuts EIP
  EXPECT_FALSE(follow(narrow, 0x40, 4));
  InsnIr call = branch({{.op = Op::TargetOf, .size = 4, .immediate = 0x40}, {.op = Op::Call, .size = 4, .a = 0}});
  EXPECT_FALSE(follow(call, 0x44, 4));
  InsnIr cold;
  cold.end = 12;
  cold.cold = cold.ends = true;
  EXPECT_FALSE(follow(cold, 12, 4));
  cold.ends = false;
  EXPECT_TRUE(follow(cold, 12, 4));
  EXPECT_FALSE(follow(cold, 0x40, 4));
}

// CALL and RET as they are recorded.
InsnIr call_to(u32 target) {
  InsnIr insn = branch({{.op = Op::TargetOf, .size = 8, .immediate = target},
                        {.op = Op::CheckTarget, .size = 8, .a = 0},
                        {.op = Op::NextInstruction, .size = 8, .immediate = 12},
                        {.op = Op::Push, .size = 8, .a = 2},
                        {.op = Op::Call, .size = 8, .a = 0}});
  return insn;
}

InsnIr ret(unsigned bytes) {
  const u8 size = static_cast<u8>(bytes);
  std::vector<Node> nodes = {{.op = Op::Peek, .size = size, .reg = kEsp}};
  if (bytes == 8) nodes.push_back({.op = Op::CheckTarget, .size = size, .a = 0});
  nodes.push_back({.op = Op::SetStackPointer, .size = size, .reg = kEsp, .immediate = size});
  nodes.push_back({.op = Op::Return, .size = size, .a = 0});
  return branch(nodes);
}

TEST(Follow, ACallPushesItsReturnAddressAndRemembersIt) {
  BlockIr region;
  region.insns = {call_to(0x4000)};
  PathFollower follower(region, 8, Reach::Far);
  EXPECT_FALSE(follower.follow(region.insns.back(), 0x4004));
  EXPECT_EQ(follower.call(), 0u);
  ASSERT_TRUE(follower.follow(region.insns.back(), 0x4000));
  EXPECT_EQ(region.insns[0].nodes[3].op, Op::Push);
  EXPECT_EQ(region.insns[0].nodes[4].op, Op::Follow);
  EXPECT_FALSE(region.insns[0].branches);
  ASSERT_EQ(follower.call(), 1u);
  EXPECT_EQ(region.calls[0].return_place, 12u);
  EXPECT_EQ(region.calls[0].outer, 0u);
}

TEST(Follow, AReturnExpectsItsCaller) {
  for (const unsigned bytes : {4u, 8u}) {
    BlockIr region;
    region.insns = {ret(bytes)};
    PathFollower alone(region, bytes, Reach::Far);
    EXPECT_FALSE(alone.follow(region.insns.back(), 12));  // whose caller is not in the region
    InsnIr call = call_to(0x4000);
    for (Node& node : call.nodes) node.size = static_cast<u8>(bytes);
    region.insns = {call};
    PathFollower follower(region, bytes, Reach::Far);
    ASSERT_TRUE(follower.follow(region.insns.back(), 0x4000));
    region.insns.push_back(ret(bytes));
    EXPECT_FALSE(follower.follow(region.insns.back(), 16));
    ASSERT_TRUE(follower.follow(region.insns.back(), 12));
    const std::vector<Node>& nodes = region.insns.back().nodes;
    ASSERT_EQ(nodes.size(), 4u);
    EXPECT_EQ(nodes[1].op, Op::Expect);
    EXPECT_EQ(nodes[1].a, 0u);
    EXPECT_EQ(nodes[1].immediate, 12u);
    EXPECT_EQ(nodes[2].op, Op::SetStackPointer);
    EXPECT_EQ(nodes[3].op, Op::Follow);
    EXPECT_EQ(follower.call(), 0u);
  }
}

TEST(Follow, AJumpByWayOfOneWordExpectsItsTarget) {
  const auto jump_by = [](u8 index) {
    return branch(
        {{.op = Op::Address, .size = 4, .segment = kDs, .index = index, .immediate = 0x100, .address_size = 4},
         {.op = Op::Load, .size = 4, .a = 0},
         {.op = Op::JumpTo, .size = 4, .a = 1}});
  };
  BlockIr region;
  region.insns = {jump_by(kEax)};
  EXPECT_FALSE(PathFollower(region, 4, Reach::Far).follow(region.insns.back(), 0x40));  // a table of targets
  region.insns = {jump_by(kNoRegister)};
  ASSERT_TRUE(PathFollower(region, 4, Reach::Far).follow(region.insns.back(), 0x40));
  EXPECT_EQ(region.insns[0].nodes[2].op, Op::Expect);
  EXPECT_EQ(region.insns[0].nodes[3].op, Op::Follow);
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
