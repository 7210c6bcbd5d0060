// Intel 8042 as the AT and PS/2 keyboard controller, with the auxiliary (mouse) port.
#pragma once

#include <array>

#include "devices/attachment.h"
#include "devices/byte_queue.h"
#include "devices/input/ps2_port.h"
#include "devices/reset_pin.h"

namespace relic86 {

class I8042 final : public Device, public Ps2Host {
 public:
  I8042(A20Gate& a20, ResetPin& reset_pin) : a20_(a20), reset_pin_(reset_pin) {}

  // What is plugged in; null: nothing. The devices' set_host() is the caller's.
  void plug_keyboard(Ps2Device* keyboard) { keyboard_ = keyboard; }
  void plug_mouse(Ps2Device* mouse) { mouse_ = mouse; }

  void data_ready() override;
  bool port_idle(const Ps2Device& device) const override;

  std::string_view name() const override { return "i8042"; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind kind) override;
  void state(StateArchive& archive) override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32 id, GuestTime late) override;

 private:
  enum Region : RegionId { kData, kCommand };
  enum class Source : u8 { Controller, Keyboard, Mouse };

  u8 status() const;
  u8 output_port() const;
  u8 read_data();
  void write_command(u8 command);
  void write_data(u8 value);
  void write_command_data(u8 value);
  void write_output_port(u8 value);
  void send_to_device(Ps2Device* device, u8 value, u8 disable_bit, Source source);
  void reply(u8 value, Source source = Source::Controller);
  void schedule_output();
  void fill_output(u8 value, Source source);
  bool translate(u8& value);
  void drive_irqs();
  bool enabled(u8 disable_bit) const { return (ram_[0] & disable_bit) == 0; }

  A20Gate& a20_;
  ResetPin& reset_pin_;
  Ps2Device* keyboard_ = nullptr;
  Ps2Device* mouse_ = nullptr;
  Scheduler* scheduler_ = nullptr;
  TimerId output_timer_ = 0;
  IrqLine keyboard_irq_;
  IrqLine mouse_irq_;

  std::array<u8, 32> ram_{};  // ram_[0]: the command byte
  u8 output_ = 0;             // the output buffer; keeps its value when read
  bool output_full_ = false;
  Source output_source_ = Source::Controller;
  bool timeout_ = false;           // status bit 6: the last byte was for a port where nothing answers
  bool last_was_command_ = false;  // status bit 3
  u8 awaiting_ = 0;                // the command whose parameter byte comes next at port 60h; 0: none
  u8 output_port_low_ = 0;         // bits 0 (reset, 1: released) and others that commands wrote
  bool break_prefix_ = false;      // translation has seen F0h
  ByteQueue<16> replies_;          // the controller's own bytes: value, source
};

}  // namespace relic86
