// The program: command line in, exit code out.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include "frontend/run.h"

namespace {

// Streams that the caller closed lead nowhere: else the first image would be opened as one of them, and the guest's
// console, or an error message, would be written into the image.
void fill_standard_streams() {
  for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; stream++) {
    if (::fcntl(stream, F_GETFD) < 0) [[maybe_unused]]
      const int opened = ::open("/dev/null", stream == STDIN_FILENO ? O_RDONLY : O_WRONLY);
  }
}

}  // namespace

int main(int argc, char** argv) {
  fill_standard_streams();
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  std::signal(SIGPIPE, SIG_IGN);  // a reader of our output that goes away is no reason to die
  std::signal(SIGXFSZ, SIG_IGN);  // a file that must not grow is a write error, as a full disk is
  return relic86::run_program(arguments, argv[0]);
}
