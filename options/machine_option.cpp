#include "options/machine_option.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/nearest.h"
#include "options/option_text.h"

namespace relic86 {

namespace {

using Text = std::string_view;

constexpr Text kNoSuchAccel = "jit (alias tcg) and interp exist";

std::string accel_error(Text option, Text word) {
  const bool virtualization = word == "kvm" || word == "hax" || word == "hvf" || word == "whpx" || word == "nvmm";
  return fmt::format("{}{}: {}{}", option, word,
                     virtualization ? "relic86 is pure software and never uses it; " : "unknown accelerator; ",
                     kNoSuchAccel);
}

bool accel_word(Options& options, Text word) {
  if (word == "jit" || word == "tcg") {
    options.accel = Options::Accel::Jit;
  } else if (word == "interp") {
    options.accel = Options::Accel::Interpreter;
  } else {
    return false;
  }
  return true;
}

// "pc-i440fx-7.2": QEMU's machines differ in what migrates between its versions, not in what a guest of ours sees.
bool is_pc(Text type) {
  if (type == "pc" || type == "none") return true;
  constexpr Text kVersioned = "pc-i440fx-";
  if (!type.starts_with(kVersioned)) return false;
  type.remove_prefix(kVersioned.size());
  const auto parts = split_words(type, '.');
  return parts.size() >= 2 && parts.size() <= 3 &&
         std::all_of(parts.begin(), parts.end(), [](const std::string& part) { return parse_number(part).ok(); });
}

// Properties that the machine has anyway or never had, and that a guest cannot tell from each other.
constexpr Text kAccepted[] = {"pit",
                              "pic",
                              "usb",
                              "graphics",
                              "dump-guest-core",
                              "mem-merge",
                              "hpet",
                              "vmport",
                              "kernel-irqchip",
                              "kernel_irqchip",
                              "nvdimm",
                              "hmat",
                              "suppress-vmdesc",
                              "sata",
                              "smbus",
                              "i8042",
                              "acpi",
                              "max-ram-below-4g",
                              "igd-passthru",
                              "x-oem-id",
                              "x-oem-table-id",
                              "smbios-entry-point-type"};
constexpr Text kMachineHelp =
    "Supported machines are:\n"
    "pc                   Standard PC (i440FX + PIIX, 1996) (default)\n"
    "pc-i440fx-N.M        the same, for QEMU's versions N.M\n";

}  // namespace

Result<> set_accel(Options& options, std::string_view value) {
  const Properties words = parse_properties(value);
  const std::string& word = words.front().second.empty() ? words.front().first : words.front().second;
  if (asks_for_help(word)) {
    options.print_and_exit = "Accelerators supported:\njit (alias tcg)\ninterp\n";
    return {};
  }
  if (!accel_word(options, word)) return Error{accel_error("-accel ", word)};
  return {};
}

Result<> set_machine(Options& options, std::string_view value) {
  for (const auto& [key, word] : parse_properties(value)) {
    if (asks_for_help(key) || (key == "type" && asks_for_help(word))) {
      options.print_and_exit = kMachineHelp;
    } else if (key == "accel") {
      if (asks_for_help(word)) return set_accel(options, word);
      // "kvm:tcg" names fallbacks in order: the first one that exists counts.
      const auto choices = split_words(word, ':');
      if (std::none_of(choices.begin(), choices.end(), [&](const std::string& c) { return accel_word(options, c); }))
        return Error{accel_error("-machine accel=", word)};
    } else if (key == "smm") {
      const auto on = word == "auto" ? Result<bool>(true) : parse_switch(word);
      if (!on) return Error{fmt::format("-machine smm={}: {}; auto, on and off exist", word, on.error().message)};
      options.smm = on.value();
    } else if (std::find(std::begin(kAccepted), std::end(kAccepted), key) != std::end(kAccepted)) {
      continue;
    } else if (key == "type" || word.empty()) {
      const Text type = key == "type" ? Text(word) : Text(key);
      if (!is_pc(type)) return Error{fmt::format("-machine {}: unknown machine; pc (i440FX + PIIX3) exists", type)};
    } else {
      std::vector<Text> names{"type", "accel", "smm"};
      names.insert(names.end(), std::begin(kAccepted), std::end(kAccepted));
      return Error{
          fmt::format("-machine {}={}: unknown property; the nearest is {}; type, accel and smm have an effect", key,
                      word, nearest_word(key, names))};
    }
  }
  return {};
}

}  // namespace relic86
