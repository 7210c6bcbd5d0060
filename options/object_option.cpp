#include "options/object_option.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/nearest.h"
#include "options/json_properties.h"
#include "options/options.h"

namespace relic86 {

namespace {

using Text = std::string_view;

// How the host provides guest RAM changes nothing that the guest sees.
constexpr Text kMemory =
    "size merge dump prealloc prealloc-threads host-nodes policy share reserve "
    "x-use-canonical-path-for-ramblock-id";

constexpr struct {
  Text beginning, mend;
} kMissing[] = {
    {"authz-", "clients are not authorised; a unix: socket's permissions say who may connect"},
    {"tls-", "there is no TLS; a unix: socket stays on the host"},
    {"can-", "there is no CAN bus; leave the object out"},
    {"colo-", "machines are not replicated; leave the object out"},
    {"cryptodev", "there is no cryptography device; leave the object out"},
    {"dbus-vmstate", "what other programs keep does not migrate with a machine; leave the object out"},
    {"filter-", "only filter-dump looks at frames; leave the object out"},
    {"input-", "the host's input devices are not read; the window has keyboard and mouse"},
    {"memory-backend-epc", "there is no SGX; leave the object out"},
    {"pef-guest", "there is no encrypted memory; leave the object out"},
    {"pr-manager", "reservations are not passed on to the host's disks; leave the object out"},
    {"qtest", "there is no test protocol; leave the object out"},
    {"rng-egd", "random numbers come from no daemon; rng-builtin and rng-random exist"},
    {"sev-guest", "there is no encrypted memory; leave the object out"},
    {"thread-context", "is of newer versions of QEMU; leave the object out"},
    {"throttle-group", "limits are set by block_set_io_throttle; leave the object out"},
    {"x-remote", "devices do not live in other processes; leave the object out"},
    {"x-vfio", "devices do not live in other processes; leave the object out"},
};

std::string join_path(Text key) {  // "host-nodes.0" is an element of the list host-nodes
  return std::string(key.substr(0, key.find('.')));
}

}  // namespace

const std::vector<ObjectType>& object_types() {
  static const std::vector<ObjectType> types{
      {"memory-backend-ram", kMemory, true},
      {"memory-backend-file",
       "size merge dump prealloc prealloc-threads host-nodes policy share reserve align pmem mem-path discard-data "
       "readonly x-use-canonical-path-for-ramblock-id",
       true},
      {"memory-backend-memfd",
       "size merge dump prealloc prealloc-threads host-nodes policy share reserve hugetlb hugetlbsize seal "
       "x-use-canonical-path-for-ramblock-id",
       true},
      {"secret", "data file format keyid iv", false},
      {"filter-dump", "netdev file maxlen queue status position insert", false},
      {"iothread", "poll-max-ns poll-grow poll-shrink aio-max-batch thread-pool-min thread-pool-max", false},
      {"main-loop", "aio-max-batch thread-pool-min thread-pool-max", false},
      {"rng-builtin", "", false},
      {"rng-random", "filename", false},
  };
  return types;
}

Result<ObjectOption> make_object(const std::vector<ObjectOption>& others, const Properties& properties) {
  ObjectOption object;
  object.type = property_value(properties, "qom-type");
  object.id = property_value(properties, "id");
  const auto& types = object_types();
  const auto type =
      std::find_if(types.begin(), types.end(), [&](const ObjectType& t) { return t.name == object.type; });
  if (type == types.end()) {
    for (const auto& row : kMissing) {
      if (object.type.starts_with(row.beginning)) return Error{fmt::format("{}: {}", object.type, row.mend)};
    }
    std::vector<Text> names;
    for (const ObjectType& each : types) names.push_back(each.name);
    return Error{
        fmt::format("{}: unknown object type; the nearest is {}", object.type, nearest_word(object.type, names))};
  }
  if (object.id.empty()) return Error{fmt::format("{}: id= is missing; give it a name to refer to", object.type)};
  if (std::any_of(others.begin(), others.end(), [&](const ObjectOption& other) { return other.id == object.id; }))
    return Error{fmt::format("id={}: another object has this id; give each its own", object.id)};
  const auto known = split_words(type->properties, ' ');
  const std::vector<Text> names(known.begin(), known.end());
  for (const auto& [key, word] : properties) {
    if (key == "qom-type" || key == "id") continue;
    if (std::find(names.begin(), names.end(), join_path(key)) == names.end())
      return Error{fmt::format("{},{}={}: unknown property; the nearest is {}", object.type, key, word,
                               nearest_word(key, names))};
    object.properties.emplace_back(key, word);
  }
  if (type->memory) {
    const auto size = parse_size(property_value(object.properties, "size"), 1);
    if (!size || size.value() == 0)
      return Error{
          fmt::format("{},id={}: size= is missing or wrong; give the bytes of guest RAM", object.type, object.id)};
  }
  if (object.type == "secret" &&
      property_value(object.properties, "data").empty() == property_value(object.properties, "file").empty())
    return Error{fmt::format("secret,id={}: give either data= or file=", object.id)};
  return object;
}

Result<> add_object(Options& options, std::string_view value) {
  if (asks_for_help(value)) {
    options.print_and_exit = "List of user creatable objects:\n";
    for (const ObjectType& type : object_types()) options.print_and_exit += fmt::format("  {}\n", type.name);
    return {};
  }
  const auto properties = option_properties("-object", value, "qom-type");
  if (!properties) return properties.error();
  auto object = make_object(options.objects, properties.value());
  if (!object) return Error{"-object " + object.message()};
  options.objects.push_back(std::move(object).value());
  return {};
}

Result<> check_memory_backend(const Options& options) {
  if (options.memory_backend.empty()) return {};
  for (const ObjectOption& object : options.objects) {
    if (object.id != options.memory_backend) continue;
    const auto size = parse_size(property_value(object.properties, "size"), 1);
    if (!object.type.starts_with("memory-backend-"))
      return Error{fmt::format("-machine memory-backend={}: the object is a {}; name a memory-backend-ram", object.id,
                               object.type)};
    if (!size || size.value() != options.ram_bytes)
      return Error{fmt::format("-machine memory-backend={}: its size is not that of -m ({} bytes); give both the same",
                               object.id, options.ram_bytes)};
    return {};
  }
  return Error{fmt::format("-machine memory-backend={}: there is no -object with this id", options.memory_backend)};
}

}  // namespace relic86
