// Records what the guest shows and plays into an AVI file. Pictures and sound are given on the machine's thread, on the
// line of guest time; another thread compresses and writes them.
//
// A picture of another size cannot follow in the same file: it begins the next one, NAME-2.avi after NAME.avi.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "audio/audio_output.h"
#include "base/result.h"
#include "devices/host_sinks.h"
#include "display/avi_file.h"
#include "display/zmbv_encoder.h"

namespace relic86 {

struct VideoSettings {
  std::string path;
  u32 sound_rate = 0;  // frames a second; 0: no sound
};

class VideoRecorder {
 public:
  static constexpr u32 kPicturesPerSecond = 60;

  // The first picture gives the file its size. now: the moment at which it begins. Errors say the cause alone.
  static Result<std::unique_ptr<VideoRecorder>> create(const VideoSettings& settings, const Frame& first,
                                                       GuestTime now);
  ~VideoRecorder();  // when everything is written
  VideoRecorder(const VideoRecorder&) = delete;
  VideoRecorder& operator=(const VideoRecorder&) = delete;

  // What the screen shows at this moment; until the next call it stays so. Waits while too much is left to be written.
  void picture(GuestTime now, const Frame& frame);
  // What is played since the beginning, without a gap.
  void sound(std::span<const StereoFrame> frames);
  void silence(u64 frames);
  // Guest time jumped to this moment.
  void restart(GuestTime now);
  // Empty: all has been written so far; told once.
  std::string take_trouble();
  const std::string& path() const { return settings_.path; }

 private:
  // Something to write: the picture that the screen shows from then on, for so many pictures of the file; or sound.
  struct Job {
    std::shared_ptr<const Frame> frame{};
    u64 times = 0;
    std::vector<i16> sound{};
    u64 silence = 0;
  };

  explicit VideoRecorder(const VideoSettings& settings) : settings_(settings) {}
  void add(Job job);
  void write_all();
  void write(const Job& job);
  void write_picture(const Frame& frame, u64 times);
  bool begin_file(const Frame& frame);

  VideoSettings settings_;
  // Of the machine's thread.
  GuestTime origin_ = 0;
  u64 pictures_ = 0;  // given since the origin
  std::shared_ptr<const Frame> shown_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool ended_ = false;
  std::string trouble_;
  // Of the writing thread.
  std::unique_ptr<AviFile> file_;
  std::optional<ZmbvEncoder> encoder_;
  unsigned width_ = 0, height_ = 0, files_ = 0;
  u64 since_key_ = 0;
  std::thread thread_;
};

// The end of a mixer at which a recorder listens.
class VideoSound final : public AudioOutput {
 public:
  explicit VideoSound(VideoRecorder& recorder) : recorder_(recorder) {}
  void write(std::span<const StereoFrame> frames) override { recorder_.sound(frames); }
  void silence(u64 frames) override { recorder_.silence(frames); }

 private:
  VideoRecorder& recorder_;
};

}  // namespace relic86
