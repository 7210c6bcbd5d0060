#include "memory/tlb_redirection.h"

#include "base/assert.h"

namespace relic86 {

TlbRedirection::TlbRedirection(TlbTables& tables, const Tlb& tlb, LinAddr address, Privilege privilege,
                               const u8* bytes) {
  const unsigned index = static_cast<unsigned>(privilege);
  const u64 page = (tlb.wide() ? address.raw : static_cast<u32>(address.raw)) >> kPageShift;
  if (page < kLinearPages) {
    read_ = &tables.read[index][page];
    write_ = &tables.write[index][page];
  } else {
    HighTlbSlot* const slot = HighTlb(tables.high).find(HighTlb::tag(page, index));
    RELIC86_ASSERT(slot != nullptr);
    read_ = &slot->read;
    write_ = &slot->write;
  }
  read_before_ = *read_;
  write_before_ = *write_;
  RELIC86_ASSERT((read_before_ & write_before_ & kTlbFast) != 0);
  *read_ = *write_ = (reinterpret_cast<u64>(bytes) - (page << kPageShift)) | kTlbFast;
}

}  // namespace relic86
