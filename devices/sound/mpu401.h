// The MPU-401's UART mode, as sound cards have it: no device by itself, a card shows it at two ports.
#pragma once

#include "devices/byte_queue.h"
#include "devices/sound/midi_port.h"

namespace relic86 {

class Mpu401 {
 public:
  // instrument: what is played; null: nothing is heard.
  explicit Mpu401(MidiInstrument* instrument) : midi_(instrument) {}

  void reset(GuestTime now);
  void state(StateArchive& archive, GuestTime now);

  // offset: 0 data, 1 status and command.
  u8 read(u64 offset);
  void write(GuestTime now, u64 offset, u8 value);
  // A byte waits to be read.
  bool pending() const { return !answers_.empty(); }
  // The output beside the registers, which a Sound Blaster's DSP plays through, too.
  MidiPort& midi() { return midi_; }

 private:
  void leave_uart();

  bool uart_ = false;
  ByteQueue<4> answers_;
  MidiPort midi_;
};

}  // namespace relic86
