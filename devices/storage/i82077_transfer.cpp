// The 82077AA's execution phases: what moves between the disk and the host (datasheet 290166, sections 5.1 and 6).
#include <algorithm>
#include <cstdlib>

#include "devices/storage/i82077.h"

namespace relic86 {

using namespace floppy_status;

namespace {
constexpr u8 kNormal = 0x00, kAbnormal = 0x40;
constexpr u8 kImpliedSeek = 0x40;  // configure, EIS
constexpr unsigned kDmaChannel = 2;
constexpr GuestTime kMillisecond = 1'000'000;
constexpr GuestTime kHostPatience = 50 * kMillisecond;  // without DMA: then the data are overrun
}  // namespace

void I82077::transfer_state(StateArchive& archive) {
  Transfer& t = transfer_;
  archive.field("kind", t.kind);
  archive.field("drive", t.drive);
  archive.field("head", t.head);
  archive.field("cylinder_id", t.id.cylinder);
  archive.field("head_id", t.id.head);
  archive.field("sector_id", t.id.sector);
  archive.field("size_id", t.id.size_code);
  archive.field("end_of_track", t.end_of_track);
  archive.field("scan_step", t.scan_step);
  archive.field("sectors_left", t.sectors_left);
  archive.field("filler", t.filler);
  archive.field("counted", t.counted);
  archive.field("multitrack", t.multitrack);
  archive.field("mfm", t.mfm);
  archive.field("skip", t.skip);
  archive.field("deleted", t.deleted);
  archive.field("implied_seek", t.implied_seek);
  archive.field("status1", t.status1);
  archive.field("status2", t.status2);
  archive.field("track_position", t.track_position);
  archive.field("last_deleted", t.last_deleted);
  archive.field("scan_failed", t.scan_failed);
  archive.field("scan_unequal", t.scan_unequal);
  archive.field("position", t.position);
  archive.field("length", t.length);
  archive.field("waits_for_host", t.waits_for_host);
  if (t.kind > Kind::ReadId) t.kind = Kind::Read;
  t.drive &= 3;
  t.head &= 1;
  t.length = std::min(t.length, static_cast<u16>(sector_buffer_.size()));
  t.position = std::min(t.position, t.length);
}

// --- Starting ---

void I82077::read_data() { begin_transfer(Kind::Read, false); }
void I82077::read_deleted() { begin_transfer(Kind::Read, true); }
void I82077::read_track() { begin_transfer(Kind::ReadTrack, false); }
void I82077::write_data() { begin_transfer(Kind::Write, false); }
void I82077::write_deleted() { begin_transfer(Kind::Write, true); }
void I82077::verify() { begin_transfer(Kind::Verify, false); }
void I82077::scan_equal() { begin_transfer(Kind::ScanEqual, false); }
void I82077::scan_low() { begin_transfer(Kind::ScanLow, false); }
void I82077::scan_high() { begin_transfer(Kind::ScanHigh, false); }
void I82077::read_id() { begin_transfer(Kind::ReadId, false); }

void I82077::begin_transfer(Kind kind, bool deleted) {
  Transfer& t = transfer_;
  const u8 end_of_track = t.end_of_track;
  t = {};
  t.kind = kind;
  t.deleted = deleted;
  t.multitrack = (command_[0] & 0x80) != 0 && kind != Kind::ReadTrack && kind != Kind::ReadId;
  t.mfm = (command_[0] & 0x40) != 0;
  t.skip = (command_[0] & 0x20) != 0 && kind != Kind::Verify;
  t.drive = command_[1] & 3;
  t.head = command_[1] >> 2 & 1;
  t.end_of_track = end_of_track;  // what DUMPREG shows stays over READ ID
  GuestTime delay = 0;
  if (kind != Kind::ReadId) {
    t.id = {command_[2], command_[3], command_[4], command_[5]};
    t.end_of_track = command_[6];
    t.scan_step = command_[8] == 2 ? 2 : 1;
    t.counted = kind == Kind::Verify && (command_[1] & 0x80) != 0;
    t.sectors_left = command_[8];
    if ((configuration_ & kImpliedSeek) != 0 && t.drive < kDrives) {
      const int distance = t.id.cylinder - present_cylinder_[t.drive];
      const int to = static_cast<int>(drives_[t.drive].track()) + distance;
      if (distance != 0 && drives_[t.drive].present()) drives_[t.drive].step_to(static_cast<unsigned>(std::max(0, to)));
      present_cylinder_[t.drive] = t.id.cylinder;
      delay = timing_.seek(static_cast<unsigned>(std::abs(distance)), step_time());
    }
  }
  forget_reset();
  phase_ = Phase::Execution;
  schedule_sector(FloppyTiming::Order::First, delay);
}

void I82077::format_track() {
  Transfer& t = transfer_;
  t = {};
  t.kind = Kind::Format;
  t.mfm = (command_[0] & 0x40) != 0;
  t.drive = command_[1] & 3;
  t.head = command_[1] >> 2 & 1;
  t.id.size_code = command_[2];
  t.sectors_left = command_[3];
  t.filler = command_[5];
  forget_reset();
  phase_ = Phase::Execution;
  schedule_sector(FloppyTiming::Order::First);
}

// The next sector is under the head, or the host has not come in time.
void I82077::transfer_step() {
  if (phase_ != Phase::Execution) return;
  if (transfer_.waits_for_host) {
    transfer_.status1 |= kOverrun;
    return finish_transfer(kAbnormal);
  }
  switch (transfer_.kind) {
    case Kind::Read:
    case Kind::ReadTrack: return read_step();
    case Kind::Verify: return verify_step();
    case Kind::Write: return write_step();
    case Kind::Format: return format_step();
    case Kind::ReadId: return finish_read_id();
    default: return scan_step();
  }
}

// When the sector of the command's ID has passed, or the search for it is over; delay: the head moves so long first.
void I82077::schedule_sector(FloppyTiming::Order order, GuestTime delay) {
  const Transfer& t = transfer_;
  const FloppyDrive* const disk = transfer_drive();
  const GuestTime from = scheduler_->now() + delay;
  const FloppyDriveType type = disk == nullptr ? FloppyDriveType::None : disk->type();
  const bool formatted = disk != nullptr && disk->formatted(t.head, t.mfm, data_rate_);
  if (!formatted && t.kind != Kind::Format) {
    return scheduler_->schedule_at(transfer_timer_, from + timing_.search_in_vain(type));
  }
  const unsigned sectors = formatted ? disk->image()->format().sectors : std::max<unsigned>(1, command_[3]);
  const FloppyTiming::Track track = {type, sectors};
  unsigned sector = t.id.sector - 1u;
  if (t.kind == Kind::ReadTrack) sector = t.track_position;
  if (t.kind == Kind::ReadId) sector = timing_.next_sector(from, track);
  if (t.kind == Kind::Format && order == FloppyTiming::Order::First) sector = 0;  // from the index hole
  scheduler_->schedule_at(transfer_timer_, from + timing_.until_sector_end(from, sector, track, order));
}

// Finds the sector of the command's ID. False: the command has ended.
bool I82077::locate(u32& sector) {
  Transfer& t = transfer_;
  FloppyDrive* const disk = transfer_drive();
  FloppySearch search;
  if (disk == nullptr) {
    search.status1 = kMissingAddressMark;
  } else {
    search = disk->search(t.head, t.id, t.mfm, data_rate_);
  }
  sector = search.sector;
  if (search.found()) return true;
  t.status1 |= search.status1;
  t.status2 |= search.status2;
  finish_transfer(kAbnormal);
  return false;
}

void I82077::finish_read_id() {
  Transfer& t = transfer_;
  const FloppyDrive* const disk = transfer_drive();
  if (disk == nullptr || !disk->formatted(t.head, t.mfm, data_rate_)) {
    t.status1 = kMissingAddressMark;
    return finish_transfer(kAbnormal);
  }
  const unsigned sectors = disk->image()->format().sectors;
  const unsigned next = timing_.next_sector(scheduler_->now(), {disk->type(), sectors});
  t.id = {disk->cylinder(), t.head, static_cast<u8>((next + sectors - 1) % sectors + 1), 2};  // the one just passed
  finish_transfer(kNormal);
}

// --- Reading ---

void I82077::read_step() {
  Transfer& t = transfer_;
  u32 sector = 0;
  if (t.kind == Kind::ReadTrack) {
    // Sectors in the order of the track; an ID that is not the command's sets ND and is read all the same (5.1.5).
    FloppyDrive* const disk = transfer_drive();
    if (disk == nullptr || !disk->formatted(t.head, t.mfm, data_rate_)) {
      t.status1 |= kMissingAddressMark;
      return finish_transfer(kAbnormal);
    }
    const FloppyId physical = {disk->cylinder(), t.head,
                               static_cast<u8>(t.track_position % disk->image()->format().sectors + 1), 2};
    const FloppyId& asked = t.id;
    if (physical.cylinder != asked.cylinder || physical.head != asked.head || physical.sector != asked.sector ||
        physical.size_code != asked.size_code) {
      t.status1 |= kNoData;
    }
    sector = disk->search(t.head, physical, t.mfm, data_rate_).sector;
    t.track_position++;
  } else if (!locate(sector)) {
    return;
  }
  FloppyDrive& disk = *transfer_drive();
  if (t.kind == Kind::Read && disk.deleted(sector) != t.deleted) {
    t.status2 |= kControlMark;
    if (t.skip) return advance(false);
    t.last_deleted = true;  // the last sector that is read (table 5-4)
  }
  if (!disk.read(sector, sector_buffer_)) {
    t.status1 |= kDataError;
    t.status2 |= kDataErrorInData;
    return finish_transfer(kAbnormal);
  }
  exchange_with_host(true);
}

void I82077::verify_step() {
  Transfer& t = transfer_;
  u32 sector = 0;
  if (!locate(sector)) return;
  if (!transfer_drive()->read(sector, sector_buffer_)) {
    t.status1 |= kDataError;
    t.status2 |= kDataErrorInData;
    return finish_transfer(kAbnormal);
  }
  if (t.counted && --t.sectors_left == 0) {
    advance_id();
    return finish_transfer(kNormal);
  }
  advance(false);
}

// --- Writing ---

void I82077::write_step() {
  Transfer& t = transfer_;
  const FloppyDrive* const disk = transfer_drive();
  if (disk != nullptr && disk->write_protected()) {
    t.status1 |= kNotWritable;
    return finish_transfer(kAbnormal);
  }
  u32 sector = 0;
  if (locate(sector)) exchange_with_host(false);
}

void I82077::commit_write(bool terminal_count) {
  Transfer& t = transfer_;
  u32 sector = 0;
  if (!locate(sector)) return;  // the disk may have gone since
  FloppyDrive& disk = *transfer_drive();
  if (disk.write_protected()) {
    t.status1 |= kNotWritable;
    return finish_transfer(kAbnormal);
  }
  std::fill(sector_buffer_.begin() + t.position, sector_buffer_.end(), u8{0});  // TC within a sector: zeros (5.1.3)
  if (!disk.write(sector, sector_buffer_, t.deleted)) {
    t.status1 |= kDataError;
    t.status2 |= kDataErrorInData;
    return finish_transfer(kAbnormal);
  }
  advance(terminal_count);
}

void I82077::format_step() {
  Transfer& t = transfer_;
  const FloppyDrive* const disk = transfer_drive();
  if (disk == nullptr || !disk->loaded()) {
    t.status1 |= kMissingAddressMark;
    return finish_transfer(kAbnormal);
  }
  if (disk->write_protected()) {
    t.status1 |= kNotWritable;
    return finish_transfer(kAbnormal);
  }
  if (t.sectors_left == 0) return finish_transfer(kNormal);
  exchange_with_host(false);
}

// The host gave one sector's ID. An image holds the sectors of its own format; others leave no trace.
void I82077::commit_format() {
  Transfer& t = transfer_;
  t.id = {sector_buffer_[0], sector_buffer_[1], sector_buffer_[2], sector_buffer_[3]};
  t.sectors_left--;
  if (FloppyDrive* const disk = transfer_drive(); disk != nullptr && !disk->write_protected()) {
    const FloppySearch search = disk->search(t.head, t.id, t.mfm, data_rate_);
    sector_buffer_.fill(t.filler);
    if (search.found() && !disk->write(search.sector, sector_buffer_, false)) {
      t.status1 |= kDataError;
      return finish_transfer(kAbnormal);
    }
  }
  if (t.sectors_left == 0) return finish_transfer(kNormal);
  schedule_sector(FloppyTiming::Order::Next);
}

// --- Scanning ---

void I82077::scan_step() {
  u32 sector = 0;
  if (!locate(sector)) return;
  if (transfer_drive()->deleted(sector)) {
    transfer_.status2 |= kControlMark;
    if (transfer_.skip) return advance(false);
    transfer_.last_deleted = true;
  }
  exchange_with_host(false);
}

// FFh from either side equals everything (5.1.8).
void I82077::compare_scan(bool terminal_count) {
  Transfer& t = transfer_;
  u32 sector = 0;
  if (!locate(sector)) return;
  std::array<u8, kFloppySectorSize> disk_bytes{};
  if (!transfer_drive()->read(sector, disk_bytes)) {
    t.status1 |= kDataError;
    t.status2 |= kDataErrorInData;
    return finish_transfer(kAbnormal);
  }
  bool equal = true, met = true;
  for (unsigned i = 0; i < t.position; i++) {
    const u8 disk_byte = disk_bytes[i], host_byte = sector_buffer_[i];
    if (disk_byte == host_byte || disk_byte == 0xFF || host_byte == 0xFF) continue;
    equal = false;
    met = met && (t.kind == Kind::ScanLow ? disk_byte < host_byte : t.kind == Kind::ScanHigh && disk_byte > host_byte);
  }
  t.status2 &= static_cast<u8>(~(kScanEqual | kScanNotSatisfied));
  if (equal) t.status2 |= kScanEqual;
  if (!equal && !met) t.status2 |= kScanNotSatisfied;
  if (equal || met) return finish_transfer(kNormal);
  advance(terminal_count);
}

// --- Host side ---

void I82077::exchange_with_host(bool to_host) {
  Transfer& t = transfer_;
  t.position = 0;
  t.length = t.kind == Kind::Format ? 4 : kFloppySectorSize;
  if (!uses_dma()) {
    t.waits_for_host = true;
    scheduler_->schedule_in(transfer_timer_, kHostPatience);
    return set_interrupt(true);
  }
  DmaController::Moved moved;
  const std::span<u8> bytes = std::span(sector_buffer_).first(t.length);
  if ((digital_output_ & 0x08) != 0) {  // DRQ leaves the chip
    moved = to_host ? dma_.to_memory(kDmaChannel, bytes) : dma_.from_memory(kDmaChannel, bytes);
  }
  t.position = static_cast<u16>(std::min<u32>(moved.count, t.length));
  if (t.position < t.length && !moved.terminal_count) {
    t.status1 |= kOverrun;
    return finish_transfer(kAbnormal);
  }
  host_side_done(moved.terminal_count);
}

void I82077::host_side_done(bool terminal_count) {
  transfer_.waits_for_host = false;
  scheduler_->cancel(transfer_timer_);
  switch (transfer_.kind) {
    case Kind::Read:
    case Kind::ReadTrack: return advance(terminal_count);
    case Kind::Write: return commit_write(terminal_count);
    case Kind::Format:
      if (transfer_.position < 4) return finish_transfer(kNormal);  // TC within an ID
      return commit_format();
    default: return compare_scan(terminal_count);
  }
}

// A BIOS that names the number of the last sector it wants as end of track, though the track is shorter, means the
// sectors that follow on the medium: SeaBIOS does, and machines that it runs on go on at the next head, then at the
// next cylinder. An end of track that the medium has ends a multitrack transfer after head 1, as the datasheet says.
bool I82077::wraps_at_medium_end() {
  const Transfer& t = transfer_;
  const FloppyDrive* const disk = transfer_drive();
  if (!t.multitrack || disk == nullptr || !disk->loaded()) return false;
  const unsigned sectors = disk->image()->format().sectors;
  return t.end_of_track > sectors && t.id.sector >= sectors;
}

// The head follows a transfer that went on to the next cylinder.
void I82077::follow_to_cylinder() {
  FloppyDrive& disk = *transfer_drive();
  while (disk.cylinder() < transfer_.id.cylinder && disk.track() < FloppyDrive::kLastTrack) {
    disk.step_to(disk.track() + 1);
    present_cylinder_[transfer_.drive]++;
  }
}

// A sector is done: on to the next, or to the result.
void I82077::advance(bool terminal_count) {
  Transfer& t = transfer_;
  if (t.last_deleted) return finish_transfer(kNormal);  // the address is not incremented (table 5-4)
  const bool scan = t.kind >= Kind::ScanEqual && t.kind <= Kind::ScanHigh;
  bool last = t.id.sector == t.end_of_track || (scan && t.id.sector > t.end_of_track);
  if (t.kind == Kind::ReadTrack) last = t.track_position >= t.end_of_track;
  const bool wraps = wraps_at_medium_end();
  if (wraps || (t.multitrack && t.head == 0)) last = false;
  const bool next_head = advance_id();
  const bool verified = t.kind == Kind::Verify && !t.counted;
  if (terminal_count || (last && (scan || verified))) return finish_transfer(kNormal);
  if (last) {
    t.status1 |= kEndOfCylinder;
    return finish_transfer(kAbnormal);
  }
  if (next_head) t.head ^= 1;
  if (wraps) follow_to_cylinder();
  schedule_sector(FloppyTiming::Order::Next);
}

// The ID after the last sector (table 5-8): the next sector, head or cylinder. True: the other head goes on.
bool I82077::advance_id() {
  Transfer& t = transfer_;
  const bool scan = t.kind >= Kind::ScanEqual && t.kind <= Kind::ScanHigh;
  const bool end = t.id.sector == t.end_of_track || (scan && t.id.sector > t.end_of_track) || wraps_at_medium_end();
  if (!end) {
    t.id.sector = static_cast<u8>(t.id.sector + (scan ? t.scan_step : 1));
    return false;
  }
  t.id.sector = 1;
  if (!t.multitrack) {
    t.id.cylinder++;
    return false;
  }
  if (t.head == 1) t.id.cylinder++;
  t.id.head ^= 1;
  return true;
}

void I82077::finish_transfer(u8 interrupt_code) {
  Transfer& t = transfer_;
  t.waits_for_host = false;
  scheduler_->cancel(transfer_timer_);
  const u8 status0 = static_cast<u8>(interrupt_code | t.head << 2 | t.drive);
  give_result({status0, t.status1, t.status2, t.id.cylinder, t.id.head, t.id.sector, t.id.size_code}, true);
}

}  // namespace relic86
