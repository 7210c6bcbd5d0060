#include "frontend/run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "base/print.h"
#include "cpu/cpuid.h"
#include "display/screenshot.h"
#include "frontend/closed_machine.h"
#include "frontend/consoles.h"
#include "frontend/display.h"
#include "frontend/end_signals.h"
#include "frontend/host_audio.h"
#include "frontend/host_memory.h"
#include "frontend/host_midi.h"
#include "frontend/named_machines.h"
#include "frontend/pid_file.h"
#include "frontend/sandbox.h"
#include "frontend/screen_feed.h"
#include "frontend/vnc_server.h"
#include "insight/insight.h"
#include "machine/board_options.h"
#include "machine/machine.h"
#include "machine/saved_machine.h"
#include "options/machine_file.h"
#include "options/option_text.h"
#include "options/options.h"

namespace relic86 {

namespace {

constexpr int kUsageError = 1;

int fail(const std::string& message) {
  print_text(stderr, fmt::format("relic86: {}\n", message));
  return kUsageError;
}

// -daemonize: the parent waits until the machine is ready, or has failed, and ends; the child goes on without a
// terminal.
class Background {
 public:
  // In the parent this does not return. Before anything else exists: threads are not taken along by fork().
  Result<> enter() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) < 0) return Error{"-daemonize: no pipe: too many files are open"};
    const pid_t child = ::fork();
    if (child < 0) return Error{"-daemonize: no process: the host's limit is reached; start it without -daemonize"};
    if (child > 0) {
      ::close(ends[1]);
      char ready = 0;
      const bool well = ::read(ends[0], &ready, 1) == 1;
      ::_exit(well ? 0 : kUsageError);
    }
    ::close(ends[0]);
    report_ = ends[1];
    ::setsid();
    return {};
  }
  // The machine is ready: the terminal is given up.
  void ready() {
    if (report_ < 0) return;
    const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int stream = STDIN_FILENO; nowhere >= 0 && stream <= STDERR_FILENO; stream++) ::dup2(nowhere, stream);
    if (nowhere > STDERR_FILENO) ::close(nowhere);
    [[maybe_unused]] const auto told = ::write(report_, "r", 1);
    ::close(report_);
    report_ = -1;
  }

 private:
  int report_ = -1;
};

// A first start without any option ends at "No bootable device": what is missing is said where the user looks. A
// machine that waits for its controller may get its medium later.
void advise_when_nothing_starts(const Options& options) {
  const bool controlled = options.start_paused || std::any_of(options.monitors.begin(), options.monitors.end(),
                                                              [](const auto& m) { return m.control; });
  const bool medium = std::any_of(options.drives.begin(), options.drives.end(),
                                  [](const DriveOption& drive) { return !drive.file.empty(); });
  if (controlled || medium || !options.kernel.empty() || !options.bios.empty() || !options.option_roms.empty() ||
      !options.load_vm.empty())
    return;
  log::warning(
      "there is nothing to start from: name a disk (-hda FILE), a floppy (-fda FILE), a CD (-cdrom FILE) or a kernel "
      "(-kernel FILE)");
}

// The program called as relic86-system-x86_64 has a 64-bit processor by default, as QEMU's of that name.
std::string cpu_model_of_program(std::string_view program, std::string model) {
  const bool unnamed = model.empty() || model.front() == ',';
  return unnamed && program.ends_with("x86_64") ? "qemu64" + model : model;
}

int finish(Machine& machine, const Options& options) {
  int code = machine.exit_code();
  print_text(stderr, machine.end_message());
  if (options.state_hash) print_text(stdout, fmt::format("{:016x}\n", machine.state_hash()));
  if (options.jit_stats) print_text(stderr, machine.processors().describe_engines());
  if (!options.screenshot.empty()) {
    const Frame& frame = machine.picture().update(machine.board());
    if (auto written = write_screenshot(frame, options.screenshot, PictureFormat::Png); !written)
      code = fail("--screenshot " + written.message());
  }
  if (auto flushed = machine.flush_disks(); !flushed) code = fail(flushed.message());
  return code;
}

}  // namespace

