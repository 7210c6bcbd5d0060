// Copies of this process as saved states: a fork keeps both machines, the translations and the code cache exactly as
// they are, and costs nothing until it is used.
#pragma once

#include <functional>

namespace relic86 {

// Runs body in a copy of this process; gives the exit status that it returned, 255 if the copy died otherwise.
int in_copy(const std::function<int()>& body);

// A copy of this process that waits. Dropping it ends it.
class Checkpoint {
 public:
  // on_resume runs in the copy if resume() is called, and gives its exit status.
  explicit Checkpoint(const std::function<int()>& on_resume);
  ~Checkpoint();
  Checkpoint(const Checkpoint&) = delete;
  Checkpoint& operator=(const Checkpoint&) = delete;

  bool valid() const { return process_ > 0; }
  // Lets the copy go on, waits for its end; its exit status, 255 if it died otherwise.
  int resume();

 private:
  int process_ = -1;
  int pipe_ = -1;  // a byte: go on; end of file: end
};

}  // namespace relic86
