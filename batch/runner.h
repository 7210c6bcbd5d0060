// Runs a suite: which test when and in which process, what is told of it. One thread; each machine has a process of its
// own, which ends when this one does.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "batch/channel.h"
#include "batch/messages.h"
#include "batch/report.h"
#include "batch/suite.h"

namespace relic86::batch {

struct RunOptions {
  unsigned jobs = 1;                                           // tests at the same time
  std::string results;                                         // the folder for what tests leave, by an absolute path
  std::vector<bool> wanted;                                    // by test; what these start from runs, too
  std::function<std::string(const std::string& test)> repeat;  // the command line that runs this test alone
};

class Runner {
 public:
  Runner(const Suite& suite, RunOptions options, std::vector<std::unique_ptr<Reporter>> reporters);

  enum class Ended : u8 { AllWell, TestsFailed, Interrupted };
  Result<Ended> run();

 private:
  enum class State : u8 { Unwanted, Waiting, Running, Done };
  struct Job {
    State state = State::Unwanted;
    TestReport report;
    bool told = false;  // of the test's end: a point's process may be needed although its test was not asked for
  };
  // A machine's process, by the test that it carries out, or whose point it is.
  struct Process {
    Channel channel;
    std::string folder;
    std::optional<std::size_t> parent;  // the point that it was forked from; none: our own child
    pid_t id = 0;                       // 0: not told yet
    std::optional<int> status;          // once it has ended
    bool finished = false;              // it has told what came of its test
    bool frozen = false;
    bool overdue = false;  // we have ended it, because it did not end itself in time
    i64 started = 0;
  };

  void start_what_can();
  std::optional<std::size_t> next_job() const;
  Result<> start(std::size_t test);
  void hear(std::size_t test);
  void take_result(std::size_t test, Attempt attempt);
  void lose(std::size_t test);  // its process is gone
  void skip_dependents(std::size_t test, const std::string& why);
  void let_go_of_points();
  void end_what_hangs();
  void reap();
  void settle();  // processes that are gone and whose status is known
  void kill_all();
  void tell(std::size_t test);
  unsigned running() const;
  bool done() const;
  Result<std::string> make_folder(std::size_t test) const;

  const Suite& suite_;
  RunOptions options_;
  std::vector<std::unique_ptr<Reporter>> reporters_;
  std::vector<Job> jobs_;
  std::map<std::size_t, Process> processes_;
  std::optional<Error> trouble_;  // the first of a reporter
  bool failed_ = false;
};

}  // namespace relic86::batch
