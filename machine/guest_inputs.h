// The door through which everything comes to the guest from outside (machine/guest_input.h). With -icount rr=record all
// of it is written down with its moment; with rr=replay it comes from such a file, at the same moments, and what the
// host has to say is left outside.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "devices/host_sinks.h"
#include "machine/guest_input.h"
#include "machine/recording.h"
#include "net/arrivals.h"
#include "options/options.h"

namespace relic86 {

class GuestInputs final : public net::Arrivals {
 public:
  // What the inputs are about: the machine.
  struct Guest {
    std::function<Result<>(const GuestInput&)> apply;
    std::function<GuestMoment()> moment;
    std::function<u32()> registers;   // a sum of the processor's registers
    std::function<u64()> state_hash;  // of all state and memory
  };

  // Errors name option and file. icount: nothing: neither is asked for.
  static Result<std::unique_ptr<GuestInputs>> create(const std::optional<IcountOption>& icount, Guest guest);

  ~GuestInputs();

  bool recording() const { return mode_ == RecordReplay::Record; }
  bool replaying() const { return mode_ == RecordReplay::Replay; }
  // One of them: the run has to be the same one twice.
  bool repeatable() const { return mode_ != RecordReplay::Off; }

  // From the host, between two instructions. An error: the machine refuses it, or replays.
  Result<> enter(const GuestInput& input);
  // A line from the host to a device of the guest, which must outlive this. The source is this object's.
  CharSource& line(u32 number, CharSource& device);

  // --- Of the machine's run ---
  // Before the first instruction: a recording begins, or a replay finds out whether this is the recorded machine.
  Result<> begin();
  // Replay: the next moment at which something comes, or at which the recording ends; nothing: not replaying, or done.
  std::optional<GuestMoment> next() const;
  // Replay: carries out what comes at this moment. An error: the run is not the recorded one any more.
  Result<> replay_due();
  // Replay: everything has been carried out, and it is the moment of the end, if the recording has one.
  bool at_end() const;
  // How the run left the recording, with its file and the present moment.
  Error diverged(std::string_view what) const;
  // How many inputs the host has brought so far.
  u64 entered() const { return entered_; }
  // How far a replay has come, and the way back to where it was.
  struct Position {
    std::size_t input = 0, answer = 0;
    u64 frames_sent = 0;
  };
  Position position() const { return {next_input_, next_answer_, frames_sent_}; }
  void go_to(const Position& position) {
    next_input_ = position.input;
    next_answer_ = position.answer;
    frames_sent_ = position.frames_sent;
  }
  // The run is over: a recording gets its end, and a replay is compared with it. What is to be told is the result: for
  // people, or an error: the replay ended in another state.
  Result<std::string> finish();

 private:
  GuestInputs(RecordReplay mode, std::string path, Guest guest);
  class Line;

  // net::Arrivals
  void arrived(u32 card, net::Frame frame) override;
  void sending() override;
  void sent() override;

  void write(std::string_view lines);

  RecordReplay mode_;
  std::string path_;
  Guest guest_;
  std::optional<RecordingFile> file_;
  Recording recording_;
  std::size_t next_input_ = 0, next_answer_ = 0;
  u64 frames_sent_ = 0, entered_ = 0;
  bool in_frame_ = false;  // the guest is sending one
  std::vector<std::unique_ptr<Line>> lines_;
};

}  // namespace relic86
