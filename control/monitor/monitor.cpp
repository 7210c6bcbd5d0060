#include "control/monitor/monitor.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

#include "control/commands/command.h"
#include "control/monitor/monitor_commands.h"
#include "devices/input/pointer.h"
#include "machine/guest_inputs.h"
#include "machine/host_time.h"
#include "options/json_properties.h"
#include "options/network_option.h"
#include "options/option_text.h"
#include "options/version.h"

namespace relic86 {
namespace {

using monitor::Words;

std::string help(Machine& machine, Words words);

// What a command of the table answers, as text: nothing when it went well.
std::string said(const CommandReply& reply) { return reply ? "" : "Error: " + reply.error().message + "\n"; }

// A line that is a command without arguments.
template <const char* const& name>
std::string plain(Machine& machine, Words) {
  return said(run_command(name, machine));
}
constexpr const char* const kStop = "stop";
constexpr const char* const kMigrateCancel = "migrate_cancel";
constexpr const char* const kCont = "cont";
constexpr const char* const kReset = "system_reset";
constexpr const char* const kWakeup = "system_wakeup";
constexpr const char* const kPowerdown = "system_powerdown";
constexpr const char* const kNmi = "inject-nmi";

std::string quit(Machine& machine, Words) {
  machine.quit();  // at once: no answer is waited for
  return "";
}
std::string boot_set(Machine& machine, Words words) {
  if (words.size() != 2 || words[1].empty() || words[1].find_first_not_of("acdn") != std::string::npos)
    return "boot_set: letters are expected: a (floppy), c (hard disk), d (CD-ROM), n (network)\n";
  machine.board().set_boot_order(words[1]);
  return "";
}
// The processor that other commands look at from now on.
std::string cpu(Machine& machine, Words words) {
  const auto number = words.size() == 2 ? monitor::evaluate(machine, words[1]) : std::nullopt;
  if (!number || *number >= machine.processors().count()) return "invalid CPU index\n";
  machine.look_at(static_cast<unsigned>(*number));
  return "";
}

std::string screendump(Machine& machine, Words words) {
  std::string file;
  bool png = false;
  for (std::size_t i = 1; i < words.size(); i++) {
    if (words[i] == "-f" && i + 1 < words.size()) {
      if (words[i + 1] != "png" && words[i + 1] != "ppm")
        return fmt::format("screendump: unknown format '{}'; png and ppm exist\n", words[i + 1]);
      png = words[++i] == "png";
    } else if (file.empty()) {
      file = words[i];
    }
  }
  if (file.empty()) return "screendump: a file name is missing\n";
  return said(run_command("screendump", machine, {{"filename", file}, {"format", png ? "png" : "ppm"}}));
}

std::string sendkey(Machine& machine, Words words) {
  if (words.size() < 2) return "sendkey: keys are missing, such as ctrl-alt-delete\n";
  u64 hold = 100;
  if (words.size() > 2) {
    const auto number = monitor::evaluate(machine, words[2]);
    if (!number || *number > 60'000) return "sendkey: the hold time must be 0 to 60000 milliseconds\n";
    hold = *number;
  }
  const auto sent = machine.keys().send(words[1], static_cast<GuestTime>(hold) * 1'000'000);
  return sent ? "" : sent.message() + "\n";
}

std::optional<i64> signed_number(const std::string& text) {
  char* end = nullptr;
  const long value = std::strtol(text.c_str(), &end, 0);
  if (text.empty() || *end != 0) return std::nullopt;
  return value;
}

std::string mouse_move(Machine& machine, Words words) {
  i64 delta[3] = {0, 0, 0};
  if (words.size() < 3) return "mouse_move: dx and dy are expected\n";
  for (std::size_t i = 1; i < std::min<std::size_t>(words.size(), 4); i++) {
    const auto number = signed_number(words[i]);
    if (!number || *number < -10000 || *number > 10000)
      return "mouse_move: numbers from -10000 to 10000 are expected\n";
    delta[i - 1] = *number;
  }
  const input::Move move{static_cast<int>(delta[0]), static_cast<int>(delta[1]), static_cast<int>(delta[2])};
  const auto moved = machine.inputs().enter(move);
  return moved ? "" : fmt::format("mouse_move: {}\n", moved.message());
}

std::string mouse_button(Machine& machine, Words words) {
  const auto mask = words.size() > 1 ? monitor::evaluate(machine, words[1]) : std::nullopt;
  if (!mask || *mask > 31) return "mouse_button: a mask is expected: 1 left, 2 right, 4 middle\n";
  const auto pressed = machine.inputs().enter(input::Buttons{static_cast<u8>(*mask)});
  return pressed ? "" : fmt::format("mouse_button: {}\n", pressed.message());
}

std::string joystick(Machine& machine, Words words) {
  if (words.size() < 4)
    return "joystick: a stick (0 or 1), x and y from -32768 to 32767, and a mask of buttons are expected\n";
  Json arguments = Json::object();
  constexpr const char* kNames[] = {"stick", "x", "y", "buttons"};
  for (std::size_t i = 0; i < std::size(kNames) && i + 1 < words.size(); i++) {
    const auto number = signed_number(words[i + 1]);
    if (!number) return fmt::format("joystick: '{}' is no number\n", words[i + 1]);
    arguments[kNames[i]] = *number;
  }
  return said(run_command("x-move-joystick", machine, arguments));
}

std::string change(Machine& machine, Words words) {
  if (words.size() > 1 && words[1] == "vnc") return monitor::change_vnc(machine, words);
  if (words.size() < 3) return "change: a device (floppy0, ide1-cd0 ...) and a file are expected\n";
  Json arguments = {{"device", words[1]}, {"filename", words[2]}};
  if (words.size() > 3) arguments["format"] = words[3];
  if (words.size() > 4) arguments["read-only-mode"] = words[4];
  return said(run_command("blockdev-change-medium", machine, arguments));
}
std::string eject(Machine& machine, Words words) {
  const bool force = words.size() > 2 && words[1] == "-f";
  if (words.size() < (force ? 3u : 2u)) return "eject: a device is expected (floppy0, ide1-cd0 ...)\n";
  return said(run_command("eject", machine, {{"device", words[force ? 2 : 1]}, {"force", force}}));
}

std::string balloon(Machine& machine, Words words) {
  const auto size = words.size() == 2 ? parse_size(words[1], 1u << 20) : Result<u64>(Error{"no size"});
  if (!size) return "balloon: how much memory the guest is to keep is expected, in MiB or with K, M, G\n";
  return said(run_command("balloon", machine, {{"value", size.value()}}));
}
std::string set_link(Machine& machine, Words words) {
  if (words.size() != 3 || (words[2] != "on" && words[2] != "off"))
    return "set_link: a card or a -netdev (info network lists them) and on or off are expected\n";
  return said(run_command("set_link", machine, {{"name", words[1]}, {"up", words[2] == "on"}}));
}
std::string netdev_add(Machine& machine, Words words) {
  if (words.size() != 2) return "netdev_add: TYPE,id=ID,.. is expected, as -netdev has it\n";
  const auto properties = option_properties("netdev_add", words[1], "type");
  if (!properties) return "Error: " + properties.message() + "\n";
  auto option = make_netdev("netdev_add", properties.value());
  if (!option) return "Error: " + option.message() + "\n";
  if (option.value().id.empty()) return "Error: netdev_add: id= is missing; give it a name to refer to\n";
  const auto added = machine.network().add_backend(option.value());
  return added ? "" : "Error: " + added.message() + "\n";
}
std::string netdev_del(Machine& machine, Words words) {
  if (words.size() != 2) return "netdev_del: the id of a -netdev is expected\n";
  return said(run_command("netdev_del", machine, {{"id", words[1]}}));
}
// Both take the id of a -netdev user before the rule, and the only one without it.
std::string forward(Machine& machine, Words words,
                    Result<> (net::Network::*act)(const std::string&, const std::string&)) {
  if (words.size() != 2 && words.size() != 3) return fmt::format("{}: [ID] and a rule are expected\n", words[0]);
  const auto done = (machine.network().*act)(words.size() == 3 ? words[1] : "", words[words.size() - 1]);
  return done ? "" : done.message() + "\n";
}
std::string hostfwd_add(Machine& machine, Words words) { return forward(machine, words, &net::Network::add_forward); }
std::string hostfwd_remove(Machine& machine, Words words) {
  const std::string text = forward(machine, words, &net::Network::remove_forward);
  return text.empty() ? fmt::format("host forwarding rule for {} removed\n", words[words.size() - 1]) : text;
}

// NAME,PROP=VALUE.., as -device takes it.
std::string device_add(Machine& machine, Words words) {
  if (words.size() != 2) return "device_add: NAME,id=ID[,PROP=VALUE..] is expected, as after -device\n";
  const auto properties = option_properties("device_add", words[1], "driver");
  if (!properties) return properties.message() + "\n";
  Json arguments = Json::object();
  for (const auto& [key, word] : properties.value()) arguments[key] = word;
  if (!arguments.contains("driver")) return "device_add: a device's name is missing\n";
  return said(run_command("device_add", machine, arguments));
}
std::string device_del(Machine& machine, Words words) {
  if (words.size() != 2) return "device_del: the id of a device is expected\n";
  return said(run_command("device_del", machine, {{"id", words[1]}}));
}

// The slot that stands first is a relic of QEMU's: device_add says the place.
std::string drive_add(Machine& machine, Words words) {
  if (words.size() < 2 || words.size() > 4) return "drive_add: SLOT if=none,id=ID,file=FILE[,..] is expected\n";
  const auto added = machine.add_drive(words[words.size() - 1]);
  return added ? "OK\n" : added.message() + "\n";
}

std::string drive_del(Machine& machine, Words words) {
  if (words.size() != 2) return "drive_del: the id of a drive is expected\n";
  const auto removed = machine.remove_drive(words[1]);
  return removed ? "" : "Error: " + removed.message() + "\n";
}

std::string with_tag(Machine& machine, Words words, const char* command) {
  if (words.size() != 2) return fmt::format("{}: one tag is expected: the saved machine's name\n", words[0]);
  return said(run_command(command, machine, {{"tag", words[1]}}));
}
// Without a tag the machine gets the date for a name, as in QEMU.
std::string savevm(Machine& machine, Words words) {
  if (words.size() != 1) return with_tag(machine, words, "x-savevm");
  const std::string named[] = {words[0], fmt::format("vm-{:%Y%m%d%H%M%S}", fmt::localtime(host_unix_seconds()))};
  return with_tag(machine, named, "x-savevm");
}
std::string loadvm(Machine& machine, Words words) { return with_tag(machine, words, "x-loadvm"); }
std::string delvm(Machine& machine, Words words) { return with_tag(machine, words, "x-delvm"); }

// QEMU's -d does not wait for the end; here nobody waits.
std::string migrate(Machine& machine, Words words) {
  const bool detached = words.size() > 2 && words[1] == "-d";
  if (words.size() < (detached ? 3u : 2u))
    return "migrate: a place is expected (unix:PATH, tcp:HOST:PORT, exec:COMMAND, file:PATH)\n";
  // A command may have blanks.
  std::string uri = words[detached ? 2 : 1];
  for (std::size_t i = detached ? 3 : 2; i < words.size(); i++) uri += " " + words[i];
  return said(run_command("migrate", machine, {{"uri", uri}}));
}

std::string migrate_incoming(Machine& machine, Words words) {
  if (words.size() != 2) return "migrate_incoming: a place is expected (unix:PATH, tcp:HOST:PORT, file:PATH)\n";
  return said(run_command("migrate-incoming", machine, {{"uri", words[1]}}));
}

std::string speed(Machine& machine, Words words) {
  if (words.size() > 1) {
    std::string name = words[1];
    for (std::size_t i = 2; i < words.size(); i++) name += " " + words[i];
    return said(run_command("x-set-speed", machine, {{"speed", name}}));
  }
  const CommandReply reply = run_command("x-query-speed", machine);
  const u64 limit = reply.value()["limit"].get<u64>();
  std::string text = limit == 0 ? "free\n" : fmt::format("{} instructions a second\n", limit);
  for (const Json& preset : reply.value()["presets"])
    text +=
        fmt::format("  {:<16} {}\n", preset["name"].get<std::string>(), preset["instructions-per-second"].get<u64>());
  return text;
}
std::string volume(Machine& machine, Words words) {
  const auto percent = words.size() == 2 ? signed_number(words[1]) : std::nullopt;
  if (!percent || *percent < 0) return "volume: a percentage is expected, 0 to 100\n";
  return said(run_command("x-set-volume", machine, {{"percent", static_cast<u64>(*percent)}}));
}
std::string wavcapture(Machine& machine, Words words) {
  if (words.size() < 2) return "wavcapture: a file name is missing\n";
  return said(run_command("x-record-sound", machine, {{"filename", words[1]}}));
}
std::string stopcapture(Machine& machine, Words) { return said(run_command("x-record-sound", machine)); }

std::string gdb_server(Machine& machine, Words words) {
  const std::string device = words.size() > 1 ? words[1] : "tcp::1234";
  const auto served = machine.serve_gdb(device);
  if (!served) return "Error: " + served.message() + "\n";
  if (device == "none") return "Disabled gdbserver\n";
  return fmt::format("Waiting for gdb connection on device '{}'\n", device);
}

std::string screentext(Machine& machine, Words) {
  std::string text;
  for (const std::string& line : machine.board().text_screen()) text += line + "\n";
  return text.empty() ? "(the screen is in a graphics mode)\n" : text;
}

constexpr MonitorCommand kCommands[] = {
    {"help", "?", "[COMMAND]", "list commands", help},
    {"info", "", "TOPIC", "show state; 'info' alone lists the topics", monitor::info},
    {"quit", "q", "", "end the emulator", quit},
    {"stop", "s", "", "pause the machine", plain<kStop>},
    {"cont", "c", "", "let the machine run", plain<kCont>},
    {"system_reset", "", "", "press the reset button", plain<kReset>},
    {"system_powerdown", "", "", "press the power button", plain<kPowerdown>},
    {"system_wakeup", "", "", "wake the machine from suspend to RAM", plain<kWakeup>},
    {"nmi", "", "", "raise a non-maskable interrupt", plain<kNmi>},
    {"boot_set", "", "LETTERS", "boot order for the next start, as -boot", boot_set},
    {"cpu", "", "INDEX", "choose the processor that other commands look at", cpu},
    {"screendump", "", "FILE [-f png]", "write the screen as PPM or PNG", screendump},
    {"screentext", "", "", "print the text screen", screentext},
    {"sendkey", "", "KEYS [HOLD]", "type keys, such as ctrl-alt-f1; hold in milliseconds", sendkey},
    {"mouse_move", "", "DX DY [DZ]", "move the mouse", mouse_move},
    {"mouse_button", "", "MASK", "press mouse buttons: 1 left, 2 right, 4 middle", mouse_button},
    {"joystick", "", "STICK X Y [MASK]", "move a stick of the game port, press its buttons: 1 first, 2 second",
     joystick},
    {"x", "", "/FMT ADDR", "examine memory at a linear address", monitor::examine_virtual},
    {"xp", "", "/FMT ADDR", "examine memory at a physical address", monitor::examine_physical},
    {"print", "p", "/FMT EXPRESSION", "print the value of an expression", monitor::print_value},
    {"memsave", "", "ADDR SIZE FILE", "save linear memory to a file", monitor::save_memory},
    {"pmemsave", "", "ADDR SIZE FILE", "save physical memory to a file", monitor::save_memory},
    {"sum", "", "ADDR SIZE", "checksum of physical memory, as BSD's sum", monitor::checksum},
    {"gva2gpa", "", "ADDR", "the physical address of a linear one", monitor::translate},
    {"translation", "", "ADDR", "the translator's IR and host code of the guest's code at a linear address",
     monitor::show_translation},
    {"i", "", "/FMT PORT", "read an I/O port", monitor::port_read},
    {"o", "", "/FMT PORT VALUE", "write an I/O port", monitor::port_write},
    {"change", "", "DEVICE FILE [raw [read-only]]",
     "put another medium into a drive; vnc password SECRET: a VNC password", change},
    {"set_password", "", "vnc SECRET", "the password that VNC clients need", monitor::set_password},
    {"expire_password", "", "vnc TIME", "when it ends: now, never, +SECONDS or SECONDS since 1970",
     monitor::expire_password},
    {"eject", "", "[-f] DEVICE", "take the medium out of a drive", eject},
    {"balloon", "", "SIZE", "ask the guest to keep so much memory (MiB), and give the rest back", balloon},
    {"set_link", "", "NAME on|off", "plug a card's cable in, or pull it out", set_link},
    {"device_add", "", "NAME,id=ID[,P=V..]", "plug a USB device or a PCI card in, as -device", device_add},
    {"device_del", "", "ID", "unplug a USB device, and what hangs on it; ask the guest to let go of a PCI card",
     device_del},
    {"drive_del", "", "ID", "a drive goes, or its device loses the image", drive_del},
    {"drive_add", "", "SLOT if=none,id=ID,file=FILE[,..]", "a drive that device_add can name, as -drive", drive_add},
    {"block_resize", "", "DEVICE SIZE", "give a disk another size (MiB)", monitor::block_resize},
    {"block_set_io_throttle", "", "DEVICE BPS BPS_RD BPS_WR IOPS IOPS_RD IOPS_WR", "limit a disk; 0: not limited",
     monitor::block_set_io_throttle},
    {"snapshot_blkdev", "", "[-n] DEVICE FILE [qcow2]",
     "what is written from now on goes to this file; -n: it is there", monitor::snapshot_blkdev},
    {"block_stream", "", "DEVICE [SPEED [BASE]]", "copy what lies below an image into it", monitor::block_stream},
    {"drive_mirror", "", "[-n] [-f] DEVICE FILE [FORMAT]",
     "copy a disk and what is written to it; -f: what lies below, too; -n: the file is there", monitor::drive_mirror},
    {"drive_backup", "", "[-n] [-f] DEVICE FILE [FORMAT]", "copy a disk as it is now", monitor::drive_backup},
    {"block_job_cancel", "", "[-f] DEVICE", "end a job", monitor::block_job_cancel},
    {"block_job_complete", "", "DEVICE", "let the guest go over to the copy", monitor::block_job_complete},
    {"block_job_pause", "", "DEVICE", "let a job wait", monitor::block_job_pause},
    {"block_job_resume", "", "DEVICE", "let it go on", monitor::block_job_resume},
    {"block_job_set_speed", "", "DEVICE SPEED", "how fast it may be (MiB/s)", monitor::block_job_set_speed},
    {"nbd_server_start", "", "[-a] [-w] HOST:PORT",
     "serve disks to NBD clients; -a: all that have a name, -w: to write", monitor::nbd_server_start},
    {"nbd_server_add", "", "[-w] DEVICE [NAME]", "serve this disk", monitor::nbd_server_add},
    {"nbd_server_remove", "", "[-f] NAME", "serve it no more; -f: its clients go", monitor::nbd_server_remove},
    {"nbd_server_stop", "", "", "serve no disks", monitor::nbd_server_stop},
    {"netdev_add", "", "TYPE,id=ID[,..]", "a network back end, as -netdev", netdev_add},
    {"netdev_del", "", "ID", "take a network back end away", netdev_del},
    {"hostfwd_add", "", "[ID] tcp|udp:[HOST]:PORT-[GUEST]:PORT", "lead a port of the host to the guest", hostfwd_add},
    {"hostfwd_remove", "", "[ID] tcp|udp:[HOST]:PORT", "take such a port back", hostfwd_remove},
    {"gdbserver", "", "[DEVICE]", "listen for gdb (default: tcp::1234); none ends it", gdb_server},
    {"savevm", "", "[TAG]", "save the whole machine", savevm},
    {"loadvm", "", "TAG", "go back to a saved machine", loadvm},
    {"delvm", "", "TAG", "delete a saved machine", delvm},
    {"migrate", "", "[-d] URI", "let the machine go on in another program", migrate},
    {"migrate_cancel", "", "", "let it stay", plain<kMigrateCancel>},
    {"migrate_incoming", "", "URI", "wait there for a machine (-incoming defer)", migrate_incoming},
    {"speed", "", "[free|SPEED]", "the processor's speed at most: '386-33' and the like, or instructions a second",
     speed},
    {"volume", "", "PERCENT", "how loud the host plays", volume},
    {"wavcapture", "", "FILE", "record sound into a WAV file", wavcapture},
    {"stopcapture", "", "", "end the recording of sound", stopcapture},
};

std::string help(Machine&, Words words) {
  std::string text;
  for (const MonitorCommand& command : kCommands) {
    if (words.size() > 1 && words[1] != command.name) continue;
    text += fmt::format("{}{}{}{}{} -- {}\n", command.name, command.alias.empty() ? "" : "|", command.alias,
                        command.arguments.empty() ? "" : " ", command.arguments, command.help);
  }
  if (text.empty()) return fmt::format("unknown command: '{}'\n", words[1]);
  return text;
}

}  // namespace

std::vector<std::string> monitor_words(std::string_view line) {
  std::vector<std::string> words;
  bool quoted = false, inside = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
      if (!inside) words.emplace_back(), inside = true;
    } else if ((c == ' ' || c == '\t') && !quoted) {
      inside = false;
    } else {
      if (!inside) words.emplace_back(), inside = true;
      words.back() += c;
    }
  }
  return words;
}

