// Interrupt lines. A device owns IrqLine objects and sets their level; the board decides where each one leads.
#pragma once

#include "base/types.h"

namespace relic86 {

// What a line leads to: an interrupt controller input, or a router (PIRQ).
class IrqSink {
 public:
  virtual void set_irq(unsigned input, bool level) = 0;
  // A separate wire to this input, to be given to set_irq instead of it. Sinks that OR several wires (IrqJoin) hand out
  // new numbers; others have one wire per input.
  virtual unsigned new_wire(unsigned input) { return input; }
  // Of wires that share an input, this one alone counts while it claims the input.
  virtual void claim(unsigned /*wire*/, bool /*claimed*/) {}

 protected:
  ~IrqSink() = default;
};

// One wire. Copies are the same wire only while nobody sets them: keep one owner.
class IrqLine {
 public:
  IrqLine() = default;
  IrqLine(IrqSink* sink, unsigned input) : sink_(sink), input_(input) {}

  void set(bool level) {
    level_ = level;
    if (sink_ != nullptr) sink_->set_irq(input_, level);
  }
  void raise() { set(true); }
  void lower() { set(false); }
  void pulse() { set(true), set(false); }
  // Nobody else who shares the line is heard while it is claimed; one at most claims it.
  void claim(bool claimed) {
    if (sink_ != nullptr) sink_->claim(input_, claimed);
  }
  bool level() const { return level_; }

 private:
  IrqSink* sink_ = nullptr;
  unsigned input_ = 0;
  bool level_ = false;
};

}  // namespace relic86
