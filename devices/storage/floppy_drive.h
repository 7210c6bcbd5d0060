// The mechanics of one floppy drive: head position, medium, disk change line; and what the controller finds on a track.
#pragma once

#include <optional>

#include "base/state_archive.h"
#include "devices/storage/floppy_image.h"

namespace relic86 {

// A sector's ID field.
struct FloppyId {
  u8 cylinder = 0;
  u8 head = 0;
  u8 sector = 0;
  u8 size_code = 0;  // 128 << code bytes
};

// Bits of the controller's status registers 1 and 2 (82077AA datasheet, 5.2).
namespace floppy_status {
inline constexpr u8 kMissingAddressMark = 0x01, kNotWritable = 0x02, kNoData = 0x04, kOverrun = 0x10, kDataError = 0x20,
                    kEndOfCylinder = 0x80;  // ST1
inline constexpr u8 kScanNotSatisfied = 0x04, kScanEqual = 0x08, kWrongCylinder = 0x10, kDataErrorInData = 0x20,
                    kControlMark = 0x40;  // ST2
}  // namespace floppy_status

// What a search for a sector ended with.
struct FloppySearch {
  u8 status1 = 0;
  u8 status2 = 0;
  u32 sector = 0;  // in the image; only without status bits
  bool found() const { return status1 == 0 && status2 == 0; }
};

class FloppyDrive {
 public:
  static constexpr unsigned kLastTrack = 84;  // where the head meets its stop

  FloppyDriveType type() const { return type_; }
  void set_type(FloppyDriveType type) { type_ = type; }
  bool present() const { return type_ != FloppyDriveType::None; }

  void insert(FloppyImage image);
  void eject();
  bool loaded() const { return image_.has_value(); }
  const FloppyImage* image() const { return image_ ? &*image_ : nullptr; }
  bool write_protected() const { return image_ && image_->write_protected(); }
  bool change_line() const { return present() && change_line_; }

  unsigned track() const { return track_; }
  void step_to(unsigned track);  // as many step pulses as it takes

  // data_rate: the controller's code, 0: 500, 1: 300, 2: 250, 3: 1000 kbit/s. mfm: false asks for FM.
  bool formatted(unsigned head, bool mfm, u8 data_rate) const;
  FloppySearch search(unsigned head, const FloppyId& id, bool mfm, u8 data_rate) const;
  // The cylinder that this track's ID fields name: every second track of a 40-track disk in an 80-track drive.
  u8 cylinder() const;

  // False: the host could not.
  bool read(u32 sector, std::span<u8> into);
  bool write(u32 sector, std::span<const u8> from, bool deleted);
  Result<> flush() { return image_ ? image_->flush() : Result<>{}; }
  // Deleted data address marks live as long as the disk is in the drive: images have no place for them.
  bool deleted(u32 sector) const;

  void power_on();
  void state(StateArchive& archive);

 private:
  FloppyDriveType type_ = FloppyDriveType::None;
  std::optional<FloppyImage> image_;
  std::vector<u8> deleted_;  // one byte per sector; empty: none
  u8 track_ = 0;
  bool change_line_ = true;
};

}  // namespace relic86