std::string execute_monitor_line(Machine& machine, std::string_view line) {
  std::vector<std::string> words = monitor_words(line);
  if (words.empty()) return "";
  // "x/4xw" is "x /4xw".
  if (const auto slash = words[0].find('/'); slash != std::string::npos && slash > 0) {
    words.insert(words.begin() + 1, words[0].substr(slash));
    words[0].resize(slash);
  }
  const auto command = std::find_if(std::begin(kCommands), std::end(kCommands), [&](const MonitorCommand& c) {
    return c.name == words[0] || (!c.alias.empty() && c.alias == words[0]);
  });
  if (command == std::end(kCommands)) return fmt::format("unknown command: '{}'\n", words[0]);
  return command->run(machine, words);
}

Monitor::Monitor(Machine& machine, CharBackend& backend, Greeting greeting) : machine_(machine), backend_(backend) {
  backend_.connect(this);
  // A server greets every client that comes, as QEMU's does. On a shared stream the monitor greets when the user first
  // looks at it, later it only prompts.
  const auto greet = [this, greeting] {
    if (!greeted_ || greeting == Greeting::Banner)
      print(fmt::format("relic86 {} monitor - type 'help' for more information\n", kVersion));
    greeted_ = true;
    print("(qemu) ");
  };
  if (!backend_.on_client(greet)) greet();
}

