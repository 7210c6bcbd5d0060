// National PC16550D serial port: FIFOs, interrupts, loopback, transmission at the programmed speed of guest time.
#pragma once

#include <string>

#include "devices/attachment.h"
#include "devices/byte_queue.h"
#include "devices/host_sinks.h"

namespace relic86 {

class Uart16550 final : public Device, public CharSource {
 public:
  // Modem inputs, as in the modem status register.
  static constexpr u8 kClearToSend = 0x10, kDataSetReady = 0x20, kRing = 0x40, kCarrier = 0x80;

  // number: 1 to 4 (COM1 to COM4), for the name only. irq: ISA interrupt, 0 to 15.
  Uart16550(unsigned number, u16 port, unsigned irq);

  // Where sent bytes go; null: nowhere. A byte arrives there when the guest writes it, before its time on the line is
  // over: a guest that stops right after its last line loses nothing.
  // The host's end of the line has no baud rate: a character leaves after this long at the most, whatever the divisor
  // says.
  void set_slowest_send(GuestTime time) { slowest_send_ = time; }
  void connect(CharSink* sink) { sink_ = sink; }
  bool can_receive() const override;
  void receive(u8 byte) override;  // without can_receive() the byte is lost with an overrun error
  void receive_break();
  void set_modem_inputs(u8 inputs);

  std::string_view name() const override { return name_; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind kind) override;
  void state(StateArchive& archive) override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32 id, GuestTime late) override;

 private:
  static constexpr unsigned kFifoSize = 16;
  enum Timer : u32 { kTransmitTimer, kTimeoutTimer };

  bool fifos_enabled() const;
  bool looped() const;
  unsigned trigger_level() const;
  GuestTime bit_time() const;
  GuestTime character_time() const;
  u8 line_status() const;
  u8 interrupt_identification() const;
  bool interrupts() const;

  u8 read_received();
  u8 read_line_status();
  u8 read_modem_status();
  void write_transmit(u8 byte);
  void write_interrupt_enable(u8 value);
  void write_fifo_control(u8 value);
  void write_line_control(u8 value);
  void write_modem_control(u8 value);

  void put_received(u8 byte, u8 errors);
  void look_at_first_received();
  void restart_timeout();
  void clear_receiver();
  void clear_transmitter();
  void finish_loop();
  void start_sending(GuestTime from);
  void update_modem_status();
  void drive();

  std::string name_;
  u16 port_;
  unsigned irq_number_;
  CharSink* sink_ = nullptr;
  GuestTime slowest_send_ = INT64_MAX;
  Scheduler* scheduler_ = nullptr;
  TimerId transmit_timer_ = 0;
  TimerId timeout_timer_ = 0;
  IrqLine irq_;

  u16 divisor_ = 0;
  u8 interrupt_enable_ = 0;
  u8 fifo_control_ = 0;
  u8 line_control_ = 0;
  u8 modem_control_ = 0;
  bool out2_used_ = false;   // since the reset
  bool length_set_ = false;  // by a write to LCR, since the reset
  u8 modem_status_ = 0;
  u8 modem_inputs_ = kClearToSend | kDataSetReady | kCarrier;
  u8 scratch_ = 0;
  u8 line_errors_ = 0;  // overrun, and those of the character now first
  ByteQueue<kFifoSize> received_;
  ByteQueue<kFifoSize> received_errors_;  // of each received character
  ByteQueue<kFifoSize> to_send_;
  u8 shift_register_ = 0;
  bool sending_ = false;              // the shift register is busy
  bool transmitter_emptied_ = false;  // the THRE interrupt is pending
  bool timed_out_ = false;
};

}  // namespace relic86
