// CFI flash memory with Intel's command set (Common Flash Interface, JESD68; Intel 28F320J3 datasheet, "Bus operations"
// and "Command definitions"; what QEMU's pflash_cfi01 shows where that leaves a choice)
//
//   write cycles                  effect; what reads show afterwards
//   00h, F0h, FFh                 the array (also at reset, and for anything unknown)
//   70h                           the status register: 7 ready, 5 erase failed, 4 program failed
//   50h                           clears the status register, bit 7 too (firmware knows the chip by it); the array
//   90h                           identifiers; all 0: it is nobody's
//   98h                           the CFI query table from 10h on
//   10h or 40h, byte              programs the byte; status
//   20h or 28h, D0h               erases the sector of the second cycle to FFh; status
//   E8h, n, n + 1 bytes, D0h      programs up to 256 bytes of an aligned block of 256; status
//   60h, 01h or D0h               locks or unlocks a sector: accepted, without effect; status
//
// A byte takes any value, erased or not, as in QEMU. A read-only image fails programs and erases. Accesses of several
// bytes are commands by their lowest one, and data by all.
#include "devices/storage/cfi_flash.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "base/assert.h"
#include "base/log.h"

namespace relic86 {

namespace {
enum Command : u8 {
  kArray = 0x00,
  kProgram = 0x10,
  kErase = 0x20,
  kEraseToo = 0x28,
  kProgramToo = 0x40,
  kClearStatus = 0x50,
  kLock = 0x60,
  kReadStatus = 0x70,
  kIdentifiers = 0x90,
  kQuery = 0x98,
  kConfirm = 0xD0,
  kBuffered = 0xE8,
};
constexpr u8 kErased = 0xFF, kLockSector = 0x01;
constexpr RegionId kChip = 0;
constexpr unsigned kMostWidth = 4;

// The table of JESD68 4.3 from 10h on, with the size and the sectors left out.
constexpr u64 kQueryStart = 0x10, kQuerySize = 0x27, kQuerySectors = 0x2D, kQuerySectorSize = 0x2F;
constexpr auto kQueryTable = std::to_array<u8>({
    'Q',  'R',  'Y',  0x01, 0x00, 0x31, 0x00, 0x00, 0x00, 0x00, 0x00,  // 10h: command set 1, its own table at 31h
    0x45, 0x55, 0x00, 0x00,                                            // 1Bh: 4.5 to 5.5 V, no programming supply
    0x07, 0x07, 0x0A, 0x00, 0x04, 0x04, 0x04, 0x00,                    // 1Fh: time limits, powers of 2
    0x00, 0x02, 0x00, 0x08, 0x00, 0x01,                    // 27h: size, x8/x16, 256 bytes a buffer, one region
    0x00, 0x00, 0x00, 0x00,                                // 2Dh: sectors - 1, sector size / 256
    'P',  'R',  'I',  '1',  '0',  0x00, 0x00, 0x00, 0x00,  // 31h: version 1.0, no optional features
    0x00, 0x00, 0x00, 0x00, 0x00, 0x01,                    // 3Ah: one protection field
});
}  // namespace

CfiFlash::CfiFlash(unsigned unit, std::unique_ptr<BlockDevice> image, std::string option, u64 end)
    : name_(fmt::format("pflash{}", unit)),
      image_(std::move(image)),
      option_(std::move(option)),
      size_(image_->size_bytes()),
      first_(end - size_) {
  RELIC86_ASSERT(size_ > 0 && size_ % kSector == 0 && size_ <= kMostSize && end % kPageSize == 0);
}

CfiFlash::~CfiFlash() { (void)write_out(); }  // whom could a failure be told now

Result<> CfiFlash::attach(Attachment& board) {
  memory_ = &board.memory();
  backing_ = memory_->store().allocate(size_, name_);
  if (auto read = image_->read(0, memory_->store().bytes(backing_, size_)); !read)
    return Error{fmt::format("{}: {}", option_, read.message())};
  key_ = memory_->new_key();
  return memory_->map_fixed(key_, mmio_range(name_, first_, size_, this, kChip, kMostWidth, Priority::Rom));
}

void CfiFlash::reset(ResetKind) {
  cycle_ = Cycle::Command;
  status_ = kReady;
  buffer_.fill(0);
  buffer_first_ = 0;
  buffer_left_ = 0;
  show_array();
}

void CfiFlash::state(StateArchive& archive) {
  archive.field("command", command_);
  archive.field("cycle", cycle_);
  archive.field("status", status_);
  archive.field("buffer_first", buffer_first_);
  archive.field("buffer_left", buffer_left_);
  archive.bytes("buffer", buffer_);
  archive.field("unwritten_first", unwritten_first_);
  archive.field("unwritten_end", unwritten_end_);
  if (!archive.loading()) return;
  // A damaged file may hold anything.
  if (cycle_ > Cycle::Bytes) cycle_ = Cycle::Command;
  buffer_left_ = std::min<u32>(buffer_left_, kBuffer);
  buffer_first_ = std::min(buffer_first_, size_ - 1) / kBuffer * kBuffer;
  unwritten_first_ = std::min(unwritten_first_, size_);
  unwritten_end_ = std::clamp(unwritten_end_, unwritten_first_, size_);
  map();
}

Result<> CfiFlash::flush() {
  if (auto written = write_out(); !written) return written;
  return image_->flush();
}

// Reading the array is what chips do nearly always: then it is memory for the processor, and only writes come here.
void CfiFlash::map() {
  const bool array = command_ == kArray && cycle_ == Cycle::Command;
  PhysRange range = mmio_range(name_, first_, size_, this, kChip, kMostWidth, Priority::Rom);
  if (array) range.read = rom_range(name_, first_, size_, backing_).read;
  if (array != array_shown_) memory_->map_movable(key_, range);
  array_shown_ = array;
}

void CfiFlash::show_array() {
  command_ = kArray;
  cycle_ = Cycle::Command;
  (void)write_out();  // a failure is in the status register
  map();
}

u64 CfiFlash::read(RegionId, u64 offset, unsigned width) {
  switch (command_) {
    case kArray: {
      u64 value = 0;
      for (unsigned i = 0; i < width; i++) value |= u64{*memory_->store().host(backing_ + offset + i)} << (i * 8);
      return value;
    }
    case kIdentifiers: return 0;
    case kQuery: return query(offset);
    default: return status_;
  }
}

u8 CfiFlash::query(u64 offset) const {
  offset &= 0xFF;
  const auto byte_of = [offset](u64 value, u64 first) { return static_cast<u8>(value >> ((offset - first) * 8)); };
  if (offset == kQuerySize) return static_cast<u8>(std::bit_width(size_ - 1));
  if (offset >= kQuerySectors && offset < kQuerySectors + 2) return byte_of(size_ / kSector - 1, kQuerySectors);
  if (offset >= kQuerySectorSize && offset < kQuerySectorSize + 2) return byte_of(kSector >> 8, kQuerySectorSize);
  return offset >= kQueryStart && offset - kQueryStart < kQueryTable.size() ? kQueryTable[offset - kQueryStart] : 0;
}

void CfiFlash::write(RegionId, u64 offset, unsigned width, u64 value) {
  switch (cycle_) {
    case Cycle::Command: return begin(static_cast<u8>(value));
    case Cycle::Confirm: return second(offset, width, value);
    case Cycle::Count:
      buffer_left_ = static_cast<u32>(value & 0xFF) + 1;
      cycle_ = Cycle::FirstByte;
      return;
    case Cycle::FirstByte:
    case Cycle::Bytes: return fill_buffer(offset, width, value);
  }
}

void CfiFlash::begin(u8 command) {
  switch (command) {
    case kProgram:
    case kProgramToo:
    case kErase:
    case kEraseToo:
    case kLock: cycle_ = Cycle::Confirm; break;
    case kBuffered:
      status_ |= kReady;
      cycle_ = Cycle::Count;
      break;
    case kReadStatus:
    case kIdentifiers:
    case kQuery: break;
    case kClearStatus: status_ = 0; [[fallthrough]];
    default: return show_array();
  }
  command_ = command;
  map();
}

void CfiFlash::second(u64 offset, unsigned width, u64 value) {
  const auto byte = static_cast<u8>(value);
  switch (command_) {
    case kProgram:
    case kProgramToo: {
      std::array<u8, kMostWidth> bytes{};
      for (unsigned i = 0; i < width; i++) bytes[i] = static_cast<u8>(value >> (i * 8));
      program(offset, std::span(bytes).first(width));
      return done();
    }
    case kErase:
    case kEraseToo:
      if (byte != kConfirm) return show_array();
      erase(offset / kSector * kSector);
      return done();
    case kLock:
      if (byte != kConfirm && byte != kLockSector) return show_array();
      return done();
    default:  // E8h: the bytes are here
      if (byte != kConfirm) return show_array();
      program(buffer_first_, buffer_);
      return done();
  }
}

void CfiFlash::fill_buffer(u64 offset, unsigned width, u64 value) {
  if (cycle_ == Cycle::FirstByte) {
    buffer_first_ = offset / kBuffer * kBuffer;
    const auto block = memory_->store().bytes(backing_ + buffer_first_, kBuffer);
    std::copy(block.begin(), block.end(), buffer_.begin());
    cycle_ = Cycle::Bytes;
  }
  for (unsigned i = 0; i < width && buffer_left_ > 0; i++, buffer_left_--) {
    const u64 at = offset + i;
    if (at / kBuffer * kBuffer != buffer_first_) {
      status_ |= kProgramError;
      return done();
    }
    buffer_[at % kBuffer] = static_cast<u8>(value >> (i * 8));
  }
  if (buffer_left_ == 0) cycle_ = Cycle::Confirm;
}

void CfiFlash::program(u64 offset, std::span<const u8> bytes) {
  if (image_->read_only()) {
    status_ |= kProgramError;
    return;
  }
  change(offset, bytes);
}

void CfiFlash::erase(u64 sector) {
  if (image_->read_only()) {
    status_ |= kEraseError;
    return;
  }
  static constexpr std::array<u8, kSector> kBlank = [] {
    std::array<u8, kSector> bytes{};
    bytes.fill(kErased);
    return bytes;
  }();
  change(sector, kBlank);
}

// Firmware programs single bytes by the thousand: the image gets those of a sector together, when another sector's turn
// comes, when the firmware looks at the array, or when the host asks.
void CfiFlash::change(u64 offset, std::span<const u8> bytes) {
  if (unwritten_first_ != unwritten_end_ && unwritten_first_ / kSector != offset / kSector) (void)write_out();
  BackingStore& store = memory_->store();
  const BackingOffset at = backing_ + offset;
  std::copy(bytes.begin(), bytes.end(), store.host(at));
  if (store.watched(at)) store.note_write(at, bytes.size());
  const bool none = unwritten_first_ == unwritten_end_;
  unwritten_first_ = none ? offset : std::min(unwritten_first_, offset);
  unwritten_end_ = none ? offset + bytes.size() : std::max(unwritten_end_, offset + bytes.size());
}

Result<> CfiFlash::write_out() {
  if (unwritten_first_ == unwritten_end_) return {};
  const u64 first = std::exchange(unwritten_first_, 0), end = std::exchange(unwritten_end_, 0);
  auto written = image_->write(first, memory_->store().bytes(backing_ + first, end - first));
  if (written) return {};
  status_ |= kProgramError;
  const std::string message =
      fmt::format("{}: {}; the guest is told that programming failed", option_, written.message());
  if (log::first_time(message)) log::warning(message);
  return written;
}

}  // namespace relic86
