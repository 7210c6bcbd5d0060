// One channel's bus master function: registers and the scatter/gather engine.
#pragma once

#include <span>

#include "base/state_archive.h"
#include "memory/physical_bus.h"

namespace relic86 {

class IdeBusMaster {
 public:
  void attach(PhysicalBus& memory) { memory_ = &memory; }
  void reset();
  void state(StateArchive& archive);

  u8 read(unsigned offset) const;         // 0 to 7
  void write(unsigned offset, u8 value);  // 0 to 7
  void interrupt_rose() { status_ |= kInterrupt; }

  // Started, and not at the end of the table: data can move in this direction.
  bool ready(bool to_memory) const { return (status_ & kActive) != 0 && ((command_ & kToMemory) != 0) == to_memory; }
  // Moves up to this many bytes between the drive's buffer and memory; returns how many. Fewer: the table ended, or
  // master_aborted().
  std::size_t move(std::span<u8> buffer, bool to_memory);
  // True once after nothing answered at an address of the table or its regions.
  bool take_master_abort();

 private:
  enum CommandBit : u8 { kStart = 1, kToMemory = 8 };
  enum StatusBit : u8 { kActive = 1, kError = 2, kInterrupt = 4, kCapable = 0x60 };
  bool next_region();
  void abort();
  bool answers(u64 address) const;

  PhysicalBus* memory_ = nullptr;
  u8 command_ = 0;
  u8 status_ = 0;
  u32 table_ = 0;  // BMIDTP
  // The engine's place.
  u32 next_entry_ = 0;
  u32 region_address_ = 0;
  u32 region_left_ = 0;
  bool last_region_ = false;
  bool master_abort_ = false;
};

}  // namespace relic86
