#include "frontend/consoles.h"

#include <fmt/format.h>

#include <algorithm>

#include "machine/virtio_options.h"

namespace relic86 {

Consoles::Consoles(const Options& options, Machine& machine, HostPoller& poller)
    : options_(options), machine_(machine), poller_(poller), gdb_(machine, poller) {}
Consoles::~Consoles() = default;

Result<std::unique_ptr<Consoles>> Consoles::create(const Options& options, Machine& machine, HostPoller& poller) {
  std::unique_ptr<Consoles> consoles(new Consoles(options, machine, poller));
  if (auto built = consoles->build(); !built) return built.error();
  return consoles;
}

void Consoles::flush() {
  for (const auto& backend : backends_) backend->flush();
}

void Consoles::restore_terminal() const {
  if (terminal_) terminal_->restore();
}

Result<CharBackend*> Consoles::open(const std::string& option, const std::string& spec, const std::string& label) {
  constexpr std::string_view kNamed = "chardev:";
  if (spec.starts_with(kNamed)) return open_named(option, spec.substr(kNamed.size()));
  if (spec == "mon:stdio") return open_mux(option);
  return open_device(option, spec, label, true);
}

Result<CharBackend*> Consoles::open_device(const std::string& option, const std::string& spec, const std::string& label,
                                           bool in_use) {
  if (spec == "vc" || spec.starts_with("vc:"))
    return open_device(option, "null", label, in_use);  // no window of its own for a character device
  if (spec == "stdio" && stdio_ != nullptr)
    return Error{fmt::format("{} stdio: stdio is taken already; use mon:stdio to share it with the monitor", option)};
  auto opened = open_char_backend(option, spec, label, poller_);
  if (!opened) return opened.error();
  backends_.push_back(std::move(opened).value());
  CharBackend* backend = backends_.back().get();
  machine_.add_backend(backend);
  machine_.note_char_device({label, backend->filename(), in_use});
  if (spec == "stdio") {
    stdio_ = backend;
    terminal_ = std::make_unique<RawTerminal>(!options_.nographic);
  }
  return backend;
}

Result<CharBackend*> Consoles::open_named(const std::string& option, const std::string& id) {
  const auto device = std::find_if(options_.char_devices.begin(), options_.char_devices.end(),
                                   [&](const CharDeviceOption& d) { return d.id == id; });
  if (device == options_.char_devices.end())
    return Error{fmt::format("{} chardev:{}: there is no -chardev with id={}", option, id, id)};
  if (named_.contains(id) && !device->mux)
    return Error{fmt::format("{} chardev:{}: is in use already; add mux=on to the -chardev to share it", option, id)};
  Named& named = named_[id];
  if (named.stream == nullptr) {
    const bool in_use = option != "-chardev";  // else it is opened without a user
    auto stream = open_device("-chardev", device->spec, id, in_use);
    if (!stream) return stream.error();
    named.stream = stream.value();
    if (!device->log_file.empty()) {
      auto logged = LoggedBackend::open(*named.stream, device->log_file, device->log_append, poller_);
      if (!logged) return logged.error();
      backends_.push_back(std::move(logged).value());
      named.stream = backends_.back().get();
    }
    if (device->mux)
      named.mux = std::make_unique<MuxBackend>(*named.stream, options_.escape_character, [this] { machine_.quit(); });
  }
  return named.mux ? &named.mux->add_port() : named.stream;
}

Result<CharBackend*> Consoles::open_mux(const std::string& option) {
  if (mux_) return &mux_->add_port();
  auto stream = open_device(option, "stdio", "stdio", true);
  if (!stream) return stream.error();
  mux_ = std::make_unique<MuxBackend>(*stream.value(), options_.escape_character, [this] { machine_.quit(); });
  CharBackend* port = &mux_->add_port();
  monitors_.push_back(std::make_unique<Monitor>(machine_, mux_->add_port(), Monitor::Greeting::Quiet));
  return port;
}

Result<> Consoles::connect_ports() {
  std::vector<std::string> serials = options_.serials;
  // As QEMU: serial port and monitor share stdio where neither was given another place.
  if (serials.empty() && options_.nographic && !options_.no_defaults)
    serials.push_back(options_.monitors.empty() ? "mon:stdio" : "stdio");
  if (serials.empty()) serials.push_back("null");  // COM1 has its watchers (--expect-serial) even so
  constexpr std::size_t kMostSerials = 4, kMostParallels = 3;
  if (serials.size() > kMostSerials)
    return Error{fmt::format("-serial: there are at most {} serial ports", kMostSerials)};
  for (unsigned n = 0; n < serials.size(); n++) {
    auto backend = open("-serial", serials[n], fmt::format("serial{}", n));
    if (!backend) return backend.error();
    machine_.connect_serial(n, backend.value());
  }
  if (options_.parallels.size() > kMostParallels)
    return Error{fmt::format("-parallel: there are at most {} parallel ports", kMostParallels)};
  for (unsigned n = 0; n < options_.parallels.size(); n++) {
    auto backend = open("-parallel", options_.parallels[n], fmt::format("parallel{}", n));
    if (!backend) return backend.error();
    machine_.connect_parallel(n, backend.value());
  }
  if (options_.midi.kind == MidiOption::Kind::CharDevice) {
    if (machine_.audio().midi() == nullptr)
      return Error{"-midi: the machine has no MIDI output; add -device sb16 or -device mpu401"};
    auto backend = open("-midi", "chardev:" + options_.midi.char_device, options_.midi.char_device);
    if (!backend) return backend.error();
    machine_.connect_midi(backend.value());
  }
  const std::vector<std::string> ports = virtio_port_backends(options_);
  for (std::size_t n = 0; n < ports.size(); n++) {
    if (ports[n].empty()) continue;
    auto backend = open("-device", "chardev:" + ports[n], ports[n]);
    if (!backend) return backend.error();
    machine_.connect_virtio_port(n, backend.value());
  }
  return {};
}

Result<> Consoles::add_monitor(const MonitorOption& monitor) {
  if (monitor.device == "none" || monitor.device == "null") return {};
  auto backend =
      open(monitor.option, monitor.device, fmt::format("compat_monitor{}", monitors_.size() + qmp_servers_.size()));
  if (!backend) return backend.error();
  if (monitor.control) {
    qmp_servers_.push_back(std::make_unique<QmpServer>(machine_, *backend.value(), monitor.pretty));
    return {};
  }
  bool quiet = monitor.device == "mon:stdio";
  for (const auto& [id, named] : named_) quiet = quiet || (named.mux && monitor.device == "chardev:" + id);
  monitors_.push_back(std::make_unique<Monitor>(machine_, *backend.value(),
                                                quiet ? Monitor::Greeting::Quiet : Monitor::Greeting::Banner));
  return {};
}

Result<> Consoles::build() {
  if (auto connected = connect_ports(); !connected) return connected;
  if (!options_.debugcon.empty()) {
    auto backend = open("-debugcon", options_.debugcon, "debugcon");
    if (!backend) return backend.error();
    machine_.connect_debug_console(backend.value());
  }
  for (const std::string& device : options_.gdb) {
    if (device == "stdio" && stdio_ != nullptr)
      return Error{"-gdb stdio: stdio is taken already by a console; give that another device"};
    if (auto served = machine_.serve_gdb(device); !served) return served.error();
  }
  for (const MonitorOption& monitor : options_.monitors) {
    if (auto added = add_monitor(monitor); !added) return added;
  }
  if (options_.nographic && !options_.no_defaults && options_.monitors.empty() && stdio_ == nullptr) {
    if (auto added = add_monitor({"-nographic", "stdio", false, false}); !added) return added;
  }
  // As QEMU: a character device that nobody uses is opened all the same, so that its errors are seen.
  for (const CharDeviceOption& device : options_.char_devices) {
    if (named_.contains(device.id)) continue;
    if (auto opened = open_named("-chardev", device.id); !opened) return opened.error();
  }
  return {};
}

}  // namespace relic86
