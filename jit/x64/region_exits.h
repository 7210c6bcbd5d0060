// How a region over several pages, calls and returns is left (jit/region/): EngineArea::page_eip stays that of its head's
// page while it runs, and calls that it follows have no frames on the host's stack. Who leaves it finds both as if its
// blocks had run one by one.
#pragma once

#include "jit/x64/exits.h"

namespace relic86::jit::x64 {

class RegionExits : BlockPart {
 public:
  RegionExits(BlockCode& block, RegisterAllocator& registers, Exits& exits, FlagChain& flags, DeferredCode& deferred)
      : BlockPart(block), registers_(registers), exits_(exits), flags_(flags), deferred_(deferred) {}

  // Of the present instruction, as InsnIr::followed_call: the calls without frames. Before the last one they get them.
  u16 open_call() const { return index_ + 1 == ir_.insns.size() ? u16{0} : insn().followed_call; }
  void before_last();
  // Frames of these calls, the outermost first. kAddress and the host's flags go.
  void push_frames(u16 call);

  // page_eip := that of the page; null: it is. kAddress goes.
  void enter(const CodePage* page);
  // A branch to a place in that page, when it has been entered.
  ExitPoint* add_branch(i32 target, Way way, const CodePage* page);

  // Where the host's call returns to: r10 holds EIP, which names a place in one of the region's pages, the
  // flags are home.
  void resume(i32 place);

 private:
  bool in_head_page(i32 place) const { return place >= 0 && place < static_cast<i32>(kPageSize); }

  RegisterAllocator& registers_;
  Exits& exits_;
  FlagChain& flags_;
  DeferredCode& deferred_;
};

}  // namespace relic86::jit::x64
