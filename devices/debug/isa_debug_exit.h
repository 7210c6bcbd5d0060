// isa-debug-exit: a port by which test programs end the emulator with an exit code of theirs.
#pragma once

#include <string>

#include "devices/attachment.h"
#include "devices/host_sinks.h"

namespace relic86 {

class IsaDebugExit final : public Device {
 public:
  static constexpr u16 kDefaultPort = 0x501;
  static constexpr u32 kDefaultSize = 2;

  // size: ports taken, 1 to 4096.
  IsaDebugExit(MachineControl& machine, u16 port, u32 size);

  std::string_view name() const override { return name_; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind) override {}
  void state(StateArchive&) override {}
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32, GuestTime) override {}

 private:
  static constexpr u32 kMostPorts = 4096;
  MachineControl& machine_;
  u16 port_;
  u32 size_;
  std::string name_;
};

}  // namespace relic86
