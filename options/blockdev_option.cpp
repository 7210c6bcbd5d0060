#include "options/blockdev_option.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/nearest.h"
#include "options/backing_node.h"
#include "options/json_properties.h"
#include "options/options.h"

namespace relic86 {

namespace {

using Text = std::string_view;

// What concerns the host's way of reading and writing, besides the properties that name something.
constexpr Text kCommon =
    "driver node-name read-only auto-read-only force-share discard detect-zeroes cache.direct cache.no-flush";
constexpr struct {
  Text name, properties;
  bool protocol;  // names an image itself
} kDrivers[] = {
    {"file", "filename aio locking pr-manager drop-cache aio-max-batch x-check-cache-dropped", true},
    {"host_device", "filename aio locking pr-manager drop-cache aio-max-batch", true},
    {"host_cdrom", "filename aio locking pr-manager drop-cache aio-max-batch", true},
    {"nbd",
     "host port path export server server.type server.host server.port server.path tls-creds reconnect-delay "
     "open-timeout",
     true},
    {"raw", "file", false},
    {"qcow2",
     "file backing lazy-refcounts pass-discard-request pass-discard-snapshot pass-discard-other overlap-check "
     "cache-size l2-cache-size l2-cache-entry-size refcount-cache-size cache-clean-interval",
     false},
    {"vdi", "file", false},
    {"vmdk", "file backing", false},
    {"vpc", "file", false},
    {"vhdx", "file", false},
};
constexpr Text kImageFormats[] = {"raw", "qcow2", "vdi", "vmdk", "vpc", "vhdx"};
constexpr Text kForeignFormats[] = {"bochs", "cloop", "dmg",   "luks", "parallels",
                                    "qcow",  "qed",   "vvfat", "http", "https"};

Error bad_driver(Text driver) {
  if (std::find(std::begin(kForeignFormats), std::end(kForeignFormats), driver) != std::end(kForeignFormats))
    return Error{
        fmt::format("driver={}: images are {} files here; qemu-img convert -O qcow2 makes one of another format",
                    driver, fmt::join(kImageFormats, ", "))};
  std::vector<Text> names;
  for (const auto& row : kDrivers) names.push_back(row.name);
  return Error{fmt::format("driver={}: unknown driver; the nearest is {}; {} exist", driver,
                           nearest_word(driver, names), fmt::join(names, ", "))};
}

// Characters that mean something in a URI are written as their codes.
std::string uri_part(Text text) {
  std::string part;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || Text("-._~/").find(c) != Text::npos)
      part += c;
    else
      part += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return part;
}

// The export that driver=nbd names, as a URI; QEMU's older properties name the server without "server.".
Result<> read_nbd_server(BlockNode& node, const Properties& properties) {
  const auto either = [&](const char* name) {
    const std::string word(property_value(properties, fmt::format("server.{}", name)));
    return word.empty() ? std::string(property_value(properties, name)) : word;
  };
  const std::string type(property_value(properties, "server.type")), host = either("host"), path = either("path");
  if (!property_value(properties, "tls-creds").empty())
    return Error{"nbd,tls-creds=..: there is no TLS here; let ssh carry the connection to a unix socket"};
  if ((!type.empty() && type != "inet" && type != "unix") || (type == "unix" && path.empty()) ||
      (type == "inet" && host.empty()) || host.empty() == path.empty())
    return Error{
        "nbd: name one server, by server.type=inet,server.host=HOST,server.port=PORT or by "
        "server.type=unix,server.path=PATH"};
  const std::string name(property_value(properties, "export"));
  const std::string port = either("port");
  node.file = path.empty() ? fmt::format("nbd://{}:{}/{}", host.find(':') == Text::npos ? host : "[" + host + "]",
                                         port.empty() ? "10809" : port, uri_part(name))
                           : fmt::format("nbd+unix:///{}?socket={}", uri_part(name), uri_part(path));
  const std::string delay(property_value(properties, "reconnect-delay"));
  if (delay.empty()) return {};
  constexpr u64 kMostSeconds = 86400;
  const auto seconds = parse_number(delay);
  if (!seconds || seconds.value() > kMostSeconds)
    return Error{fmt::format("nbd,reconnect-delay={}: a number of seconds from 0 to 86400 is expected", delay)};
  node.reconnect_seconds = static_cast<unsigned>(seconds.value());
  return {};
}

Result<> make_node(const std::vector<BlockNode>& others, std::vector<BlockNode>& made, const Properties& properties) {
  BlockNode node;
  node.driver = property_value(properties, "driver");
  node.name = property_value(properties, "node-name");
  const auto* driver =
      std::find_if(std::begin(kDrivers), std::end(kDrivers), [&](const auto& row) { return row.name == node.driver; });
  if (driver == std::end(kDrivers)) return bad_driver(node.driver);
  const auto known = split_words(fmt::format("{} {}", kCommon, driver->properties), ' ');
  const std::vector<Text> names(known.begin(), known.end());
  Properties inner;
  for (const auto& [key, word] : properties) {
    if (!driver->protocol && key.starts_with("file.")) {
      inner.emplace_back(key.substr(5), word);
    } else if (std::find(names.begin(), names.end(), key) == names.end()) {
      return Error{fmt::format("{},{}={}: unknown property; the nearest is {}", node.driver, key, word,
                               nearest_word(key, names))};
    } else if (key == "read-only" || key == "auto-read-only") {
      const auto on = parse_switch(word);
      if (!on) return Error{fmt::format("{},{}={}: {}", node.driver, key, word, on.message())};
      if (key == "read-only") node.read_only = on.value();
    } else if (key == "backing" && word.empty()) {
      node.backing = kNoBacking;
    } else if (key == "backing") {
      if (find_block_node(others, word) == nullptr)
        return Error{
            fmt::format("{},backing={}: there is no -blockdev with this node-name before it", node.driver, word)};
      node.backing = word;
    }
  }
  const auto taken = [&](const std::vector<BlockNode>& nodes) { return find_block_node(nodes, node.name) != nullptr; };
  if (!node.name.empty() && (taken(others) || taken(made)))
    return Error{fmt::format("node-name={}: another node has this name; give each its own", node.name)};
  if (node.driver == "nbd") {
    if (auto read = read_nbd_server(node, properties); !read) return read;
  } else if (driver->protocol) {
    node.file = property_value(properties, "filename");
    if (node.file.empty()) return Error{fmt::format("{}: filename= is missing; name the image", node.driver)};
  } else if (!inner.empty()) {
    if (auto below = make_node(others, made, inner); !below) return below;
    node.below = made.back().name;
    node.file = made.back().file;
    node.reconnect_seconds = made.back().reconnect_seconds;
  } else {
    node.below = property_value(properties, "file");
    const BlockNode* below = find_block_node(others, node.below);
    if (below == nullptr)
      return Error{
          fmt::format("{},file={}: there is no -blockdev with this node-name before it", node.driver, node.below)};
    node.file = below->file;
    node.reconnect_seconds = below->reconnect_seconds;
  }
  made.push_back(std::move(node));
  return {};
}

}  // namespace

std::span<const std::string_view> image_formats() { return kImageFormats; }

bool is_image_format(std::string_view word) {
  return std::find(std::begin(kImageFormats), std::end(kImageFormats), word) != std::end(kImageFormats);
}

const BlockNode* find_block_node(const std::vector<BlockNode>& nodes, std::string_view name) {
  const auto at = std::find_if(nodes.begin(), nodes.end(), [&](const BlockNode& node) { return node.name == name; });
  return at == nodes.end() || name.empty() ? nullptr : &*at;
}

Result<std::vector<BlockNode>> make_block_nodes(const std::vector<BlockNode>& others, const Properties& properties) {
  std::vector<BlockNode> made;
  if (auto done = make_node(others, made, properties); !done) return done.error();
  if (made.back().name.empty()) return Error{"node-name= is missing; give the node a name to refer to"};
  return made;
}

Result<> add_block_node(Options& options, std::string_view value) {
  const auto properties = option_properties("-blockdev", value, "driver");
  if (!properties) return properties.error();
  auto made = make_block_nodes(options.block_nodes, properties.value());
  if (!made) return Error{"-blockdev " + made.message()};
  for (BlockNode& node : made.value()) options.block_nodes.push_back(std::move(node));
  return {};
}

}  // namespace relic86
