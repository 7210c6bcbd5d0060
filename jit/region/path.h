// The path of a region: the blocks that a hot loop ran through, each up to the instruction at which the path left it.
// The interpreter walks it once, block by block, while a PathRecorder takes it down.
#pragma once

#include <algorithm>
#include <vector>

#include "jit/ir/ir.h"
#include "jit/runtime/translation.h"

namespace relic86::jit {

class PathRecorder {
 public:
  static constexpr std::size_t kMaxBlocks = 32;
  static constexpr u32 kMaxInstructions = 192;

  bool active() const { return head_ != nullptr; }
  const CodeBlock* head() const { return head_; }
  const std::vector<PathStep>& steps() const { return steps_; }
  // Of the region. A path that has come back to its head is a loop, and may go through blocks at which other regions
  // begin: the loop's usual way round may not be the one that was recorded first. Other paths end at such a block.
  std::vector<PathStep> region() const;

  void begin(const CodeBlock& head);
  // The block runs next. False: the path ends before it, because it is closed, long enough, or leads to where a region
  // does not go: another page, a block that it has been through.
  bool may_enter(const CodeBlock& block) const;
  void enter(CodeBlock& block) { steps_.push_back({&block, 0}); }
  void enter_region() { first_region_ = std::min(first_region_, steps_.size()); }  // the next block begins one
  void close() { closed_ = true; }
  // So many of its instructions ran, and control went on to another block. False: more than it has, because a repeated
  // string instruction counts its iterations; the block is dropped then, and the path ends.
  bool ran(u64 instructions);
  // Something else came up: what the last block did is no part of the path.
  void drop_last() { steps_.pop_back(); }
  // A block died.
  void forget(const CodeBlock& block);
  void end();

 private:
  const CodeBlock* head_ = nullptr;
  std::vector<PathStep> steps_;
  u32 instructions_ = 0;
  static constexpr std::size_t kNone = ~std::size_t{0};
  std::size_t first_region_ = kNone;  // index of the first step at which another region begins
  bool closed_ = false;
};

// After `last` the path goes on at `next`, a place as offsets of instructions are. A branch that leads there becomes
// Follow, a conditional one after its opposite, which leaves the region. False: not by this instruction; it is as it
// was. code_bytes: of EIP or RIP in this code.
bool follow(InsnIr& last, u32 next, unsigned code_bytes);

}  // namespace relic86::jit
