#include "options/firmware_option.h"

#include <fmt/format.h>

#include "options/option_text.h"
#include "options/options.h"

namespace relic86 {

namespace {

using Text = std::string_view;

}  // namespace

Result<> set_boot(Options& options, Text value) {
  for (const auto& [key, word] : parse_properties(value)) {
    if (key == "menu" || key == "strict") {
      const auto on = parse_switch(word);
      if (!on) return Error{fmt::format("-boot {}={}: {}", key, word, on.message())};
      (key == "menu" ? options.boot_menu : options.boot_strict) = on.value();
      continue;
    }
    if (key == "splash") continue;  // a picture for a boot menu that shows text
    if (key == "splash-time" || key == "reboot-timeout") {
      if (!parse_number(word) && word != "-1")
        return Error{fmt::format("-boot {}={}: a number of milliseconds is expected", key, word)};
      continue;
    }
    const bool named = key == "order" || key == "once";
    if (!named && !word.empty())
      return Error{fmt::format("-boot {}={}: unknown property; order, once, menu and strict are known", key, word)};
    const Text order = named ? Text(word) : Text(key);
    if (order.empty() || order.find_first_not_of("acdn") != Text::npos) {
      return Error{fmt::format(
          "-boot {}: letters of a boot order are a (floppy), c (hard disk), d (CD-ROM) and n (network)", value)};
    }
    (key == "once" ? options.boot_once : options.boot_order) = order;
  }
  return {};
}

Result<> set_firmware_file(Options& options, Text value) {
  FirmwareFileOption file;
  bool contents = false;
  for (const auto& [key, word] : parse_properties(value)) {
    if (key == "name" || (word.empty() && file.name.empty())) {
      file.name = key == "name" ? word : key;
    } else if (key == "file" || key == "string") {
      (key == "file" ? file.file : file.string) = word;
      contents = true;
    } else {
      return Error{fmt::format("-fw_cfg {}={}: unknown property; name, file and string are known", key, word)};
    }
  }
  constexpr std::size_t kLongestName = 55;
  if (file.name.empty() || file.name.size() > kLongestName || !contents)
    return Error{fmt::format("-fw_cfg {}: name=NAME of at most {} bytes and file=F or string=S are expected", value,
                             kLongestName)};
  options.firmware_files.push_back(file);
  return {};
}

Result<> set_uuid(Options& options, Text value) {
  constexpr Text kPattern = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  bool right = value.size() == kPattern.size();
  for (std::size_t i = 0; right && i < value.size(); i++)
    right = kPattern[i] == '-' ? value[i] == '-' : Text("0123456789abcdefABCDEF").find(value[i]) != Text::npos;
  if (!right) return Error{fmt::format("-uuid {}: not a UUID; write {} in hexadecimal digits", value, kPattern)};
  options.uuid = value;
  return {};
}

Result<> set_firmware_dir(Options& options, Text value) {
  options.firmware_dirs.emplace_back(value);
  return {};
}

}  // namespace relic86
