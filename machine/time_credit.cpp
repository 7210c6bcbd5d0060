#include "machine/time_credit.h"

#include <algorithm>
#include <utility>

namespace relic86 {

GuestTime TimeCredit::limit(GuestTime now, double pace, const std::vector<Work>& work) {
  const GuestTime passed = now - std::exchange(last_look_, now);
  GuestTime least = kMost;
  for (std::size_t i = 0; i < accounts_.size(); i++) {
    Account& account = accounts_[i];
    const i64 worked = work[i].worked - std::exchange(account.worked, work[i].worked);
    const auto gained = static_cast<GuestTime>(pace * static_cast<double>(worked));
    // One that woke since the last look has not had all that time to work in.
    const bool slept = std::exchange(account.idle, work[i].idle) || work[i].idle;
    account.credit = slept ? kMost : std::clamp<GuestTime>(account.credit - passed + gained, 0, kMost);
    least = std::min(least, account.credit);
  }
  return now + least;
}

}  // namespace relic86
