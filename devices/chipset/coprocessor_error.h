// The PC/AT's coprocessor error latch: FERR# to IRQ 13, and IGNNE# back to the processor.
#pragma once

#include "devices/attachment.h"

namespace relic86 {

class CoprocessorError final : public Device {
 public:
  // FERR# of the processor; active = true.
  void set_ferr(bool active);
  // IGNNE# to the processor: the guest acknowledged the error, floating-point instructions run on despite it.
  bool ignore_error() const { return ignore_; }

  std::string_view name() const override { return "coprocessor_error"; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind kind) override;
  void state(StateArchive& archive) override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32, GuestTime) override {}

 private:
  IrqLine irq_;
  bool ferr_ = false;
  bool latched_ = false;
  bool ignore_ = false;
};

}  // namespace relic86
