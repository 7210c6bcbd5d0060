// isa-debug-exit
//
//   port        width    R/W  bits
//   base + 0..  1, 2, 4  RW   write v: the emulator ends with the code v * 2 + 1 (never 0: the shell sees that a test
//                             program ended by itself); read: 0
#include "devices/debug/isa_debug_exit.h"

#include <fmt/format.h>

namespace relic86 {

IsaDebugExit::IsaDebugExit(MachineControl& machine, u16 port, u32 size)
    : machine_(machine), port_(port), size_(size), name_(fmt::format("isa-debug-exit.{:x}h", port)) {}

Result<> IsaDebugExit::attach(Attachment& board) {
  if (size_ == 0 || size_ > kMostPorts || port_ + size_ > 0x10000) {
    return Error{
        fmt::format("isa-debug-exit: iosize={} at iobase={:#x} is not possible; give 1 to {} ports below 64 KB", size_,
                    port_, kMostPorts)};
  }
  return board.ports(*this, 0, port_, size_, 4);
}

u64 IsaDebugExit::read(RegionId, u64, unsigned) { return 0; }

void IsaDebugExit::write(RegionId, u64, unsigned width, u64 value) {
  machine_.request_exit(static_cast<u32>((value & all_ones(width)) << 1 | 1));
}

}  // namespace relic86
