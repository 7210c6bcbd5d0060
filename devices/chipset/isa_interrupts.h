// The ISA interrupt lines lead to both kinds of controllers: line n to input n of the 8259A pair and of the I/O APIC,
// save that the timer's line 0 is on the I/O APIC's input 2 (the MADT's interrupt source override). Lines 16 to 23 are
// the I/O APIC's alone.
#pragma once

#include "devices/chipset/i8259.h"
#include "devices/chipset/io_apic.h"

namespace relic86 {

class IsaInterrupts final : public IrqSink {
 public:
  IsaInterrupts(I8259Pair& pic, IoApic& io_apic) : pic_(pic), io_apic_(io_apic) {}
  void set_irq(unsigned line, bool level) override {
    if (line < 16) pic_.set_irq(line, level);
    if (line != 2) io_apic_.set_irq(line == 0 ? 2 : line, level);
  }

 private:
  I8259Pair& pic_;
  IoApic& io_apic_;
};

}  // namespace relic86
