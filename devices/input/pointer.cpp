#include "devices/input/pointer.h"

namespace relic86 {

void Pointer::move(int dx, int dy, int dz) {
  if (!absolute()) return mouse_.move(dx, dy, dz);
  if (dx != 0 || dy != 0) mouse_.move(dx, dy, 0);
  tablet_->turn_wheel(dz);
}

void Pointer::point(std::optional<unsigned> x, std::optional<unsigned> y) {
  if (tablet_ == nullptr) return;
  const AbsolutePointer::Position before = tablet_->position();
  tablet_->point(x.value_or(before.x), y.value_or(before.y));
}

// What was pressed on one device before the guest turned to the other one is let go there.
void Pointer::buttons(u8 mask) {
  const bool to_tablet = absolute();
  if (tablet_ != nullptr) tablet_->buttons(to_tablet ? mask : u8{0});
  if (!to_tablet || mouse_.pressed() != 0) mouse_.buttons(to_tablet ? u8{0} : mask);
}

}  // namespace relic86
