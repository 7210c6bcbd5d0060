#include "options/named_machine_option.h"

#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "options/machine_file.h"
#include "options/machine_folder.h"
#include "options/machine_kinds.h"
#include "options/option_text.h"
#include "options/options.h"
#include "options/short_drive_option.h"

namespace relic86 {

namespace {

using Text = std::string_view;

}  // namespace

Result<> set_new_machine(Options& options, Text value) {
  if (asks_for_help(value)) {
    options.print_and_exit = machine_kinds_text();
    return {};
  }
  const auto kind = find_machine_kind(value);
  if (!kind) return kind.error();
  options.new_machine_kind = value;
  return {};
}

Result<> name_machine_file(Options& options, Text value) { return take_machine_file(options, std::string(value)); }

Result<> take_plain_word(Options& options, Text word) {
  if (!options.new_machine_kind.empty() && options.new_machine_name.empty()) {
    options.new_machine_name = word;
    return {};
  }
  std::error_code failure;
  if (!std::filesystem::exists(word, failure)) {
    if (const auto file = find_machine(word)) {
      if (auto taken = take_machine_file(options, *file); !taken) return taken;
      options.machine_name = word;
      if (options.name.empty()) options.name = word;
      return {};
    }
  }
  if (auto done = add_hard_disk(options, 0, word); !done) return done;
  options.drives.back().option = "disk image";
  return {};
}

Result<> check_new_machine(const Options& options) {
  if (options.new_machine_kind.empty()) return {};
  const std::string& kind = options.new_machine_kind;
  if (options.new_machine_name.empty())
    return Error{fmt::format("--new {}: a name is missing; write --new {} NAME", kind, kind)};
  if (!options.drives.empty() || !options.machine_name.empty() || !options.machine_file.empty())
    return Error{
        fmt::format("--new {} {}: what else is named would be dropped; leave it out", kind, options.new_machine_name)};
  for (const OptionUse& use : options.option_uses) {
    if (use.option != "--new")
      return Error{
          fmt::format("--new {} {}: {} would be dropped; give it when the machine is started, or write it into "
                      "the machine's file",
                      kind, options.new_machine_name, use.option)};
  }
  return {};
}

}  // namespace relic86
