// Port 80h: power-on self test codes of the BIOS. Programs also write it to wait about a microsecond.
#pragma once

#include "devices/attachment.h"

namespace relic86 {

class PostPort final : public Device {
 public:
  u8 last_code() const { return code_; }  // what a POST card would show

  std::string_view name() const override { return "post"; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind) override;
  void state(StateArchive& archive) override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32, GuestTime) override {}

 private:
  u8 code_ = 0;
};

}  // namespace relic86
