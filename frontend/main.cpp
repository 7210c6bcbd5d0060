// The program: command line in, exit code out.
#include <fmt/format.h>

#include <csignal>
#include <string>
#include <vector>

#include "base/log.h"
#include "frontend/run.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  std::signal(SIGPIPE, SIG_IGN);  // a reader of our output that goes away is no reason to die
  return relic86::run_program(arguments, argv[0]);
}
