#include "display/retrace_wait.h"

#include "devices/board/pc_board.h"
#include "devices/video/display_adapter.h"

namespace relic86 {

u64 most_between_retrace_looks(PcBoard& board) {
  return board.display() == nullptr ? ~u64{0} : board.display()->retrace_watch().most_at_once();
}

std::optional<GuestTime> end_of_retrace_wait(PcBoard& board, u64 instructions) {
  DisplayAdapter* const display = board.display();
  if (display == nullptr || !display->retrace_watch().slice_over(instructions)) return std::nullopt;
  return display->next_retrace_change();
}

}  // namespace relic86
