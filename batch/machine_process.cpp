#include "batch/machine_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <new>
#include <optional>

#include "batch/console.h"
#include "batch/fresh_heap.h"
#include "batch/kept_points.h"
#include "batch/messages.h"
#include "batch/test_run.h"
#include "display/screenshot.h"
#include "machine/host_time.h"
#include "machine/machine.h"
#include "machine/saved_machine.h"

namespace relic86::batch {

namespace {

constexpr const char* kSerialLog = "/serial.log";
constexpr const char* kEmulatorLog = "/emulator.log";

// This process ends with the one that forked it, however that ends.
void end_with_parent(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0);
}

// What our own code says, an assertion that failed for instance, belongs to the test.
void log_into(const std::string& folder) {
  const int file = ::open((folder + kEmulatorLog).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) return;
  ::dup2(file, STDERR_FILENO);
  ::close(file);
}

// Host memory that no other process shares with this one.
u64 private_bytes() {
  std::ifstream rollup("/proc/self/smaps_rollup");
  u64 kilobytes = 0;
  for (std::string word; rollup >> word;) {
    u64 number = 0;
    if (word.starts_with("Private_") && rollup >> number) kilobytes += number;
  }
  return kilobytes << 10;
}

class MachineProcess {
 public:
  MachineProcess(const Suite& suite, Channel runner)
      : suite_(suite), runner_(std::move(runner)), points_(suite.points) {}

  [[noreturn]] void live(std::size_t test, std::string folder) {
    const i64 begun = host_monotonic_ns();
    log_into(folder);
    auto built = build(suite_.machines[suite_.tests[test].machine]);
    if (built) built = console_.begin(folder + kSerialLog);
    if (!built) {
      Finished finished;
      finished.attempt.outcome = Outcome::NotStarted;
      finished.attempt.detail = built.message();
      runner_.send(write_message(finished));
      ::_exit(0);
    }
    start_ms_ = milliseconds_since(begun);
    while (true) {
      carry_out(suite_.tests[test], folder);
      const StartTest next = serve_forks();  // returns in a new process
      test = next.test;
      folder = next.folder;
    }
  }

 private:
  static double milliseconds_since(i64 begun) { return static_cast<double>(host_monotonic_ns() - begun) / 1e6; }

  Result<> build(const MachinePlan& plan) {
    auto machine = Machine::create(plan.options, poller_);
    if (!machine) return machine.error();
    machine_ = std::move(machine).value();
    machine_->add_backend(&console_);
    machine_->connect_serial(0, &console_);
    for (const InsightOptions::Symbols& named : plan.options.insight.symbols) {
      auto table = SymbolTable::read(named.file, named.offset);
      if (!table) return table.error();
      symbols_.push_back(std::move(table).value());
    }
    points_.begin(*machine_, plan);
    if (plan.options.load_vm.empty()) return {};
    return load_machine(*machine_, plan.options.load_vm);
  }

  void carry_out(const TestPlan& test, const std::string& folder) {
    const bool point = !test.point.empty() && test.expected == Outcome::Passed;
    if (point) points_.follow(test);
    const bool kept = point && points_.load(*machine_, test);
    Finished finished{kept ? kept_attempt() : attempt(test, folder)};
    finished.frozen = finished.attempt.outcome == Outcome::Passed && !test.point.empty() && !machine_->ended();
    if (finished.frozen && point && !kept) points_.save(*machine_, test);
    if (suite_.state_hashes) finished.attempt.state_hash = fmt::format("{:016x}", machine_->state_hash());
    finished.attempt.start_ms = start_ms_;
    finished.attempt.private_bytes = private_bytes();
    if (!runner_.send(write_message(finished)) || !finished.frozen) ::_exit(0);
  }

  static Attempt kept_attempt() {
    Attempt attempt;
    attempt.outcome = Outcome::Passed;
    attempt.detail = "the point was kept by an earlier run (--points)";
    return attempt;
  }

  Attempt attempt(const TestPlan& test, const std::string& folder) {
    TestRun run(*machine_, console_, test, symbols_);
    Attempt attempt = run.run();
    const bool well = attempt.outcome == test.expected;
    keep_screen(folder, well);
    if (test.film == TestPlan::Film::Always || (test.film == TestPlan::Film::Failed && !well))
      keep_film(folder, run.film());
    if (suite_.keep_states && !well) keep_state(attempt, folder);
    return attempt;
  }

