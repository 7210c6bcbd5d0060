#include "display/picture.h"

#include <utility>

#include "devices/video/display_adapter.h"

namespace relic86 {

const Frame& Picture::update(PcBoard& board) {
  const unsigned width = frame_.width, height = frame_.height;
  if (!board.render(frame_)) return frame_;
  const DisplayAdapter::Rows rows = board.display()->changed_rows();
  const bool resized = width != frame_.width || height != frame_.height;
  changed_ = resized ? RowRange{0, frame_.height} : changed_.joined({rows.first, rows.end});
  return frame_;
}

RowRange Picture::take_changed() { return std::exchange(changed_, RowRange{}); }

}  // namespace relic86
