// The file of a recorded run (-icount rr=record): lines of text, one for each input of the guest, in order.
//
//   relic86 recording 1
//   machine HASH                                       of all state and memory before the first instruction
//   @ INSTRUCTIONS TIME LOOKS REGISTERS KIND ...       an input, when it came, and a sum of the registers then
//   > NUMBER CARD BYTES                                a frame that answered the guest's frame of this number
//   end INSTRUCTIONS TIME LOOKS HASH                   the run's end, and the hash of all state and memory
//
// Numbers are decimal; sums, hashes and bytes hexadecimal; texts have % and what is no plain character as %XX.
#pragma once

#include <cstdio>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "machine/guest_input.h"

namespace relic86 {

struct RecordedInput {
  GuestMoment moment;
  u32 registers = 0;
  GuestInput input;
  friend bool operator==(const RecordedInput&, const RecordedInput&) = default;
};

struct RecordedEnd {
  GuestMoment moment;
  u64 hash = 0;
  friend bool operator==(const RecordedEnd&, const RecordedEnd&) = default;
};

struct Recording {
  u64 machine = 0;
  std::vector<RecordedInput> inputs;
  std::vector<input::Frame> answers;  // in the order of what they answer
  std::optional<RecordedEnd> end;     // nothing: the recording was cut off

  // Whatever the text holds, it is read or refused with the number of the line and what is wrong with it. A last line
  // without its end is what a recorder that was killed leaves: it is left out.
  static Result<Recording> parse(std::string_view text);
  static Result<Recording> load(const std::string& path);
};

// The lines as the file has them, each with its end.
std::string recording_head(u64 machine);
std::string recording_line(const RecordedInput& entry);
std::string recording_line(const input::Frame& answer);
std::string recording_line(const RecordedEnd& end);

class RecordingFile {
 public:
  // Replaces a file of this name. Errors say the cause alone: the caller names option and file.
  static Result<RecordingFile> create(const std::string& path);
  // What was written before stands in the file as soon as this returns, so that a run that is killed leaves it.
  Result<> append(std::string_view lines);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  explicit RecordingFile(std::FILE* file) : file_(file) {}
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace relic86
