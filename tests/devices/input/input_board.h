// What the tests of the input devices and the floppy controller add to the common board: time passes event by event.
#pragma once

#include "tests/devices/test_board.h"

namespace relic86::input_test {

class Board : public test::TestBoard {
 public:
  u8 in(u16 port) { return static_cast<u8>(TestBoard::in(port)); }
  void run(GuestTime nanoseconds) {
    const GuestTime end = clock.time + nanoseconds;
    while (scheduler.next_deadline() <= end) {
      clock.time = std::max(clock.time, scheduler.next_deadline());
      scheduler.run_due();
    }
    clock.time = end;
  }
};

using test::saved;

}  // namespace relic86::input_test
