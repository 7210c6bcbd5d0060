// Disks that other programs read and write by the NBD protocol (machine/disk_exports.h).
#include <fmt/format.h>

#include "control/commands/block_nodes.h"
#include "control/commands/command.h"
#include "machine/disk_exports.h"
#include "net/host_socket.h"

namespace relic86 {

namespace {

Result<net::SocketAddress> server_address(const Json& address) {
  const std::string type = address["type"].get<std::string>();
  const Json& data = address["data"];
  const auto text = [&](const char* name) {
    const auto at = data.find(name);
    return at != data.end() && at->is_string() ? at->get<std::string>() : std::string();
  };
  if (!data.is_object()) return Error{"Invalid parameter type for 'addr.data', expected: object"};
  if (type == "unix") {
    if (text("path").empty()) return Error{"Parameter 'addr.data.path' is missing"};
    return net::path_address(text("path"));
  }
  if (type == "inet") {
    if (text("port").empty()) return Error{"Parameter 'addr.data.port' is missing"};
    return net::inet_address(text("host"), text("port"));
  }
  return Error{fmt::format("addr.type={}: an NBD server listens at inet or unix addresses here", type)};
}

CommandReply start_server(Machine& machine, const Arguments& arguments) {
  if (arguments.has("tls-creds") || arguments.has("tls-authz"))
    return CommandError{.message = "tls-creds: there is no TLS here; listen at a unix socket, and let ssh carry it"};
  if (arguments.integer("max-connections") < 0)
    return CommandError{.message = "Parameter 'max-connections' expects a number from 0 on"};
  const auto address = server_address(arguments.value("addr"));
  if (!address) return address.error();
  return machine.exports().start(address.value(), arguments.number("max-connections"));
}

CommandReply stop_server(Machine& machine, const Arguments&) { return machine.exports().stop(); }

// What a name stands for: a drive, or a block node, which may be in one.
CommandReply add_export(Machine& machine, DiskExports::Wanted wanted, const std::string& name) {
  auto drive = machine.find_drive(name);
  if (!drive) drive = drive_of_node(machine, name);
  const bool at_the_top = drive && (drive->node == name || drive->node.empty() || machine.find_drive(name));
  if (at_the_top) {
    wanted.drive = drive->name;
    wanted.node = drive->node;
  } else if (find_node(machine, name) != nullptr) {
    wanted.node = name;
  } else {
    return CommandError{.message = fmt::format("Cannot find device='{0}' nor node-name='{0}'", name)};
  }
  return machine.exports().add(std::move(wanted));
}

CommandReply refuse_bitmaps(const char* which) {
  return CommandError{.message = fmt::format("{}: dirty bitmaps are not kept up here; leave it out", which)};
}

CommandReply server_add(Machine& machine, const Arguments& arguments) {
  if (arguments.has("bitmap")) return refuse_bitmaps("bitmap");
  const std::string device = arguments.text("device");
  DiskExports::Wanted wanted;
  wanted.id = wanted.name = arguments.text("name", device);
  wanted.description = arguments.text("description");
  wanted.writable = arguments.flag("writable");
  return add_export(machine, std::move(wanted), device);
}

CommandReply server_remove(Machine& machine, const Arguments& arguments) {
  const std::string name = arguments.text("name");
  const std::string id = machine.exports().id_of_name(name);
  if (id.empty()) return CommandError{.message = fmt::format("Export '{}' is not found", name)};
  const bool hard = arguments.text("mode") == "hard";
  return machine.exports().remove(id, hard ? DiskExports::Removal::Hard : DiskExports::Removal::Safe);
}

CommandReply export_add(Machine& machine, const Arguments& arguments) {
  const std::string type = arguments.text("type");
  if (type != "nbd") return CommandError{.message = fmt::format("type={}: disks are exported by nbd here", type)};
  if (arguments.has("bitmaps") && !arguments.value("bitmaps").empty()) return refuse_bitmaps("bitmaps");
  const std::string node = arguments.text("node-name");
  DiskExports::Wanted wanted;
  wanted.id = arguments.text("id");
  wanted.name = arguments.text("name", node);
  wanted.description = arguments.text("description");
  wanted.writable = arguments.flag("writable");
  if (wanted.id.empty()) return CommandError{.message = "Parameter 'id' expects an identifier"};
  return add_export(machine, std::move(wanted), node);
}

CommandReply export_delete(Machine& machine, const Arguments& arguments) {
  const bool hard = arguments.text("mode") == "hard";
  return machine.exports().remove(arguments.text("id"), hard ? DiskExports::Removal::Hard : DiskExports::Removal::Safe);
}

CommandReply query_exports(Machine& machine, const Arguments&) {
  Json list = Json::array();
  for (const DiskExports::Export& each : machine.exports().exports()) {
    list.push_back({{"node-name", each.wanted.node.empty() ? each.wanted.drive : each.wanted.node},
                    {"shutting-down", false},
                    {"type", "nbd"},
                    {"id", each.wanted.id}});
  }
  return list;
}

constexpr Command kCommands[] = {
    {"nbd-server-start", "addr:SocketAddressLegacy *tls-creds:str *tls-authz:str *max-connections:int", "",
     start_server},
    {"nbd-server-add", "device:str *name:str *description:str *writable:bool *bitmap:str", "", server_add},
    {"nbd-server-remove", "name:str *mode:BlockExportRemoveMode", "", server_remove},
    {"nbd-server-stop", "", "", stop_server},
    {"block-export-add",
     "type:BlockExportType id:str node-name:str *fixed-iothread:bool *iothread:str *writable:bool *writethrough:bool "
     "*name:str *description:str *bitmaps:[any] *allocation-depth:bool",
     "", export_add},
    {"block-export-del", "id:str *mode:BlockExportRemoveMode", "", export_delete},
    {"query-block-exports", "", "[BlockExportInfo]", query_exports},
};

}  // namespace

CommandTable export_commands() { return kCommands; }

}  // namespace relic86
