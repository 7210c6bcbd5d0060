#include "jit/region/path.h"

#include <algorithm>
#include <string_view>

#include "cpu/instruction_table.h"

namespace relic86::jit {

namespace {

u64 page_of(const CodeBlock& block) { return block.first.raw >> kPageShift; }

enum class Near : u8 { Other, Call, Return };

Near near_transfer(const Insn& insn) {
  if (insn.row == kNoRow) return Near::Other;
  const std::string_view name = instruction_table()[insn.row].mnemonic;
  return name == "call" ? Near::Call : name == "ret" ? Near::Return : Near::Other;
}

}  // namespace

void PathRecorder::begin(const CodeBlock& head, Reach reach) {
  end();
  head_ = &head;
  reach_ = reach;
}

void PathRecorder::end() {
  head_ = nullptr;
  steps_.clear();
  callers_.clear();
  calls_.clear();
  instructions_ = 0;
  first_region_ = kNone;
  closed_ = false;
}

std::vector<PathStep> PathRecorder::region() const {
  std::vector<PathStep> path = steps_;
  if (!closed_ && first_region_ < path.size()) path.resize(first_region_);
  return path;
}

// The same calls have led there before.
bool PathRecorder::seen(const CodeBlock& block) const {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].block == &block && callers_[i] == calls_) return true;
  }
  return false;
}

bool PathRecorder::reaches(const CodeBlock& block, u32 place) const {
  const i32 distance = static_cast<i32>(place);
  if (reach_ == Reach::Page) {  // which may be mapped twice
    const i32 in_page = static_cast<i32>(head_->first.raw & (kPageSize - 1)) + distance;
    return page_of(block) == page_of(*head_) && in_page >= 0 && in_page < static_cast<i32>(kPageSize);
  }
  if (std::abs(distance) >= static_cast<i32>(kMaxDistance)) return false;
  std::vector<u64> pages{page_of(block)};
  for (const PathStep& step : steps_) {
    if (std::ranges::find(pages, page_of(*step.block)) == pages.end()) pages.push_back(page_of(*step.block));
  }
  return pages.size() <= kMaxPages;
}

bool PathRecorder::may_enter(const CodeBlock& block, u32 place) const {
  if (!block.alive || block.straddles || block.guarded || !reaches(block, place)) return false;
  if (steps_.empty()) return &block == head_;
  const std::size_t most = block.insns.size() - 1;  // the last is the sentinel
  return !seen(block) && &block != head_ && calls_.size() <= kMaxCalls && steps_.size() < kMaxBlocks &&
         instructions_ + most <= kMaxInstructions;
}

void PathRecorder::enter(CodeBlock& block, u32 place) {
  steps_.push_back({&block, 0, place});
  callers_.push_back(calls_);
}

bool PathRecorder::ran(u64 instructions) {
  PathStep& last = steps_.back();
  if (instructions == 0 || instructions >= last.block->insns.size()) {
    steps_.pop_back();
    return false;
  }
  last.count = static_cast<u32>(instructions);
  instructions_ += last.count;
  u32 bytes = 0;
  for (u32 i = 0; i < last.count; ++i) bytes += last.block->insns[i].length;
  switch (near_transfer(last.block->insns[last.count - 1])) {
    case Near::Call: calls_.push_back(last.place + bytes); break;
    case Near::Return:
      if (calls_.empty()) return false;
      calls_.pop_back();
      break;
    case Near::Other: break;
  }
  return true;
}

void PathRecorder::forget(const CodeBlock& block) {
  const bool part = std::ranges::any_of(steps_, [&](const PathStep& step) { return step.block == &block; });
  if (part || &block == head_) end();
}

bool PathFollower::follow(InsnIr& last, u32 next) {
  const bool on = next == last.end;
  if (last.cold) return on && !last.ends;
  if (last.leaves) return false;
  if (last.native != nullptr || last.nodes.empty()) return on;
  const Node branch = last.nodes.back();
  if (branch.op == Op::Return) {
    const bool expected = call_ != 0 && region_.calls[call_ - 1u].return_place == next;
    return far_ && expected && follow_value(last, next);
  }
  if (!info(branch.op).has(kOpLeaves)) return on;
  const auto checks = [](const Node& node) { return node.op == Op::CheckTarget; };
  i32 target = 0;
  if (!direct_target(last, branch, target)) return far_ && branch.op == Op::JumpTo && follow_value(last, next);
  const bool taken = static_cast<u32>(target) == next && branch.size == code_bytes_;
  if (branch.op == Op::Call) return far_ && taken && follow_call(last, next);
  // All of the path lies in pages that are looked at, or below the limit, when the region is entered.
  const bool checked = std::ranges::any_of(last.nodes, checks);
  if (checked && !(branch.op == Op::JumpTo && taken)) return false;
  const Node onward{.op = Op::Follow, .immediate = next};
  if (branch.op == Op::JumpTo && taken) {
    last.nodes = {onward};
    last.branches = false;
    summarise(last);
    return true;
  }
  if (branch.op == Op::JumpIfCounting) return on;
  if (branch.op != Op::JumpIf) return false;
  if (on) return true;
  if (!taken) return false;
  Node opposite = branch;
  const u16 inverted = static_cast<u16>(last.nodes.size() - 1);
  last.nodes.back() = {.op = Op::Invert, .size = 1, .a = branch.a};
  opposite.a = inverted;
  opposite.immediate = last.end;
  last.nodes.push_back(opposite);
  last.nodes.push_back(onward);
  return true;
}

// The return address is pushed as ever.
bool PathFollower::follow_call(InsnIr& last, u32 next) {
  for (Node& node : last.nodes) {
    if (node.op == Op::CheckTarget) node = {.op = Op::Constant, .size = node.size};  // nothing
  }
  last.nodes.back() = {.op = Op::Follow, .immediate = next};
  last.branches = false;
  summarise(last);
  region_.calls.push_back({last.end, call_});
  call_ = static_cast<u16>(region_.calls.size());
  return true;
}

// A return; a jump by way of a word in memory, as a call of another library takes it. A word that a register or a table
// gives seldom says the same twice.
bool PathFollower::follow_value(InsnIr& last, u32 next) {
  const Node branch = last.nodes.back();
  const bool returns = branch.op == Op::Return;
  if (branch.size != code_bytes_) return false;
  if (!returns) {
    const Node& value = last.nodes[branch.a];
    if (value.op != Op::Load || last.nodes[value.a].op != Op::Address || last.nodes[value.a].index != kNoRegister)
      return false;
  }
  const Node expect{.op = Op::Expect, .size = branch.size, .a = branch.a, .immediate = next};
  last.nodes.back() = {.op = Op::Follow, .immediate = next};
  // Before anything that it changes. What stands behind that names no values.
  const auto place = std::ranges::find_if(last.nodes, [](const Node& node) {
    return node.op == Op::CheckTarget || node.op == Op::SetStackPointer || node.op == Op::Follow;
  });
  if (place->op == Op::CheckTarget) {
    *place = expect;
  } else {
    last.nodes.insert(place, expect);
  }
  summarise(last);
  if (returns) call_ = region_.calls[call_ - 1u].outer;
  return true;
}

}  // namespace relic86::jit
