// Recording of what the machine shows and plays.
#include "base/log.h"
#include "display/video_recorder.h"
#include "machine/machine.h"

namespace relic86 {

Result<> Machine::record_video(const std::string& path) {
  if (video_ != nullptr) {
    video_->picture(clock_->now(), picture_.update(*board_));
    audio_->record_to(nullptr, clock_->now());
    video_.reset();
  }
  if (path.empty()) return {};
  VideoSettings settings;
  settings.path = path;
  settings.sound_rate = audio_->recordable_rate();
  auto recorder = VideoRecorder::create(settings, picture_.update(*board_), clock_->now());
  if (!recorder) return recorder.error();
  video_ = std::move(recorder).value();
  if (settings.sound_rate != 0) audio_->record_to(std::make_unique<VideoSound>(*video_), clock_->now());
  next_frame_ = 0;
  return {};
}

std::string Machine::video() const { return video_ == nullptr ? std::string() : video_->path(); }

void Machine::record_picture(GuestTime now) {
  video_->picture(now, picture_.update(*board_));
  if (const std::string trouble = video_->take_trouble(); !trouble.empty()) {
    log::warning(trouble);
    (void)record_video("");
  }
}

}  // namespace relic86
