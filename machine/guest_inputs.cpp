#include "machine/guest_inputs.h"

#include <fmt/format.h>

#include "base/log.h"

namespace relic86 {

namespace {

// A run whose counters have left a moment behind never comes to it.
bool past(const GuestMoment& now, const GuestMoment& moment) {
  const bool same = now.instructions == moment.instructions && now.time == moment.time;
  return now.instructions > moment.instructions || now.time > moment.time || (same && now.looks > moment.looks);
}

}  // namespace

// What comes from a character device of the host. A replay takes nothing from it.
class GuestInputs::Line final : public CharSource {
 public:
  Line(GuestInputs& inputs, u32 number, CharSource& device) : inputs_(inputs), number_(number), device_(device) {}
  bool can_receive() const override { return !inputs_.replaying() && device_.can_receive(); }
  void receive(u8 byte) override { (void)inputs_.enter(input::Byte{number_, byte}); }  // serial lines refuse nothing

 private:
  GuestInputs& inputs_;
  const u32 number_;
  CharSource& device_;
};

GuestInputs::GuestInputs(RecordReplay mode, std::string path, Guest guest)
    : mode_(mode), path_(std::move(path)), guest_(std::move(guest)) {}

GuestInputs::~GuestInputs() = default;

Result<std::unique_ptr<GuestInputs>> GuestInputs::create(const std::optional<IcountOption>& icount, Guest guest) {
  const RecordReplay mode = icount ? icount->record_replay : RecordReplay::Off;
  const std::string path = icount ? icount->record_file : "";
  std::unique_ptr<GuestInputs> inputs(new GuestInputs(mode, path, std::move(guest)));
  if (mode == RecordReplay::Record) {
    auto file = RecordingFile::create(path);
    if (!file) return Error{fmt::format("-icount rr=record,rrfile={}: {}", path, file.message())};
    inputs->file_ = std::move(file).value();
  }
  if (mode == RecordReplay::Replay) {
    auto recording = Recording::load(path);
    if (!recording) return Error{fmt::format("-icount rr=replay,rrfile={}: {}", path, recording.message())};
    inputs->recording_ = std::move(recording).value();
  }
  return inputs;
}

CharSource& GuestInputs::line(u32 number, CharSource& device) {
  lines_.push_back(std::make_unique<Line>(*this, number, device));
  return *lines_.back();
}

Result<> GuestInputs::enter(const GuestInput& input) {
  if (replaying()) return Error{"the machine replays a recording: nothing else reaches the guest"};
  entered_++;
  // What the machine refuses (a locked tray) has changed nothing, and is not part of the recording.
  const std::string line =
      recording() ? recording_line(RecordedInput{guest_.moment(), guest_.registers(), input}) : std::string();
  auto applied = guest_.apply(input);
  if (applied) write(line);
  return applied;
}

// The run goes on without its recording: the guest is not to suffer from the host's full disk.
void GuestInputs::write(std::string_view lines) {
  if (!file_ || lines.empty()) return;
  const auto written = file_->append(lines);
  if (written) return;
  log::warning(fmt::format("-icount rr=record,rrfile={}: {}; the recording ends here", path_, written.message()));
  file_.reset();
}

Error GuestInputs::diverged(std::string_view what) const {
  const GuestMoment now = guest_.moment();
  return Error{fmt::format(
      "-icount rr=replay,rrfile={}: {} at instruction {} ({} ns): the run is not the recorded one any more. "
      "Are the disks and their contents the same, and the program?",
      path_, what, now.instructions, now.time)};
}

Result<> GuestInputs::begin() {
  if (recording()) write(recording_head(guest_.state_hash()));
  if (!replaying()) return {};
  if (guest_.state_hash() == recording_.machine) return {};
  return Error{
      fmt::format("-icount rr=replay,rrfile={}: this is not the machine that was recorded; give the options, "
                  "the firmware and the program of the recording, with rr=replay in place of rr=record",
                  path_)};
}

std::optional<GuestMoment> GuestInputs::next() const {
  if (!replaying()) return std::nullopt;
  if (next_input_ < recording_.inputs.size()) return recording_.inputs[next_input_].moment;
  return recording_.end ? std::optional(recording_.end->moment) : std::nullopt;
}

Result<> GuestInputs::replay_due() {
  while (replaying() && next_input_ < recording_.inputs.size()) {
    const RecordedInput& entry = recording_.inputs[next_input_];
    const GuestMoment now = guest_.moment();
    if (past(now, entry.moment)) return diverged("the moment of an input has passed");
    if (now != entry.moment) break;
    if (guest_.registers() != entry.registers) return diverged("the registers differ");
    next_input_++;
    if (auto applied = guest_.apply(entry.input); !applied) return diverged(applied.message());
  }
  const bool only_end_left = replaying() && next_input_ == recording_.inputs.size() && recording_.end;
  if (only_end_left && past(guest_.moment(), recording_.end->moment))
    return diverged("the moment of the recording's end has passed");
  return {};
}

bool GuestInputs::at_end() const {
  return replaying() && next_input_ == recording_.inputs.size() &&
         (!recording_.end || guest_.moment() == recording_.end->moment);
}

Result<std::string> GuestInputs::finish() {
  if (recording()) {
    write(recording_line(RecordedEnd{guest_.moment(), guest_.state_hash()}));
    return std::string();
  }
  if (!replaying()) return std::string();
  if (!recording_.end) return fmt::format("replay: {} was cut off; all its inputs have been carried out\n", path_);
  if (next_input_ < recording_.inputs.size()) return std::string("replay: ended before the recording does\n");
  if (guest_.moment().instructions < recording_.end->moment.instructions)
    return std::string("replay: ended before the recording does\n");
  if (guest_.state_hash() != recording_.end->hash) return diverged("the end has another state");
  return std::string("replay: ended in the state of the recorded run\n");
}

// --- Frames ---

void GuestInputs::arrived(u32 card, net::Frame frame) {
  if (replaying()) return;
  const input::Frame entry{card, in_frame_ ? frames_sent_ : 0, {frame.begin(), frame.end()}};
  if (!in_frame_) return (void)enter(entry);  // cards refuse nothing
  if (recording()) write(recording_line(entry));
  (void)guest_.apply(entry);
}

void GuestInputs::sending() {
  frames_sent_++;
  in_frame_ = true;
}

void GuestInputs::sent() {
  in_frame_ = false;
  if (!replaying()) return;
  while (next_answer_ < recording_.answers.size() && recording_.answers[next_answer_].answers <= frames_sent_)
    (void)guest_.apply(recording_.answers[next_answer_++]);
}

}  // namespace relic86
