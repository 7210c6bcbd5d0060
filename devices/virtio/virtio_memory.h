// The one way in which virtio devices reach guest memory: a driver may write any address into its queues.
#pragma once

#include <span>

#include "memory/physical_bus.h"

namespace relic86 {

class VirtioMemory {
 public:
  void attach(PhysicalBus& bus) { bus_ = &bus; }

  // Queues: all of the range must be RAM or ROM. False: it is not, and nothing was moved.
  bool load(PhysAddr from, std::span<u8> into) const;
  bool store(PhysAddr to, std::span<const u8> from);
  bool load16(PhysAddr from, u16& value) const;
  bool store16(PhysAddr to, u16 value);

  // Buffers: display memory and other devices' registers will do, too. False: a part of the range is nothing at all.
  bool read(PhysAddr from, std::span<u8> into) const;
  bool write(PhysAddr to, std::span<const u8> from);

 private:
  enum class Direction : u8 { Read, Write };
  enum class Needs : u8 { Memory, Anything };
  bool reaches(PhysAddr address, u64 size, Direction direction, Needs needs) const;

  PhysicalBus* bus_ = nullptr;
};

}  // namespace relic86
