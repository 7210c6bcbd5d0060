// The board's two cascaded 8259A interrupt controllers and the PIIX3's edge/level control registers (ELCR).
#pragma once

#include <functional>
#include <string>

#include "devices/attachment.h"
#include "devices/device.h"

namespace relic86 {

class I8259Pair final : public Device, public IrqSink {
 public:
  // INTR to the processor: called whenever the level changes.
  void set_output(std::function<void(bool)> output) { output_ = std::move(output); }
  // The INTA cycle: the vector of the highest request; a spurious one (input 7) when it has gone meanwhile.
  u8 acknowledge();
  // Lines IR0 to IR15; input 2 is the cascade and is not connected.
  void set_irq(unsigned input, bool level) override;
  std::string describe() const;  // info pic

  std::string_view name() const override { return "i8259"; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind kind) override;
  void state(StateArchive& archive) override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32, GuestTime) override {}

 private:
  enum Region : RegionId { kMaster, kSlave, kElcr };
  struct Chip {
    u8 lines = 0;    // levels of the inputs
    u8 request = 0;  // IRR: edges seen, or levels
    u8 service = 0;  // ISR
    u8 mask = 0;     // IMR
    u8 vector_base = 0;
    u8 edge_level = 0;  // ELCR: set bits are level-triggered
    u8 lowest = 7;      // the input of lowest priority (rotation)
    u8 init_step = 0;   // 0 ready, else the ICW expected next (2 to 4)
    bool expects_icw4 = false;
    bool single = false;
    bool all_level = false;  // ICW1 LTIM
    bool auto_eoi = false;
    bool rotate_on_auto_eoi = false;
    bool special_mask = false;
    bool special_fully_nested = false;
    bool read_service = false;
    bool poll = false;

    u8 level_bits() const { return all_level ? u8{0xFF} : edge_level; }
  };

  u8 pending(const Chip& chip) const;
  int highest(const Chip& chip) const;  // the input to acknowledge; -1: none
  void set_line(Chip& chip, unsigned input, bool level);
  static void write_edge_level(Chip& chip, u8 value);
  u8 take(Chip& chip, unsigned input);  // acknowledge on one chip: the vector
  void write_command(Chip& chip, u8 value);
  void write_data(Chip& chip, u8 value);
  void end_of_interrupt(Chip& chip, unsigned input);
  u8 read_chip(Chip& chip, bool data_port);
  void update();
  void chip_state(StateArchive& archive, Chip& chip);

  Chip chips_[2];
  std::function<void(bool)> output_;
  bool intr_ = false;
};

}  // namespace relic86
