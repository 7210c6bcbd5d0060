#include "control/qmp/qmp_commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "control/monitor/monitor.h"
#include "display/screenshot.h"
#include "options/version.h"

namespace relic86 {

namespace {

// Arguments of a command, by name. A missing or wrong one is an error that names it, in QEMU's words.
class Arguments {
 public:
  explicit Arguments(const Json& object) : object_(object) {}
  bool has(const char* name) const { return object_.contains(name); }
  Result<std::string> text(const char* name) const {
    const auto at = object_.find(name);
    if (at == object_.end()) return Error{fmt::format("Parameter '{}' is missing", name)};
    if (!at->is_string()) return Error{fmt::format("Invalid parameter type for '{}', expected: string", name)};
    return at->get<std::string>();
  }
  std::string text_or(const char* name, const std::string& otherwise) const {
    auto value = text(name);
    return value ? std::move(value).value() : otherwise;
  }
  Result<u64> number(const char* name) const {
    const auto at = object_.find(name);
    if (at == object_.end()) return Error{fmt::format("Parameter '{}' is missing", name)};
    if (!at->is_number_unsigned())
      return Error{fmt::format("Invalid parameter type for '{}', expected: integer", name)};
    return at->get<u64>();
  }
  bool flag(const char* name) const {
    const auto at = object_.find(name);
    return at != object_.end() && at->is_boolean() && at->get<bool>();
  }
  const Json* list(const char* name) const {
    const auto at = object_.find(name);
    return at != object_.end() && at->is_array() ? &*at : nullptr;
  }

