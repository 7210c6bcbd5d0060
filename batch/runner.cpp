#include "batch/runner.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/log.h"
#include "batch/machine_process.h"
#include "machine/host_time.h"

namespace relic86::batch {

namespace {

// A process that does not end itself after this much beyond its test's host time does not answer.
constexpr i64 kGrace = 30'000'000'000;
constexpr int kLongestPoll = 1000;  // ms

sigset_t runner_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&set, signal);
  return set;
}

std::string file_name(const std::string& test) {
  std::string name;
  for (const char c : test) name += std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' ? c : '_';
  constexpr std::size_t kLongest = 200;
  return name.substr(0, kLongest);
}

// The last line of what the emulator said.
std::string last_words(const std::string& folder) {
  std::ifstream log(folder + "/emulator.log");
  std::string last;
  for (std::string line; std::getline(log, line);) last = line;
  return last.empty() ? "" : "; it said: " + last;
}

std::string death_of(int status) {
  if (WIFSIGNALED(status))
    return fmt::format("the emulator's process was ended by signal {} ({})", WTERMSIG(status),
                       ::strsignal(WTERMSIG(status)));
  return fmt::format("the emulator's process ended with exit code {} before its test did", WEXITSTATUS(status));
}

}  // namespace

Runner::Runner(const Suite& suite, RunOptions options, std::vector<std::unique_ptr<Reporter>> reporters)
    : suite_(suite), options_(std::move(options)), reporters_(std::move(reporters)) {
  for (const TestPlan& test : suite_.tests) {
    jobs_.push_back({State::Unwanted, make_report(test), false});
    jobs_.back().report.repeat = options_.repeat(test.name);
  }
  for (std::size_t test = 0; test < jobs_.size(); test++) {
    if (!options_.wanted[test]) continue;
    for (std::optional<std::size_t> at = test; at; at = suite_.tests[*at].after) jobs_[*at].state = State::Waiting;
  }
}

Result<Runner::Ended> Runner::run() {
  const std::size_t tests = static_cast<std::size_t>(std::count(options_.wanted.begin(), options_.wanted.end(), true));
  for (const auto& reporter : reporters_) {
    if (auto begun = reporter->begin(suite_.name, tests); !begun) return begun.error();
  }
  // Processes whose parent has died come to us: nothing is left when we are done.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const sigset_t set = runner_signals();
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  const int signals = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0) return Error{fmt::format("no descriptor for signals: {}", std::strerror(errno))};

  bool interrupted = false;
  while (!interrupted && !done()) {
    start_what_can();
    std::vector<pollfd> fds{{signals, POLLIN, 0}};
    std::vector<std::size_t> tests_of;
    for (const auto& [test, process] : processes_) {
      if (!process.channel.open()) continue;
      fds.push_back({process.channel.fd(), POLLIN, 0});
      tests_of.push_back(test);
    }
    if (::poll(fds.data(), fds.size(), kLongestPoll) < 0 && errno != EINTR) break;
    for (std::size_t i = 0; i < tests_of.size(); i++) {
      if (fds[i + 1].revents != 0) hear(tests_of[i]);
    }
    signalfd_siginfo info{};
    while (::read(signals, &info, sizeof info) == sizeof info) {
      if (info.ssi_signo == SIGCHLD)
        reap();
      else
        interrupted = true;
    }
    settle();
    end_what_hangs();
    let_go_of_points();
  }
  kill_all();
  ::close(signals);
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
  for (const auto& reporter : reporters_) {
    if (auto ended = reporter->end(); !ended && !trouble_) trouble_ = ended.error();
  }
  if (trouble_) return *trouble_;
  if (interrupted) return Ended::Interrupted;
  return failed_ ? Ended::TestsFailed : Ended::AllWell;
}

bool Runner::done() const {
  return std::none_of(jobs_.begin(), jobs_.end(),
                      [](const Job& job) { return job.state == State::Waiting || job.state == State::Running; });
}

unsigned Runner::running() const {
  return static_cast<unsigned>(
      std::count_if(processes_.begin(), processes_.end(), [](const auto& row) { return !row.second.finished; }));
}

