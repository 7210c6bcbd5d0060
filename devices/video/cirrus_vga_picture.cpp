// The GD5446's picture: what changed since it was drawn last, and no more, is drawn again.
#include <algorithm>

#include "devices/video/cirrus_vga.h"
#include "devices/video/vga_picture.h"

namespace relic86 {

namespace {
constexpr double kTubeAspect = 4.0 / 3.0;

bool covers(const CirrusCursor& cursor, unsigned y) {
  return cursor.shown && y >= cursor.y && y - cursor.y < cursor.size;
}
}  // namespace

bool CirrusVga::render(Frame& frame) {
  text_window_.sync();
  const bool packed = packed_mode();
  Shown now{registers_.generation(), registers_.cursor_generation(), {}, {}};
  if (packed)
    now.cursor = CirrusCursor::of(registers_, kVideoMemory);
  else if (text_mode())
    now.blink = VgaBlink::at(timing().frame_number(scheduler_->now()));
  const u32 end = packed ? kVideoMemory : VgaMemory::kPlanarBytes;
  const bool dirty = dirty_pages_.take(bus_memory_->store(), video_memory_, 0, end, !drawn_);
  const bool same_frame = frame.width == drawn_width_ && frame.height == drawn_height_ &&
                          frame.pixels.size() == u64{drawn_width_} * drawn_height_;
  const bool same_mode = drawn_ && same_frame && now.registers == shown_.registers && now.blink == shown_.blink;
  if (packed && same_mode) {
    const bool moved = now.cursor_registers != shown_.cursor_registers || now.cursor != shown_.cursor;
    if (!dirty && !moved) return false;
    draw_changed_rows(frame, now.cursor, moved);
    shown_ = now;
    return changed_rows_.first < changed_rows_.end;
  }
  if (!packed && same_mode && !dirty) return false;
  if (packed)
    draw_packed(frame);
  else
    draw_vga_mode(vga_, planes_.bytes(), false, now.blink, frame);
  changed_rows_ = {0, frame.height};
  drawn_ = true;
  shown_ = now;
  drawn_width_ = frame.width;
  drawn_height_ = frame.height;
  return true;
}

void CirrusVga::draw_packed(Frame& frame) {
  CirrusRenderer(vga_, registers_, planes_.bytes()).draw(frame);
  // Pixels are square, save those of the old 16:10 modes.
  const bool square = frame.width * 10 != frame.height * 16 || frame.width > 640;
  frame.pixel_aspect = square ? 1.0 : kTubeAspect * frame.height / frame.width;
}

void CirrusVga::draw_changed_rows(Frame& frame, const CirrusCursor& cursor, bool moved) {
  changed_rows_ = {frame.height, 0};
  const CirrusRenderer renderer(vga_, registers_, planes_.bytes());
  constexpr u32 kLargestPattern = 1024;
  const u32 pattern_end = std::min(cursor.pattern + kLargestPattern, kVideoMemory);
  const bool redrawn = moved || (cursor.shown && dirty_pages_.any(cursor.pattern, pattern_end));
  for (unsigned y = 0; y < frame.height; y++) {
    const bool under_cursor = redrawn && (covers(cursor, y) || covers(shown_.cursor, y));
    if (!under_cursor && !row_changed(renderer.mode(), y)) continue;
    renderer.row(y, frame);
    changed_rows_.first = std::min(changed_rows_.first, y);
    changed_rows_.end = y + 1;
  }
}

bool CirrusVga::row_changed(const CirrusMode& mode, unsigned y) const {
  const u32 start = mode.row_start(y) % kVideoMemory, end = start + mode.row_bytes();
  if (dirty_pages_.any(start, std::min(end, kVideoMemory))) return true;
  return end > kVideoMemory && dirty_pages_.any(0, end - kVideoMemory);
}

}  // namespace relic86
