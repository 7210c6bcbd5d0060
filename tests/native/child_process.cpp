#include "tests/native/child_process.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace relic86::native {

ChildProcess::Side ChildProcess::fork_with_pipes(Ends& ends) {
  end();
  int orders[2], answers[2];
  if (pipe(orders) != 0) return Side::None;
  if (pipe(answers) != 0) {
    close(orders[0]);
    close(orders[1]);
    return Side::None;
  }
  ends = {orders[0], answers[1]};
  orders_ = orders[1];
  answers_ = answers[0];
  child_ = fork();
  if (child_ == 0) {
    close(orders_);
    close(answers_);
    return Side::Child;
  }
  close(ends.orders);
  close(ends.answers);
  if (child_ > 0) return Side::Parent;
  end();
  return Side::None;
}

void ChildProcess::order(u32 number) {
  if (write(orders_, &number, sizeof number) != sizeof number) end();
}

bool ChildProcess::answered(int patience) {
  pollfd ready{answers_, POLLIN, 0};
  u32 answer = 0;
  if (answers_ >= 0 && poll(&ready, 1, patience) == 1 && read(answers_, &answer, sizeof answer) == sizeof answer)
    return true;
  end();
  return false;
}

void ChildProcess::end() {
  if (orders_ >= 0) close(orders_);
  if (answers_ >= 0) close(answers_);
  orders_ = answers_ = -1;
  if (child_ <= 0) return;
  kill(child_, SIGKILL);
  waitpid(child_, nullptr, 0);
  child_ = -1;
}

}  // namespace relic86::native
