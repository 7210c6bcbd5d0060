// The ways out of a translation: what C++ has to know at each of them, jumps that are linked to other translations, and
// their stubs.
#pragma once

#include <vector>

#include "jit/x64/deferred_code.h"
#include "jit/x64/flag_chain.h"

namespace relic86::jit::x64 {

class HostUnits;

// How control comes to a place: the code runs on to it, or a branch names it.
enum class Way : u8 { RunsOn, Branches };

class Exits : BlockPart {
 public:
  Exits(BlockCode& block, RegisterAllocator& registers, SharedPages& pages, FlagChain& flags, HostUnits& units,
        DeferredCode& deferred)
      : BlockPart(block), registers_(registers), pages_(pages), flags_(flags), units_(units), deferred_(deferred) {}

  // With flags, units and held addresses as they are here. undone: instructions that the block's budget had for what it
  // does not execute.
  ExitPoint* add(ExitKind kind, unsigned undone);
  ExitPoint* add_branch(i32 target, Way way);

  void call_thunk(u64 thunk, ExitPoint* exit);
  void leave(ExitPoint* exit);

  // Jumps that are linked when their target is translated. The host's flags stay.
  void jump(ExitPoint* exit);
  void jump_if(x86::CondCode code, ExitPoint* exit);
  void jump_passing(ExitPoint* exit);
  // One that the caller has emitted: stub is where it goes unlinked, elsewhere where it goes if the link does not hold.
  void note_jump(ExitPoint* exit, const Label& stub, const Label& elsewhere);

  // Where the block's code stands, to go on from there in deferred code.
  struct Moment {
    std::size_t index = 0;
    FlagChain::Snapshot flags;
    std::size_t pending = 0;  // of the x87's pointers
  };
  Moment moment() const;
  void restore(const Moment& moment);

  void end_block();

 private:
  u8 held_addresses() const;
  bool is_counted(const ExitPoint& exit) const;
  // If the branch is one that is counted; stub: where it leaves. False: it is none.
  bool begin_count(ExitPoint* exit, const Label& stub);
  ExitPoint::CountStub count_stub(ExitPoint* exit, const Label& over);
  void bind_late_jump(ExitPoint* exit, const Label& stub, const Label& elsewhere, const Moment& moment);

  RegisterAllocator& registers_;
  SharedPages& pages_;
  FlagChain& flags_;
  HostUnits& units_;
  DeferredCode& deferred_;
  std::vector<ExitPoint*> passing_;  // exits that leave the entry's flags to the target
};

}  // namespace relic86::jit::x64
