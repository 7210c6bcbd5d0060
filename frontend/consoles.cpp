#include "frontend/consoles.h"

#include <fmt/format.h>

namespace relic86 {

Consoles::Consoles(const Options& options, Machine& machine, HostPoller& poller)
    : options_(options), machine_(machine), poller_(poller) {}
Consoles::~Consoles() = default;

Result<std::unique_ptr<Consoles>> Consoles::create(const Options& options, Machine& machine, HostPoller& poller) {
  std::unique_ptr<Consoles> consoles(new Consoles(options, machine, poller));
  if (auto built = consoles->build(); !built) return built.error();
  return consoles;
}

Result<CharBackend*> Consoles::open(const std::string& option, const std::string& spec) {
  if (spec == "mon:stdio") return open_mux(option);
  if (spec == "vc" || spec.starts_with("vc:"))
    return open(option, "null");  // no window of its own for a character device
  if (spec == "stdio" && stdio_ != nullptr)
    return Error{fmt::format("{} stdio: stdio is taken already; use mon:stdio to share it with the monitor", option)};
  auto opened = open_char_backend(option, spec, poller_);
  if (!opened) return opened.error();
  backends_.push_back(std::move(opened).value());
  CharBackend* backend = backends_.back().get();
  machine_.add_backend(backend);
  if (spec == "stdio") {
    stdio_ = backend;
    terminal_ = std::make_unique<RawTerminal>(!options_.nographic);
  }
  return backend;
}

Result<CharBackend*> Consoles::open_mux(const std::string& option) {
  auto stream = open(option, "stdio");
  if (!stream) return stream.error();
  mux_ = std::make_unique<MuxBackend>(*stream.value(), [this] { machine_.quit(); });
  monitors_.push_back(std::make_unique<Monitor>(machine_, mux_->port(1), Monitor::Greeting::Quiet));
  return &mux_->port(0);
}

Result<> Consoles::build() {
  std::vector<std::string> serials = options_.serials;
  if (serials.empty() && options_.nographic) serials.push_back("mon:stdio");
  if (serials.empty()) serials.push_back("null");  // COM1 has its watchers (--expect-serial) even so
  constexpr std::size_t kMostSerials = 4, kMostParallels = 3;
  if (serials.size() > kMostSerials)
    return Error{fmt::format("-serial: there are at most {} serial ports", kMostSerials)};
  for (unsigned n = 0; n < serials.size(); n++) {
    auto backend = open("-serial", serials[n]);
    if (!backend) return backend.error();
    machine_.connect_serial(n, backend.value());
  }
  if (options_.parallels.size() > kMostParallels)
    return Error{fmt::format("-parallel: there are at most {} parallel ports", kMostParallels)};
  for (unsigned n = 0; n < options_.parallels.size(); n++) {
    auto backend = open("-parallel", options_.parallels[n]);
    if (!backend) return backend.error();
    machine_.connect_parallel(n, backend.value());
  }
  if (!options_.debugcon.empty()) {
    auto backend = open("-debugcon", options_.debugcon);
    if (!backend) return backend.error();
    machine_.connect_debug_console(backend.value());
  }
  for (const std::string& device : options_.gdb) {
    if (device == "stdio" && stdio_ != nullptr)
      return Error{"-gdb stdio: stdio is taken already by a console; give that another device"};
    if (auto served = machine_.serve_gdb(device); !served) return served.error();
  }
  for (const std::string& spec : options_.monitors) {
    if (spec == "none" || spec == "null") continue;
    auto backend = open("-monitor", spec);
    if (!backend) return backend.error();
    monitors_.push_back(std::make_unique<Monitor>(machine_, *backend.value(), Monitor::Greeting::Banner));
  }
  return {};
}

}  // namespace relic86
