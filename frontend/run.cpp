#include "frontend/run.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/print.h"
#include "cpu/cpuid.h"
#include "frontend/board_options.h"
#include "frontend/consoles.h"
#include "frontend/display.h"
#include "frontend/machine.h"
#include "frontend/options.h"
#include "frontend/saved_machine.h"
#include "frontend/screenshot.h"

namespace relic86 {

namespace {

constexpr int kUsageError = 1;

int fail(const std::string& message) {
  print_text(stderr, fmt::format("relic86: {}\n", message));
  return kUsageError;
}

// SIGINT, SIGTERM and SIGHUP end the machine in order: disks are flushed, the terminal is restored.
class EndSignals {
 public:
  EndSignals(HostPoller& poller, Machine& machine) : poller_(poller) {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    fd_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd_ < 0) return;
    poller_.watch(fd_, [this, &machine] {
      signalfd_siginfo info;
      [[maybe_unused]] const auto taken = ::read(fd_, &info, sizeof info);
      machine.quit();
    });
  }
  ~EndSignals() {
    if (fd_ < 0) return;
    poller_.unwatch(fd_);
    ::close(fd_);
  }
  EndSignals(const EndSignals&) = delete;
  EndSignals& operator=(const EndSignals&) = delete;

 private:
  HostPoller& poller_;
  int fd_ = -1;
};

int finish(Machine& machine, const Options& options) {
  int code = machine.exit_code();
  print_text(stderr, machine.end_message());
  if (options.state_hash) print_text(stdout, fmt::format("{:016x}\n", machine.state_hash()));
  if (options.jit_stats) print_text(stderr, machine.engine().describe());
  if (!options.screenshot.empty()) {
    const Frame& frame = machine.picture().update(machine.board());
    if (auto written = write_screenshot(frame, options.screenshot, PictureFormat::Png); !written)
      code = fail("--screenshot " + written.message());
  }
  if (auto flushed = machine.flush_disks(); !flushed) code = fail(flushed.message());
  return code;
}

}  // namespace

int run_program(std::span<const std::string> arguments, const char*) {
  auto parsed = parse_command_line(arguments);
  if (!parsed) return fail(parsed.message());
  const Options& options = parsed.value().options;
  if (parsed.value().print_and_exit) {
    print_text(stdout, *parsed.value().print_and_exit);
    return 0;
  }
  const auto asks_help = [](const std::string& word) { return word == "help" || word == "?"; };
  if (asks_help(options.cpu_model)) {
    print_text(stdout, cpu_models_text());
    return 0;
  }
  for (const DeviceOption& device : options.devices) {
    if (asks_help(device.name)) {
      print_text(stdout, device_help_text());
      return 0;
    }
  }
  if (asks_help(options.log_items)) {
    print_text(stdout, log::help_text());
    return 0;
  }
  if (!options.log_items.empty()) {
    if (auto enabled = log::enable(options.log_items); !enabled) return fail(enabled.message());
  }
  if (!options.log_file.empty()) {
    if (auto opened = log::to_file(options.log_file); !opened) return fail(opened.message());
  }

  HostPoller poller;
  auto machine = Machine::create(options, poller);
  if (!machine) return fail(machine.message());
  auto consoles = Consoles::create(options, *machine.value(), poller);
  if (!consoles) return fail(consoles.message());
  if (!options.load_vm.empty()) {
    if (auto loaded = load_machine(*machine.value(), options.load_vm); !loaded)
      return fail("-loadvm " + options.load_vm + ": " + loaded.message());
  }
  EndSignals signals(poller, *machine.value());
  auto display = Display::open(options, *machine.value());
  if (!display) return fail(display.message());
  if (display.value() != nullptr)
    display.value()->run();
  else
    machine.value()->run();
  return finish(*machine.value(), options);
}

}  // namespace relic86
