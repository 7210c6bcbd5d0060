#include "options/command_line_groups.h"

#include "options/chardev_option.h"
#include "options/drive_option.h"
#include "options/machine_option.h"
#include "options/network_option.h"

namespace relic86 {

namespace {

// Options whose properties are told apart where they are read (time_option.cpp and its neighbours).
struct Row {
  std::string_view option;
  std::string_view properties;
};
constexpr Row kRows[] = {
    {"accel", "accel thread tb-size split-wx one-insn-per-tb"},
    {"action", "reboot shutdown panic watchdog"},
    {"boot", "order once menu splash splash-time reboot-timeout strict"},
    {"device", "driver id bus addr"},
    {"fw_cfg", "name file string"},
    {"global", "driver property value"},
    {"icount", "shift align sleep rr rrfile"},
    {"m", "size slots maxmem"},
    {"mon", "chardev mode pretty"},
    {"msg", "timestamp guest-name"},
    {"name", "guest process debug-threads"},
    {"object", "qom-type id"},
    {"overcommit", "mem-lock cpu-pm"},
    {"rtc", "base clock driftfix"},
    {"sandbox", "enable obsolete elevateprivileges spawn resourcecontrol"},
    {"smp", "cpus sockets dies clusters cores threads maxcpus"},
};

}  // namespace

std::vector<CommandLineGroup> command_line_groups() {
  std::vector<CommandLineGroup> groups;
  for (const Row& row : kRows) groups.push_back({row.option, split_words(row.properties, ' ')});
  groups.push_back({"chardev", chardev_property_names()});
  groups.push_back({"drive", drive_property_names()});
  groups.push_back({"netdev", netdev_property_names()});
  groups.push_back({"machine", machine_property_names()});
  return groups;
}

}  // namespace relic86
