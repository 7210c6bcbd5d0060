// What the window's menu shows of a machine: made on the machine's thread, read on the window's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "devices/host_sinks.h"

namespace relic86 {

// A command of control/commands by name, as the menu gives it: typed as QMP's are.
struct MenuCommand {
  struct Argument {
    std::string name;
    enum class Kind : u8 { Text, Flag, Number, Keys } kind = Kind::Text;
    std::string text{};
    bool flag = false;
    u64 number = 0;
  };
  std::string name;
  std::vector<Argument> arguments;
  std::string done;  // what the user is told when it went well; empty: nothing, the effect is seen

  explicit MenuCommand(std::string command, std::string told = {}) : name(std::move(command)), done(std::move(told)) {}
  MenuCommand& with(std::string argument, std::string value) {
    arguments.push_back({.name = std::move(argument), .kind = Argument::Kind::Text, .text = std::move(value)});
    return *this;
  }
  // "ctrl-alt-delete", pressed together.
  MenuCommand& with_keys(std::string argument, std::string keys) {
    arguments.push_back({.name = std::move(argument), .kind = Argument::Kind::Keys, .text = std::move(keys)});
    return *this;
  }
  MenuCommand& with_flag(std::string argument, bool on) {
    arguments.push_back({.name = std::move(argument), .kind = Argument::Kind::Flag, .flag = on});
    return *this;
  }
  MenuCommand& with_number(std::string argument, u64 value) {
    arguments.push_back({.name = std::move(argument), .kind = Argument::Kind::Number, .number = value});
    return *this;
  }
};

struct MachineView {
  u64 serial = 0;  // counts views: another one has been made when it changes

  struct Drive {
    std::string name;   // "floppy0", "ide1-cd0"
    std::string label;  // for people: "Floppy A", "CD-ROM"
    std::string file;   // empty: no medium
    bool floppy = false;
  };
  std::vector<Drive> drives;  // removable ones

  struct Card {
    std::string name, model;
    bool link = true;
  };
  std::vector<Card> cards;

  struct Saved {
    std::string tag;
    i64 saved_at = 0;                      // Unix time, seconds
    std::shared_ptr<const Frame> picture;  // the screen then; null: none was kept
  };
  std::vector<Saved> saved;

  struct Speed {
    std::string name;
    u64 instructions_per_second = 0;
  };
  std::vector<Speed> speeds;
  u64 speed_limit = 0;  // instructions a second; 0: none
  bool sound = false;   // a card or the speaker is heard on the host
  unsigned volume = 100;
  std::string recording;                 // the file that sound is recorded into; empty: none
  std::string video;                     // the file that screen and sound are recorded into; empty: none
  std::vector<std::string> screen_text;  // empty: the screen is in a graphics mode
  std::string statistics;                // lines of text
  std::string folder;                    // where screenshots and recordings go
};

}  // namespace relic86
