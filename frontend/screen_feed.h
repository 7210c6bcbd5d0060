// Brings the machine's picture to all who look at it on the host. Without any of them the machine does nothing for it.
#pragma once

#include <vector>

#include "machine/machine.h"

namespace relic86 {

// All of it on the machine's thread, or before that runs.
class ScreenFeed {
 public:
  class Viewer {
   public:
    // rows: those that have changed since the last call.
    virtual void screen_changed(const Frame& frame, RowRange rows) = 0;
    // About every frame of guest time, changed or not.
    virtual void frame_passed() {}

   protected:
    ~Viewer() = default;
  };

  explicit ScreenFeed(Machine& machine) : machine_(machine) {}
  ~ScreenFeed();
  ScreenFeed(const ScreenFeed&) = delete;
  ScreenFeed& operator=(const ScreenFeed&) = delete;

  // Shows the whole picture to the viewer, and from then on what changes.
  void add(Viewer* viewer);
  void remove(Viewer* viewer);
  // While the machine is paused, nobody else does.
  void update();

 private:
  void watch_machine();

  Machine& machine_;
  std::vector<Viewer*> viewers_;
};

}  // namespace relic86
