// System control port A (92h): fast A20 and fast processor reset.
#pragma once

#include "devices/attachment.h"
#include "devices/reset_pin.h"

namespace relic86 {

class SystemControlA final : public Device {
 public:
  SystemControlA(A20Gate& a20, ResetPin& reset_pin) : a20_(a20), reset_pin_(reset_pin) {}

  std::string_view name() const override { return "port92"; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind kind) override;
  void state(StateArchive& archive) override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32, GuestTime) override {}

 private:
  A20Gate& a20_;
  ResetPin& reset_pin_;
  u8 scratch_ = 0;  // the bits without a function here, and bit 0
};

}  // namespace relic86
