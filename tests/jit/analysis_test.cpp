// The analyses of the intermediate representation on random blocks: what the flag analysis says against a walk for each
// flag by itself, and what the page plan promises against where the accesses really go.
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "jit/analyse/flag_analysis.h"
#include "jit/analyse/page_plan.h"
#include "jit/ir/verifier.h"
#include "jit/listing.h"
#include "tests/jit/random/ir_generator.h"
#include "tests/jit/random/ir_interpreter.h"
#include "tests/jit/random/small_machine.h"

namespace relic86::jit {

namespace {

constexpr u64 kBlocks = 2000;

// What becomes of one flag that instruction `first` finds.
FlagNeed need_of_one(const BlockIr& block, std::size_t first, u32 flag) {
  FlagNeed need;
  const auto looked_at = [&](std::size_t at) {
    for (std::size_t i = first; i < at; ++i) need.clobbered |= block.insns[i].writes_registers;
    if (at < block.insns.size() && leaves_after_writing(block.insns[at]))
      need.clobbered |= block.insns[at].writes_registers;
  };
  for (std::size_t i = first; i < block.insns.size(); ++i) {
    const InsnIr& insn = block.insns[i];
    if ((insn.flags_read & flag) != 0) {
      need.read = true;
      looked_at(i);
    }
    if (insn.may_exit) {
      need.exact = true;
      looked_at(i);
    }
    if ((insn.flags_killed & flag) != 0) return need;
  }
  need.exact = true;
  looked_at(block.insns.size());
  return need;
}

TEST(FlagAnalysis, SaysOfAllFlagsWhatAWalkSaysOfEach) {
  SmallMachine machine;
  machine.set_mode(true);
  const Mode mode = Mode::of_key(Mode::key_of(machine.state()));
  for (u64 seed = 1; seed <= kBlocks; ++seed) {
    IrGenerator generator(seed, mode);
    const GeneratedBlock block = generator.block(1 + generator.below(12));
    for (std::size_t first = 0; first <= block.ir.insns.size(); ++first) {
      const u32 flags = generator.number() & kArithmeticFlags;
      FlagNeed expected;
      for (u32 flag = 1; flag <= kOF; flag <<= 1) {
        if ((flags & flag) == 0) continue;
        const FlagNeed one = need_of_one(block.ir, first, flag);
        expected.read = expected.read || one.read;
        expected.exact = expected.exact || one.exact;
        expected.clobbered |= one.clobbered;
      }
      if (flags == 0) continue;  // nobody asks about none
      const FlagNeed found = flag_need_from(block.ir, first, flags);
      ASSERT_EQ(found.read, expected.read) << "seed " << seed << " from " << first;
      ASSERT_EQ(found.exact, expected.exact) << "seed " << seed << " from " << first;
      ASSERT_EQ(found.clobbered, expected.clobbered) << "seed " << seed << " from " << first;
    }
  }
}

// Where the accesses of each group went, relative to its first one.
class Witness {
 public:
  explicit Witness(const BlockIr& block) : block_(block), first_(block.groups.size()) {}

  void begin_iteration() {
    for (std::size_t i = 0; i < first_.size(); ++i) {
      if (first_[i]) begun_.emplace(i, *first_[i]);
    }
    first_.assign(first_.size(), std::nullopt);
  }
  void access(const Node& n, u32 offset) {
    if (n.group == kNoGroup) return;
    if (!first_[n.group]) first_[n.group] = offset - static_cast<u32>(n.offset);
    const bool narrow = narrow_of(n);
    const u32 distance = offset - *first_[n.group] - static_cast<u32>(n.offset);
    if ((narrow ? distance & 0xFFFF : distance) != 0) broken_ = n.group;
    const PageGroup& group = block_.groups[n.group];
    if (group.within_page) {
      const u32 first = *first_[n.group] + static_cast<u32>(group.low),
                last = *first_[n.group] + static_cast<u32>(group.high) - 1;
      if (first / kPageSize != last / kPageSize) broken_ = n.group;
      ++paged_;
    }
    const auto begun = begun_.find(n.group);
    if (group.fixed && begun != begun_.end() && begun->second != *first_[n.group]) broken_ = n.group;
    ++seen_;
  }
  std::optional<u16> broken() const { return broken_; }
  u64 seen() const { return seen_; }
  u64 paged() const { return paged_; }

