#include "control/qmp/qmp_server.h"

#include <fmt/format.h>

#include "base/log.h"
#include "control/qmp/qmp_commands.h"
#include "machine/block_jobs.h"
#include "machine/disk_exports.h"
#include "machine/host_time.h"
#include "machine/migration.h"
#include "machine/remote_display.h"
#include "options/run_option.h"

namespace relic86 {

namespace {

constexpr std::size_t kLongestCommand = 1u << 16;
constexpr unsigned kDeepest = 1024;  // as in QEMU
constexpr unsigned kIndent = 4;
// Longer ones are sent as they are: a client's "id" comes back, and each of its commas would become a line as wide as
// the nesting.
constexpr std::size_t kLongestIndented = 1u << 20;

// An upper bound of the indented text's size.
std::size_t indented_size(std::string_view text) {
  std::size_t size = 0, depth = 0;
  for (const char c : text) {
    if (c == '{' || c == '[') depth++;
    if ((c == '}' || c == ']') && depth > 0) depth--;
    size += c == ',' || c == '{' || c == '[' || c == '}' || c == ']' ? 2 + depth * kIndent : 2;
  }
  return size;
}

Json error_reply(const std::string& kind, const std::string& text) {
  return {{"error", {{"class", kind}, {"desc", text}}}};
}

// Seconds and microseconds since 1970.
Json time_stamp() { return {{"seconds", host_unix_seconds()}, {"microseconds", host_unix_microseconds() % 1'000'000}}; }

const char* event_name(MachineEvent event, Machine& machine) {
  if (event == MachineEvent::RemoteDisplay) {
    constexpr const char* kNames[] = {"VNC_CONNECTED", "VNC_INITIALIZED", "VNC_DISCONNECTED"};
    return kNames[static_cast<std::size_t>(machine.remote_display()->event())];
  }
  constexpr const char* kNames[] = {"STOP",           "RESUME",
                                    "RESET",          "SHUTDOWN",
                                    "POWERDOWN",      "SUSPEND",
                                    "WAKEUP",         "DEVICE_TRAY_MOVED",
                                    "BALLOON_CHANGE", "DEVICE_DELETED",
                                    "WATCHDOG",       "GUEST_PANICKED",
                                    "MIGRATION",      "",
                                    "DUMP_COMPLETED", "",
                                    "BLOCK_IO_ERROR", "BLOCK_EXPORT_DELETED"};
  return kNames[static_cast<std::size_t>(event)];
}

// What the jobs tell of at this moment: "event" and "data".
Json job_event(Machine& machine) {
  using What = BlockJobs::Told::What;
  const auto& [what, job] = machine.block_jobs().told();
  const NewBlockJob& plan = job->plan;
  Json data = {{"device", plan.id},
               {"len", plan.work ? plan.work->total() : job->length},
               {"offset", plan.work ? plan.work->done() : job->offset},
               {"speed", plan.speed},
               {"type", plan.type}};
  switch (what) {
    case What::Status:
      return {{"event", "JOB_STATUS_CHANGE"}, {"data", {{"status", BlockJobs::name(job->status)}, {"id", plan.id}}}};
    case What::Pending: return {{"event", "BLOCK_JOB_PENDING"}, {"data", {{"type", plan.type}, {"id", plan.id}}}};
    case What::Error:
      return {{"event", "BLOCK_JOB_ERROR"},
              {"data", {{"device", plan.id}, {"operation", "write"}, {"action", "stop"}}}};
    case What::Ready: return {{"event", "BLOCK_JOB_READY"}, {"data", std::move(data)}};
    case What::Cancelled: return {{"event", "BLOCK_JOB_CANCELLED"}, {"data", std::move(data)}};
    case What::Completed: break;
  }
  if (job->error) data["error"] = *job->error;
  return {{"event", "BLOCK_JOB_COMPLETED"}, {"data", std::move(data)}};
}

}  // namespace

QmpServer::QmpServer(Machine& machine, CharBackend& backend, bool pretty)
    : machine_(machine), backend_(backend), pretty_(pretty) {
  backend_.connect(this);
  machine_.on_event([this](MachineEvent event) { tell(event); });
  if (!backend_.on_client([this] { greet(); })) greet();
}

QmpServer::~QmpServer() {
  backend_.connect(nullptr);
  backend_.on_client({});
}

void QmpServer::greet() {
  ready_ = false;
  forget_input();
  send(Json{{"QMP", {{"version", run_command("query-version", machine_).value()}, {"capabilities", Json::array()}}}}
           .dump());
}

void QmpServer::send(const std::string& text) {
  std::string line = text;
  if (pretty_ && indented_size(text) <= kLongestIndented) {
    const Json value = Json::parse(text, nullptr, false);
    line = value.dump(kIndent, ' ', false, Json::error_handler_t::replace);
  }
  if (backend_.write(line + "\r\n")) return;
  // The client has not read for long, and events go on coming. A lost one would mislead it: it is let go instead.
  if (log::first_time("QMP client")) log::warning("a QMP client does not read what it is sent; it is disconnected");
  backend_.drop_client();
}

// Commands are told apart by their brackets: clients need not end lines.
void QmpServer::receive(u8 byte) {
  const char c = static_cast<char>(byte);
  const bool blank = c == ' ' || c == '\t' || c == '\r' || c == '\n';
  if (depth_ == 0 && text_.empty() && blank) return;
  text_ += c;
  if (text_.size() > kLongestCommand) {
    forget_input();
    return send(error_reply("GenericError", "JSON token size limit exceeded").dump());
  }
  if (escaped_) {
    escaped_ = false;
  } else if (quoted_ && c == '\\') {
    escaped_ = true;
  } else if (c == '"') {
    quoted_ = !quoted_;
  } else if (!quoted_ && (c == '{' || c == '[')) {
    depth_++;
    if (depth_ > kDeepest) {
      forget_input();
      return send(error_reply("GenericError", "JSON nesting depth limit exceeded").dump());
    }
  } else if (!quoted_ && (c == '}' || c == ']') && depth_ > 0) {
    depth_--;
  }
  // Outside of brackets a line is an object: a wrong one.
  if (depth_ > 0 || (quoted_ && c != '\n') || (c != '}' && c != ']' && c != '\n')) return;
  const std::string text = text_;
  forget_input();
  obey(text);
}

void QmpServer::forget_input() {
  text_.clear();
  depth_ = 0;
  quoted_ = escaped_ = false;
}

void QmpServer::obey(std::string_view text) {
  const Json command = Json::parse(text, nullptr, false);
  const auto reply = [&](Json answer) {
    if (command.is_object() && command.contains("id")) answer["id"] = command["id"];
    send(answer.dump(-1, ' ', false, Json::error_handler_t::replace));
  };
  if (command.is_discarded()) return reply(error_reply("GenericError", "JSON parse error"));
  if (!command.is_object()) return reply(error_reply("GenericError", "QMP input must be a JSON object"));
  const auto name_at = command.find("execute");
  if (name_at == command.end() || !name_at->is_string())
    return reply(error_reply("GenericError", "QMP input lacks member 'execute'"));
  const std::string name = name_at->get<std::string>();
  for (const auto& [member, value] : command.items()) {
    if (member != "execute" && member != "arguments" && member != "id")
      return reply(error_reply("GenericError", fmt::format("QMP input member '{}' is unexpected", member)));
  }
  Json arguments = Json::object();
  if (const auto at = command.find("arguments"); at != command.end()) arguments = *at;
  if (!arguments.is_object())
    return reply(error_reply("GenericError", "QMP input member 'arguments' must be an object"));
  if (name == "qmp_capabilities") {
    if (ready_)
      return reply(error_reply("CommandNotFound", "Capabilities negotiation is already complete, command ignored"));
    ready_ = true;
    return reply({{"return", Json::object()}});
  }
  if (!ready_)
    return reply(error_reply("CommandNotFound", "Expecting capabilities negotiation with 'qmp_capabilities'"));
  if (!qmp_knows(name))
    return reply(error_reply("CommandNotFound", fmt::format("The command {} has not been found", name)));
  if (const int fd = backend_.take_descriptor(); fd >= 0) machine_.keep_descriptor(kOfferedDescriptor, fd);
  const auto result = execute_qmp(machine_, name, arguments);
  if (!result) return reply(error_reply(result.error().kind, result.error().message));
  reply({{"return", result.value()}});
}

void QmpServer::tell(MachineEvent event) {
  if (!ready_) return;
  if (event == MachineEvent::Job) {
    Json told = job_event(machine_);
    return send(Json{{"timestamp", time_stamp()}, {"event", told["event"]}, {"data", told["data"]}}.dump());
  }
  if (event == MachineEvent::Migration && !machine_.migration().tells_events()) return;
  Json message = {{"timestamp", time_stamp()}, {"event", event_name(event, machine_)}};
  if (event == MachineEvent::Shutdown) {
    const End end = machine_.end();
    const bool host = end == End::Quit || end == End::ExpectationsMet || end == End::FailureSeen || end == End::TimeUp;
    message["data"] = {{"guest", !host},
                       {"reason", host                                           ? "host-qmp-quit"
                                  : end == End::Reset || end == End::TripleFault ? "guest-reset"
                                  : end == End::GuestPanic                       ? "guest-panic"
                                                                                 : "guest-shutdown"}};
  } else if (event == MachineEvent::TrayMoved) {
    message["data"] = describe_tray_move(machine_);
  } else if (event == MachineEvent::DeviceDeleted) {
    message["data"] = {{"device", machine_.deleted_device()},
                       {"path", "/machine/peripheral/" + machine_.deleted_device()}};
  } else if (event == MachineEvent::Watchdog) {
    message["data"] = {{"action", watchdog_action_name(machine_.options().watchdog_action)}};
  } else if (event == MachineEvent::GuestPanicked) {
    const bool goes_on = machine_.options().panic_action == Options::PanicAction::None;
    message["data"] = {{"action", goes_on ? "run" : machine_.pauses_at_panic() ? "pause" : "poweroff"}};
  } else if (event == MachineEvent::ExportDeleted) {
    message["data"] = {{"id", machine_.exports().deleted()}};
  } else if (event == MachineEvent::DiskFailed) {
    message["data"] = describe_disk_failure(machine_);
  } else if (event == MachineEvent::BalloonChange) {
    message["data"] = run_command("query-balloon", machine_).value();
  } else if (event == MachineEvent::DumpCompleted) {
    const u64 bytes = machine_.options().ram_bytes;
    message["data"] = {{"result", {{"total", bytes}, {"status", "completed"}, {"completed", bytes}}}};
  } else if (event == MachineEvent::Migration) {
    message["data"] = {{"status", migration_status_name(machine_.migration().progress().status)}};
  } else if (event == MachineEvent::RemoteDisplay) {
    message["data"] = describe_remote_event(*machine_.remote_display());
  } else if (event == MachineEvent::Reset) {
    const bool guest = machine_.reset_by_guest();
    message["data"] = {{"guest", guest}, {"reason", guest ? "guest-reset" : "host-qmp-system-reset"}};
  }
  send(message.dump());
}

}  // namespace relic86
