// What people do at a window, and what QEMU's protocol has no word for: save under a name, type text, slow the
// processor down, turn the sound down. Names begin with "x-", as QEMU's own additions do.
#include <fmt/format.h>

#include <filesystem>

#include "block/floppy_image.h"
#include "control/commands/command.h"
#include "devices/input/game_port.h"
#include "machine/guest_inputs.h"
#include "machine/saved_machine.h"
#include "options/speed_option.h"

namespace relic86 {

namespace {

CommandReply save(Machine& machine, const Arguments& arguments) { return save_machine(machine, arguments.text("tag")); }
CommandReply load(Machine& machine, const Arguments& arguments) { return load_machine(machine, arguments.text("tag")); }
CommandReply remove(Machine& machine, const Arguments& arguments) {
  return delete_saved_machine(machine, arguments.text("tag"));
}

CommandReply query_saved(Machine& machine, const Arguments&) {
  Json list = Json::array();
  for (const SavedMachine& saved : list_saved_machines(machine)) {
    std::error_code failure;
    const std::string picture = saved_picture(machine, saved.tag);
    list.push_back({{"tag", saved.tag},
                    {"vm-state-size", saved.bytes},
                    {"date-sec", saved.saved_at},
                    {"vm-clock-nsec", saved.guest_time},
                    {"picture", std::filesystem::exists(picture, failure) ? picture : ""}});
  }
  return list;
}

CommandReply close_machine(Machine& machine, const Arguments& arguments) {
  machine.set_on_close(arguments.flag("save") ? Options::OnClose::Save : Options::OnClose::Quit);
  machine.post([&machine] { machine.quit(); });  // the reply comes before the end
  return Json::object();
}

CommandReply set_speed(Machine& machine, const Arguments& arguments) {
  const auto speed = parse_speed(arguments.text("speed"));
  if (!speed) return speed.error();
  if (machine.clock().deterministic() && speed.value() != 0)
    return CommandError{.message = "-icount sets the processor's speed; start the machine without it"};
  if (has_threads(machine.options()) && speed.value() != 0)
    return CommandError{.message =
                            "Processors with threads of their own run as fast as they can; start the machine "
                            "with -accel thread=single"};
  machine.speed_limit().set(speed.value());
  return Json::object();
}
CommandReply query_speed(Machine& machine, const Arguments&) {
  Json presets = Json::array();
  for (const SpeedPreset& preset : speed_presets())
    presets.push_back(
        {{"name", preset.name}, {"instructions-per-second", static_cast<u64>(preset.instructions_per_second)}});
  return Json{{"instructions-per-second", machine.clock().instructions_per_second()},
              {"limit", static_cast<u64>(machine.speed_limit().instructions_per_second())},
              {"presets", std::move(presets)}};
}

CommandReply set_volume(Machine& machine, const Arguments& arguments) {
  constexpr u64 kAll = 100;
  const u64 percent = arguments.number("percent");
  if (percent > kAll) return CommandError{.message = "Parameter 'percent' expects 0 to 100"};
  machine.audio().set_volume(static_cast<unsigned>(percent));
  return Json::object();
}
CommandReply record_sound(Machine& machine, const Arguments& arguments) {
  if (!machine.video().empty())
    return CommandError{.message = "a video is recorded, which has the sound; end that recording first"};
  return machine.audio().record(arguments.text("filename"), machine.clock().now());
}
CommandReply record_video(Machine& machine, const Arguments& arguments) {
  const std::string file = arguments.text("filename");
  if (!file.empty() && !machine.audio().recording().empty())
    return CommandError{.message = "sound is recorded; end that recording first"};
  return machine.record_video(file);
}
CommandReply query_video(Machine& machine, const Arguments&) { return Json{{"recording", machine.video()}}; }
CommandReply query_sound(Machine& machine, const Arguments&) {
  return Json{{"volume", machine.audio().volume()}, {"recording", machine.audio().recording()}};
}

// Positions from -32768 (left, up) to 32767.
CommandReply move_joystick(Machine& machine, const Arguments& arguments) {
  constexpr i64 kLeast = -32768, kMost = 32767;
  constexpr u64 kMostButtons = 3;
  const u64 stick = arguments.number("stick"), buttons = arguments.number("buttons", 0);
  const i64 x = arguments.integer("x", 0), y = arguments.integer("y", 0);
  if (stick >= GamePort::kSticks) return CommandError{.message = "Parameter 'stick' expects 0 or 1"};
  if (x < kLeast || x > kMost || y < kLeast || y > kMost)
    return CommandError{.message = "Parameters 'x' and 'y' expect -32768 to 32767"};
  if (buttons > kMostButtons) return CommandError{.message = "Parameter 'buttons' expects a mask from 0 to 3"};
  const JoystickPosition position{true, static_cast<i16>(x), static_cast<i16>(y), static_cast<u8>(buttons)};
  return machine.inputs().enter(input::Joystick{static_cast<u8>(stick), position});
}

CommandReply type_text(Machine& machine, const Arguments& arguments) {
  return Json{{"left-out", machine.keys().type_text(arguments.text("text"))}};
}
CommandReply query_screen_text(Machine& machine, const Arguments&) {
  return Json{{"lines", machine.board().text_screen()}};
}

CommandReply create_floppy(Machine&, const Arguments& arguments) {
  constexpr u64 kUsual = 1440;
  return create_floppy_image(arguments.text("filename"), arguments.number("size", kUsual));
}

CommandReply query_cards(Machine& machine, const Arguments&) {
  Json list = Json::array();
  for (std::size_t i = 0; i < machine.network().cards(); i++) {
    const net::CardPort& card = machine.network().card(i);
    if (card.receiver() == nullptr) continue;
    list.push_back({{"name", card.id()}, {"model", card.model()}, {"link", card.link_up()}});
  }
  return list;
}

constexpr Command kCommands[] = {
    {"x-savevm", "tag:str", "", save},
    {"x-loadvm", "tag:str", "", load},
    {"x-delvm", "tag:str", "", remove},
    {"x-query-saved-machines", "", "[SavedMachineInfo]", query_saved},
    {"x-close", "save:bool", "", close_machine},
    {"x-set-speed", "speed:str", "", set_speed},
    {"x-query-speed", "", "SpeedInfo", query_speed},
    {"x-set-volume", "percent:size", "", set_volume},
    {"x-record-sound", "*filename:str", "", record_sound},
    {"x-record-video", "*filename:str", "", record_video},
    {"x-query-video", "", "VideoInfo", query_video},
    {"x-query-sound", "", "SoundInfo", query_sound},
    {"x-move-joystick", "stick:size *x:int *y:int *buttons:size", "", move_joystick},
    {"x-type-text", "text:str", "TypedInfo", type_text},
    {"x-query-screen-text", "", "ScreenText", query_screen_text},
    {"x-create-floppy", "filename:str *size:size", "", create_floppy},
    {"x-query-cards", "", "[CardInfo]", query_cards},
};

}  // namespace

CommandTable user_commands() { return kCommands; }

}  // namespace relic86
