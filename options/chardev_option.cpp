#include "options/chardev_option.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/nearest.h"
#include "options/option_text.h"
#include "options/options.h"

namespace relic86 {

namespace {

using Text = std::string_view;

struct BackendRow {
  Text name;
  Text properties;  // beyond id, mux, logfile and logappend; separated by blanks
};
constexpr BackendRow kBackends[] = {
    {"null", ""},
    {"stdio", "signal"},
    {"file", "path append"},
    {"pipe", "path"},
    {"pty", "path"},
    {"serial", "path"},
    {"tty", "path"},
    {"socket", "path fd host port to ipv4 ipv6 server wait nodelay delay telnet reconnect abstract tight"},
    {"ringbuf", "size"},
    {"vc", "width height cols rows"},
};
// Back ends of QEMU's that do not exist here.
struct MissingBackend {
  Text name;
  Text mend;
};
constexpr MissingBackend kMissing[] = {
    {"udp", "there are no datagrams; a socket with host= and port= is a TCP connection"},
    {"msmouse", "there is no serial mouse; the mouse is a PS/2 mouse"},
    {"wctablet", "there is no serial tablet; the mouse is a PS/2 mouse"},
    {"braille", "there is no Braille display; stdio goes to the terminal"},
    {"parallel", "the host's parallel port is not driven; a file or a socket takes the bytes"},
    {"parport", "the host's parallel port is not driven; a file or a socket takes the bytes"},
    {"spicevmc", "there is no SPICE server; a socket takes the bytes"},
    {"spiceport", "there is no SPICE server; a socket takes the bytes"},
    {"qemu-vdagent", "there is no guest agent channel; leave the option out"},
    {"dbus", "there is no D-Bus display; a socket takes the bytes"},
    {"console", "it belongs to other hosts; stdio goes to the terminal"},
    {"testdev", "it belongs to other machines; -device isa-debug-exit ends a run"},
    {"hub", "is of newer versions of QEMU; add mux=on to share a back end"},
    {"memory", "is an old name; say ringbuf"},
};
constexpr Text kCommon = "id mux logfile logappend";

Result<std::string> socket_spec(const std::map<std::string, std::string>& words) {
  const auto word = [&](const char* key) {
    const auto at = words.find(key);
    return at == words.end() ? std::string() : at->second;
  };
  for (const char* key : {"server", "wait", "telnet", "nodelay", "delay"}) {
    if (!words.contains(key)) continue;
    if (auto on = parse_switch(word(key)); !on) return Error{fmt::format("-chardev socket,{}: {}", key, on.message())};
  }
  const bool server = words.contains("server") && parse_switch(word("server")).value();
  const bool wait = !words.contains("wait") || parse_switch(word("wait")).value();
  const bool telnet = words.contains("telnet") && parse_switch(word("telnet")).value();
  std::string spec;
  if (words.contains("fd")) {
    if (const auto number = parse_number(word("fd")); !number)
      return Error{
          fmt::format("-chardev socket,fd={}: {}; give the number of an open socket", word("fd"), number.message())};
    spec = "fd:" + word("fd");
  } else if (words.contains("path")) {
    spec = "unix:" + word("path");
  } else if (words.contains("port")) {
    spec = fmt::format("{}:{}:{}", telnet ? "telnet" : "tcp", word("host"), word("port"));
  } else {
    return Error{"-chardev socket: give path=PATH, or host=HOST and port=PORT, or fd=N"};
  }
  if (server) spec += ",server";
  if (!wait) spec += ",nowait";
  return spec;
}

Result<std::string> spec_of(Text backend, const std::map<std::string, std::string>& words) {
  if (backend == "socket") return socket_spec(words);
  if (backend == "vc" || backend == "ringbuf") return std::string("null");
  if (backend == "null" || backend == "stdio" || backend == "pty") return std::string(backend);
  const auto path = words.find("path");
  if (path == words.end() || path->second.empty())
    return Error{fmt::format("-chardev {}: path= is missing; name the file", backend)};
  if (backend == "serial" || backend == "tty") return path->second;
  return fmt::format("{}:{}", backend, path->second);
}

}  // namespace

Result<CharDeviceOption> parse_chardev(std::string_view value) {
  const Properties properties = parse_properties(value);
  Text name = properties.front().first;
  if (name == "backend") name = properties.front().second;
  const auto backend =
      std::find_if(std::begin(kBackends), std::end(kBackends), [&](const BackendRow& row) { return row.name == name; });
  if (backend == std::end(kBackends)) {
    std::vector<Text> names;
    for (const BackendRow& row : kBackends) names.push_back(row.name);
    for (const MissingBackend& row : kMissing) {
      if (row.name == name) return Error{fmt::format("-chardev {}: {}", name, row.mend)};
    }
    return Error{fmt::format("-chardev {}: unknown backend; the nearest is {}; '-chardev help' lists all", name,
                             nearest_word(name, names))};
  }
  const auto known = split_words(fmt::format("{} {}", kCommon, backend->properties), ' ');
  const std::vector<Text> names(known.begin(), known.end());
  std::map<std::string, std::string> words;
  for (std::size_t i = 1; i < properties.size(); i++) {
    auto [key, word] = properties[i];
    if (key == "nowait") key = "wait", word = "off";
    if (std::find(names.begin(), names.end(), key) == names.end())
      return Error{
          fmt::format("-chardev {}: {}: unknown property; the nearest is {}", name, key, nearest_word(key, names))};
    words[key] = word;
  }
  CharDeviceOption device;
  device.id = words["id"];
  if (device.id.empty()) return Error{fmt::format("-chardev {}: id= is missing; give it a name to refer to", name)};
  for (const char* key : {"mux", "logappend", "append"}) {
    if (!words.contains(key)) continue;
    const auto on = parse_switch(words[key]);
    if (!on) return Error{fmt::format("-chardev {},{}: {}", name, key, on.message())};
    if (Text(key) == "mux") device.mux = on.value();
    if (Text(key) == "logappend") device.log_append = on.value();
    if (Text(key) == "append" && on.value())
      return Error{"-chardev file,append=on: the file is always written anew; use logfile= with logappend=on"};
  }
  device.log_file = words["logfile"];
  auto spec = spec_of(name, words);
  if (!spec) return spec.error();
  device.spec = std::move(spec).value();
  return device;
}

std::string chardev_help_text() {
  std::string text = "Available chardev backend types:\n";
  for (const BackendRow& row : kBackends) text += fmt::format("  {}\n", row.name);
  return text;
}

std::vector<std::string_view> chardev_backend_names() {
  std::vector<std::string_view> names;
  for (const BackendRow& row : kBackends) names.push_back(row.name);
  return names;
}

std::vector<std::string> chardev_property_names() {
  std::set<std::string> names{"backend", "id", "mux", "logfile", "logappend"};
  for (const BackendRow& row : kBackends) {
    for (const std::string& name : split_words(row.properties, ' ')) {
      if (!name.empty()) names.insert(name);
    }
  }
  return {names.begin(), names.end()};
}

Result<> add_char_device(Options& options, Text value) {
  if (asks_for_help(value)) {
    options.print_and_exit = chardev_help_text();
    return {};
  }
  auto device = parse_chardev(value);
  if (!device) return device.error();
  for (const CharDeviceOption& other : options.char_devices) {
    if (other.id == device.value().id)
      return Error{fmt::format("-chardev id={}: another character device has this id; give each its own", other.id)};
  }
  options.char_devices.push_back(std::move(device).value());
  return {};
}

}  // namespace relic86
