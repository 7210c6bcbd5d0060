// The event ring and the interrupter (xHCI 1.0, 4.9.4 and 4.17): one segment, whose place and size the segment table has.
#include <array>

#include "base/byte_order.h"
#include "devices/bus_mastering.h"
#include "devices/usb/xhci.h"

namespace relic86 {

using namespace xhci;

// The table's address has been written: the ring is empty, and its first pass has a cycle bit of one.
void Xhci::find_event_ring() {
  constexpr u32 kSizeAt = 8, kLeast = 16, kMost = 4096, kSizeBits = 0xFFFF;
  event_ring_size_ = event_index_ = 0;
  event_cycle_ = true;
  if (segment_count_ == 0) return;
  event_ring_ = load64(segment_table_) & ~u64{0x3F};
  const u32 size = load32(segment_table_ + kSizeAt) & kSizeBits;
  if (size >= kLeast && size <= kMost) event_ring_size_ = size;
}

// One block stays free, so that a full ring differs from an empty one.
u32 Xhci::event_room() const {
  if (event_ring_size_ == 0) return 0;
  const u64 dequeue = ((event_dequeue_ & ~u64{kDequeueLowBits}) - event_ring_) / kBlockBytes;
  if (dequeue >= event_ring_size_) return 0;
  const u32 used = (event_index_ + event_ring_size_ - static_cast<u32>(dequeue)) % event_ring_size_;
  return event_ring_size_ - 1 - used;
}

// Callers look whether there is room, as far as they can wait; what comes without is lost.
void Xhci::post(const Event& event) {
  if (event_room() == 0 || !bus_master_enabled()) return;
  std::array<u8, kBlockBytes> bytes{};
  store_le(std::span(bytes), 0, event.parameter);
  store_le(std::span(bytes), 8, event.status);
  store_le(std::span(bytes), 12, event.control | (event_cycle_ ? kCycle : 0));
  {
    const BusMastering moving(moves_);
    memory_->write_block(PhysAddr(event_ring_ + u64{event_index_} * kBlockBytes), bytes);
  }
  if (++event_index_ == event_ring_size_) {
    event_index_ = 0;
    event_cycle_ = !event_cycle_;
  }
  note_event();
}

// While the handler is busy it hears of nothing more: it looks at the ring until that is empty.
void Xhci::note_event() {
  const bool busy = (event_dequeue_ & kHandlerBusy) != 0;
  event_dequeue_ |= kHandlerBusy;
  management_ |= kPending;
  status_ |= kEventInterrupt;
  const bool enabled = (management_ & kEnabledInterrupt) != 0 && (command_ & kInterrupterEnable) != 0;
  if (enabled && !busy && msix_ && msix_->enabled()) {
    management_ &= ~kPending;  // a message takes it back (5.5.2.1)
    msix_->notify(0);
  }
  drive_pin();
}

void Xhci::event_dequeue_written() {
  const bool empty = event_ring_size_ == 0 || event_room() == event_ring_size_ - 1;
  if (!empty && (event_dequeue_ & kHandlerBusy) == 0) note_event();
  // What has waited for room.
  tell_of_ports();
  if (commands_run_) run_commands();
  plan();
}

void Xhci::drive_pin() {
  const bool messages = msix_ && msix_->enabled();
  const bool enabled = (management_ & kEnabledInterrupt) != 0 && (command_ & kInterrupterEnable) != 0;
  set_interrupt(!messages && enabled && (management_ & kPending) != 0);
}

}  // namespace relic86
