#include "devices/video/vga_text_window.h"

#include <cstring>

namespace relic86 {

namespace {

constexpr u64 kTextBase = 0xB8000;
constexpr u64 kPlanes = 4;
constexpr u64 kCell = 2;  // bytes of the window that lie together in the planes

}  // namespace

void VgaTextWindow::connect(PhysicalBus& bus, std::span<u8> planes, BackingOffset first) {
  bus_ = &bus;
  planes_ = planes;
  first_ = first;
  window_ = bus.store().allocate(kBytes, "vga.text-window");
  key_ = bus.new_key();
}

void VgaTextWindow::show(bool wanted) {
  if (wanted == shown_ || bus_ == nullptr) return;
  if (wanted) {
    BackingStore& store = bus_->store();
    const std::span<u8> bytes = store.bytes(window_, kBytes);
    for (u64 at = 0; at < kBytes; at += kCell) std::memcpy(&bytes[at], &planes_[at * kPlanes], kCell);
    store.note_write(window_, kBytes);
    store.arm_dirty(window_, kBytes);
  } else {
    sync();
  }
  shown_ = wanted;
  bus_->map_movable(key_,
                    ram_range("vga.text-window", PhysAddr(kTextBase), wanted ? kBytes : 0, window_, Priority::Window));
}

void VgaTextWindow::sync() {
  if (!shown_) return;
  BackingStore& store = bus_->store();
  for (u64 page = 0; page < kBytes; page += kPageSize) {
    const BackingOffset from = window_ + page;
    if (!store.dirty(from)) continue;
    const u8* const bytes = store.host(from);
    for (u64 at = 0; at < kPageSize; at += kCell) std::memcpy(&planes_[(page + at) * kPlanes], bytes + at, kCell);
    store.note_write(first_ + page * kPlanes, kPageSize * kPlanes);
    store.arm_dirty(from, kPageSize);
  }
}

}  // namespace relic86
