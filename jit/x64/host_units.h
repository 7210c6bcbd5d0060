// The host's x87, MMX, SSE and AVX units while a block is compiled: whether they hold the guest's registers, where one
// of their exceptions may come up, and the pointers to the last x87 instruction.
#pragma once

#include <vector>

#include "jit/x64/block_part.h"

namespace relic86::jit::x64 {

class Addresses;
class DeferredCode;
class Exits;
class FlagChain;

class HostUnits : BlockPart {
 public:
  HostUnits(BlockCode& block, FlagChain& flags, Exits& exits, DeferredCode& deferred, Addresses& addresses)
      : BlockPart(block), flags_(flags), exits_(exits), deferred_(deferred), addresses_(addresses) {}

  void begin_block() { trap_exits_.resize(ir_.insns.size()); }
  void hold();  // from here on they hold the guest's registers
  void describe(ExitPoint& exit) const;

  // --- Exceptions ---
  void expect_trap();
  void trap_here();
  bool may_wait() const;  // for an exception of the x87 that the present instruction has to deliver
  void wait_here();

  // --- Upper halves of vectors ---
  void note_upper(Upper upper);

  // --- FIP, FCS, FOP; FDP, FDS ---
  void point_here();
  void point_data_here(unsigned segment);
  void store_pointers();
  void forget_pointers();
  void forget_data_segment() { data_segment_ = kSegmentCount; }  // a selector changes
  // For deferred code (Exits::Moment).
  std::size_t pending() const { return pending_; }
  void set_pending(std::size_t pending) { pending_ = pending; }

 private:
  Mem fx(std::size_t field, u32 bytes) const { return state(offsetof(CpuState, fx) + field, bytes); }
  bool used_from(std::size_t index) const;

  FlagChain& flags_;
  Exits& exits_;
  DeferredCode& deferred_;
  Addresses& addresses_;
  bool held_ = false;
  bool upper_noted_ = false;               // EngineArea::upper says that upper halves are used
  std::size_t pending_ = 0;                // 1 + the x87 instruction to which FIP, FCS and FOP do not yet point
  unsigned data_segment_ = kSegmentCount;  // FDS names this one, if any
  std::vector<ExitPoint*> trap_exits_;     // by instruction; null: the host does not trap there
};

}  // namespace relic86::jit::x64
