// A card with nothing but an MPU-401 in UART mode, for guests whose sound card has none.
#pragma once

#include "devices/attachment.h"
#include "devices/device.h"
#include "devices/sound/mpu401.h"

namespace relic86 {

struct Mpu401CardConfig {
  u16 port = 0x330;
  u8 irq = 9;  // 3, 4, 5, 7, 9 or 10; 9 is the slot's IRQ 2
};

class Mpu401Card final : public Device {
 public:
  Mpu401Card(const Mpu401CardConfig& config, MidiInstrument* instrument) : config_(config), mpu_(instrument) {}

  std::string_view name() const override { return "mpu401"; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind kind) override;
  void state(StateArchive& archive) override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32, GuestTime) override {}

 private:
  Mpu401CardConfig config_;
  Scheduler* scheduler_ = nullptr;
  IrqLine irq_;
  Mpu401 mpu_;
};

}  // namespace relic86
