// The MPU-401's UART mode, as sound cards have it: no device by itself, a card shows it at two ports. What is sent goes
// nowhere yet: no synthesizer is plugged in.
#pragma once

#include "devices/byte_queue.h"

namespace relic86 {

class Mpu401 {
 public:
  void reset();
  void state(StateArchive& archive);

  // offset: 0 data, 1 status and command.
  u8 read(u64 offset);
  void write(u64 offset, u8 value);
  // A byte waits to be read.
  bool pending() const { return !answers_.empty(); }

 private:
  bool uart_ = false;
  ByteQueue<4> answers_;
};

}  // namespace relic86
