#include "control/commands/schema.h"

#include <fmt/format.h>

#include <set>

#include "control/commands/types.h"
#include "options/option_text.h"

namespace relic86 {

namespace {

using Text = std::string_view;

constexpr Text kNoArguments = "q_empty";

class Schema {
 public:
  Json build(std::span<const Command> commands) {
    for (const Command& command : commands) {
      const std::string arguments =
          command.arguments.empty() ? std::string(kNoArguments) : fmt::format("q_obj_{}-arg", command.name);
      Json row = {{"name", command.name},
                  {"meta-type", "command"},
                  {"arg-type", arguments},
                  {"ret-type", command.returns.empty() ? kNoArguments : command.returns}};
      // Clients write -device as JSON only where this is said.
      if (command.name == "device_add") row["features"] = {"json-cli"};
      list_.push_back(std::move(row));
      if (!command.arguments.empty()) add_object(arguments, command.arguments);
      if (!command.returns.empty()) use(command.returns);
    }
    for (const EventRow& event : event_table()) {
      const std::string data = event.data.empty() ? std::string(kNoArguments) : fmt::format("q_obj_{}-arg", event.name);
      list_.push_back({{"name", event.name}, {"meta-type", "event"}, {"arg-type", data}});
      if (!event.data.empty()) add_object(data, event.data);
    }
    add_object(std::string(kNoArguments), "");
    return std::move(list_);
  }

 private:
  void add_object(const std::string& name, Text words) {
    Json members = Json::array();
    for (const Member& member : parse_members(words)) {
      if (member.name == "..") continue;
      Json row = {{"name", member.name}, {"type", member.type}};
      if (member.optional) row["default"] = nullptr;
      members.push_back(std::move(row));
    }
    list_.push_back({{"name", name}, {"meta-type", "object"}, {"members", std::move(members)}});
    for (const Member& member : parse_members(words)) {
      if (member.name != "..") use(member.type);
    }
  }

  void use(Text type) {
    if (!used_.insert(std::string(type)).second) return;
    if (type.starts_with('[')) {
      const Text element = type.substr(1, type.size() - 2);
      list_.push_back({{"name", type}, {"meta-type", "array"}, {"element-type", element}});
      return use(element);
    }
    const TypeRow* row = find_type(type);
    if (row == nullptr) {
      const Text json = type == "str" ? "string" : type == "bool" ? "boolean" : type == "any" ? "value" : "int";
      list_.push_back({{"name", type}, {"meta-type", "builtin"}, {"json-type", json}});
    } else if (row->kind == TypeRow::Kind::Object) {
      add_object(std::string(type), row->members);
    } else {
      Json members = Json::array();
      const auto values = split_words(row->members, ' ');
      for (const std::string& value : values) members.push_back({{"name", value}});
      list_.push_back({{"name", type}, {"meta-type", "enum"}, {"members", std::move(members)}, {"values", values}});
    }
  }

  Json list_ = Json::array();
  std::set<std::string> used_;
};

}  // namespace

Json describe_schema(std::span<const Command> commands) { return Schema().build(commands); }

}  // namespace relic86
