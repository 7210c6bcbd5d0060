// What stands between the machine and people: keys, mouse, pictures, character devices, displays.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "control/commands/command.h"
#include "devices/input/key_codes.h"
#include "devices/input/keyboard.h"
#include "devices/input/pointer.h"
#include "display/screenshot.h"
#include "machine/guest_inputs.h"
#include "options/chardev_option.h"

namespace relic86 {

namespace {

CommandReply screendump(Machine& machine, const Arguments& arguments) {
  if (arguments.number("head") != 0) return CommandError{.message = "there is one screen, head 0"};
  const Frame& frame = machine.picture().update(machine.board());
  const bool png = arguments.text("format", "ppm") == "png";
  return write_screenshot(frame, arguments.text("filename"), png ? PictureFormat::Png : PictureFormat::Ppm);
}

// A KeyValue as the key sender names it: "ret", "0x1c". Empty: neither a name nor a scan code.
std::string key_name(const Json& key) {
  const Json& data = key["data"];
  const std::string type = key["type"].get<std::string>();
  if (type == "qcode" && data.is_string()) return data.get<std::string>();
  constexpr u64 kLargestScanCode = 0xFF;
  if (type == "number" && data.is_number_unsigned() && data.get<u64>() <= kLargestScanCode)
    return fmt::format("{:#x}", data.get<u64>());
  return "";
}

CommandReply send_key(Machine& machine, const Arguments& arguments) {
  std::string names;
  for (const Json& key : arguments.value("keys")) {
    if (!key.contains("data")) return CommandError{.message = "Parameter 'keys.data' is missing"};
    const std::string name = key_name(key);
    if (name.empty()) return CommandError{.message = "Parameter 'keys' expects key names, or numbers up to 255"};
    if (!names.empty()) names += '-';
    names += name;
  }
  constexpr u64 kUsualHold = 100, kLongestHold = 60'000, kNanoseconds = 1'000'000;  // ms
  const u64 hold = std::min(arguments.number("hold-time", kUsualHold), kLongestHold);
  return machine.keys().send(names, static_cast<GuestTime>(hold * kNanoseconds));
}

// --- input-send-event: what a window would send, in one step ---

struct Motion {
  int dx = 0, dy = 0, dz = 0;
  std::optional<unsigned> x, y;  // where to, AbsolutePointer's units
  Result<> carry_out(GuestInputs& inputs) {
    Result<> done;
    if (dx != 0 || dy != 0 || dz != 0) done = inputs.enter(input::Move{dx, dy, dz});
    if (done && (x || y)) done = inputs.enter(input::Place{x, y});
    *this = {};
    return done;
  }
};

CommandReply send_key_event(Machine& machine, const Json& data) {
  if (!data.is_object() || !data.contains("key") || !data.contains("down") || !data["down"].is_boolean() ||
      !data["key"].is_object() || !data["key"].contains("type") || !data["key"]["type"].is_string() ||
      !data["key"].contains("data"))
    return CommandError{.message = "Parameter 'events.data' expects key and down"};
  const std::string name = key_name(data["key"]);
  const auto code = key_from_name(name);
  if (!code) return CommandError{.message = fmt::format("there is no key '{}'", name)};
  return machine.inputs().enter(input::Key{*code, data["down"].get<bool>()});
}

CommandReply send_button_event(Machine& machine, unsigned& buttons, Motion& motion, const Json& data) {
  constexpr std::string_view kButtons[] = {"left", "right", "middle"};
  if (!data.is_object() || !data.contains("button") || !data["button"].is_string() || !data.contains("down") ||
      !data["down"].is_boolean())
    return CommandError{.message = "Parameter 'events.data' expects button and down"};
  const std::string name = data["button"].get<std::string>();
  const bool down = data["down"].get<bool>();
  if (name == "wheel-up" || name == "wheel-down") {
    if (down) motion.dz += name == "wheel-up" ? 1 : -1;
    return Json::object();
  }
  const auto* at = std::find(std::begin(kButtons), std::end(kButtons), name);
  if (at == std::end(kButtons)) return CommandError{.message = fmt::format("the mouse has no button '{}'", name)};
  const unsigned bit = 1u << (at - kButtons);
  buttons = down ? buttons | bit : buttons & ~bit;
  // A button is pressed where the pointer is by then.
  if (auto moved = motion.carry_out(machine.inputs()); !moved) return moved;
  return machine.inputs().enter(input::Buttons{static_cast<u8>(buttons)});
}

CommandReply send_event(Machine& machine, const Arguments& arguments) {
  Pointer& pointer = machine.board().pointer();
  unsigned buttons = pointer.pressed();
  Motion motion;
  for (const Json& event : arguments.value("events")) {
    const std::string type = event["type"].get<std::string>();
    if (!event.contains("data")) return CommandError{.message = "Parameter 'events.data' is missing"};
    const Json& data = event["data"];
    CommandReply sent = Json::object();
    if (type == "key") {
      sent = send_key_event(machine, data);
    } else if (type == "btn") {
      sent = send_button_event(machine, buttons, motion, data);
    } else if (type == "abs" && !pointer.takes_positions()) {
      return CommandError{.message =
                              "there is no tablet (-usb -device usb-tablet); the mouse takes relative motion (rel)"};
    } else if (data.is_object() && data.contains("axis") && data.contains("value") && data["axis"].is_string() &&
               data["value"].is_number_integer()) {
      const bool horizontal = data["axis"] == "x";
      const i64 value = data["value"].get<i64>();
      constexpr i64 kFarthest = 10'000;
      if (type == "abs")
        (horizontal ? motion.x : motion.y) = static_cast<unsigned>(std::clamp<i64>(value, 0, AbsolutePointer::kMost));
      else
        (horizontal ? motion.dx : motion.dy) += static_cast<int>(std::clamp(value, -kFarthest, kFarthest));
    } else {
      return CommandError{.message = "Parameter 'events.data' expects axis and value"};
    }
    if (!sent) return sent;
  }
  return motion.carry_out(machine.inputs());
}

CommandReply query_mice(Machine& machine, const Arguments&) {
  const Pointer& pointer = machine.board().pointer();
  const bool tablet = pointer.uses_tablet(), vmware = pointer.uses_vmware_mouse();
  Json mice = Json::array();
  mice.push_back({{"name", "QEMU PS/2 Mouse"}, {"index", 0}, {"current", !tablet && !vmware}, {"absolute", false}});
  const auto list = [&](const char* name, unsigned index, bool current, bool absolute) {
    Json mouse{{"name", name}, {"index", index}, {"current", current}, {"absolute", absolute}};
    mice.insert(current ? mice.begin() : mice.end(), std::move(mouse));  // the one that is used is the first
  };
  if (pointer.has_tablet()) list("QEMU HID Tablet", 1, tablet, true);
  if (vmware) list("vmmouse", 2, true, pointer.absolute());
  return mice;
}

// --- Character devices ---

CommandReply query_chardev(Machine& machine, const Arguments&) {
  Json list = Json::array();
  for (const CharDeviceInfo& device : machine.char_devices())
    list.push_back({{"frontend-open", device.in_use}, {"filename", device.filename}, {"label", device.label}});
  return list;
}
CommandReply query_chardev_backends(Machine&, const Arguments&) {
  Json list = Json::array();
  for (const std::string_view name : chardev_backend_names()) list.push_back({{"name", name}});
  return list;
}
CommandReply query_yank(Machine& machine, const Arguments&) {
  Json list = Json::array();
  for (const CharDeviceInfo& device : machine.char_devices()) {
    if (device.filename.starts_with("unix:") || device.filename.starts_with("tcp:") ||
        device.filename.starts_with("fd:"))
      list.push_back({{"type", "chardev"}, {"id", device.label}});
  }
  return list;
}

// --- Displays and the rest of the host ---

CommandReply query_display(Machine& machine, const Arguments&) {
  const Options& options = machine.options();
  const bool window = !options.nographic && options.display != "none";
  return window ? Json{{"type", "sdl"}, {"full-screen", options.full_screen}} : Json{{"type", "none"}};
}
CommandReply query_spice(Machine&, const Arguments&) {
  return Json{{"enabled", false}, {"migrated", false}, {"mouse-mode", "client"}};
}
CommandReply empty_list(Machine&, const Arguments&) { return Json::array(); }

// Descriptors come over a socket beside the command (SCM_RIGHTS).
CommandReply no_descriptor(Machine&, const Arguments&) {
  return CommandError{.message = "No file descriptor supplied via SCM_RIGHTS"};
}
CommandReply name_descriptor(Machine& machine, const Arguments& arguments) {
  const int fd = machine.take_descriptor(kOfferedDescriptor);
  if (fd < 0) return no_descriptor(machine, arguments);
  const std::string name = arguments.text("fdname");
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) {
    ::close(fd);
    return CommandError{.message = "Parameter 'fdname' expects a name not starting with a digit"};
  }
  machine.keep_descriptor(name, fd);
  return Json::object();
}
CommandReply close_descriptor(Machine& machine, const Arguments& arguments) {
  if (const int fd = machine.take_descriptor(arguments.text("fdname")); fd >= 0) {
    ::close(fd);
    return Json::object();
  }
  return CommandError{.message = fmt::format("File descriptor named '{}' not found", arguments.text("fdname"))};
}

constexpr Command kCommands[] = {
    {"screendump", "filename:str *device:str *head:size *format:ImageFormat", "", screendump},
    {"send-key", "keys:[KeyValue] *hold-time:size", "", send_key},
    {"input-send-event", "*device:str *head:size events:[InputEvent]", "", send_event},
    {"query-mice", "", "[MouseInfo]", query_mice},
    {"query-chardev", "", "[ChardevInfo]", query_chardev},
    {"query-chardev-backends", "", "[ChardevBackendInfo]", query_chardev_backends},
    {"query-yank", "", "[YankInstance]", query_yank},
    {"query-display-options", "", "DisplayOptions", query_display},
    {"query-spice", "", "SpiceInfo", query_spice},
    {"query-fdsets", "", "[any]", empty_list},
    {"query-tpm", "", "[any]", empty_list},
    {"query-tpm-models", "", "[any]", empty_list},
    {"query-tpm-types", "", "[any]", empty_list},
    {"query-pr-managers", "", "[any]", empty_list},
    {"getfd", "fdname:str", "", name_descriptor},
    {"add-fd", "*fdset-id:int *opaque:str", "any", no_descriptor},
    {"closefd", "fdname:str", "", close_descriptor},
};

}  // namespace

CommandTable host_commands() { return kCommands; }

}  // namespace relic86
