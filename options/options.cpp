#include "options/options.h"

#include <fmt/format.h>

#include "base/log.h"
#include "base/nearest.h"
#include "options/audio_option.h"
#include "options/device_option.h"
#include "options/machine_file.h"
#include "options/machine_option.h"
#include "options/named_machine_option.h"
#include "options/option_rows.h"
#include "options/processors_option.h"
#include "options/speed_option.h"
#include "options/version.h"
#include "options/vnc_option.h"

namespace relic86 {
namespace {

using Text = std::string_view;

// What concerns several options, once all are known.
Result<> resolve(Options& options) {
  if (auto done = resolve_accel(options); !done) return done;
  if (auto done = resolve_processors(options); !done) return done;
  if (auto done = check_memory_backend(options); !done) return done;
  if (auto done = resolve_devices(options); !done) return done;
  if (auto done = resolve_network(options); !done) return done;
  if (auto done = check_vnc(options); !done) return done;
  if (auto done = check_speed(options); !done) return done;
  return check_audio_names(options);
}

}  // namespace

Result<ParsedCommandLine> parse_command_line(std::span<const std::string> arguments) {
  ParsedCommandLine parsed;
  Options& options = parsed.options;
  for (std::size_t i = 0; i < arguments.size(); i++) {
    Text word = arguments[i];
    if (!word.starts_with('-') || word == "-") {
      if (auto done = take_plain_word(options, word); !done) return done.error();
    } else {
      word.remove_prefix(word.starts_with("--") ? 2 : 1);
      if (word == "help" || word == "h") {
        parsed.print_and_exit = help_text();
        return parsed;
      }
      if (word == "version") {
        parsed.print_and_exit = std::string(kVersionLine) + "\n";
        return parsed;
      }
      const auto argument = option_takes_argument(word);
      if (!argument) {
        const Text near = nearest_word(word, option_names());
        return Error{
            fmt::format("{}: unknown option; the nearest is {}; -help lists all", arguments[i], written_option(near))};
      }
      const Text written = arguments[i];
      Text value;
      if (*argument) {
        if (i + 1 >= arguments.size()) {
          return Error{fmt::format("{}: needs an argument ({})", written, option_argument(word))};
        }
        value = arguments[++i];
      }
      if (auto done = apply_option(options, word, written, value); !done) return done.error();
      options.option_uses.push_back({"", written_option(word), std::string(value), 0});
    }
    if (!options.print_and_exit.empty()) {
      parsed.print_and_exit = options.print_and_exit;
      return parsed;
    }
  }
  if (auto done = check_new_machine(options); !done) return done.error();
  if (auto done = resolve(options); !done) return Error{blame_machine_file(options, done.message())};
  for (const std::string& warning : options.warnings) log::warning(warning);
  return parsed;
}

}  // namespace relic86
