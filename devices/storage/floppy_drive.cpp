#include "devices/storage/floppy_drive.h"

#include <algorithm>

#include "base/log.h"

namespace relic86 {

using namespace floppy_status;

namespace {
// Guests try again and again; their user wants to read it once.
void warn_once(const std::string& message) {
  const std::string text = "floppy disk: " + message;
  if (log::first_time(text)) log::warning(text);
}
}  // namespace

void FloppyDrive::insert(FloppyImage image) {
  eject();
  if (!present()) type_ = image.format().drive;
  image_.emplace(std::move(image));
}

void FloppyDrive::eject() {
  if (image_) {
    if (auto done = image_->flush(); !done) warn_once(done.message());
  }
  image_.reset();
  deleted_.clear();
  change_line_ = true;
}

void FloppyDrive::power_on() { change_line_ = true; }

void FloppyDrive::step_to(unsigned track) {
  track_ = static_cast<u8>(std::min(track, kLastTrack));
  // The step pulses reset the latch while a disk is in. Drives need a real pulse; firmware that recalibrates at track 0
  // expects the line to go off as well.
  if (loaded()) change_line_ = false;
}

u8 FloppyDrive::cylinder() const {
  const bool double_step = type_ == FloppyDriveType::M1_2 && image_ && image_->format().cylinders <= 42;
  return double_step ? track_ / 2 : track_;
}

bool FloppyDrive::formatted(unsigned head, bool mfm, u8 data_rate) const {
  if (!present() || !image_ || !mfm) return false;
  const FloppyFormat& format = image_->format();
  if (head >= format.heads || cylinder() >= format.cylinders) return false;
  switch (format.density) {
    case FloppyDensity::Double: return data_rate == 1 || data_rate == 2;
    case FloppyDensity::High: return data_rate == 0;
    default: return data_rate == 3;
  }
}

FloppySearch FloppyDrive::search(unsigned head, const FloppyId& id, bool mfm, u8 data_rate) const {
  FloppySearch search;
  if (!formatted(head, mfm, data_rate)) {
    search.status1 = kMissingAddressMark;
    return search;
  }
  const FloppyFormat& format = image_->format();
  if (id.cylinder != cylinder()) {
    search.status1 = kNoData;
    search.status2 = kWrongCylinder;
  } else if (id.head != head || id.size_code != 2 || id.sector == 0 || id.sector > format.sectors) {
    search.status1 = kNoData;
  }
  search.sector = (u32{cylinder()} * format.heads + head) * format.sectors + (id.sector != 0 ? id.sector - 1u : 0u);
  return search;
}

bool FloppyDrive::read(u32 sector, std::span<u8> into) {
  if (!image_ || sector >= image_->format().total_sectors()) return false;
  const auto done = image_->read(sector, into);
  if (!done) warn_once(done.message());
  return done.ok();
}

bool FloppyDrive::write(u32 sector, std::span<const u8> from, bool deleted) {
  if (!image_ || sector >= image_->format().total_sectors()) return false;
  const auto done = image_->write(sector, from);
  if (!done) {
    warn_once(done.message());
    return false;
  }
  if (deleted && deleted_.empty()) deleted_.resize(image_->format().total_sectors());
  if (sector < deleted_.size()) deleted_[sector] = deleted ? 1 : 0;
  return true;
}

bool FloppyDrive::deleted(u32 sector) const { return sector < deleted_.size() && deleted_[sector] != 0; }

void FloppyDrive::state(StateArchive& archive) {
  archive.field("type", type_);
  archive.field("track", track_);
  archive.field("change_line", change_line_);
  archive.resizable("deleted", deleted_);
  if (type_ > FloppyDriveType::M2_88) type_ = FloppyDriveType::M1_44;
  track_ = std::min(track_, static_cast<u8>(kLastTrack));
  if (!deleted_.empty() && (!image_ || deleted_.size() != image_->format().total_sectors())) deleted_.clear();
}

}  // namespace relic86
