// Intel 82371SB (PIIX3) function 0: ISA bridge, PIRQ router, reset control, APM ports.
#pragma once

#include <array>
#include <functional>

#include "devices/chipset/reset_control.h"
#include "devices/pci_bus.h"

namespace relic86 {

class Piix3 final : public PciDevice, public IrqSink {
 public:
  // IrqSink: PIRQ A# to D# (inputs 0 to 3), active = true.
  Piix3(PciBus& bus, MachineControl& machine);

  // Told of every write to the APM control port (B2h): the PIIX4's power management takes the place of the PIIX3's SMI
  // logic on this board.
  void on_apm_command(std::function<void(u8)> listener) { apm_command_ = std::move(listener); }

  void set_irq(unsigned pirq, bool level) override;
  // The ISA interrupt that PIRQ A to D (0 to 3) is routed to; 16: none.
  unsigned routed_to(unsigned pirq) const;

  std::string_view name() const override { return "piix3"; }
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32, GuestTime) override {}

 protected:
  Result<> attach_function(Attachment& board) override;
  void reset_function(ResetKind kind) override;
  void state_function(StateArchive& archive) override;
  void config_written(unsigned offset, unsigned width) override;

 private:
  static constexpr unsigned kPirqs = 4;
  enum Region : RegionId { kApm, kBehindConfigAddress };
  void drive_routes();

  PciBus& bus_;
  ResetControl reset_control_;
  std::function<void(u8)> apm_command_;
  std::array<IrqLine, 16> isa_irqs_;
  std::array<u8, kPirqs> pirq_levels_{};
  u8 apm_control_ = 0;
  u8 apm_status_ = 0;
};

}  // namespace relic86