  // Of a text screen the text alone, if all went as it should: a picture takes longer than many a test.
  void keep_screen(const std::string& folder, bool well) {
    const std::vector<std::string> lines = machine_->board().text_screen();
    if (!lines.empty()) {
      std::ofstream text(folder + "/screen.txt");
      for (const std::string& line : lines) text << line << "\n";
      if (well) return;
    }
    const Frame& frame = machine_->picture().update(machine_->board());
    if (auto written = write_screenshot(frame, folder + "/screen.png", PictureFormat::Png); !written)
      fmt::print(stderr, "{}\n", written.message());
  }

  // Of a screen that stood still there is the picture.
  void keep_film(const std::string& folder, ScreenFilm& film) {
    film.add(machine_->picture().update(machine_->board()), machine_->clock().now());
    if (film.pictures() < 2) return;
    if (auto written = film.write(folder + "/film.png"); !written) fmt::print(stderr, "{}\n", written.message());
  }

  // As DIR/TAG.relic86, DIR being that of the results and TAG the name of the test's folder there.
  void keep_state(Attempt& attempt, const std::string& folder) {
    const std::string tag = folder.substr(folder.rfind('/') + 1);
    if (auto saved = save_machine(*machine_, tag); !saved)
      fmt::print(stderr, "the machine could not be saved: {}\n", saved.message());
    else
      attempt.saved_state = tag;
  }

  // Waits for tests to start from here. Returns in the process forked for one.
  StartTest serve_forks() {
    sigset_t child_signal;
    sigemptyset(&child_signal);
    sigaddset(&child_signal, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &child_signal, nullptr);
    const int signals = ::signalfd(-1, &child_signal, SFD_CLOEXEC | SFD_NONBLOCK);
    std::map<pid_t, std::size_t> children;
    constexpr int kForever = -1;
    while (true) {
      pollfd fds[] = {{runner_.fd(), POLLIN, 0}, {signals, POLLIN, 0}};
      if (::poll(fds, std::size(fds), kForever) < 0) continue;
      if (fds[1].revents != 0) report_ended(signals, children);
      if (fds[0].revents == 0) continue;
      Channel for_child;
      const auto message = runner_.receive(&for_child);
      if (!message) ::_exit(0);  // nobody needs this point any more
      const auto start = read_start(*message);
      if (!start || !for_child.open()) continue;
      const i64 begun = host_monotonic_ns();
      const pid_t parent = ::getpid();
      const pid_t child = ::fork();
      if (child == 0) {
        end_with_parent(parent);
        ::close(signals);
        ::sigprocmask(SIG_UNBLOCK, &child_signal, nullptr);
        become_child(*start, std::move(for_child), begun);
        return *start;
      }
      constexpr int kFailedExit = 1 << 8;  // as waitpid has exit code 1
      if (child < 0) {
        runner_.send(write_message(ChildNews{start->test, 0, kFailedExit}));
        continue;
      }
      children[child] = start->test;
      runner_.send(write_message(ChildNews{start->test, child, std::nullopt}));
    }
  }

  void become_child(const StartTest& start, Channel channel, i64 begun) {
    begin_fresh_heap();
    runner_ = std::move(channel);
    log_into(start.folder);
    auto ready = machine_->forked();
    if (ready) ready = console_.begin(start.folder + kSerialLog);
    if (!ready) {
      Finished finished;
      finished.attempt.outcome = Outcome::NotStarted;
      finished.attempt.detail = ready.message();
      runner_.send(write_message(finished));
      ::_exit(0);
    }
    start_ms_ = milliseconds_since(begun);
  }

  void report_ended(int signals, std::map<pid_t, std::size_t>& children) {
    signalfd_siginfo info{};
    while (::read(signals, &info, sizeof info) > 0) {
    }
    int status = 0;
    for (pid_t ended = 0; (ended = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      const auto child = children.find(ended);
      if (child == children.end()) continue;
      runner_.send(write_message(ChildNews{child->second, ended, status}));
      children.erase(child);
    }
  }

  const Suite& suite_;
  Channel runner_;
  HostPoller poller_;
  Console console_;
  std::unique_ptr<Machine> machine_;
  std::vector<SymbolTable> symbols_;  // for steps that look at memory
  KeptPoints points_;
  double start_ms_ = 0;
};

}  // namespace

void be_machine_process(const Suite& suite, std::size_t test, const std::string& folder, Channel runner, pid_t parent) {
  end_with_parent(parent);
  // A terminal's Ctrl-C reaches all of its processes: the runner decides what becomes of this one.
  for (const int signal : {SIGINT, SIGHUP}) ::signal(signal, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  try {
    MachineProcess(suite, std::move(runner)).live(test, folder);
  } catch (const std::bad_alloc&) {
    std::fputs("the host has no memory left for this process\n", stderr);
  } catch (const std::exception& problem) {
    std::fputs(problem.what(), stderr);
  }
  ::_exit(1);
}

}  // namespace relic86::batch