int run_program(std::span<const std::string> arguments, const char* program) {
  auto parsed = parse_command_line(arguments);
  if (!parsed) return fail(parsed.message());
  parsed.value().options.cpu_model = cpu_model_of_program(program, std::move(parsed.value().options.cpu_model));
  const Options& options = parsed.value().options;
  if (parsed.value().print_and_exit) {
    print_text(stdout, *parsed.value().print_and_exit);
    return 0;
  }
  if (!options.new_machine_kind.empty()) {
    const auto made = make_machine(options);
    if (!made) return fail(made.message());
    print_text(stdout, made.value());
    return 0;
  }
  if (options.list_machines || arguments.empty()) {
    print_text(stdout, list_machines());
    return 0;
  }
  if (asks_for_help(options.cpu_model)) {
    print_text(stdout, cpu_models_text());
    return 0;
  }
  for (const DeviceOption& device : options.devices) {
    if (asks_for_help(device.name)) {
      print_text(stdout, device_help_text());
      return 0;
    }
    for (const auto& [key, word] : device.properties) {
      if (!asks_for_help(key)) continue;
      const auto text = device_properties_text(device.name);
      if (!text) return fail(text.message());
      print_text(stdout, text.value());
      return 0;
    }
  }
  if (asks_for_help(options.log_items)) {
    print_text(stdout, log::help_text());
    return 0;
  }
  if (!options.log_items.empty()) {
    if (auto enabled = log::enable(options.log_items); !enabled) return fail(enabled.message());
  }
  if (!options.log_file.empty()) {
    if (auto opened = log::to_file(options.log_file); !opened) return fail(opened.message());
  }

  Background background;
  if (options.daemonize) {
    for (const auto& words : {options.serials, options.parallels}) {
      if (std::any_of(words.begin(), words.end(), [](const std::string& word) { return word.ends_with("stdio"); }))
        return fail("-daemonize: has no terminal; give stdio's place to file:, unix: or pty");
    }
    if (options.nographic && !options.no_defaults)
      return fail("-daemonize: -nographic needs the terminal; use -display none");
    if (auto entered = background.enter(); !entered) return fail(entered.message());
  }
  auto pid_file = PidFile::create(options.pid_file);
  if (!pid_file) return fail(pid_file.message());
  const auto lock = NamedMachineLock::take(options);
  if (!lock) return fail(lock.message());
  HostPoller poller;
  auto machine = Machine::create(options, poller);
  if (!machine) return fail(blame_machine_file(options, machine.message()));
  if (auto connected = connect_host_midi(*machine.value()); !connected) return fail(connected.message());
  auto consoles = Consoles::create(options, *machine.value(), poller);
  if (!consoles) return fail(consoles.message());
  if (auto resumed = resume_closed(*machine.value()); !resumed) return fail(resumed.message());
  if (!options.load_vm.empty()) {
    if (auto loaded = load_machine(*machine.value(), options.load_vm); !loaded)
      return fail("-loadvm " + options.load_vm + ": " + loaded.message());
  }
  auto insight = Insight::create(*machine.value());
  if (!insight) return fail(insight.message());
  advise_when_nothing_starts(options);
  ScreenFeed screen(*machine.value());
  auto vnc = VncServer::open(*machine.value(), screen, poller);
  if (!vnc) return fail(vnc.message());
  HostMemoryGuard host_memory(options.ram_bytes);
  if (auto entered = enter_sandbox(options); !entered) return fail(entered.message());
  EndSignals signals(*machine.value(), [&] {
    consoles.value()->restore_terminal();
    pid_file.value().remove();
  });
  auto display = Display::open(options, *machine.value(), screen);
  if (!display) return fail(display.message());
  if (auto connected = connect_host_audio(*machine.value()); !connected) return fail(connected.message());
  background.ready();
  std::string exhausted;
  host_memory.watch([&](u64 available) {
    machine.value()->post([&, available] {
      exhausted = fmt::format(
          "-m {}M: the host has only {} MiB of memory left, and the guest goes on using more; give the guest less, or "
          "the host more (swap counts)",
          options.ram_bytes >> 20, available >> 20);
      machine.value()->quit();
    });
  });
  if (display.value() != nullptr)
    display.value()->run();
  else
    machine.value()->run();
  consoles.value()->flush();
  if (insight.value() != nullptr) {
    if (auto written = insight.value()->write(); !written) return fail(written.message());
  }
  if (auto saved = save_closed(*machine.value()); !saved) return fail("--on-close save: " + saved.message());
  const int code = finish(*machine.value(), options);
  return exhausted.empty() ? code : fail(exhausted);
}

}  // namespace relic86
