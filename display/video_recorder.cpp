#include "display/video_recorder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace relic86 {

namespace {
constexpr std::size_t kMostJobs = 64;                // that wait
constexpr u64 kKeyEvery = 300;                       // pictures: players can go to each fifth second
constexpr u64 kLargestFile = u64{1900} << 20;        // sizes in an AVI file have 31 bits in some players
constexpr u64 kLongestStill = 60ull * 60 * 24 * 60;  // pictures of a screen that does not change; a jump of time else
constexpr u64 kSilencePiece = 44100;
constexpr GuestTime kSecond = 1'000'000'000;
}  // namespace

Result<std::unique_ptr<VideoRecorder>> VideoRecorder::create(const VideoSettings& settings, const Frame& first,
                                                             GuestTime now) {
  if (first.pixels.empty()) return Error{"the screen shows nothing yet"};
  std::unique_ptr<VideoRecorder> recorder(new VideoRecorder(settings));
  if (!recorder->begin_file(first)) return Error{recorder->trouble_};
  recorder->origin_ = now;
  recorder->shown_ = std::make_shared<const Frame>(first);
  recorder->thread_ = std::thread([raw = recorder.get()] { raw->write_all(); });
  return recorder;
}

VideoRecorder::~VideoRecorder() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

// The picture of before stands for the time until now.
void VideoRecorder::picture(GuestTime now, const Frame& frame) {
  const GuestTime passed = now - origin_;
  const u64 due = passed <= 0 ? 0
                              : static_cast<u64>(passed / kSecond) * kPicturesPerSecond +
                                    static_cast<u64>(passed % kSecond * kPicturesPerSecond / kSecond);
  if (due > pictures_) {
    const u64 times = due - pictures_;
    pictures_ = due;
    if (times < kLongestStill) add({.frame = shown_, .times = times});
  }
  const bool same = shown_->width == frame.width && shown_->pixels == frame.pixels;
  if (!same && !frame.pixels.empty()) shown_ = std::make_shared<const Frame>(frame);
}

void VideoRecorder::sound(std::span<const StereoFrame> frames) {
  Job job;
  job.sound.reserve(frames.size() * 2);
  for (const StereoFrame& frame : frames) {
    for (const float sample : {frame.left, frame.right})
      job.sound.push_back(static_cast<i16>(std::lround(std::clamp(sample, -1.0f, 1.0f) * 32767.0f)));
  }
  add(std::move(job));
}

void VideoRecorder::silence(u64 frames) { add({.silence = frames}); }

void VideoRecorder::restart(GuestTime now) {
  origin_ = now - static_cast<GuestTime>(pictures_ / kPicturesPerSecond) * kSecond -
            static_cast<GuestTime>(pictures_ % kPicturesPerSecond * kSecond / kPicturesPerSecond);
}

std::string VideoRecorder::take_trouble() {
  std::lock_guard lock(mutex_);
  return std::exchange(trouble_, {});
}

void VideoRecorder::add(Job job) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return jobs_.size() < kMostJobs; });
  jobs_.push_back(std::move(job));
  lock.unlock();
  changed_.notify_all();
}

// --- The writing thread ---

void VideoRecorder::write_all() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return ended_ || !jobs_.empty(); });
    if (jobs_.empty()) break;
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    changed_.notify_all();
    write(job);
    lock.lock();
  }
  lock.unlock();
  file_.reset();
}

void VideoRecorder::write(const Job& job) {
  if (job.frame != nullptr) write_picture(*job.frame, job.times);
  if (file_ == nullptr) return;
  if (!job.sound.empty()) file_->sound(job.sound);
  for (u64 left = job.silence; left > 0;) {
    const u64 piece = std::min(left, kSilencePiece);
    file_->sound(std::vector<i16>(static_cast<std::size_t>(piece) * 2));
    left -= piece;
  }
  if (file_->trouble().empty()) return;
  std::lock_guard lock(mutex_);
  trouble_ = fmt::format("{}: {}; the recording ends here", settings_.path, file_->trouble());
  file_.reset();
}

void VideoRecorder::write_picture(const Frame& frame, u64 times) {
  if (file_ == nullptr && files_ > 0) return;  // it has failed
  if (frame.width != width_ || frame.height != height_ || file_->size() > kLargestFile) {
    if (!begin_file(frame)) return;
  }
  for (; times > 0; times--) {
    const bool key = since_key_ % kKeyEvery == 0;
    since_key_++;
    if (!key && encoder_->same(frame.pixels))
      file_->picture({}, false);
    else
      file_->picture(encoder_->encode(frame.pixels, key), key);
  }
}

bool VideoRecorder::begin_file(const Frame& frame) {
  std::filesystem::path path(settings_.path);
  files_++;
  if (files_ > 1)
    path.replace_filename(fmt::format("{}-{}{}", path.stem().string(), files_, path.extension().string()));
  AviSettings settings;
  settings.width = width_ = frame.width;
  settings.height = height_ = frame.height;
  settings.pixel_aspect = frame.pixel_aspect;
  settings.frames_per_second = kPicturesPerSecond;
  settings.sound_rate = settings_.sound_rate;
  file_.reset();
  auto file = AviFile::create(path.string(), settings);
  if (!file) {
    std::lock_guard lock(mutex_);
    trouble_ = fmt::format("{}: {}", path.string(), file.message());
    return false;
  }
  file_ = std::move(file).value();
  encoder_.emplace(width_, height_);
  since_key_ = 0;
  return true;
}

}  // namespace relic86
