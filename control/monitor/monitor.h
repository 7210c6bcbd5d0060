// The monitor: QEMU's HMP words on a character backend. Output goes to the same stream; the prompt is "(qemu) ".
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "char/char_backend.h"
#include "devices/host_sinks.h"
#include "machine/machine.h"

namespace relic86 {

// One command: rows of the table in monitor.cpp.
struct MonitorCommand {
  std::string_view name;
  std::string_view alias;  // "q" for quit; may be empty
  std::string_view arguments;
  std::string_view help;
  // words[0] is the command as typed. Returns the text to print; errors are text too, as in QEMU.
  std::string (*run)(Machine&, std::span<const std::string> words);
};

// Executes one line and returns what it prints ("" for an empty line). Any input gives a text, never an error
// elsewhere.
std::string execute_monitor_line(Machine& machine, std::string_view line);

// Splits at blanks; double quotes keep blanks together.
std::vector<std::string> monitor_words(std::string_view line);

class Monitor final : public CharSource {
 public:
  // The backend outlives the monitor. With a banner the monitor greets and prompts every client that comes; else only
  // the first time.
  enum class Greeting : u8 { Banner, Quiet };
  Monitor(Machine& machine, CharBackend& backend, Greeting greeting);
  ~Monitor();

  bool can_receive() const override { return backend_.can_take(); }
  void receive(u8 byte) override;

 private:
  void print(std::string_view text);

  Machine& machine_;
  CharBackend& backend_;
  bool greeted_ = false;
  std::string line_;
  std::string last_line_;  // up-arrow
  unsigned escape_ = 0;    // position in a terminal's ESC [ x sequence
};

}  // namespace relic86
