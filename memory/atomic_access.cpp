#include "memory/atomic_access.h"

#include <cstring>

#include "base/assert.h"
#include "base/whole_copy.h"

namespace relic86 {

namespace {

template <class T>
bool exchange_if_equal(u8* place, const u8* before, const u8* after) {
  T expected, wanted;
  std::memcpy(&expected, before, sizeof expected);
  std::memcpy(&wanted, after, sizeof wanted);
  return __atomic_compare_exchange_n(reinterpret_cast<T*>(place), &expected, wanted, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST);
}

#ifdef __x86_64__
constexpr u32 kWidest = 16;
bool exchange_16_if_equal(u8* place, const u8* before, const u8* after) {
  u64 expected[2], wanted[2];
  std::memcpy(expected, before, sizeof expected);
  std::memcpy(wanted, after, sizeof wanted);
  bool equal = false;
  asm volatile("lock cmpxchg16b %1"
               : "=@ccz"(equal), "+m"(*reinterpret_cast<u64(*)[2]>(place)), "+a"(expected[0]), "+d"(expected[1])
               : "b"(wanted[0]), "c"(wanted[1])
               : "memory");
  return equal;
}
#else
constexpr u32 kWidest = 8;
bool exchange_16_if_equal(u8*, const u8*, const u8*) { return false; }
#endif

bool exchange_if_equal(u8* place, const u8* before, const u8* after, u32 size) {
  switch (size) {
    case sizeof(u8): return exchange_if_equal<u8>(place, before, after);
    case sizeof(u16): return exchange_if_equal<u16>(place, before, after);
    case sizeof(u32): return exchange_if_equal<u32>(place, before, after);
    case sizeof(u64): return exchange_if_equal<u64>(place, before, after);
    default: return exchange_16_if_equal(place, before, after);
  }
}

}  // namespace

AtomicAccess::AtomicAccess(Mmu& mmu, TlbTables& tables, Exclusion& exclusion, LinAddr address, u32 size,
                           Privilege privilege)
    : copies_(exclusion.copy_page()), size_(size) {
  RELIC86_ASSERT(size <= kMostBytes);
  u8* const place = mmu.writable_run(address, privilege);
  const u64 in_page = address.raw & (kPageSize - 1);
  const bool direct = place != nullptr && mmu.readable_run(address, privilege) == place && size <= kWidest &&
                      (size & (size - 1)) == 0 && in_page % size == 0;
  if (!direct) {
    exclusion.stop_others();
    return;
  }
  place_ = place;
  copy_whole(before_, place, size);
  std::memcpy(copies_ + in_page, before_, size);
  redirection_.emplace(tables, mmu.tlb(), address, privilege, copies_);
}

bool AtomicAccess::commit() {
  redirection_.reset();
  if (place_ == nullptr) return true;
  const u64 in_page = reinterpret_cast<u64>(place_) & (kPageSize - 1);
  return exchange_if_equal(place_, before_, copies_ + in_page, size_);
}

}  // namespace relic86
