// The A20 gate of an AT: address line 20 works while the keyboard controller or port 92h opens it (their outputs are
// ORed on the board; Intel 82371SB datasheet, A20M#).
#pragma once

#include <array>

#include "base/state_archive.h"
#include "memory/physical_bus.h"

namespace relic86 {

class A20Gate {
 public:
  enum class Source : u8 { KeyboardController, Port92 };

  explicit A20Gate(PhysicalBus& memory) : memory_(memory) {}

  void set(Source source, bool open) {
    open_[static_cast<std::size_t>(source)] = open;
    drive();
  }
  bool opened_by(Source source) const { return open_[static_cast<std::size_t>(source)]; }
  bool open() const { return open_[0] || open_[1]; }
  // Each of the two devices saves its own source.
  void state(StateArchive& archive, Source source) {
    archive.field("a20", open_[static_cast<std::size_t>(source)]);
    if (archive.loading()) drive();
  }

 private:
  void drive() {
    if (memory_.a20() != open()) memory_.set_a20(open());
  }

  PhysicalBus& memory_;
  std::array<bool, 2> open_{false, true};
};

}  // namespace relic86
