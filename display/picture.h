// The machine's present picture. There is one of it, because the display adapter draws only what changed since it drew
// last: window, screendump and --screenshot all look at this one.
#pragma once

#include "devices/board/pc_board.h"
#include "display/frame_exchange.h"

namespace relic86 {

class Picture {
 public:
  // Brings the picture up to date; on the machine's thread.
  const Frame& update(PcBoard& board);
  // The rows that changed since the last call of this function.
  RowRange take_changed();

 private:
  Frame frame_;
  RowRange changed_;
};

}  // namespace relic86
