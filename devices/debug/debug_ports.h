// A debug console port: what the guest writes appears on the host, byte by byte.
#pragma once

#include <string>

#include "devices/attachment.h"
#include "devices/host_sinks.h"

namespace relic86 {

class DebugConsole final : public Device {
 public:
  // port: E9h (debug console of several emulators) or 402h (SeaBIOS). sink may be null: the port is there, but silent.
  DebugConsole(u16 port, CharSink* sink);

  std::string_view name() const override { return name_; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind) override {}
  void state(StateArchive&) override {}
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32, GuestTime) override {}

 private:
  u16 port_;
  CharSink* sink_;
  std::string name_;
};

}  // namespace relic86
