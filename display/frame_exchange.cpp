#include "display/frame_exchange.h"

#include <algorithm>
#include <utility>

namespace relic86 {

RowRange RowRange::joined(RowRange other) const {
  if (empty()) return other;
  if (other.empty()) return *this;
  return {std::min(first, other.first), std::max(end, other.end)};
}

void FrameExchange::publish(const Frame& frame, RowRange rows) {
  rows.end = std::min(rows.end, frame.height);
  if (rows.empty()) return;
  // `stale` belongs to the machine's thread in every slot: the window only reads frames.
  for (Slot& slot : slots_) slot.stale = slot.stale.joined(rows);
  Slot& slot = slots_[back_];
  if (slot.frame.width != frame.width || slot.frame.height != frame.height) slot.stale = {0, frame.height};
  slot.frame.width = frame.width;
  slot.frame.height = frame.height;
  slot.frame.pixel_aspect = frame.pixel_aspect;
  slot.frame.text_mode = frame.text_mode;
  slot.frame.pixels.resize(u64{frame.width} * frame.height);
  const RowRange copied{slot.stale.first, std::min(slot.stale.end, frame.height)};
  const auto offset = [&](unsigned row) { return static_cast<std::ptrdiff_t>(u64{row} * frame.width); };
  std::copy(frame.pixels.begin() + offset(copied.first), frame.pixels.begin() + offset(copied.end),
            slot.frame.pixels.begin() + offset(copied.first));
  slot.stale = {};

  std::lock_guard lock(mutex_);
  unseen_ = unseen_.joined(rows);
  std::swap(back_, ready_);
  fresh_ = true;
}

FrameExchange::Taken FrameExchange::take() {
  std::lock_guard lock(mutex_);
  if (!fresh_) return {};
  fresh_ = false;
  std::swap(front_, ready_);
  const RowRange rows = std::exchange(unseen_, RowRange{});
  const Frame& frame = slots_[front_].frame;
  return {&frame, {rows.first, std::min(rows.end, frame.height)}};
}

}  // namespace relic86
