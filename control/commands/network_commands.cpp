// Network cards, back ends and the cables between them.
#include <fmt/format.h>

#include "control/commands/command.h"
#include "machine/guest_inputs.h"
#include "options/json_properties.h"

namespace relic86 {

namespace {

CommandReply set_link(Machine& machine, const Arguments& arguments) {
  const std::string name = arguments.text("name");
  const auto set = machine.inputs().enter(input::Link{name, arguments.flag("up")});
  if (!set) return CommandError{"DeviceNotFound", set.message()};
  return Json::object();
}

CommandReply add_backend(Machine& machine, const Arguments& arguments) {
  const auto properties = parse_json_properties(arguments.all().dump());
  if (!properties) return properties.error();
  auto option = make_netdev("netdev_add", properties.value());
  if (!option) return option.error();
  return machine.network().add_backend(option.value());
}

CommandReply remove_backend(Machine& machine, const Arguments& arguments) {
  const std::string id = arguments.text("id");
  if (machine.network().remove_backend(id)) return Json::object();
  return CommandError{"DeviceNotFound", fmt::format("Device '{}' not found", id)};
}

CommandReply query_filter(Machine& machine, const Arguments& arguments) {
  const std::string wanted = arguments.text("name");
  Json list = Json::array();
  for (std::size_t i = 0; i < machine.network().cards(); i++) {
    const net::CardPort& card = machine.network().card(i);
    if (card.receiver() == nullptr || (!wanted.empty() && card.id() != wanted)) continue;
    const ReceiveFilter filter = card.receiver()->receive_filter();
    list.push_back({{"name", card.id()},
                    {"promiscuous", filter.promiscuous},
                    {"multicast", filter.all_multicast ? "all" : "normal"},
                    {"unicast", filter.promiscuous ? "all" : "normal"},
                    {"vlan", "all"},
                    {"broadcast-allowed", filter.broadcast},
                    {"multicast-overflow", false},
                    {"unicast-overflow", false},
                    {"main-mac", net::mac_text(filter.address)},
                    {"vlan-table", Json::array()},
                    {"unicast-table", Json::array()},
                    {"multicast-table", Json::array()}});
  }
  if (!wanted.empty() && list.empty())
    return CommandError{.message = fmt::format("invalid net client name: {}", wanted)};
  return list;
}

constexpr Command kCommands[] = {
    {"set_link", "name:str up:bool", "", set_link},
    {"netdev_add", "type:str id:str ..", "", add_backend},
    {"netdev_del", "id:str", "", remove_backend},
    {"query-rx-filter", "*name:str", "[RxFilterInfo]", query_filter},
};

}  // namespace

CommandTable network_commands() { return kCommands; }

}  // namespace relic86
