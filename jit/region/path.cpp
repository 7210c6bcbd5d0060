#include "jit/region/path.h"

#include <algorithm>

namespace relic86::jit {

namespace {

u64 page_of(const CodeBlock& block) { return block.first.raw >> kPageShift; }

}  // namespace

void PathRecorder::begin(const CodeBlock& head) {
  end();
  head_ = &head;
}

void PathRecorder::end() {
  head_ = nullptr;
  steps_.clear();
  instructions_ = 0;
  first_region_ = kNone;
  closed_ = false;
}

std::vector<PathStep> PathRecorder::region() const {
  std::vector<PathStep> path = steps_;
  if (!closed_ && first_region_ < path.size()) path.resize(first_region_);
  return path;
}

bool PathRecorder::may_enter(const CodeBlock& block) const {
  if (!block.alive || block.straddles || block.guarded || page_of(block) != page_of(*head_)) return false;
  if (steps_.empty()) return &block == head_;
  const bool seen = std::ranges::any_of(steps_, [&](const PathStep& step) { return step.block == &block; });
  const std::size_t most = block.insns.size() - 1;  // the last is the sentinel
  return !seen && steps_.size() < kMaxBlocks && instructions_ + most <= kMaxInstructions;
}

bool PathRecorder::ran(u64 instructions) {
  PathStep& last = steps_.back();
  if (instructions == 0 || instructions >= last.block->insns.size()) {
    steps_.pop_back();
    return false;
  }
  last.count = static_cast<u32>(instructions);
  instructions_ += last.count;
  return true;
}

void PathRecorder::forget(const CodeBlock& block) {
  const bool part = std::ranges::any_of(steps_, [&](const PathStep& step) { return step.block == &block; });
  if (part || &block == head_) end();
}

bool follow(InsnIr& last, u32 next, unsigned code_bytes) {
  const bool on = next == last.end;
  if (last.cold) return on && !last.ends;
  if (last.leaves) return false;
  if (last.native != nullptr || last.nodes.empty()) return on;
  const Node branch = last.nodes.back();
  if (!info(branch.op).has(kOpLeaves)) return on;
  const auto checks = [](const Node& node) { return node.op == Op::CheckTarget; };
  i32 target = 0;
  if (!direct_target(last, branch, target)) return false;
  const bool taken = static_cast<u32>(target) == next && branch.size == code_bytes;
  // All of the path lies in one page, and below the limit where that was looked at when the path was entered.
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

}  // namespace relic86::jit