 private:
  bool narrow_of(const Node& n) const {
    for (const InsnIr& insn : block_.insns) {
      if (insn.nodes.data() <= &n && &n < insn.nodes.data() + insn.nodes.size())
        return n.a != kNoValue && n.op != Op::Push && insn.nodes[n.a].address_size == 2;
    }
    return false;
  }
  const BlockIr& block_;
  std::vector<std::optional<u32>> first_;
  std::map<std::size_t, u32> begun_;
  std::optional<u16> broken_;
  u64 seen_ = 0, paged_ = 0;
};

std::string text_of(const BlockIr& block) {
  std::string text;
  for (const InsnIr& insn : block.insns) text += ir_text(insn);
  return text;
}

// Follows a block for some iterations and tells where its accesses went.
void follow(const BlockIr& block, const Mode& mode, SmallMachine& machine, Witness& witness) {
  IrInterpreter interpreter(machine.cpu(), mode);
  interpreter.on_access([&](const Node& n, u32 offset) { witness.access(n, offset); });
  constexpr unsigned kIterations = 4;
  for (unsigned iteration = 0; iteration < kIterations; ++iteration) {
    witness.begin_iteration();
    std::size_t at = 0;
    bool again = false;
    while (at < block.insns.size()) {
      const auto flow = interpreter.step(block, at);
      if (flow == IrInterpreter::Flow::Stopped) return;
      ++at;
      if (flow == IrInterpreter::Flow::Next) continue;
      again = interpreter.target().within && interpreter.target().value == 0 && at == block.insns.size();
      at = block.insns.size();
    }
    if (!again) return;
  }
}

void expect_plan_to_hold(bool code32) {
  SmallMachine machine;
  machine.set_mode(code32);
  const Mode mode = Mode::of_key(Mode::key_of(machine.state()));
  u64 seen = 0, fixed = 0, paged = 0;
  for (u64 seed = 1; seed <= kBlocks; ++seed) {
    IrGenerator generator(seed, mode);
    GeneratedBlock block = generator.block(2 + generator.below(14));
    i32 target = -1;
    const InsnIr& last = block.ir.insns.back();
    block.ir.loop = !last.nodes.empty() && direct_target(last, last.nodes.back(), target) && target == 0 &&
                    last.nodes.back().op != Op::Call;
    plan_pages(block.ir, mode);
    ASSERT_EQ(broken_rule(block.ir), std::nullopt) << "seed " << seed << '\n' << text_of(block.ir);
    for (unsigned i = 0; i < 8; ++i) machine.state().gpr[i] = 0x2000 + generator.below(0x8000);
    Witness witness(block.ir);
    follow(block.ir, mode, machine, witness);
    ASSERT_EQ(witness.broken(), std::nullopt) << "seed " << seed << '\n' << text_of(block.ir);
    seen += witness.seen();
    paged += witness.paged();
    for (const PageGroup& group : block.ir.groups) fixed += group.fixed ? 1 : 0;
  }
  EXPECT_GT(seen, kBlocks / 10);
  EXPECT_GT(fixed, 0u);
  EXPECT_EQ(paged > 0, code32);
}

TEST(PagePlan, AccessesOfAGroupLieWhereItSays32) { expect_plan_to_hold(true); }
TEST(PagePlan, AccessesOfAGroupLieWhereItSays16) { expect_plan_to_hold(false); }

}  // namespace

}  // namespace relic86::jit
