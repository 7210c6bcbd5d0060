// pvpanic: a port by which a guest says that it has panicked.
#pragma once

#include "devices/attachment.h"
#include "devices/host_sinks.h"

namespace relic86 {

class Pvpanic final : public Device {
 public:
  Pvpanic(MachineControl& machine, u16 port) : machine_(machine), port_(port) {}

  std::string_view name() const override { return "pvpanic"; }
  Result<> attach(Attachment& board) override { return board.ports(*this, 0, port_, 1); }
  void reset(ResetKind) override {}
  void state(StateArchive&) override {}
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32, GuestTime) override {}

 private:
  MachineControl& machine_;
  u16 port_;
};

}  // namespace relic86
