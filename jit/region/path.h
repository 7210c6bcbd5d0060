// The path of a region: the blocks that hot code ran through, each up to the instruction at which the path left it. The
// interpreter walks it once, block by block, while a PathRecorder takes it down.
#pragma once

#include <algorithm>
#include <vector>

#include "jit/ir/ir.h"
#include "jit/runtime/translation.h"

namespace relic86::jit {

// Whether a path may lead to other pages, which is known of flat code.
enum class Reach : u8 { Page, Far };

class PathRecorder {
 public:
  static constexpr std::size_t kMaxBlocks = 32;
  static constexpr std::size_t kMaxCalls = 8;
  static constexpr std::size_t kMaxPages = 6;
  static constexpr u32 kMaxInstructions = 192;
  static constexpr u32 kMaxDistance = 1u << 30;  // of a page from the head

  bool active() const { return head_ != nullptr; }
  const CodeBlock* head() const { return head_; }
  const std::vector<PathStep>& steps() const { return steps_; }
  // Of the region. A path that has come back to its head is a loop, and may go through blocks at which other regions
  // begin: the loop's usual way round may not be the one that was recorded first. Other paths end at such a block.
  std::vector<PathStep> region() const;

  void begin(const CodeBlock& head, Reach reach = Reach::Page);
  // The block runs next, at a place as PathStep has it. False: the path ends before it, because it is closed, long
  // enough, or leads to where a region does not go: a page out of reach, a block that it has been through, unless other
  // calls have led there.
  bool may_enter(const CodeBlock& block, u32 place) const;
  void enter(CodeBlock& block, u32 place);
  void enter_region() { first_region_ = std::min(first_region_, steps_.size()); }  // the next block begins one
  void close() { closed_ = true; }
  // So many of its instructions ran, and control went on to another block. False: the path ends. More than the block
  // has, because a repeated string instruction counts its iterations: the block is dropped, too. A return to a caller
  // before the path's head: the block is its last.
  bool ran(u64 instructions);
  // Something else came up: what the last block did is no part of the path.
  void drop_last() { steps_.pop_back(); }
  // A block died.
  void forget(const CodeBlock& block);
  void end();

 private:
  bool reaches(const CodeBlock& block, u32 place) const;
  bool seen(const CodeBlock& block) const;

  const CodeBlock* head_ = nullptr;
  Reach reach_ = Reach::Page;
  std::vector<PathStep> steps_;
  std::vector<std::vector<u32>> callers_;  // by step
  std::vector<u32> calls_;                 // that have not returned: where they will, innermost last
  u32 instructions_ = 0;
  static constexpr std::size_t kNone = ~std::size_t{0};
  std::size_t first_region_ = kNone;  // index of the first step at which another region begins
  bool closed_ = false;
};

// The instructions of a region while it is put together.
class PathFollower {
 public:
  // code_bytes: of EIP or RIP in this code. Calls, returns and indirect branches are followed with Reach::Far alone.
  PathFollower(BlockIr& region, unsigned code_bytes, Reach reach)
      : region_(region), code_bytes_(code_bytes), far_(reach == Reach::Far) {}

  // InsnIr::followed_call of the next instruction.
  u16 call() const { return call_; }
  // After this instruction, the last one so far, the path goes on at `next`, a place as offsets of instructions are. A branch that leads
  // there becomes Follow, a conditional one after its opposite, which leaves the region, an indirect one or a return
  // after Expect. False: not by this instruction; it is as it was.
  bool follow(InsnIr& last, u32 next);

 private:
  bool follow_call(InsnIr& last, u32 next);
  bool follow_value(InsnIr& last, u32 next);

  BlockIr& region_;
  unsigned code_bytes_;
  bool far_;
  u16 call_ = 0;
};

}  // namespace relic86::jit
