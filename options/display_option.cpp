#include "options/display_option.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/nearest.h"
#include "options/option_text.h"
#include "options/options.h"
#include "options/vnc_option.h"

namespace relic86 {

namespace {

using Text = std::string_view;

// A display or an adapter of QEMU that does not exist here, and what to do instead.
struct Missing {
  Text name;
  Text mend;
};

constexpr Text kNoSpice = "there is no SPICE server; -display sdl shows a window";
constexpr Missing kMissingDisplays[] = {
    {"spice-app", kNoSpice},
    {"curses", "there is no curses display; -nographic shows the serial port, the monitor's 'screentext' the screen"},
    {"cocoa", "there is no Cocoa display; -display sdl shows a window"},
    {"egl-headless", "there is no graphics accelerator to need it; say -display none"},
    {"dbus", "there is no D-Bus display; -display sdl shows a window, the monitor's 'screendump' writes pictures"},
};

// What a window's properties ask for is so anyway or about looks only.
constexpr Text kWindowProperties =
    "full-screen window-close show-cursor grab-mod gl alt_grab ctrl_grab frame show-tabs show-menubar grab-on-hover "
    "zoom-to-fit rendernode";

constexpr Missing kMissingAdapters[] = {
    {"vmware", "there is no VMware adapter; say -vga std"}, {"qxl", "there is no QXL adapter; say -vga std"},
    {"virtio", "there is no virtio adapter; say -vga std"}, {"xenfb", "it belongs to Xen; say -vga std"},
    {"tcx", "it belongs to SPARC machines; say -vga std"},  {"cg3", "it belongs to SPARC machines; say -vga std"},
};

const Missing* find(std::span<const Missing> rows, Text name) {
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const Missing& m) { return m.name == name; });
  return row == rows.end() ? nullptr : &*row;
}

Error unknown(Text option, Text word, Text kind, std::vector<Text> known, std::span<const Missing> missing) {
  const std::string exist = fmt::format("{}", fmt::join(known, ", "));
  for (const Missing& row : missing) known.push_back(row.name);
  return Error{fmt::format("{} {}: unknown {}; the nearest is {}; {} exist", option, word, kind,
                           nearest_word(word, known), exist)};
}

}  // namespace

Result<> set_display(Options& options, std::string_view value) {
  constexpr Text kVnc = "vnc=";
  if (value.starts_with(kVnc)) return set_vnc_display(options, value.substr(kVnc.size()));
  const Properties words = parse_properties(value);
  std::string type = words.front().first;
  if (type == "type") type = words.front().second;
  if (asks_for_help(type)) {
    options.print_and_exit = "Available display backend types:\nnone\nsdl (aliases gtk and default)\nvnc=DISPLAY\n";
    return {};
  }
  if (type == "vnc") return Error{fmt::format("-display {}: names no display; write vnc=:1", value)};
  if (const Missing* row = find(kMissingDisplays, type); row != nullptr)
    return Error{fmt::format("-display {}: {}", value, row->mend)};
  if (type != "sdl" && type != "none" && type != "gtk" && type != "default")
    return unknown("-display", type, "display", {"sdl", "none", "gtk", "default", "vnc"}, kMissingDisplays);
  const auto known = split_words(kWindowProperties, ' ');
  for (std::size_t i = 1; i < words.size(); i++) {
    const auto& [key, word] = words[i];
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      const std::vector<Text> names(known.begin(), known.end());
      return Error{
          fmt::format("-display {},{}: unknown property; the nearest is {}", type, key, nearest_word(key, names))};
    }
    if (key != "full-screen") continue;
    const auto on = parse_switch(word);
    if (!on) return Error{fmt::format("-display {},{}={}: {}", type, key, word, on.message())};
    options.full_screen = on.value();
  }
  options.display = type == "none" ? "none" : "sdl";
  options.display_option = "-display " + type;
  return {};
}

Result<> set_vga(Options& options, std::string_view value) {
  if (asks_for_help(value)) {
    options.print_and_exit =
        "none                 no graphic card\nstd                  standard VGA (default)\n"
        "cirrus               Cirrus VGA\n";
    return {};
  }
  if (const Missing* row = find(kMissingAdapters, value); row != nullptr)
    return Error{fmt::format("-vga {}: {}", value, row->mend)};
  if (value != "std" && value != "none" && value != "cirrus")
    return unknown("-vga", value, "adapter", {"std", "cirrus", "none"}, kMissingAdapters);
  options.vga = value;
  return {};
}

// The window sends the positions of keys, so that the guest's own layout counts: any of QEMU's layouts does. Text that
// is typed goes by the layouts of devices/input/key_layouts.h.
Result<> set_keyboard(Options& options, std::string_view value) {
  constexpr Text kLayouts =
      "ar bepo cz da de de-ch en-gb en-us es et fi fo fr fr-be fr-ca fr-ch hr hu is it ja lt lv "
      "mk nl no pl pt pt-br ru sl sv th tr";
  const auto names = split_words(kLayouts, ' ');
  if (asks_for_help(value)) {
    options.print_and_exit = fmt::format("{}\n", fmt::join(names, "\n"));
    return {};
  }
  if (std::find(names.begin(), names.end(), value) != names.end()) {
    options.keyboard_layout = value;
    return {};
  }
  const std::vector<Text> words(names.begin(), names.end());
  return Error{fmt::format("-k {}: unknown keyboard layout; the nearest is {}; '-k help' lists all", value,
                           nearest_word(value, words))};
}

}  // namespace relic86
