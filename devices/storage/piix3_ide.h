// Intel 82371SB (PIIX3) function 1: IDE controller with two channels and bus mastering.
#pragma once

#include <memory>

#include "devices/pci_device.h"
#include "devices/storage/ata_channel.h"

namespace relic86 {

class Piix3Ide final : public PciDevice {
 public:
  Piix3Ide();

  // Before attach. unit: 0 primary master, 1 primary slave, 2 secondary master, 3 secondary slave (-hda to -hdd).
  void plug(unsigned unit, std::unique_ptr<AtaDevice> drive);
  AtaDevice* drive(unsigned unit) const { return channels_[unit >> 1].drive(unit & 1); }
  AtaChannel& channel(unsigned number) { return channels_[number]; }
  // The channel whose data port this is, for REP INS/OUTS; null: none.
  AtaChannel* data_port(IoPort port);

  std::string_view name() const override { return "piix3_ide"; }
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32 id, GuestTime late) override;

 protected:
  Result<> attach_function(Attachment& board) override;
  void reset_function(ResetKind kind) override;
  void state_function(StateArchive& archive) override;
  void config_written(unsigned offset, unsigned width) override;

 private:
  enum Region : RegionId { kCommand0, kCommand1, kControl0, kControl1, kBusMaster };
  void note_master_abort(AtaChannel& channel);

  std::array<AtaChannel, 2> channels_;
  bool attached_ = false;
};

}  // namespace relic86
