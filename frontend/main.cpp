// The program: command line in, exit code out.

#include <csignal>
#include <cstdio>
#include <new>
#include <string>
#include <system_error>
#include <vector>

#include "base/standard_streams.h"
#include "frontend/run.h"

namespace {

// Without formatting: there may be no memory for it.
int fail(const char* message) {
  for (const char* part : {"relic86: ", message, "\n"}) std::fputs(part, stderr);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  relic86::fill_standard_streams();
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  std::signal(SIGPIPE, SIG_IGN);  // a reader of our output that goes away is no reason to die
  std::signal(SIGXFSZ, SIG_IGN);  // a file that must not grow is a write error, as a full disk is
  try {
    return relic86::run_program(arguments, argv[0]);
  } catch (const std::bad_alloc&) {
    return fail(
        "the host has no memory left for this process; give the guest less (-m), or raise the limit (ulimit -v)");
  } catch (const std::system_error& error) {
    return fail(error.what());  // no thread, no descriptor: the host's limits
  }
}
