// The machine as a tree of objects with types and properties (QEMU's object model), made when somebody asks.
#pragma once

#include "control/commands/command.h"

namespace relic86 {

struct ObjectProperty {
  std::string name;
  std::string type;  // "str", "bool", "uint32", "child<TYPE>", "link<TYPE>"
  Json value;
};

struct ObjectNode {
  std::string path;  // "/machine/peripheral/d0"
  std::string type;
  std::vector<ObjectProperty> properties;  // its children among them
};

// Every object of the machine; children after their parent.
std::vector<ObjectNode> object_tree(Machine& machine);

// Of a processor that is there.
std::string processor_path(unsigned number);

// What QEMU calls the machine's architecture: "x86_64" if its processors know long mode, else "i386".
std::string architecture(Machine& machine);
// The type of processors of a model in this machine: "qemu32-i386-cpu".
std::string processor_type(Machine& machine, std::string_view model);

// Types by name: what they stand below, and whether something of the type itself can exist.
struct ObjectTypeRow {
  std::string name;
  std::string parent;
  bool abstract = false;
  bool device = false;
};
// The types that the machine's clients may name; those of processors carry its architecture.
std::vector<ObjectTypeRow> object_type_table(Machine& machine);

// The names of what can be said of a type with -device, -object, -machine or -cpu; nullopt: there is no such type.
std::optional<std::vector<std::string>> type_properties(Machine& machine, const std::string& type);

}  // namespace relic86
