// The watchdog timer of iBase's IB700 single board computer.
#pragma once

#include "devices/attachment.h"
#include "devices/device.h"
#include "devices/host_sinks.h"

namespace relic86 {

class Ib700 final : public Device {
 public:
  explicit Ib700(MachineControl& machine) : machine_(machine) {}

  std::string_view name() const override { return "ib700"; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind kind) override;
  void state(StateArchive&) override {}  // all that it has is its timer
  u64 read(RegionId, u64, unsigned width) override { return all_ones(width); }
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32, GuestTime) override { machine_.watchdog_expired(); }

 private:
  enum Region : RegionId { kDisable, kEnable };
  MachineControl& machine_;
  Scheduler* scheduler_ = nullptr;
  TimerId timer_ = 0;
};

}  // namespace relic86
