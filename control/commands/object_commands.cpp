// The object tree, types and what can be said of them, objects made at run time.
#include <fmt/format.h>

#include <algorithm>

#include "control/commands/command.h"
#include "control/commands/object_tree.h"
#include "options/json_properties.h"

namespace relic86 {

namespace {

CommandReply no_class(const std::string& type) {
  return CommandError{"DeviceNotFound", fmt::format("Class '{}' not found", type)};
}

CommandReply list_types(Machine& machine, const Arguments& arguments) {
  const std::string implements = arguments.text("implements");
  const bool abstract = arguments.flag("abstract");
  const auto types = object_type_table(machine);
  // A type implements what stands over it, up to "object".
  const auto is = [&](const ObjectTypeRow& row) {
    if (implements.empty()) return true;
    for (const ObjectTypeRow* at = &row; at != nullptr;) {
      if (at->name == implements) return true;
      const auto parent = std::find_if(types.begin(), types.end(),
                                       [&](const ObjectTypeRow& other) { return other.name == at->parent; });
      at = parent == types.end() ? nullptr : &*parent;
    }
    return false;
  };
  Json list = Json::array();
  for (const ObjectTypeRow& row : types) {
    if ((row.abstract && !abstract) || !is(row)) continue;
    Json type = {{"name", row.name}};
    if (!row.parent.empty()) type["parent"] = row.parent;
    if (row.abstract) type["abstract"] = true;
    list.push_back(std::move(type));
  }
  return list;
}

Json property_list(const std::vector<std::string>& names) {
  Json list = Json::array();
  for (const std::string& name : names) {
    if (!name.empty()) list.push_back({{"name", name}, {"type", "str"}});
  }
  return list;
}

CommandReply list_type_properties(Machine& machine, const Arguments& arguments) {
  const std::string type = arguments.text("typename");
  const auto names = type_properties(machine, type);
  return names ? CommandReply(property_list(*names)) : no_class(type);
}

CommandReply list_device_properties(Machine& machine, const Arguments& arguments) {
  const std::string type = arguments.text("typename");
  const auto types = object_type_table(machine);
  const auto row =
      std::find_if(types.begin(), types.end(), [&](const ObjectTypeRow& each) { return each.name == type; });
  if (row == types.end()) return CommandError{"DeviceNotFound", fmt::format("Device '{}' not found", type)};
  if (!row->device && row->parent != "cpu")
    return CommandError{.message = fmt::format("Parameter 'typename' expects a non-abstract device type")};
  return property_list(*type_properties(machine, type));
}

// The object at a path; a partial path is the last part of one ("device[0]").
const ObjectNode* find(const std::vector<ObjectNode>& nodes, std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  const auto at = std::find_if(nodes.begin(), nodes.end(), [&](const ObjectNode& node) {
    return node.path == path || (!path.starts_with('/') && node.path.ends_with("/" + path));
  });
  return at == nodes.end() ? nullptr : &*at;
}
CommandError no_object(const std::string& path) {
  return {"DeviceNotFound", fmt::format("Device '{}' not found", path)};
}

CommandReply list_object(Machine& machine, const Arguments& arguments) {
  const auto nodes = object_tree(machine);
  const std::string path = arguments.text("path");
  const ObjectNode* node = find(nodes, path);
  if (node == nullptr) return no_object(path);
  Json list = Json::array();
  for (const ObjectProperty& property : node->properties)
    list.push_back({{"name", property.name}, {"type", property.type}});
  return list;
}

CommandReply with_property(Machine& machine, const Arguments& arguments,
                           CommandReply (*act)(const ObjectNode&, const ObjectProperty&)) {
  const auto nodes = object_tree(machine);
  const std::string path = arguments.text("path"), name = arguments.text("property");
  const ObjectNode* node = find(nodes, path);
  if (node == nullptr) return no_object(path);
  for (const ObjectProperty& property : node->properties) {
    if (property.name == name) return act(*node, property);
  }
  return CommandError{.message = fmt::format("Property '{}.{}' not found", node->type, name)};
}

CommandReply get_property(Machine& machine, const Arguments& arguments) {
  return with_property(machine, arguments, [](const ObjectNode&, const ObjectProperty& property) -> CommandReply {
    return property.value;
  });
}
// What a machine is made of is decided when it is built.
CommandReply set_property(Machine& machine, const Arguments& arguments) {
  return with_property(machine, arguments, [](const ObjectNode& node, const ObjectProperty& property) -> CommandReply {
    return CommandError{.message = fmt::format("Property '{}.{}' cannot be changed while the machine exists", node.type,
                                               property.name)};
  });
}

CommandReply add_object(Machine& machine, const Arguments& arguments) {
  auto properties = parse_json_properties(arguments.all().dump());
  if (!properties) return properties.error();
  auto object = make_object(machine.objects(), properties.value());
  if (!object) return object.error();
  machine.objects().push_back(std::move(object).value());
  return Json::object();
}
CommandReply delete_object(Machine& machine, const Arguments& arguments) {
  const std::string id = arguments.text("id");
  auto& objects = machine.objects();
  const auto at = std::find_if(objects.begin(), objects.end(), [&](const ObjectOption& each) { return each.id == id; });
  if (at == objects.end()) return CommandError{.message = fmt::format("object '{}' not found", id)};
  if (machine.options().memory_backend == id)
    return CommandError{.message = fmt::format("object '{}' is in use, can not be deleted", id)};
  objects.erase(at);
  return Json::object();
}

CommandReply add_device(Machine& machine, const Arguments& arguments) {
  const std::string driver = arguments.text("driver");
  if (const auto types = object_type_table(machine);
      std::none_of(types.begin(), types.end(), [&](const ObjectTypeRow& row) { return row.name == driver; }))
    return CommandError{.message = fmt::format("'{}' is not a valid device model name", driver)};
  auto properties = parse_json_properties(arguments.all().dump());
  if (!properties) return properties.error();
  DeviceOption device;
  device.name = driver;
  for (auto& property : properties.value()) {
    if (property.first != "driver") device.properties.push_back(std::move(property));
  }
  return machine.plug(device);
}
CommandReply delete_device(Machine& machine, const Arguments& arguments) {
  const std::string id = arguments.text("id");
  const auto nodes = object_tree(machine);
  if (find(nodes, "/machine/peripheral/" + id) == nullptr) return no_object(id);
  return machine.unplug(id);
}

constexpr Command kCommands[] = {
    {"qom-list-types", "*implements:str *abstract:bool", "[ObjectTypeInfo]", list_types},
    {"qom-list-properties", "typename:str", "[ObjectPropertyInfo]", list_type_properties},
    {"device-list-properties", "typename:str", "[ObjectPropertyInfo]", list_device_properties},
    {"qom-list", "path:str", "[ObjectPropertyInfo]", list_object},
    {"qom-get", "path:str property:str", "any", get_property},
    {"qom-set", "path:str property:str value:any", "", set_property},
    {"object-add", "qom-type:str id:str ..", "", add_object},
    {"object-del", "id:str", "", delete_object},
    {"device_add", "driver:str *bus:str *id:str ..", "", add_device},
    {"device_del", "id:str", "", delete_device},
};

}  // namespace

CommandTable object_commands() { return kCommands; }

}  // namespace relic86
