// Guest memory as an AHCI controller reaches it: command lists, received FISes, and the scattered buffers that a
// command's table lists.
#pragma once

#include <span>

#include "base/state_archive.h"
#include "memory/physical_bus.h"

namespace relic86 {

class AhciMemory {
 public:
  explicit AhciMemory(PhysicalBus& bus) : bus_(bus) {}

  // False: nothing answers there.
  bool read(u64 address, std::span<u8> into) const;
  bool write(u64 address, std::span<const u8> from) const;

 private:
  bool answers(u64 address, std::size_t size) const;
  PhysicalBus& bus_;
};

// The place in a physical region descriptor table (AHCI 1.3, 4.2.3.3).
class AhciRegions {
 public:
  void start(u64 table, u32 entries);
  void state(StateArchive& archive);

  enum class Outcome : u8 { Moved, Ended, NoAnswer };
  // Moves bytes between the drive's buffer and the regions; count: how many were. Ended: there are no more regions.
  Outcome move(const AhciMemory& memory, std::span<u8> buffer, bool to_memory, std::size_t& count);

 private:
  Outcome next_region(const AhciMemory& memory);

  u64 table_ = 0;    // of the next entry
  u32 entries_ = 0;  // that are left
  u64 address_ = 0;
  u32 left_ = 0;  // of the region
};

}  // namespace relic86
