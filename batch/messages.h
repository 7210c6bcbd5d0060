// What the runner and the processes of machines say to each other, as JSON in messages of a Channel.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "batch/outcome.h"

namespace relic86::batch {

// From a process that has carried out a test. frozen: it stays, as the point that others start from.
struct Finished {
  Attempt attempt;
  bool frozen = false;
};
std::string write_message(const Finished& finished);

// To a frozen process: fork, and carry out this test; the new process's end of a channel comes along.
struct StartTest {
  std::size_t test = 0;
  std::string folder;  // for what the test leaves
};
std::string write_message(const StartTest& start);

// From a frozen process, about a process that it has forked: it is there, or it has ended.
struct ChildNews {
  std::size_t test = 0;
  pid_t process = 0;
  std::optional<int> status;  // as waitpid has it
};
std::string write_message(const ChildNews& news);

std::optional<Finished> read_finished(const std::string& message);
std::optional<StartTest> read_start(const std::string& message);
std::optional<ChildNews> read_news(const std::string& message);

}  // namespace relic86::batch
