// ATA commands (ATA/ATAPI-6, chapter 8; the obsolete ones ATA-1 to ATA-3)
//
//   code               command
//   00                 NOP (aborts)
//   10-1F              RECALIBRATE
//   20 21 24           READ SECTORS, without retry, EXT;  30 31 34 WRITE;  3C WRITE VERIFY
//   C4 29, C5 39       READ, WRITE MULTIPLE (EXT);  C6 SET MULTIPLE MODE
//   C8 C9 25, CA CB 35 READ, WRITE DMA (EXT)
//   40 41 42           READ VERIFY (EXT);  70-7F SEEK
//   91                 INITIALIZE DEVICE PARAMETERS;  EC IDENTIFY DEVICE;  EF SET FEATURES
//   E4 E8              READ, WRITE BUFFER
//   E7 EA              FLUSH CACHE (EXT)
//   94-99, E0-E3 E5 E6 power management
//   F8 27              READ NATIVE MAX ADDRESS (EXT)
//   all others         abort
#include "devices/storage/ata_disk.h"

#include <algorithm>
#include <utility>

#include "base/byte_order.h"
#include "devices/storage/ata_identify.h"

namespace relic86 {

using namespace ata;

AtaDisk::AtaDisk(std::unique_ptr<BlockDevice> image, AtaDiskOptions options)
    : image_(std::move(image)), options_(std::move(options)), sectors_(image_->size_bytes() / kSector) {
  if (!chosen_disk_layout(options_.geometry)) options_.geometry = guess_disk_layout(*image_).geometry;
  current_ = options_.geometry;
  image_->retry_with([this] { retry(); });
}

void AtaDisk::set_signature() { task_.count = task_.lba_low = 1; }

void AtaDisk::reset_drive(ResetKind) {
  current_ = options_.geometry;
  multiple_ = transfer_mode_ = 0;
  write_cache_ = look_ahead_ = true;
  power_ = 0xFF;
  transfer_ = Transfer::None;
  extended_ = false;
  block_sectors_ = 1;
  in_block_ = remaining_ = 0;
  lba_ = 0;
  sector_buffer_ = {};
  kept_.clear();
}

void AtaDisk::state_drive(StateArchive& archive) {
  archive.field("cylinders", current_.cylinders);
  archive.field("heads", current_.heads);
  archive.field("sectors", current_.sectors);
  archive.field("multiple", multiple_);
  archive.field("transfer_mode", transfer_mode_);
  archive.field("write_cache", write_cache_);
  archive.field("look_ahead", look_ahead_);
  archive.field("power", power_);
  archive.field("transfer", transfer_);
  archive.field("extended", extended_);
  archive.field("block_sectors", block_sectors_);
  archive.field("in_block", in_block_);
  archive.field("lba", lba_);
  archive.field("remaining", remaining_);
  archive.bytes("sector_buffer", sector_buffer_);
  state_kept(archive);
  if (!archive.loading()) return;
  current_.heads = std::clamp<u32>(current_.heads, 1, 16);
  current_.sectors = std::clamp<u32>(current_.sectors, 1, 255);
  current_.cylinders = std::min<u32>(current_.cylinders, 65535);
  multiple_ = static_cast<u8>(std::min<u32>(multiple_, kMostMultiple));
  block_sectors_ = std::clamp<u32>(block_sectors_, 1, kDmaSectors);
  // A block that was given up for another command leaves its size: it may be more than what remains now.
  if (transfer_ > Transfer::WriteBuffer || lba_ > sectors_ || remaining_ > sectors_ - lba_ || in_block_ > kDmaSectors) {
    transfer_ = Transfer::None;
    in_block_ = remaining_ = 0;
    lba_ = 0;
  }
}

void AtaDisk::execute(u8 code) {
  power_ = code == kCheckPower || code == kCheckPowerOld ? power_ : u8{0xFF};
  transfer_ = Transfer::None;  // the host may have given one up in the middle
  if (execute_transfer(code) || execute_power(code)) return;
  if ((code & 0xF0) == kRecalibrate) {
    task_.lba_mid = task_.lba_high = 0;
    return finish();
  }
  if ((code & 0xF0) == kSeek) return locate(false) ? finish() : void();
  switch (code) {
    case kVerify:
    case kVerifyOnce: return verify(false);
    case kVerifyExt: return verify(true);
    case kFlushCache:
    case kFlushCacheExt: return flush();
    case kInitializeParameters: return initialize_parameters();
    case kIdentify: return identify();
    case kReadBuffer: return read_buffer();
    case kWriteBuffer: transfer_ = Transfer::WriteBuffer; return request_block(kSector, kReady, false);
    case kSetFeatures: return set_features();
    case kReadNativeMax: return native_max(false);
    case kReadNativeMaxExt: return native_max(true);
    case kSetMultiple: {
      const u32 count = task_.count;
      if (count > kMostMultiple || (count & (count - 1)) != 0) return fail(kAbort);
      multiple_ = static_cast<u8>(count);
      return finish();
    }
    default: return fail(kAbort);
  }
}

bool AtaDisk::execute_transfer(u8 code) {
  switch (code) {
    case kReadSectors:
    case kReadSectorsOnce: return start_transfer(Transfer::ReadPio, 1, false), true;
    case kReadSectorsExt: return start_transfer(Transfer::ReadPio, 1, true), true;
    case kWriteSectors:
    case kWriteSectorsOnce:
    case kWriteVerify: return start_transfer(Transfer::WritePio, 1, false), true;
    case kWriteSectorsExt: return start_transfer(Transfer::WritePio, 1, true), true;
    case kReadMultiple: return start_transfer(Transfer::ReadPio, multiple_, false), true;
    case kReadMultipleExt: return start_transfer(Transfer::ReadPio, multiple_, true), true;
    case kWriteMultiple: return start_transfer(Transfer::WritePio, multiple_, false), true;
    case kWriteMultipleExt: return start_transfer(Transfer::WritePio, multiple_, true), true;
    case kReadDma:
    case kReadDmaOnce: return start_transfer(Transfer::ReadDma, kDmaSectors, false), true;
    case kReadDmaExt: return start_transfer(Transfer::ReadDma, kDmaSectors, true), true;
    case kWriteDma:
    case kWriteDmaOnce: return start_transfer(Transfer::WriteDma, kDmaSectors, false), true;
    case kWriteDmaExt: return start_transfer(Transfer::WriteDma, kDmaSectors, true), true;
    default: return false;
  }
}

bool AtaDisk::execute_power(u8 code) {
  switch (code) {
    case kStandbyImmediate:
    case kStandbyImmediateOld:
    case kStandby:
    case kStandbyOld: power_ = 0x00; break;
    case kIdleImmediate:
    case kIdleImmediateOld:
    case kIdle:
    case kIdleOld: break;
    case kCheckPower:
    case kCheckPowerOld: task_.count = power_; break;
    case kSleep:
    case kSleepOld: asleep_ = true; break;
    default: return false;
  }
  finish();
  return true;
}

// --- Addresses ---

bool AtaDisk::locate(bool extended) {
  remaining_ = task_.count;
  if (extended) {
    remaining_ |= u32{task_.old_count} << 8;
    if (remaining_ == 0) remaining_ = 65536;
    const u32 low = u32{task_.lba_low} | u32{task_.lba_mid} << 8 | u32{task_.lba_high} << 16;
    const u32 high = u32{task_.old_low} | u32{task_.old_mid} << 8 | u32{task_.old_high} << 16;
    lba_ = low | u64{high} << 24;
  } else {
    if (remaining_ == 0) remaining_ = 256;
    if ((task_.device & kLba) != 0) {
      lba_ = u32{task_.lba_low} | u32{task_.lba_mid} << 8 | u32{task_.lba_high} << 16 | (task_.device & 0xFu) << 24;
    } else {
      const u32 cylinder = task_.lba_mid | u32{task_.lba_high} << 8;
      const u32 head = task_.device & 0xFu;
      if (task_.lba_low == 0 || task_.lba_low > current_.sectors || head >= current_.heads) {
        return fail(kIdNotFound), false;
      }
      lba_ = (u64{cylinder} * current_.heads + head) * current_.sectors + task_.lba_low - 1;
    }
  }
  extended_ = extended;
  if (lba_ >= sectors_) {
    lba_ = remaining_ = 0;
    return fail(kIdNotFound), false;
  }
  return true;
}

void AtaDisk::show_position(u64 lba) {
  task_.count = static_cast<u8>(remaining_);
  if (extended_) {
    task_.old_count = static_cast<u8>(remaining_ >> 8);
    task_.old_low = static_cast<u8>(lba >> 24);
    task_.old_mid = static_cast<u8>(lba >> 32);
    task_.old_high = static_cast<u8>(lba >> 40);
  }
  if (extended_ || (task_.device & kLba) != 0) {
    task_.lba_low = static_cast<u8>(lba);
    task_.lba_mid = static_cast<u8>(lba >> 8);
    task_.lba_high = static_cast<u8>(lba >> 16);
    if (!extended_) task_.device = static_cast<u8>((task_.device & 0xF0) | (lba >> 24 & 0xF));
    return;
  }
  const u64 track = lba / current_.sectors;
  task_.lba_low = static_cast<u8>(lba % current_.sectors + 1);
  task_.device = static_cast<u8>((task_.device & 0xF0) | track % current_.heads);
  task_.lba_mid = static_cast<u8>(track / current_.heads);
  task_.lba_high = static_cast<u8>(track / current_.heads >> 8);
}

void AtaDisk::fail_at(u64 lba, u8 error) {
  transfer_ = Transfer::None;
  show_position(lba);
  in_block_ = remaining_ = 0;
  lba_ = 0;
  fail(error);
}

// --- Transfers ---

void AtaDisk::start_transfer(Transfer transfer, u32 block_sectors, bool extended) {
  if (block_sectors == 0) return fail(kAbort);  // READ/WRITE MULTIPLE without SET MULTIPLE MODE
  if (!locate(extended)) return;
  const bool writes = transfer == Transfer::WritePio || transfer == Transfer::WriteDma;
  if (writes && image_->read_only()) return fail_at(lba_, kAbort);
  // The part before the end of the disk could be done; that nothing is done then is what drives with caches do.
  if (remaining_ > sectors_ - lba_) return fail_at(sectors_, kIdNotFound);
  transfer_ = transfer;
  block_sectors_ = block_sectors;
  next_block();
}

void AtaDisk::next_block() {
  in_block_ = std::min(block_sectors_, remaining_);
  const u32 size = in_block_ * kSector;
  const bool reads = transfer_ == Transfer::ReadPio || transfer_ == Transfer::ReadDma;
  if (!reads) return transfer_ == Transfer::WritePio ? request_block(size, kReady, false) : request_dma(size);
  if (image_->defers(BlockRequest::Kind::Read, lba_ * kSector, size)) {
    image_->submit({BlockRequest::Kind::Read, lba_ * kSector, size, std::vector<u8>(size)},
                   [this, number = wait_for_host()](BlockRequest&& request, const Result<>& result) {
                     if (!answered(number) || !goes_on(BlockRequest::Kind::Read, result)) return;
                     std::copy(request.bytes.begin(), request.bytes.end(), buffer_.begin());
                     offer();
                   });
    return;
  }
  if (goes_on(BlockRequest::Kind::Read, image_->read(lba_ * kSector, std::span(buffer_).first(size)))) offer();
}

void AtaDisk::offer() {
  const u32 size = in_block_ * kSector;
  if (transfer_ == Transfer::ReadPio) return offer_block(size, kReady);
  offer_dma(size);
}

bool AtaDisk::goes_on(BlockRequest::Kind kind, const Result<>& result) {
  if (result) return true;
  report_host_error(result.message());
  switch (image_->failed(kind, result.message())) {
    case ErrorAction::Ignore: return true;
    case ErrorAction::Stop: await_retry(kind == BlockRequest::Kind::Write ? in_block_ * kSector : 0); return false;
    case ErrorAction::Report: break;
  }
  if (kind == BlockRequest::Kind::Flush) return fail(kAbort), false;
  fail_at(lba_, kind == BlockRequest::Kind::Read ? kUncorrectable : kAbort | kIdNotFound);
  return false;
}

void AtaDisk::retry_step() {
  if (transfer_ != Transfer::None && remaining_ == 0) return fail(kAbort);  // a saved machine may say anything
  switch (transfer_) {
    case Transfer::ReadPio:
    case Transfer::ReadDma: return next_block();
    case Transfer::WritePio:
    case Transfer::WriteDma: return block_written();
    default: break;
  }
  if (command_ == kVerify || command_ == kVerifyOnce || command_ == kVerifyExt) return verify_rest();
  flush();
}

void AtaDisk::block_read() {
  if (transfer_ != Transfer::ReadPio && transfer_ != Transfer::ReadDma) {
    transfer_ = Transfer::None;
    return finish_quietly();
  }
  const u32 moved = std::min(in_block_, remaining_);
  lba_ += moved;
  remaining_ -= moved;
  in_block_ = 0;
  show_position(lba_ - 1);
  if (remaining_ > 0) return next_block();
  const bool dma = transfer_ == Transfer::ReadDma;
  transfer_ = Transfer::None;
  lba_ = 0;
  if (dma) return finish();
  finish_quietly();
}

bool AtaDisk::last_block_in() const { return transfer_ != Transfer::ReadPio || remaining_ <= in_block_; }

void AtaDisk::block_written() {
  if (transfer_ == Transfer::WriteBuffer) {
    std::copy_n(buffer_.begin(), sector_buffer_.size(), sector_buffer_.begin());
    transfer_ = Transfer::None;
    return finish();
  }
  if ((transfer_ != Transfer::WritePio && transfer_ != Transfer::WriteDma) || in_block_ == 0 || in_block_ > remaining_)
    return fail(kAbort);
  const u32 size = in_block_ * kSector;
  replace_kept(lba_ * kSector, std::span(buffer_).first(size));
  if (image_->defers(BlockRequest::Kind::Write, lba_ * kSector, size)) {
    image_->submit({BlockRequest::Kind::Write, lba_ * kSector, size, {buffer_.begin(), buffer_.begin() + size}},
                   [this, number = wait_for_host()](BlockRequest&&, const Result<>& result) {
                     if (answered(number) && goes_on(BlockRequest::Kind::Write, result)) wrote_block();
                   });
    return;
  }
  if (goes_on(BlockRequest::Kind::Write, image_->write(lba_ * kSector, std::span(buffer_).first(size)))) wrote_block();
}

// --- Blocks that the host has failed to write before a reset by software ---

void AtaDisk::keep_block(std::span<const u8> block) {
  if (transfer_ != Transfer::WritePio && transfer_ != Transfer::WriteDma) return;
  kept_.push_back({BlockRequest::Kind::Write, lba_ * kSector, block.size(), {block.begin(), block.end()}});
}

void AtaDisk::retry_kept() {
  for (BlockRequest& each : std::exchange(kept_, {})) {
    if (image_->defers(each.kind, each.offset, each.length)) {
      image_->submit(std::move(each), [this](BlockRequest&& request, const Result<>& result) {
        wrote_kept(std::move(request), result);
      });
    } else {
      const auto result = image_->write(each.offset, each.content());
      wrote_kept(std::move(each), result);
    }
  }
}

// The guest hears of nothing: its command is over.
void AtaDisk::wrote_kept(BlockRequest&& request, const Result<>& result) {
  if (result) return;
  report_host_error(result.message());
  if (image_->failed(request.kind, result.message()) == ErrorAction::Stop) kept_.push_back(std::move(request));
}

// What the guest writes now is newer.
void AtaDisk::replace_kept(u64 offset, std::span<const u8> bytes) {
  for (BlockRequest& each : kept_) {
    const u64 first = std::max(offset, each.offset), end = std::min(offset + bytes.size(), each.offset + each.length);
    if (first >= end) continue;
    const auto newer = bytes.subspan(static_cast<std::size_t>(first - offset), static_cast<std::size_t>(end - first));
    std::copy(newer.begin(), newer.end(), each.bytes.begin() + static_cast<std::ptrdiff_t>(first - each.offset));
  }
}

// Each: offset, length, bytes.
void AtaDisk::state_kept(StateArchive& archive) {
  constexpr std::size_t kHead = 12, kLengthAt = 8;
  std::vector<u8> all;
  for (const BlockRequest& each : kept_) {
    const std::size_t at = all.size();
    all.resize(at + kHead);
    store_le<u64>(all, at, each.offset);
    store_le<u32>(all, at + kLengthAt, static_cast<u32>(each.length));
    all.insert(all.end(), each.bytes.begin(), each.bytes.end());
  }
  archive.resizable("kept", all);
  if (!archive.loading()) return;
  kept_.clear();
  for (std::size_t at = 0; all.size() - at >= kHead;) {
    const u64 offset = load_le<u64>(all, at), length = load_le<u32>(all, at + kLengthAt), size = sectors_ * kSector;
    at += kHead;
    if (length > all.size() - at || offset > size || length > size - offset) return;
    const auto bytes = std::span(all).subspan(at, static_cast<std::size_t>(length));
    kept_.push_back({BlockRequest::Kind::Write, offset, length, {bytes.begin(), bytes.end()}});
    at += bytes.size();
  }
}

void AtaDisk::wrote_block() {
  const u32 moved = std::min(in_block_, remaining_);
  lba_ += moved;
  remaining_ -= moved;
  in_block_ = 0;
  show_position(lba_ - 1);
  if (remaining_ > 0) {
    const bool pio = transfer_ == Transfer::WritePio;
    next_block();
    if (pio) set_interrupt(true);
    return;
  }
  transfer_ = Transfer::None;
  lba_ = 0;
  // With the write cache off the data must be on the medium before the command ends.
  if (!write_cache_) return flush();
  finish();
}

void AtaDisk::verify(bool extended) {
  if (!locate(extended)) return;
  if (remaining_ > sectors_ - lba_) return fail_at(sectors_, kIdNotFound);
  verify_rest();
}

void AtaDisk::verify_rest() {
  while (remaining_ > 0) {
    const u32 count = std::min(remaining_, kDmaSectors);
    const u64 offset = lba_ * kSector, size = count * kSector;
    if (image_->defers(BlockRequest::Kind::Read, offset, size)) {
      image_->submit({BlockRequest::Kind::Read, offset, size, std::vector<u8>(size)},
                     [this, count, number = wait_for_host()](BlockRequest&&, const Result<>& result) {
                       if (!answered(number) || !goes_on(BlockRequest::Kind::Read, result)) return;
                       lba_ += count;
                       remaining_ -= count;
                       verify_rest();
                     });
      return;
    }
    if (!goes_on(BlockRequest::Kind::Read, image_->read(lba_ * kSector, std::span(buffer_).first(count * kSector))))
      return;
    lba_ += count;
    remaining_ -= count;
  }
  show_position(lba_ - 1);
  lba_ = 0;
  finish();
}

void AtaDisk::flush() {
  if (image_->defers(BlockRequest::Kind::Flush, 0, 0)) {
    image_->submit({.kind = BlockRequest::Kind::Flush},
                   [this, number = wait_for_host()](BlockRequest&&, const Result<>& result) {
                     if (answered(number) && goes_on(BlockRequest::Kind::Flush, result)) finish();
                   });
    return;
  }
  if (goes_on(BlockRequest::Kind::Flush, image_->flush())) finish();
}

// --- Other commands ---

void AtaDisk::initialize_parameters() {
  const u32 heads = (task_.device & 0xFu) + 1;
  const u32 sectors = task_.count;
  if (sectors == 0) return fail(kAbort);
  const u64 cylinders = std::min<u64>(sectors_, u64{16383} * 16 * 63) / (heads * sectors);
  current_ = {static_cast<u32>(std::min<u64>(cylinders, 65535)), heads, sectors};
  finish();
}

void AtaDisk::set_features() {
  switch (task_.features) {
    case 0x02: write_cache_ = true; break;
    case 0x82: write_cache_ = false; return flush();
    case 0xAA: look_ahead_ = true; break;
    case 0x55: look_ahead_ = false; break;
    case 0x03: {  // transfer mode
      const u8 kind = task_.count >> 3;
      const u8 mode = task_.count & 7;
      if (kind == 0 && mode <= 1) break;  // PIO default, without IORDY
      if (kind == 1 && mode <= 4) break;
      const bool known = (kind == 4 && mode <= 2) || (kind == 8 && mode <= 5);
      if (!known) return fail(kAbort);
      transfer_mode_ = task_.count;
      break;
    }
    case 0x66:         // settings survive SRST
    case 0xCC: break;  // or do not
    default: return fail(kAbort);
  }
  finish();
}

void AtaDisk::identify() {
  DiskIdentity identity;
  identity.drive = options_.geometry;
  identity.current = current_;
  identity.sectors = sectors_;
  identity.serial = options_.serial;
  identity.model = options_.model;
  identity.most_multiple = kMostMultiple;
  identity.multiple = multiple_;
  identity.transfer_mode = transfer_mode_;
  identity.write_cache = write_cache_;
  identity.look_ahead = look_ahead_;
  identity.serial_link = options_.serial_link;
  const auto bytes = identify_disk(identity);
  std::copy(bytes.begin(), bytes.end(), buffer_.begin());
  transfer_ = Transfer::Identify;
  offer_block(static_cast<u32>(bytes.size()), kReady);
}

void AtaDisk::read_buffer() {
  std::copy(sector_buffer_.begin(), sector_buffer_.end(), buffer_.begin());
  transfer_ = Transfer::ReadBuffer;
  offer_block(kSector, kReady);
}

void AtaDisk::native_max(bool extended) {
  extended_ = extended;
  const u8 count = task_.count;
  show_position((extended ? sectors_ : std::min<u64>(sectors_, 0x0FFFFFFF)) - 1);
  task_.count = count;
  finish();
}

}  // namespace relic86
