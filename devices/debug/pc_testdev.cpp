// pc-testdev (what x86/*.c and lib/x86 of kvm-unit-tests use)
//
//   port         width    R/W  bits
//   E0h - E3h    1, 2, 4  RW   scratch
//   E4h - E7h    1, 2, 4  W    flush the page at this address: nothing to do here
//   2000h + n    1        W    interrupt line n (0 to 23): 0 low, else high
//
//   FF000000h    64 KiB of scratch memory that answers like registers do
#include "devices/debug/pc_testdev.h"

#include <cstring>

namespace relic86 {

namespace {
constexpr PhysAddr kMemoryAddress{0xFF000000};
}  // namespace

Result<> PcTestdev::attach(Attachment& board) {
  for (unsigned line = 0; line < kLines; line++)
    lines_[line] = line < 16 ? board.isa_irq(line) : IrqLine(&high_lines_, line);
  if (auto done = board.ports(*this, kScratch, 0xE0, 4, 4); !done) return done;
  if (auto done = board.ports(*this, kFlush, 0xE4, 4, 4); !done) return done;
  if (auto done = board.ports(*this, kLine, 0x2000, kLines, 1); !done) return done;
  PhysicalBus& memory = board.memory();
  return memory.map_fixed(memory.new_key(),
                          mmio_range(std::string(name()), kMemoryAddress, kMemorySize, this, kMemory, 4));
}

void PcTestdev::state(StateArchive& archive) {
  archive.bytes("scratch", scratch_);
  archive.bytes("memory", memory_);
}

u64 PcTestdev::read(RegionId region, u64 offset, unsigned width) {
  u64 value = 0;
  if (region == kMemory) {
    if (offset + width <= memory_.size()) std::memcpy(&value, memory_.data() + offset, width);
  } else if (region == kScratch) {
    if (offset + width <= scratch_.size()) std::memcpy(&value, scratch_.data() + offset, width);
  }
  return value;
}

void PcTestdev::write(RegionId region, u64 offset, unsigned width, u64 value) {
  if (region == kLine && offset < kLines) {
    lines_[offset].set((value & 0xFF) != 0);
  } else if (region == kMemory) {
    if (offset + width <= memory_.size()) std::memcpy(memory_.data() + offset, &value, width);
  } else if (region == kScratch) {
    if (offset + width <= scratch_.size()) std::memcpy(scratch_.data() + offset, &value, width);
  }
}

}  // namespace relic86