// --- Starting ---

std::optional<std::size_t> Runner::next_job() const {
  std::optional<std::size_t> root;
  for (std::size_t test = 0; test < jobs_.size(); test++) {
    if (jobs_[test].state != State::Waiting || processes_.contains(test)) continue;
    const auto& after = suite_.tests[test].after;
    if (!after) {
      if (!root) root = test;
      continue;
    }
    const auto point = processes_.find(*after);
    // What starts from a point comes first: the sooner the point's memory is free.
    if (point != processes_.end() && point->second.frozen && point->second.channel.open()) return test;
  }
  return root;
}

void Runner::start_what_can() {
  while (running() < options_.jobs) {
    const auto test = next_job();
    if (!test) break;
    auto started = start(*test);
    if (started) continue;
    // The host's trouble is this test's alone: the others' results are told and kept.
    Attempt attempt;
    attempt.outcome = Outcome::NotStarted;
    attempt.detail = started.message();
    jobs_[*test].state = State::Running;
    take_result(*test, std::move(attempt));
  }
}

Result<std::string> Runner::make_folder(std::size_t test) const {
  std::string folder = fmt::format("{}/{}", options_.results, file_name(suite_.tests[test].name));
  if (const std::size_t attempt = jobs_[test].report.attempts.size(); attempt != 0)
    folder += fmt::format(".attempt{}", attempt + 1);
  std::error_code failure;
  std::filesystem::remove_all(folder, failure);
  std::filesystem::create_directories(folder, failure);
  if (failure) return Error{fmt::format("--results {}: {}; choose another folder", folder, failure.message())};
  return folder;
}

Result<> Runner::start(std::size_t test) {
  auto folder = make_folder(test);
  if (!folder) return folder.error();
  auto channels = Channel::pair();
  if (!channels) return channels.error();
  auto& [ours, theirs] = channels.value();
  Process process;
  process.folder = folder.value();
  process.parent = suite_.tests[test].after;
  process.started = host_monotonic_ns();
  jobs_[test].report.folder = process.folder;
  if (process.parent) {
    Channel& point = processes_.at(*process.parent).channel;
    if (!point.send(write_message(StartTest{test, process.folder}), &theirs)) {
      point.close();  // it is gone: settle() finds out how
      return {};
    }
  } else {
    std::fflush(nullptr);
    const pid_t parent = ::getpid();
    process.id = ::fork();
    if (process.id < 0)
      return Error{
          fmt::format("no new process: {}; raise the limit (ulimit -u), or use a smaller -j", std::strerror(errno))};
    if (process.id == 0) {
      processes_.clear();  // our ends of the others' channels
      ours.close();
      be_machine_process(suite_, test, folder.value(), std::move(theirs), parent);
    }
  }
  process.channel = std::move(ours);
  processes_.emplace(test, std::move(process));
  jobs_[test].state = State::Running;
  return {};
}

// --- What processes say ---

void Runner::hear(std::size_t test) {
  const auto found = processes_.find(test);
  if (found == processes_.end()) return;
  Process& process = found->second;
  const auto message = process.channel.receive();
  if (!message) return process.channel.close();
  if (const auto finished = read_finished(*message)) {
    process.finished = true;
    process.frozen = finished->frozen;
    return take_result(test, finished->attempt);
  }
  const auto news = read_news(*message);
  if (!news) return;
  const auto child = processes_.find(news->test);
  if (child == processes_.end() || child->second.parent != test) return;
  child->second.id = news->process;
  child->second.status = news->status;
}

