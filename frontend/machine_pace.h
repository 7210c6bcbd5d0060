// How much of the host's time the machine gets: all of it, unless the host is too slow.
#pragma once

#include <optional>

#include "base/types.h"

namespace relic86 {

class MachinePace {
 public:
  // A look at the host's clock, and at how much of its time was the machine's by then. runs: the guest's clock goes.
  void look(bool runs, i64 got, i64 host);
  // What the machine got in the last second that was measured.
  unsigned percent() const { return percent_; }
  // True where it has got too little for a while, and nobody was told of late.
  bool should_be_told();

 private:
  struct Moment {
    i64 got, host;
  };
  std::optional<Moment> since_;  // of the second that is measured
  unsigned percent_ = 100;
  unsigned slow_seconds_ = 0;  // one after the other
  i64 host_ = 0;               // as of the last look
  std::optional<i64> told_at_;
};

}  // namespace relic86