Monitor::~Monitor() {
  backend_.connect(nullptr);
  backend_.on_client({});
}

void Monitor::print(std::string_view text) {
  std::string lines;
  lines.reserve(text.size());
  for (const char c : text) {
    if (c == '\n') lines += '\r';
    lines += c;
  }
  backend_.write(lines);
}

void Monitor::receive(u8 byte) {
  constexpr std::size_t kLongestLine = 4096;
  if (escape_ == 1) {
    escape_ = byte == '[' ? 2 : 0;
    return;
  }
  if (escape_ == 2) {
    escape_ = 0;
    if (byte == 'A' && line_.empty()) {  // up-arrow: the last line again
      line_ = last_line_;
      print(line_);
    }
    return;
  }
  switch (byte) {
    case 27: escape_ = 1; return;
    case '\r':
    case '\n': {
      print("\n");
      const std::string line = std::exchange(line_, "");
      if (!line.empty()) last_line_ = line;
      print(execute_monitor_line(machine_, line));
      if (!machine_.ended()) print("(qemu) ");
      return;
    }
    case 8:
    case 127:
      if (!line_.empty()) {
        line_.pop_back();
        print("\b \b");
      }
      return;
    case 21:  // Ctrl-U
      while (!line_.empty()) line_.pop_back(), print("\b \b");
      return;
    default: break;
  }
  if (byte < 32 || line_.size() >= kLongestLine) return;
  line_ += static_cast<char>(byte);
  backend_.put(byte);
}

}  // namespace relic86
