// A forked child that takes orders, one number each, and sends a number back when it is set up and after each order.
#pragma once

#include <cstdlib>

#include "base/types.h"

namespace relic86::native {

class ChildProcess {
 public:
  struct Ends {
    int orders, answers;  // the child's ends of the pipes
  };

  ChildProcess() = default;
  ~ChildProcess() { end(); }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Ends the child that there is and forks another, which runs body(Ends) and never returns from it. False: it could
  // not be forked, or was not set up within `patience` milliseconds.
  template <typename Body>
  bool start(const Body& body, int patience) {
    Ends ends{};
    switch (fork_with_pipes(ends)) {
      case Side::None: return false;
      case Side::Child: body(ends); std::abort();
      case Side::Parent: break;
    }
    return answered(patience);
  }

  // A child that is gone takes no order, and does not answer.
  void order(u32 number);
  // False: it did not answer in time; it is ended then.
  bool answered(int patience);
  void end();

 private:
  enum class Side : u8 { None, Parent, Child };
  Side fork_with_pipes(Ends& ends);

  int orders_ = -1, answers_ = -1;
  int child_ = -1;
};

}  // namespace relic86::native
