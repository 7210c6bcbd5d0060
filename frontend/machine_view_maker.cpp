#include "frontend/machine_view_maker.h"

#include <fmt/format.h>

#include <filesystem>

#include "control/commands/command.h"
#include "control/monitor/monitor.h"
#include "display/picture_file.h"
#include "machine/saved_machine.h"
#include "options/option_text.h"

namespace relic86 {

namespace {

Json ask(Machine& machine, std::string_view command) {
  const CommandReply reply = run_command(command, machine);
  return reply ? reply.value() : Json();
}

std::string drive_label(const std::string& name) {
  if (name == "floppy0") return "Floppy A";
  if (name == "floppy1") return "Floppy B";
  return fmt::format("CD-ROM ({})", name);
}

void add_drives(Machine& machine, MachineView& view) {
  for (const Machine::Drive& drive : machine.drives()) {
    if (!drive.removable) continue;
    const auto medium = machine.media().find(drive.name);
    view.drives.push_back({.name = drive.name,
                           .label = drive_label(drive.name),
                           .file = medium == machine.media().end() ? "" : medium->second->info().file,
                           .floppy = drive.name.starts_with("floppy")});
  }
}

void add_saved(Machine& machine, MachineView& view, SavedPictures& pictures) {
  for (const Json& row : ask(machine, "x-query-saved-machines")) {
    MachineView::Saved saved{row["tag"].get<std::string>(), row["date-sec"].get<i64>(), nullptr};
    auto& [read_at, picture] = pictures[saved.tag];
    if (const std::string file = row["picture"].get<std::string>(); !file.empty() && read_at != saved.saved_at) {
      read_at = saved.saved_at;
      if (auto frame = read_picture(file)) picture = std::make_shared<const Frame>(std::move(frame).value());
    }
    saved.picture = picture;
    view.saved.push_back(std::move(saved));
  }
}

// For files of the user's, too: absolute, so that it can be shown and gone up from.
std::string folder_of(Machine& machine) {
  std::error_code failure;
  const std::string folder = state_folder(machine.options());
  const std::filesystem::path absolute =
      std::filesystem::weakly_canonical(std::filesystem::absolute(folder, failure), failure);
  return failure ? folder : absolute.string();
}

}  // namespace

MachineView make_machine_view(Machine& machine, SavedPictures& pictures) {
  MachineView view;
  add_drives(machine, view);
  for (const Json& card : ask(machine, "x-query-cards"))
    view.cards.push_back({card["name"].get<std::string>(), card["model"].get<std::string>(), card["link"].get<bool>()});
  add_saved(machine, view, pictures);
  const Json speed = ask(machine, "x-query-speed");
  view.speed_limit = speed["limit"].get<u64>();
  for (const Json& preset : speed["presets"])
    view.speeds.push_back({preset["name"].get<std::string>(), preset["instructions-per-second"].get<u64>()});
  const Json sound = ask(machine, "x-query-sound");
  view.sound = !machine.options().audio_devices.empty();
  view.volume = sound["volume"].get<unsigned>();
  view.recording = sound["recording"].get<std::string>();
  view.video = machine.video();
  view.screen_text = machine.board().text_screen();
  view.statistics = execute_monitor_line(machine, "info jit");
  view.folder = folder_of(machine);
  return view;
}

std::string carry_out(Machine& machine, const MenuCommand& command) {
  Json arguments = Json::object();
  for (const MenuCommand::Argument& argument : command.arguments) {
    switch (argument.kind) {
      case MenuCommand::Argument::Kind::Text: arguments[argument.name] = argument.text; break;
      case MenuCommand::Argument::Kind::Flag: arguments[argument.name] = argument.flag; break;
      case MenuCommand::Argument::Kind::Keys:
        for (const std::string& key : split_words(argument.text, '-'))
          arguments[argument.name].push_back({{"type", "qcode"}, {"data", key}});
        break;
      case MenuCommand::Argument::Kind::Number: arguments[argument.name] = argument.number; break;
    }
  }
  const CommandReply reply = run_command(command.name, machine, arguments);
  if (!reply) return reply.error().message;
  if (const auto left_out = reply.value().find("left-out"); left_out != reply.value().end() && *left_out != 0)
    return fmt::format("{} characters have no keys on the guest's keyboard and were left out", left_out->get<u64>());
  return command.done;
}

}  // namespace relic86