void Runner::take_result(std::size_t test, Attempt attempt) {
  Job& job = jobs_[test];
  const TestPlan& plan = suite_.tests[test];
  job.report.attempts.push_back(std::move(attempt));
  job.report.verdict = judge(plan, job.report.last());
  job.report.load.clear();
  if (const std::string& tag = job.report.last().saved_state; !tag.empty()) {
    job.report.load = "relic86";
    for (const std::string& word : suite_.machines[plan.machine].arguments) job.report.load += " " + shell_word(word);
    job.report.load +=
        fmt::format(" --state-dir {} -loadvm {} -S -monitor stdio", shell_word(options_.results), shell_word(tag));
  }
  if (job.report.verdict == Verdict::Failed && job.report.attempts.size() <= plan.retries) {
    job.state = State::Waiting;
    return;
  }
  job.state = State::Done;
  tell(test);
  if (!plan.point.empty() && !(processes_.contains(test) && processes_.at(test).frozen)) {
    skip_dependents(test, fmt::format("the point '{}' was not reached: test '{}' came to {}", plan.point, plan.name,
                                      outcome_name(job.report.last().outcome)));
  }
}

void Runner::skip_dependents(std::size_t test, const std::string& why) {
  for (std::size_t next = test + 1; next < jobs_.size(); next++) {
    if (suite_.tests[next].after != test || jobs_[next].state != State::Waiting) continue;
    Attempt attempt;
    attempt.outcome = Outcome::NotRun;
    attempt.detail = why;
    jobs_[next].report.folder.clear();
    take_result(next, std::move(attempt));
  }
}

void Runner::tell(std::size_t test) {
  Job& job = jobs_[test];
  if (!options_.wanted[test] || job.told) return;
  job.told = true;
  failed_ = failed_ || job.report.failed();
  for (const auto& reporter : reporters_) {
    if (auto added = reporter->add(job.report); !added && !trouble_) {
      trouble_ = added.error();
      log::warning(trouble_->message);
    }
  }
}

// --- Ends ---

void Runner::reap() {
  int status = 0;
  for (pid_t ended = 0; (ended = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    for (auto& [test, process] : processes_) {
      if (process.id == ended) process.status = status;
    }
  }
}

void Runner::settle() {
  std::vector<std::size_t> gone;
  for (const auto& [test, process] : processes_) {
    if (process.channel.open()) continue;
    const auto parent = process.parent ? processes_.find(*process.parent) : processes_.end();
    const bool orphan = process.parent && (parent == processes_.end() || !parent->second.channel.open());
    if (process.status || orphan) gone.push_back(test);
  }
  for (const std::size_t test : gone) lose(test);
}

void Runner::lose(std::size_t test) {
  const Process process = std::move(processes_.at(test));
  processes_.erase(test);
  const std::string how =
      process.status ? death_of(*process.status) : "the process of the point that it started from has died";
  if (!process.finished) {
    Attempt attempt;
    attempt.outcome = process.overdue ? Outcome::HostTimeout : Outcome::Crashed;
    attempt.detail = (process.overdue ? "the emulator's process did not end when its host time was up" : how) +
                     last_words(process.folder);
    attempt.host_seconds = static_cast<double>(host_monotonic_ns() - process.started) / 1e9;
    take_result(test, std::move(attempt));
  } else if (process.frozen) {
    skip_dependents(test, fmt::format("the point '{}' is lost: {}", suite_.tests[test].point, how));
  }
}

void Runner::end_what_hangs() {
  const i64 now = host_monotonic_ns();
  for (auto& [test, process] : processes_) {
    const i64 limit = suite_.tests[test].limits.host_ns;
    if (process.finished || limit == 0 || process.id == 0 || now - process.started < limit + kGrace) continue;
    process.overdue = true;
    ::kill(process.id, SIGKILL);
  }
}

void Runner::let_go_of_points() {
  for (auto& [test, process] : processes_) {
    if (!process.frozen || !process.channel.open()) continue;
    bool needed = false;
    for (std::size_t next = test + 1; next < jobs_.size(); next++) {
      const bool left = jobs_[next].state == State::Waiting || processes_.contains(next);
      needed = needed || (suite_.tests[next].after == test && left);
    }
    if (!needed) process.channel.close();  // it hears of it and ends
  }
}

void Runner::kill_all() {
  for (auto& [test, process] : processes_) {
    if (!process.parent && !process.status) ::kill(process.id, SIGKILL);
    process.channel.close();
  }
  // Those that they had forked die with them, and come to us.
  while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
  }
  processes_.clear();
}

}  // namespace relic86::batch
