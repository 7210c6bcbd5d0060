#include "tests/lockstep/checkpoint.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace relic86 {

namespace {

constexpr int kDied = 255;

int wait_for(int process) {
  int status = 0;
  while (::waitpid(process, &status, 0) < 0) {
    if (errno != EINTR) return kDied;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : kDied;
}

// Nothing of the original's is run down in a copy.
[[noreturn]] void end_copy(int status) {
  std::fflush(stdout);
  std::fflush(stderr);
  ::_exit(status);
}

}  // namespace

int in_copy(const std::function<int()>& body) {
  std::fflush(stdout);
  const int process = ::fork();
  if (process == 0) end_copy(body());
  return process < 0 ? kDied : wait_for(process);
}

Checkpoint::Checkpoint(const std::function<int()>& on_resume) {
  std::fflush(stdout);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return;
  process_ = ::fork();
  if (process_ == 0) {
    ::close(ends[1]);
    char byte = 0;
    ssize_t got = 0;
    do {
      got = ::read(ends[0], &byte, 1);
    } while (got < 0 && errno == EINTR);
    end_copy(got == 1 ? on_resume() : 0);
  }
  ::close(ends[0]);
  pipe_ = ends[1];
  if (process_ < 0) ::close(pipe_);
}

Checkpoint::~Checkpoint() {
  if (process_ <= 0) return;
  ::close(pipe_);
  wait_for(process_);
}

int Checkpoint::resume() {
  const char go = 1;
  if (::write(pipe_, &go, 1) != 1) return kDied;
  ::close(pipe_);
  const int status = wait_for(process_);
  process_ = -1;
  return status;
}

}  // namespace relic86
