// What a suite file says (docs/batch.md), checked, with its matrices carried out.
#pragma once

#include <optional>
#include <regex>
#include <string>
#include <variant>
#include <vector>

#include "base/guest_clock.h"
#include "base/result.h"
#include "batch/outcome.h"
#include "batch/table_reader.h"
#include "machine/expectations.h"
#include "options/options.h"

namespace relic86::batch {

// A regular expression, and how the suite writes it.
struct Pattern {
  std::string text;
  std::regex regex;
};

// --- Steps ---
struct WaitSerial {
  Pattern pattern;
};
struct WaitScreen {
  Pattern pattern;
};
// The screen, or a part of it, looks like a PNG file.
struct WaitPicture {
  std::string file{};
  struct Region {
    unsigned x = 0, y = 0, width = 0, height = 0;  // pixels of the screen; width 0: all of it
  } region{};
  unsigned tolerance = 0;  // by which a colour (0 to 255) may differ
  double differing = 0;    // which part of the pixels may differ by more, 0 to 1
};
// Ways in which a guest ends, or stops, on purpose.
struct WaitEnd {
  enum class Kind : u8 { PowerOff, Reset, TripleFault, Halt, Exit } kind = Kind::PowerOff;
  std::optional<int> code;  // of Exit: what the emulator would exit with, (value << 1) | 1
};
struct SendSerial {
  std::string text;
};
struct TypeText {
  std::string text;
};
struct PressKeys {
  std::string keys;  // "ctrl-alt-delete"
};
struct RunCommand {
  std::string name;
  std::string arguments;           // JSON
  std::optional<Pattern> returns;  // what the answer, as JSON, has to match
};
struct RunMonitor {
  std::string line;
  std::optional<Pattern> shows;
};
struct ChangeMedium {
  std::string drive;
  std::string file;  // empty: the medium is taken out
};
// Guest memory holds these bytes.
struct WaitMemory {
  std::string symbol;       // of --symbols; empty: offset alone
  u64 offset = 0;           // added to the symbol's address
  bool physical = false;    // else linear, by the page tables of the moment
  std::vector<u8> bytes{};  // what stands there
};
// A file in a file system of a disk, as the guest has written it.
struct CheckFile {
  std::string path;
  std::string drive;
  unsigned partition = 0;  // 0: the first with a file system that is known
  std::optional<Pattern> holds;
};
struct Sleep {
  GuestTime time = 0;
};
using Action = std::variant<WaitSerial, WaitScreen, WaitPicture, WaitEnd, SendSerial, TypeText, PressKeys, RunCommand,
                            RunMonitor, ChangeMedium, WaitMemory, CheckFile, Sleep>;

struct Step {
  Action action;
  GuestTime within = 0;   // of guest time; 0: the test's time
  std::string described;  // "serial 'login: '", for messages
};

// --- Rules ---
struct Limits {
  GuestTime guest_time = 0;  // 0 is off, in all of them
  i64 host_ns = 0;
  GuestTime hang = 0;   // a guest that runs and gets nowhere
  GuestTime idle = 0;   // a guest that waits
  unsigned resets = 0;  // that many, and no step in between, are a loop
  u64 output = 0;       // bytes of COM1
};

struct MachinePlan {
  std::string name;                    // with the matrix's values: "linux [memory=64]"
  std::vector<std::string> arguments;  // of the command line, as relic86 takes them
  Options options;
};

struct TestPlan {
  std::string name;
  std::size_t machine = 0;
  std::optional<std::size_t> after;  // the test at whose point it starts
  std::string point;                 // the name of the state that it ends in, for others to start from; empty: none
  std::vector<Step> steps;
  Limits limits;
  std::vector<Pattern> fail;        // texts that nothing good comes after
  std::vector<std::string> panics;  // groups of the library of panics
  bool end_at_triple_fault = true;
  Outcome expected = Outcome::Passed;
  std::optional<std::string> known_failure;  // why it is expected to fail
  unsigned retries = 0;
  enum class Film : u8 { Failed, Always, Off } film = Film::Failed;  // when there is one of the screen
  std::vector<std::string> tags;
  std::string where;       // "FILE:LINE"
  std::string definition;  // its steps with what stands for names in braces: the way to its end
};

struct Suite {
  std::string name;
  std::string file;    // as it was named
  std::string folder;  // where its relative paths begin
  std::vector<MachinePlan> machines;
  bool state_hashes = false;    // of each test's machine at its end, into the results
  std::string points;           // the folder of points that are kept from run to run; empty: none
  bool keep_states = false;     // of machines whose tests fail, in their state folders
  std::vector<TestPlan> tests;  // a test stands after the one that it starts from
};

// variables: by --set. Errors say "FILE:LINE: table: key: cause; mend".
Result<Suite> load_suite(const std::string& file, const Variables& variables);

// A value as text: two that are the same have the same.
std::string text_of(const TomlValue& value);
// One step of a test.
Result<Step> read_step(const std::string& file, const TomlValue& table, const Variables& variables);
// A regular expression of the suite, as --expect-serial takes them.
std::optional<Pattern> read_pattern(TableReader& reader, const std::string& key, const std::string& text,
                                    Searched where);

}  // namespace relic86::batch
