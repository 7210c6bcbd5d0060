#include "devices/video/settled_window.h"

namespace relic86 {

void SettledWindow::connect(PhysicalBus& bus) {
  bus_ = &bus;
  key_ = bus.new_key();
}

void SettledWindow::offer(PhysAddr at, u64 size, BackingOffset memory) {
  if (at.raw == at_.raw && size == size_ && memory.raw == memory_.raw) return;
  if (shown_) map(0);
  shown_ = false;
  at_ = at;
  size_ = size;
  memory_ = memory;
  accessed_ = 0;
}

void SettledWindow::note(std::size_t bytes) {
  if (size_ == 0 || shown_) return;
  accessed_ += bytes;
  if (accessed_ < settled_) return;
  shown_ = true;
  map(size_);
}

void SettledWindow::map(u64 size) { bus_->map_movable(key_, ram_range(owner_, at_, size, memory_, priority_)); }

}  // namespace relic86
