// pvpanic (QEMU's docs/specs/pvpanic)
//
//   port   width  R/W  bits
//   base   1      RW   read: which events there are; write: the one that has happened: 0 the guest has panicked. 1, that
//                      it has and goes on with a crash kernel, is not there.
#include "devices/debug/pvpanic.h"

namespace relic86 {

namespace {
constexpr u64 kPanicked = 1u << 0;
}  // namespace

u64 Pvpanic::read(RegionId, u64, unsigned) { return kPanicked; }

void Pvpanic::write(RegionId, u64, unsigned, u64 value) {
  if ((value & kPanicked) != 0) machine_.guest_panicked();
}

}  // namespace relic86
