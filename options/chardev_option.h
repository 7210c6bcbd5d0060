// -chardev: a named character device, for -serial chardev:ID, -mon chardev=ID and -device isa-serial,chardev=ID.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace relic86 {

struct Options;

struct CharDeviceOption {
  std::string id;
  std::string spec;      // the same backend in -serial's words: "file:PATH"
  bool mux = false;      // serial ports and monitors share it; Ctrl-A c switches
  std::string log_file;  // what the guest writes goes there, too
  bool log_append = false;
};

// "stdio,id=ID,mux=on", "file,id=ID,path=F", ... Errors name the option, the cause and the mend.
Result<CharDeviceOption> parse_chardev(std::string_view value);

// -chardev's argument, appended to options.char_devices.
Result<> add_char_device(Options& options, std::string_view value);

// The text of -chardev help.
std::string chardev_help_text();
std::vector<std::string_view> chardev_backend_names();
// Every property of any back end.
std::vector<std::string> chardev_property_names();

}  // namespace relic86
