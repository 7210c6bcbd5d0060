// For the length of one instruction a page's data entries in the TLB lead to other bytes than the page's own.
#pragma once

#include "base/types.h"
#include "memory/tlb.h"

namespace relic86 {

class TlbRedirection {
 public:
  // The page that holds address has fast entries for reading and writing, and no entry comes or goes until the end.
  // bytes: kPageSize of them, in the page's place. The inline table is left as it is: translated code sees nothing.
  TlbRedirection(TlbTables& tables, const Tlb& tlb, LinAddr address, Privilege privilege, const u8* bytes);
  ~TlbRedirection() {
    *read_ = read_before_;
    *write_ = write_before_;
  }
  TlbRedirection(const TlbRedirection&) = delete;
  TlbRedirection& operator=(const TlbRedirection&) = delete;

 private:
  u64* read_;
  u64* write_;
  u64 read_before_, write_before_;
};

}  // namespace relic86
