// The A20 gate of an AT: while it is closed, address line 20 is low. Keyboard controller and port 92h write one latch,
// and both read back what it holds.
//
// The PIIX's two inputs are ORed (82371SB datasheet, A20M#), and a PC's BIOS hands over with both of them closed. Our
// firmware (SeaBIOS) opens port 92h and leaves it so; ORed with it, a memory manager that closes the gate through the
// keyboard controller would be told that line 20 cannot be masked. Boards whose chipset watches the keyboard
// controller's commands (a "fast A20" emulation) have one latch, where the last write counts. Since port 92h shows the
// state whoever made it, the BIOS, which opens the gate for its own 32-bit code, puts back what a guest had.
#pragma once

#include "base/state_archive.h"
#include "memory/physical_bus.h"

namespace relic86 {

class A20Gate {
 public:
  explicit A20Gate(PhysicalBus& memory) : memory_(memory) {}

  void set(bool open) {
    open_ = open;
    drive();
  }
  bool open() const { return open_; }
  void state(StateArchive& archive) {
    archive.field("a20", open_);
    if (archive.loading()) drive();
  }

 private:
  void drive() {
    if (memory_.a20() != open_) memory_.set_a20(open_);
  }

  PhysicalBus& memory_;
  bool open_ = true;
};

}  // namespace relic86
