// A locked instruction's read-modify-write of memory, where other processors have host threads of their own and store
// while it is carried out. The instruction works on a copy of its operand, to which the page's TLB entries lead
// meanwhile; commit() puts the result in the operand's place by the host's compare-and-exchange. What the host cannot
// do so (registers, watched pages, operands that are not aligned) is done in place while all others are stopped.
#pragma once

#include <optional>

#include "base/types.h"
#include "memory/mmu.h"
#include "memory/tlb_redirection.h"

namespace relic86 {

// Who can keep the other processors' threads out of guest memory.
class Exclusion {
 public:
  // Returns when no other thread is in translated code; none goes there until the caller does.
  virtual void stop_others() = 0;
  // Where operands are copied to: kPageSize bytes at a multiple of that, of this processor.
  virtual u8* copy_page() = 0;

 protected:
  ~Exclusion() = default;
};

class AtomicAccess {
 public:
  static constexpr u32 kMostBytes = 16;

  // The operand's page has been found writable (Mmu::probe_write). Until the end or commit() accesses to the operand,
  // and none other, may be made. tables: those of the MMU's TLB.
  AtomicAccess(Mmu& mmu, TlbTables& tables, Exclusion& exclusion, LinAddr address, u32 size, Privilege privilege);
  AtomicAccess(const AtomicAccess&) = delete;
  AtomicAccess& operator=(const AtomicAccess&) = delete;

  // False: another processor has changed the operand meanwhile, and nothing was written: the instruction is to be
  // carried out again, from the registers and flags that it began with.
  bool commit();

 private:
  u8* copies_;
  u8* place_ = nullptr;  // of the operand; null: all others are stopped
  u32 size_;
  std::optional<TlbRedirection> redirection_;
  alignas(kMostBytes) u8 before_[kMostBytes] = {};
};

}  // namespace relic86
