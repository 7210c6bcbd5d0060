#include "machine/disk_turns.h"

#include <algorithm>

#include "machine/machine.h"

namespace relic86 {

void DiskTurns::prepare(std::vector<pollfd>&, i64& timeout) {
  for (const auto& [drive, medium] : machine_.media()) {
    const i64 wait = medium->next_turn();
    if (wait >= 0) timeout = timeout < 0 ? wait : std::min(timeout, wait);
  }
}

void DiskTurns::dispatch(std::span<const pollfd>, bool) {
  for (const auto& [drive, medium] : machine_.media()) medium->take_turns();
}

}  // namespace relic86