 private:
  const Json& object_;
};

Json nothing() { return Json::object(); }
QmpResult done(const Result<>& result) {
  if (!result) return result.error();
  return nothing();
}

QmpResult query_status(Machine& machine, const Arguments&) {
  const std::string status = machine.status();
  const char* word = status == "running"              ? "running"
                     : status == "paused (shutdown)"  ? "shutdown"
                     : status == "paused (suspended)" ? "suspended"
                     : status == "paused (prelaunch)" ? "prelaunch"
                                                      : "paused";
  return Json{{"status", word}, {"singlestep", false}, {"running", status == "running"}};
}
QmpResult query_version(Machine&, const Arguments&) { return qmp_version(); }
QmpResult query_name(Machine& machine, const Arguments&) {
  return machine.options().name.empty() ? nothing() : Json{{"name", machine.options().name}};
}
QmpResult query_uuid(Machine& machine, const Arguments&) {
  const std::string& uuid = machine.options().uuid;
  return Json{{"UUID", uuid.empty() ? "00000000-0000-0000-0000-000000000000" : uuid}};
}
QmpResult query_kvm(Machine&, const Arguments&) { return Json{{"enabled", false}, {"present", false}}; }
QmpResult query_cpus(Machine&, const Arguments&) {
  return Json::array({{{"thread-id", gettid()},
                       {"props", {{"core-id", 0}, {"thread-id", 0}, {"socket-id", 0}}},
                       {"qom-path", "/machine/unattached/device[0]"},
                       {"cpu-index", 0},
                       {"target", "i386"}}});
}
QmpResult query_mice(Machine&, const Arguments&) {
  return Json::array({{{"name", "PS/2 Mouse"}, {"index", 0}, {"current", true}, {"absolute", false}}});
}
QmpResult query_machines(Machine&, const Arguments&) {
  return Json::array({{{"name", "pc"}, {"is-default", true}, {"cpu-max", 1}, {"hotpluggable-cpus", false}}});
}
QmpResult query_memory(Machine& machine, const Arguments&) {
  return Json{{"base-memory", machine.options().ram_bytes}, {"plugged-memory", 0}};
}
QmpResult query_block(Machine& machine, const Arguments&) {
  Json list = Json::array();
  for (const Machine::Drive& drive : machine.drives()) {
    Json row = {{"device", drive.id.empty() ? drive.name : drive.id},
                {"locked", drive.locked},
                {"removable", drive.removable},
                {"type", "unknown"}};
    if (drive.removable) row["tray_open"] = drive.tray_open;
    const auto medium = machine.media().find(drive.name);
    if (medium != machine.media().end()) {
      row["inserted"] = {
          {"file", medium->second->file()},
          {"drv", "raw"},
          {"ro", medium->second->read_only()},
          {"image",
           {{"filename", medium->second->file()}, {"format", "raw"}, {"virtual-size", medium->second->size_bytes()}}}};
    }
    list.push_back(std::move(row));
  }
  return list;
}

QmpResult stop(Machine& machine, const Arguments&) {
  machine.pause();
  return nothing();
}
QmpResult cont(Machine& machine, const Arguments&) {
  machine.resume();
  return nothing();
}
QmpResult quit(Machine& machine, const Arguments&) {
  machine.post([&machine] { machine.quit(); });  // the reply comes before the end
  return nothing();
}
QmpResult system_reset(Machine& machine, const Arguments&) {
  machine.reset();
  return nothing();
}
QmpResult system_powerdown(Machine& machine, const Arguments&) {
  machine.power_button();
  return nothing();
}
QmpResult system_wakeup(Machine& machine, const Arguments&) {
  machine.wake();
  return nothing();
}

QmpResult screendump(Machine& machine, const Arguments& arguments) {
  const auto file = arguments.text("filename");
  if (!file) return file.error();
  const std::string format = arguments.text_or("format", "ppm");
  if (format != "ppm" && format != "png")
    return Error{fmt::format("Parameter 'format' does not accept value '{}'; png and ppm exist", format)};
  const Frame& frame = machine.picture().update(machine.board());
  return done(write_screenshot(frame, file.value(), format == "png" ? PictureFormat::Png : PictureFormat::Ppm));
}

QmpResult send_key(Machine& machine, const Arguments& arguments) {
  const Json* keys = arguments.list("keys");
  if (keys == nullptr) return Error{"Parameter 'keys' is missing"};
  std::string names;
  for (const Json& key : *keys) {
    const auto data = key.is_object() ? key.find("data") : key.end();
    if (!key.is_object() || data == key.end()) return Error{"Parameter 'keys' expects a list of {type, data}"};
    if (!names.empty()) names += '-';
    if (data->is_string()) {
      names += data->get<std::string>();
    } else if (data->is_number_unsigned() && data->get<u64>() <= 0xFF) {
      names += fmt::format("{:#x}", data->get<u64>());
    } else {
      return Error{"Parameter 'keys' expects key names, or numbers up to 255"};
    }
  }
  u64 hold = 100;
  if (arguments.has("hold-time")) {
    const auto number = arguments.number("hold-time");
    if (!number) return number.error();
    hold = std::min<u64>(number.value(), 60'000);
  }
  return done(machine.keys().send(names, static_cast<GuestTime>(hold) * 1'000'000));
}

QmpResult human_monitor_command(Machine& machine, const Arguments& arguments) {
  const auto line = arguments.text("command-line");
  if (!line) return line.error();
  std::string text;
  for (const char c : execute_monitor_line(machine, line.value())) {
    if (c == '\n') text += '\r';
    text += c;
  }
  return Json(text);
}

Result<std::string> device_of(const Arguments& arguments) {
  return arguments.text(arguments.has("id") ? "id" : "device");
}

QmpResult eject(Machine& machine, const Arguments& arguments) {
  const auto device = device_of(arguments);
  if (!device) return device.error();
  return done(machine.change_medium(device.value(), {"", false, false, arguments.flag("force")}));
}
QmpResult change_medium(Machine& machine, const Arguments& arguments) {
  const auto device = device_of(arguments);
  if (!device) return device.error();
  const auto file = arguments.text("filename");
  if (!file) return file.error();
  const std::string format = arguments.text_or("format", "");
  if (!format.empty() && format != "raw") return Error{fmt::format("Unknown driver '{}'; raw exists", format)};
  const std::string mode = arguments.text_or("read-only-mode", "retain");
  return done(machine.change_medium(device.value(), {file.value(), !format.empty(), mode == "read-only"}));
}

// memsave and pmemsave, in the monitor's own words.
QmpResult save_memory(Machine& machine, const Arguments& arguments, const char* command) {
  const auto address = arguments.number("val"), size = arguments.number("size");
  const auto file = arguments.text("filename");
  if (!address) return address.error();
  if (!size) return size.error();
  if (!file) return file.error();
  if (file.value().find('"') != std::string::npos) return Error{"Parameter 'filename' must have no quotes"};
  const std::string said = execute_monitor_line(
      machine, fmt::format("{} {} {} \"{}\"", command, address.value(), size.value(), file.value()));
  if (!said.empty()) return Error{said.substr(0, said.find('\n'))};
  return nothing();
}
QmpResult memsave(Machine& machine, const Arguments& arguments) { return save_memory(machine, arguments, "memsave"); }
QmpResult pmemsave(Machine& machine, const Arguments& arguments) { return save_memory(machine, arguments, "pmemsave"); }

QmpResult query_commands(Machine&, const Arguments&);

struct Command {
  const char* name;
  QmpResult (*run)(Machine&, const Arguments&);
};
constexpr Command kCommands[] = {
    {"query-status", query_status},
    {"query-version", query_version},
    {"query-commands", query_commands},
    {"query-name", query_name},
    {"query-uuid", query_uuid},
    {"query-kvm", query_kvm},
    {"query-cpus-fast", query_cpus},
    {"query-mice", query_mice},
    {"query-machines", query_machines},
    {"query-memory-size-summary", query_memory},
    {"query-block", query_block},
    {"stop", stop},
    {"cont", cont},
    {"quit", quit},
    {"system_reset", system_reset},
    {"system_powerdown", system_powerdown},
    {"system_wakeup", system_wakeup},
    {"screendump", screendump},
    {"send-key", send_key},
    {"human-monitor-command", human_monitor_command},
    {"eject", eject},
    {"blockdev-change-medium", change_medium},
    {"memsave", memsave},
    {"pmemsave", pmemsave},
};

QmpResult query_commands(Machine&, const Arguments&) {
  Json list = Json::array({{{"name", "qmp_capabilities"}}});
  for (const Command& command : kCommands) list.push_back({{"name", command.name}});
  return list;
}

const Command* find(const std::string& name) {
  const auto* at =
      std::find_if(std::begin(kCommands), std::end(kCommands), [&](const Command& c) { return c.name == name; });
  return at == std::end(kCommands) ? nullptr : at;
}

}  // namespace

bool qmp_knows(const std::string& command) { return find(command) != nullptr; }

QmpResult execute_qmp(Machine& machine, const std::string& command, const Json& arguments) {
  const Command* found = find(command);
  if (found == nullptr) return Error{fmt::format("The command {} has not been found", command)};
  return found->run(machine, Arguments(arguments));
}

Json qmp_version() {
  int major = 0, minor = 0, micro = 0;
  std::sscanf(std::string(kVersion).c_str(), "%d.%d.%d", &major, &minor, &micro);
  return {{"qemu", {{"micro", micro}, {"minor", minor}, {"major", major}}},
          {"package", fmt::format("relic86 {}", kVersion)}};
}

}  // namespace relic86
