#include "options/chardev_option.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/nearest.h"
#include "options/option_text.h"

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
    {"socket", "path host port to ipv4 ipv6 server wait nodelay delay telnet reconnect"},
    {"ringbuf", "size"},
    {"vc", "width height cols rows"},
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
  if (words.contains("path")) {
    spec = "unix:" + word("path");
  } else if (words.contains("port")) {
    spec = fmt::format("{}:{}:{}", telnet ? "telnet" : "tcp", word("host"), word("port"));
  } else {
    return Error{"-chardev socket: give path=PATH, or host=HOST and port=PORT"};
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
  if (backend == "serial") return path->second;
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

}  // namespace relic86
