#include "machine/time_credit.h"

#include <algorithm>
#include <utility>

namespace relic86 {

GuestTime TimeCredit::limit(const TimeGovernor::Question& question, const std::vector<Work>& work) {
  const Step step{question.host - std::exchange(last_host_, question.host),
                  question.after_last - std::exchange(last_look_, question.now), question.now - question.after_last,
                  question.pace};
  GuestTime least = kMost;
  for (std::size_t i = 0; i < accounts_.size(); i++) least = std::min(least, settle(accounts_[i], work[i], step));
  return question.now + least;
}

// What is gained counts in full until it has been spent or the next look, so that a look after a long time lets guest
// time go on by all the work that has been done.
GuestTime TimeCredit::settle(Account& account, const Work& work, const Step& step) {
  const Work last = std::exchange(account.seen, work);
  const i64 worked = work.worked - last.worked;
  const i64 advanced = step.host - worked > kOff ? std::max<i64>(0, worked - kSwitch) : worked;
  const auto worth = [&](i64 nanoseconds) {
    return static_cast<GuestTime>(step.pace * static_cast<double>(nanoseconds));
  };
  // One that woke since the last look has not had all that time to work in.
  if (last.idle || work.idle) {
    account.most = kMost;
    account.beside = kBeside;
  } else {
    account.most = std::clamp<GuestTime>(account.most - step.then - step.since, 0, kMost) + worth(worked);
    account.beside += worked;
  }
  if (work.readings != last.readings) {
    // It was told no less than where guest time stood after the last look.
    account.near = kNear - step.since;
    account.beside = 0;
  } else {
    account.near -= step.then + step.since;
  }
  account.near = std::clamp<GuestTime>(account.near, 0, kNear) + worth(advanced);
  return !work.idle && account.beside < kBeside ? std::min(account.most, account.near) : account.most;
}

}  // namespace relic86
