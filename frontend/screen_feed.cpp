#include "frontend/screen_feed.h"

namespace relic86 {

ScreenFeed::~ScreenFeed() { machine_.on_frame({}); }

void ScreenFeed::add(Viewer* viewer) {
  update();  // the others keep what has changed for them
  viewers_.push_back(viewer);
  const Frame& frame = machine_.picture().update(machine_.board());
  viewer->screen_changed(frame, {0, frame.height});
  watch_machine();
}

void ScreenFeed::remove(Viewer* viewer) {
  std::erase(viewers_, viewer);
  watch_machine();
}

void ScreenFeed::watch_machine() {
  if (viewers_.empty()) return machine_.on_frame({});
  machine_.on_frame([this] {
    update();
    for (Viewer* viewer : viewers_) viewer->frame_passed();
  });
}

void ScreenFeed::update() {
  Picture& picture = machine_.picture();
  const Frame& frame = picture.update(machine_.board());
  const RowRange rows = picture.take_changed();
  if (rows.empty()) return;
  for (Viewer* viewer : viewers_) viewer->screen_changed(frame, rows);
}

}  // namespace relic86
