// MSI-X (PCI Local Bus Specification 3.0, 6.8.2)
//
//   capability  width  R/W  bits
//   + 0         1      R    11h, MSI-X;  + 1 R the next capability
//   + 2         2      RW   message control: 10:0 R vectors less one, 14 function mask, 15 enable
//   + 4         4      R    table: 2:0 BAR, 31:3 offset 0;  + 8 R pending bits: the same BAR, offset 800h
//
//   table and pending bits
//   offset      width  R/W  bits
//   16n         4      RW   message address, 1:0 read 0;  16n + 4 RW its upper half
//   16n + 8     4      RW   message data
//   16n + Ch    4      RW   vector control: 0 mask, set by a reset
//   800h + 8m   8      R    pending bits of the vectors 64m to 64m + 63
#include "devices/msix.h"

#include <utility>

#include "base/assert.h"

namespace relic86 {

namespace {
constexpr u32 kMask = 1, kAddressBits = ~u32{3};
constexpr unsigned kAddressLow = 0, kAddressHigh = 4, kData = 8, kVectorControl = 12;
constexpr u8 kId = 0x11, kControl = 2, kTable = 4, kPending = 8;  // of the capability
}  // namespace

MsixTable::MsixTable(unsigned vectors, Send send) : send_(std::move(send)), entries_(vectors), pending_(vectors) {
  RELIC86_ASSERT(vectors > 0 && vectors <= kMostVectors);
  reset();
}

void MsixTable::reset() {
  for (Entry& entry : entries_) entry = {.control = kMask};
  forget_pending();
  control_ = 0;
}

void MsixTable::state(StateArchive& archive, u16 control) {
  std::vector<u32> words;
  for (const Entry& entry : entries_)
    words.insert(words.end(), {entry.address_low, entry.address_high, entry.data, entry.control});
  archive.bytes("table", words);
  archive.bytes("pending", pending_);
  if (!archive.loading()) return;
  control_ = control & (kEnable | kFunctionMask);
  for (std::size_t i = 0; i < entries_.size(); i++) {
    const u32* const word = &words[i * 4];
    entries_[i] = {word[0] & kAddressBits, word[1], word[2], word[3] & kMask};
    // Nothing waits where nothing is masked.
    const bool waits = pending_[i] != 0 && (!enabled() || masked(entries_[i]));
    pending_[i] = waits ? 1 : 0;
  }
}

u32 MsixTable::read(u32 offset, unsigned width) const {
  const u32 place = offset & ~u32{3};
  u32 value = 0;
  if (const u32 entry = place / kEntryBytes; entry < entries_.size()) {
    switch (place % kEntryBytes) {
      case kAddressLow: value = entries_[entry].address_low; break;
      case kAddressHigh: value = entries_[entry].address_high; break;
      case kData: value = entries_[entry].data; break;
      case kVectorControl: value = entries_[entry].control; break;
    }
  } else if (place >= kPendingOffset) {
    const std::size_t first = std::size_t{place - kPendingOffset} * 8;
    for (std::size_t i = 0; i < 32 && first + i < pending_.size(); i++) value |= u32{pending_[first + i]} << i;
  }
  return value >> ((offset & 3) * 8) & static_cast<u32>(width >= 4 ? ~u32{0} : (1u << (width * 8)) - 1);
}

void MsixTable::write(u32 offset, unsigned width, u32 value) {
  const u32 number = offset / kEntryBytes;
  if (width != 4 || offset % 4 != 0 || number >= entries_.size()) return;
  Entry& entry = entries_[number];
  switch (offset % kEntryBytes) {
    case kAddressLow: entry.address_low = value & kAddressBits; return;
    case kAddressHigh: entry.address_high = value; return;
    case kData: entry.data = value; return;
    case kVectorControl: entry.control = value & kMask; return send_pending(number);
  }
}

void MsixTable::set_control(u16 control) {
  control_ = control & (kEnable | kFunctionMask);
  for (std::size_t i = 0; i < entries_.size(); i++) send_pending(i);
}

bool MsixTable::masked(const Entry& entry) const {
  return (control_ & kFunctionMask) != 0 || (entry.control & kMask) != 0;
}

void MsixTable::notify(unsigned vector) {
  if (vector >= entries_.size() || !enabled()) return;
  pending_[vector] = 1;
  send_pending(vector);
}

// The bit is cleared first: the message may come back as an access that looks at it.
void MsixTable::send_pending(std::size_t vector) {
  const Entry& entry = entries_[vector];
  if (pending_[vector] == 0 || !enabled() || masked(entry)) return;
  pending_[vector] = 0;
  send_(u64{entry.address_high} << 32 | entry.address_low, entry.data);
}

void MsixTable::forget_pending() {
  for (u8& bit : pending_) bit = 0;
}

MsixCapability::MsixCapability(u8 at, u8 next, unsigned bar, unsigned vectors)
    : at_(at),
      rows_{{{at, 2, kId | u32{next} << 8, 0},
             {static_cast<u16>(at + kControl), 2, vectors - 1, MsixTable::kEnable | MsixTable::kFunctionMask},
             {static_cast<u16>(at + kTable), 4, bar, 0},
             {static_cast<u16>(at + kPending), 4, MsixTable::kPendingOffset | bar, 0}}} {
  RELIC86_ASSERT(at % 4 == 0 && vectors > 0 && vectors <= MsixTable::kMostVectors);
}

u16 MsixCapability::control(const PciDevice& function) const {
  return static_cast<u16>(function.config_read(static_cast<u8>(at_ + kControl), 2));
}

bool MsixCapability::is_control(unsigned offset, unsigned width) const {
  return offset < u32{at_} + kTable && offset + width > u32{at_} + kControl;
}

}  // namespace relic86
