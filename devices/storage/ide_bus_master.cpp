// Bus master IDE registers (Intel 82371SB, 2.4; Programming Interface for Bus Master IDE Controller 1.0)
//
//   offset  width  R/W  bits
//   0       1      RW   BMIC: 0 start, 3 direction (1: to memory)
//   2       1      RWC  BMIS: 0 active (R), 1 error (WC), 2 interrupt (WC), 6:5 drives can do DMA (RW, for software)
//   4       4      RW   BMIDTP: address of the descriptor table, bits 1:0 read 0
//
// A descriptor is eight bytes: address (bit 0 is 0), count (bit 0 is 0; 0 means 64 KiB), and bit 31 of the second
// dword: end of table. "Active" falls when the table ends or an error comes, and when software clears "start". A table
// that is shorter than the drive's transfer leaves the drive waiting, interrupt 0 and active 0 (1.0, 3.1).
#include "devices/storage/ide_bus_master.h"

#include <algorithm>
#include <array>

namespace relic86 {

void IdeBusMaster::reset() {
  command_ = status_ = 0;
  table_ = next_entry_ = region_address_ = region_left_ = 0;
  last_region_ = master_abort_ = false;
}

void IdeBusMaster::state(StateArchive& archive) {
  archive.field("command", command_);
  archive.field("status", status_);
  archive.field("table", table_);
  archive.field("next_entry", next_entry_);
  archive.field("region_address", region_address_);
  archive.field("region_left", region_left_);
  archive.field("last_region", last_region_);
  archive.field("master_abort", master_abort_);
  if (archive.loading()) region_left_ = std::min<u32>(region_left_, 0x10000);
}

u8 IdeBusMaster::read(unsigned offset) const {
  switch (offset) {
    case 0: return command_;
    case 2: return status_;
    case 4:
    case 5:
    case 6:
    case 7: return static_cast<u8>(table_ >> ((offset - 4) * 8));
    default: return 0;
  }
}

void IdeBusMaster::write(unsigned offset, u8 value) {
  switch (offset) {
    case 0:
      if ((value & kStart) != 0 && (command_ & kStart) == 0) {
        status_ |= kActive;
        next_entry_ = table_;
        region_left_ = 0;
        last_region_ = false;
      } else if ((value & kStart) == 0) {
        status_ &= static_cast<u8>(~kActive);
      }
      command_ = value & (kStart | kToMemory);
      return;
    case 2:
      status_ = static_cast<u8>((status_ & ~kCapable) | (value & kCapable));
      status_ &= static_cast<u8>(~(value & (kError | kInterrupt)));
      return;
    case 4:
    case 5:
    case 6:
    case 7: {
      const unsigned shift = (offset - 4) * 8;
      table_ = ((table_ & ~(u32{0xFF} << shift)) | u32{value} << shift) & ~u32{3};
      return;
    }
    default: return;
  }
}

bool IdeBusMaster::take_master_abort() {
  const bool aborted = master_abort_;
  master_abort_ = false;
  return aborted;
}

void IdeBusMaster::abort() {
  master_abort_ = true;
  status_ = static_cast<u8>((status_ & ~kActive) | kError);
}

bool IdeBusMaster::answers(u64 address) const {
  return address < (u64{1} << 32) && memory_->page(PhysAddr(address)).read.kind != PageTarget::Kind::Unmapped;
}

bool IdeBusMaster::next_region() {
  if (!answers(next_entry_)) return abort(), false;
  std::array<u8, 8> entry{};
  memory_->read_block(PhysAddr(next_entry_), entry);
  next_entry_ += 8;
  const auto dword = [&](std::size_t at) {
    return u32{entry[at]} | u32{entry[at + 1]} << 8 | u32{entry[at + 2]} << 16 | u32{entry[at + 3]} << 24;
  };
  region_address_ = dword(0) & ~u32{1};
  region_left_ = dword(4) & 0xFFFE;
  if (region_left_ == 0) region_left_ = 0x10000;
  last_region_ = (dword(4) >> 31) != 0;
  return true;
}

std::size_t IdeBusMaster::move(std::span<u8> buffer, bool to_memory) {
  std::size_t moved = 0;
  while (moved < buffer.size() && ready(to_memory)) {
    if (region_left_ == 0 && !next_region()) break;
    if (!answers(region_address_)) {
      abort();
      break;
    }
    // To the end of the page: the next one may not answer.
    const u32 in_page = kPageSize - region_address_ % kPageSize;
    const auto count = std::min<std::size_t>({buffer.size() - moved, region_left_, in_page});
    const auto piece = buffer.subspan(moved, count);
    if (to_memory) {
      memory_->write_block(PhysAddr(region_address_), piece);
    } else {
      memory_->read_block(PhysAddr(region_address_), piece);
    }
    moved += count;
    region_address_ += static_cast<u32>(count);
    region_left_ -= static_cast<u32>(count);
    if (region_left_ == 0 && last_region_) status_ &= static_cast<u8>(~kActive);
  }
  return moved;
}

}  // namespace relic86
