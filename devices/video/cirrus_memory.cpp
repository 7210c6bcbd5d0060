#include "devices/video/cirrus_memory.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace relic86 {

namespace {
constexpr u8 kWriteMode = 0x07;  // graphics 5
constexpr u8 kLatchMode = 1, kForegroundMode = 4, kTwoColourMode = 5;
constexpr unsigned kSmallBankShift = 12, kLargeBankShift = 14;
constexpr u32 kLatches = 8;  // pixels that a byte of the CPU stands for, and latches
}  // namespace

void CirrusMemory::connect(std::span<u8> bytes, BackingStore* store, BackingOffset first) {
  RELIC86_ASSERT(std::has_single_bit(bytes.size()));
  bytes_ = bytes;
  store_ = store;
  first_ = first;
}

u32 CirrusMemory::bank_start(unsigned half) const {
  const auto& g = registers_.graphics();
  const u8 extensions = g[CirrusRegisters::kModeExtensions];
  const bool dual = (extensions & CirrusRegisters::kDualBanks) != 0;
  const unsigned shift = (extensions & CirrusRegisters::kLargeBanks) != 0 ? kLargeBankShift : kSmallBankShift;
  if (dual && half == 1) return u32{g[CirrusRegisters::kOffset1]} << shift;
  return (u32{g[CirrusRegisters::kOffset0]} << shift) + half * kBankBytes;
}

std::optional<u32> CirrusMemory::plain_bank(unsigned half) const {
  const u32 start = bank_start(half);
  if (!plain() || start + kBankBytes > bytes_.size()) return std::nullopt;
  return start;
}

unsigned CirrusMemory::address_shift() const {
  const u8 extensions = registers_.graphics()[CirrusRegisters::kModeExtensions];
  constexpr u8 kSixteen = CirrusRegisters::kSixteenByteAddressing | CirrusRegisters::kExtendedWriteModes;
  if ((extensions & kSixteen) == kSixteen) return 4;
  return (extensions & CirrusRegisters::kEightByteAddressing) != 0 ? 3 : 0;
}

bool CirrusMemory::plain() const {
  const u8 extensions = registers_.graphics()[CirrusRegisters::kModeExtensions];
  const u8 mode = registers_.graphics()[VgaRegisters::kGraphicsMode] & kWriteMode;
  if (address_shift() != 0 || (extensions & CirrusRegisters::kEightByteLatches) != 0) return false;
  return (extensions & CirrusRegisters::kExtendedWriteModes) == 0 || mode < kForegroundMode;
}

u8 CirrusMemory::read(u32 address) {
  const u32 mask = static_cast<u32>(bytes_.size() - 1);
  const u32 at = (address << address_shift()) & mask;
  if ((registers_.graphics()[CirrusRegisters::kModeExtensions] & CirrusRegisters::kEightByteLatches) != 0)
    std::copy_n(bytes_.begin() + (at & ~(kLatches - 1)), kLatches, latches_.begin());
  return bytes_[at];
}

void CirrusMemory::write(u32 address, u8 value) {
  const auto& g = registers_.graphics();
  const u8 extensions = g[CirrusRegisters::kModeExtensions];
  const u8 mode = g[VgaRegisters::kGraphicsMode] & kWriteMode;
  const u32 mask = static_cast<u32>(bytes_.size() - 1);
  const u32 at = (address << address_shift()) & mask;
  const bool extended = (extensions & CirrusRegisters::kExtendedWriteModes) != 0;
  if (extended && (mode == kForegroundMode || mode == kTwoColourMode)) return write_expanded(at, value);
  if (mode == kLatchMode && (extensions & CirrusRegisters::kEightByteLatches) != 0) {
    const u8 pixels = extended ? registers_.sequencer(VgaRegisters::kMapMask) : 0xFF;
    const u32 first = at & ~(kLatches - 1);
    for (u32 i = 0; i < kLatches; i++) {
      if ((pixels >> (kLatches - 1 - i) & 1) != 0) bytes_[first + i] = latches_[i];
    }
    return note(first, kLatches);
  }
  bytes_[at] = value;
  note(at, 1);
}

// Each bit of the CPU's byte, the leftmost pixel's in bit 7, is a pixel of the foreground's colour or, in write mode 5,
// of the background's; in write mode 4 a zero leaves its pixel alone. The plane mask has a bit for each pixel.
void CirrusMemory::write_expanded(u32 first, u8 bits) {
  const auto& g = registers_.graphics();
  const bool two_colours = (g[VgaRegisters::kGraphicsMode] & kWriteMode) == kTwoColourMode;
  const bool words = address_shift() == 4;
  const u32 pixel_bytes = words ? 2 : 1;
  const u32 mask = static_cast<u32>(bytes_.size() - 1);
  const u8 pixels = registers_.sequencer(VgaRegisters::kMapMask);
  const std::array<u8, 2> foreground = {g[CirrusRegisters::kForeground], g[0x11]};
  const std::array<u8, 2> background = {g[CirrusRegisters::kBackground], g[0x10]};
  for (u32 i = 0; i < kLatches; i++) {
    const unsigned bit = kLatches - 1 - i;
    const bool set = (bits >> bit & 1) != 0;
    if ((pixels >> bit & 1) == 0 || (!set && !two_colours)) continue;
    for (u32 byte = 0; byte < pixel_bytes; byte++) {
      const u32 at = (first + i * pixel_bytes + byte) & mask;
      bytes_[at] = (set ? foreground : background)[byte];
      note(at, 1);
    }
  }
}

void CirrusMemory::note(u32 first, u32 size) {
  if (store_ == nullptr) return;
  const BackingOffset at = first_ + first;
  if (store_->watched(at)) store_->note_write(at, size);
}

}  // namespace relic86
