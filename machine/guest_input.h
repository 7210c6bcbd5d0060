// What reaches a guest from outside: all that two runs with -icount might not have in common.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/types.h"
#include "devices/input/joystick_position.h"
#include "devices/input/key_codes.h"

namespace relic86 {

// The monitor's change and eject.
struct MediumChange {
  std::string file;        // empty: the medium is taken out
  std::string format{};    // QEMU's name of the file's format; empty: by its signature
  bool read_only = false;  // of floppies; CDs always are
  bool force = false;      // take it out although the guest has locked the tray
  std::string node{};      // the block node that the file is known by; empty: none
  friend bool operator==(const MediumChange&, const MediumChange&) = default;
};

namespace input {

struct Key {
  KeyCode code{};
  bool down = false;
  friend bool operator==(const Key&, const Key&) = default;
};
struct AllKeysUp {
  friend bool operator==(const AllKeysUp&, const AllKeysUp&) = default;
};
// Of the pointer: counts to the right, down and of the wheel; places on the tablet; buttons that are down now.
struct Move {
  int dx = 0, dy = 0, dz = 0;
  friend bool operator==(const Move&, const Move&) = default;
};
struct Place {
  std::optional<unsigned> x, y;
  friend bool operator==(const Place&, const Place&) = default;
};
struct Buttons {
  u8 mask = 0;
  friend bool operator==(const Buttons&, const Buttons&) = default;
};
// A stick at the game port: 0 or 1, and how it stands.
struct Joystick {
  u8 stick = 0;
  JoystickPosition position{};
  friend bool operator==(const Joystick&, const Joystick&) = default;
};
// A byte on a line to the guest: its serial ports, then the ports of its virtio consoles.
struct Byte {
  u32 line = 0;
  u8 byte = 0;
  friend bool operator==(const Byte&, const Byte&) = default;
};
// A frame at a network card. One that arrives while the guest's processor is still sending a frame of its own has the
// number of that one, counted over all cards from 1 on; 0: it came between two instructions.
struct Frame {
  u32 card = 0;
  u64 answers = 0;
  std::vector<u8> bytes;
  friend bool operator==(const Frame&, const Frame&) = default;
};
// The cable of a card or a back end, by its name: pulled out, or plugged in again.
struct Link {
  std::string name;
  bool up = false;
  friend bool operator==(const Link&, const Link&) = default;
};
struct Reset {
  friend bool operator==(const Reset&, const Reset&) = default;
};
struct PowerButton {
  friend bool operator==(const PowerButton&, const PowerButton&) = default;
};
struct Wake {
  friend bool operator==(const Wake&, const Wake&) = default;
};
struct Nmi {
  friend bool operator==(const Nmi&, const Nmi&) = default;
};
struct Medium {
  std::string drive;
  MediumChange change;
  friend bool operator==(const Medium&, const Medium&) = default;
};
struct Tray {
  std::string drive;
  bool open = false;
  bool force = false;
  friend bool operator==(const Tray&, const Tray&) = default;
};

}  // namespace input

using GuestInput = std::variant<input::Key, input::AllKeysUp, input::Move, input::Place, input::Buttons,
                                input::Joystick, input::Byte, input::Frame, input::Link, input::Reset,
                                input::PowerButton, input::Wake, input::Nmi, input::Medium, input::Tray>;

// When something reached the guest, between two instructions.
struct GuestMoment {
  u64 instructions = 0;  // executed since power-on
  GuestTime time = 0;    // ns
  u64 looks = 0;         // how often due events have been carried out at this very instruction and time
  friend bool operator==(const GuestMoment&, const GuestMoment&) = default;
};

}  // namespace relic86
