// The commands that drive a machine, whoever speaks: one table of names, arguments with their types, and what is
// returned. The machine protocol hands them over as JSON, the monitor's lines are text over them.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "machine/machine.h"

namespace relic86 {

using Json = nlohmann::ordered_json;

// What went wrong, with the class that programs tell errors apart by ("GenericError", "DeviceNotFound" ..).
struct CommandError {
  std::string kind = "GenericError";
  std::string message;
};

// What a command answers: a value, or an error.
class CommandReply {
 public:
  CommandReply(Json value) : value_(std::move(value)) {}
  CommandReply(Error error) : error_{"GenericError", std::move(error.message)}, failed_(true) {}
  CommandReply(CommandError error) : error_(std::move(error)), failed_(true) {}
  CommandReply(const Result<>& result) : value_(Json::object()) {
    if (!result) *this = CommandReply(result.error());
  }
  explicit operator bool() const { return !failed_; }
  const Json& value() const { return value_; }
  const CommandError& error() const { return error_; }

 private:
  Json value_;
  CommandError error_;
  bool failed_ = false;
};

// A command's arguments, checked against its row: what is not optional is there, and of its type.
class Arguments {
 public:
  explicit Arguments(const Json& object) : object_(object) {}
  bool has(const char* name) const { return object_.contains(name) && !object_[name].is_null(); }
  std::string text(const char* name, const std::string& otherwise = "") const {
    return has(name) ? object_[name].get<std::string>() : otherwise;
  }
  i64 integer(const char* name, i64 otherwise = 0) const { return has(name) ? object_[name].get<i64>() : otherwise; }
  u64 number(const char* name, u64 otherwise = 0) const { return has(name) ? object_[name].get<u64>() : otherwise; }
  bool flag(const char* name, bool otherwise = false) const {
    return has(name) ? object_[name].get<bool>() : otherwise;
  }
  const Json& value(const char* name) const { return object_[name]; }
  const Json& all() const { return object_; }

 private:
  const Json& object_;
};

// The machine's name for a descriptor that came with a command and has no name of its own yet.
inline constexpr const char* kOfferedDescriptor = "";

// A row of a table of commands. Arguments are words "name:type", those that may be missing begin with '*'; types are
// those of control/commands/types.h. A command without a return type returns an empty object.
struct Command {
  std::string_view name;
  std::string_view arguments;
  std::string_view returns;
  CommandReply (*run)(Machine&, const Arguments&);
};
using CommandTable = std::span<const Command>;

// The tables of the folder, by subject.
CommandTable machine_commands();    // run control, processors, memory
CommandTable block_commands();      // drives, media, nodes
CommandTable job_commands();        // copies of disks
CommandTable export_commands();     // disks that other programs use
CommandTable snapshot_commands();   // images that change places
CommandTable object_commands();     // the object tree, types and their properties
CommandTable option_commands();     // what the command line knows
CommandTable host_commands();       // keys and pictures, character devices, displays
CommandTable network_commands();    // cards, back ends, cables
CommandTable user_commands();       // what people do at a window
CommandTable remote_commands();     // the VNC server
CommandTable migration_commands();  // machines that go on elsewhere
// All of them.
std::vector<Command> all_commands();

// Null: there is no such command.
const Command* find_command(std::span<const Command> commands, std::string_view name);
// Checks the arguments and carries the command out. Any input gives a reply.
CommandReply run_command(const Command& command, Machine& machine, const Json& arguments);
// The same by name, of all_commands().
CommandReply run_command(std::string_view name, Machine& machine, const Json& arguments = Json::object());

// The data of BLOCK_IO_ERROR, while MachineEvent::DiskFailed is told.
Json describe_disk_failure(Machine& machine);
// And DEVICE_TRAY_MOVED.
Json describe_tray_move(Machine& machine);
// The data of an event of the remote display's, while it is told.
Json describe_remote_event(const RemoteDisplay& display);

}  // namespace relic86
