// From a block to the next: direct branches within the page and to others, the lookup of indirect ones, calls and
// returns, and what CS's limit and canonical addresses have to say of their targets.
//
//   branches.cpp            direct and indirect branches
//   branches_calls.cpp      near calls and returns
//   branches_limits.cpp     code whose page may reach over CS's limit
//   branches_canonical.cpp  targets in 64-bit code
#pragma once

#include <functional>

#include "jit/x64/memory_access.h"

namespace relic86::jit::x64 {

// What a mode adds to the keys of the indirect lookup (jit/runtime/lookup_table.h).
using ModeTag = std::function<u64(const Mode&)>;

class Branches : BlockPart {
 public:
  Branches(BlockCode& block, const ModeTag& tag_of, RegisterAllocator& registers, Addresses& addresses,
           MemoryAccess& memory, FlagChain& flags, Exits& exits, RegionExits& region, DeferredCode& deferred)
      : BlockPart(block),
        block_(block),
        tag_of_(tag_of),
        tag_(tag_of(block.mode)),
        registers_(registers),
        addresses_(addresses),
        memory_(memory),
        flags_(flags),
        exits_(exits),
        region_(region),
        deferred_(deferred) {}

  // --- At the block's entry ---
  void check_block();
  void check_second_page(const Label& other);
  void check_region_pages();

  // --- Direct: target is a place relative to the page ---
  bool linkable(i32 target, unsigned bytes) const;
  void direct_exit(i32 target, unsigned bytes, unsigned undone, Way way);
  void fall_through_exit();

  // --- Indirect: EIP in r10 ---
  void indirect_exit(const Gp& eip, unsigned undone, bool call = false);
  void exit_to_mode(const Mode& mode, const Gp& eip, unsigned undone = 0);
  void enter_next_in(const Mode& mode, unsigned undone = 0);

  // --- Calls and returns ---
  bool frames_apply(unsigned bytes) const;
  void direct_call(i32 target);
  void compare_frame(const Gp& eip);
  void return_jump();
  void leave_frame(const Gp& eip);

  // --- Targets that fault ---
  void check_target(u16 id);
  void check_taken(i32 target, unsigned bytes);
  void check_canonical_place(i32 target, unsigned bytes);

  void store_page_eip(const Gp& page_eip);
  void store_page(const Gp& page_eip, const Gp& scratch);

 private:
  // A page of code without an entry gets one, or not.
  enum class Fetch : u8 { Looks, Walks };
  void find_long_code(const Gp& rip, const Label& other, Fetch fetch = Fetch::Walks);
  Mem stamp() const;
  bool caches_jumps() const;
  void find_jump();
  void cached_exit(ExitPoint* exit, bool call);
  void looked_up_exit(ExitPoint* exit, const Gp& eip, bool call);
  void load_flat_page(const Gp& page_eip);
  void enter_found(const asmjit::Operand& entry, const Gp& page_eip, bool call);
  void leave_unfound(ExitPoint* exit, const Label& miss);
  void find_translation(const Label& miss);
  void find_by_linear(const Gp& linear, const Label& miss);
  void find_by_key(const Label& miss);
  void hash_key();
  Mem lookup_field(std::size_t field) const;
  u32 check_page(i32 pages, u64 expected, const Label& other);  // gives where `expected` stands in the code
  void cross_page_exit(i32 target, Way way);
  void push_frame(const Gp& scratch);
  void after_call();
  void compare_with_code_limit(const Label& beyond);
  void limited_exit(i32 target, u32 mask);
  void leave_unless_canonical();
  void check_canonical_target(const Node& n);

  BlockCode& block_;
  const ModeTag& tag_of_;
  u64 tag_;
  RegisterAllocator& registers_;
  Addresses& addresses_;
  MemoryAccess& memory_;
  FlagChain& flags_;
  Exits& exits_;
  RegionExits& region_;
  DeferredCode& deferred_;
};

}  // namespace relic86::jit::x64
