// Loading state that somebody else may have made. A component cuts what it cannot hold (an index, an enumerator, a
// length that contradicts another) to what it can, so that it is safe as soon as its state() returns. load_state() then
// saves it again: where that differs from the file, the file was not one that this program writes, and it is refused by
// the field's name. So there is one place that checks, and no field that it forgets.
#pragma once

#include <algorithm>
#include <functional>

#include "base/state_archive.h"

namespace relic86 {

// Loads what `pass` names (it calls the state() of one component or of a whole machine) from what a StateWriter wrote,
// or refuses and puts back what was there before. pass is called several times, with archives that save and that load.
Result<> load_state(std::span<const u8> data, const std::function<void(StateArchive&)>& pass);

inline constexpr GuestTime kLongestTime = GuestTime{1} << 61;  // some 70 years

// A moment of guest time, or `never`. What is loaded is cut to the longest time, so that sums and differences of two
// cannot overflow.
inline void moment_field(StateArchive& archive, std::string_view name, GuestTime& moment, GuestTime never = INT64_MAX) {
  archive.field(name, moment);
  if (archive.loading() && moment != never) moment = std::clamp<GuestTime>(moment, 0, kLongestTime);
}

}  // namespace relic86
