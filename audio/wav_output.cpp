// The file's layout: "Multimedia Programming Interface and Data Specifications 1.0" (IBM and Microsoft, 1991), WAVE.
#include "audio/wav_output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "base/log.h"

namespace relic86 {

namespace {

constexpr u32 kHeaderBytes = 44;
constexpr u32 kUnknownLength = 0xFFFFFFFF;  // of a stream that nobody can go back in
constexpr u64 kMostBytes = 0xFFFF'0000;     // of samples: the sizes have 32 bits
constexpr std::size_t kBufferBytes = 32768;
constexpr u16 kTagPcm = 1, kTagFloat = 3;

void append(std::vector<u8>& to, u64 value, unsigned width) {
  for (unsigned i = 0; i < width; i++) to.push_back(static_cast<u8>(value >> (i * 8)));
}
void append(std::vector<u8>& to, std::string_view text) { to.insert(to.end(), text.begin(), text.end()); }

}  // namespace

Result<std::unique_ptr<WavOutput>> WavOutput::create(const WavSettings& settings) {
  const int file = ::open(settings.path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (file < 0) return Error{std::strerror(errno)};
  const bool seekable = ::lseek(file, 0, SEEK_SET) == 0 && ::ftruncate(file, 0) == 0;
  std::unique_ptr<WavOutput> output(new WavOutput(settings, file, seekable));
  output->write_header();
  return output;
}

WavOutput::WavOutput(const WavSettings& settings, int file, bool seekable)
    : settings_(settings), file_(file), seekable_(seekable) {}

WavOutput::~WavOutput() {
  flush();
  if (file_ >= 0) ::close(file_);
}

u32 WavOutput::sample_bytes() const {
  switch (settings_.format) {
    case SampleFormat::U8: return 1;
    case SampleFormat::S16: return 2;
    case SampleFormat::S32:
    case SampleFormat::F32: break;
  }
  return 4;
}

void WavOutput::write_header() {
  const u32 frame_bytes = sample_bytes() * settings_.channels;
  const u32 samples = seekable_ ? static_cast<u32>(written_) : kUnknownLength;
  std::vector<u8> header;
  append(header, "RIFF");
  append(header, seekable_ ? samples + kHeaderBytes - 8 : kUnknownLength, 4);
  append(header, "WAVEfmt ");
  append(header, 16, 4);
  append(header, settings_.format == SampleFormat::F32 ? kTagFloat : kTagPcm, 2);
  append(header, settings_.channels, 2);
  append(header, settings_.rate, 4);
  append(header, u64{settings_.rate} * frame_bytes, 4);
  append(header, frame_bytes, 2);
  append(header, u64{sample_bytes()} * 8, 2);
  append(header, "data");
  append(header, samples, 4);
  const auto done =
      seekable_ ? ::pwrite(file_, header.data(), header.size(), 0) : ::write(file_, header.data(), header.size());
  if (done != static_cast<ssize_t>(header.size())) return stop(std::strerror(errno));
  if (seekable_ && written_ == 0) ::lseek(file_, kHeaderBytes, SEEK_SET);
}

void WavOutput::put(float sample) {
  const float clipped = std::clamp(sample, -1.0f, 1.0f);
  switch (settings_.format) {
    case SampleFormat::U8: return append(buffer_, static_cast<u64>(std::lround(clipped * 127.0f) + 128), 1);
    case SampleFormat::S16: return append(buffer_, static_cast<u64>(std::lround(clipped * 32767.0f)), 2);
    case SampleFormat::S32: return append(buffer_, static_cast<u64>(std::llround(clipped * 2147483647.0)), 4);
    case SampleFormat::F32: return append(buffer_, std::bit_cast<u32>(sample), 4);
  }
}

void WavOutput::write(std::span<const StereoFrame> frames) {
  if (file_ < 0) return;
  for (const StereoFrame& frame : frames) {
    if (settings_.channels == 1) {
      put((frame.left + frame.right) / 2);
    } else {
      put(frame.left);
      put(frame.right);
    }
  }
  if (buffer_.size() >= kBufferBytes) flush();
}

void WavOutput::silence(u64 frames) {
  const u64 most = kMostBytes / (sample_bytes() * settings_.channels) + 1;  // more ends the recording in any case
  constexpr u64 kPiece = 4096;
  const std::vector<StereoFrame> quiet(std::min(frames, kPiece));
  for (u64 left = std::min(frames, most); left > 0 && file_ >= 0;) {
    const u64 count = std::min(left, kPiece);
    write(std::span(quiet).first(count));
    left -= count;
  }
}

void WavOutput::flush() {
  if (file_ < 0 || buffer_.empty()) return;
  if (written_ + buffer_.size() > kMostBytes) return stop("a WAV file holds 4 GiB");
  for (std::size_t done = 0; done < buffer_.size();) {
    const ssize_t count = ::write(file_, buffer_.data() + done, buffer_.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return stop(std::strerror(errno));
    done += static_cast<std::size_t>(count);
  }
  written_ += buffer_.size();
  buffer_.clear();
  if (seekable_) write_header();
}

void WavOutput::stop(const char* cause) {
  log::warning(fmt::format("-audiodev wav,path={}: {}; the recording ends here", settings_.path, cause));
  // What the header does not name goes, so that the file stays a whole one.
  [[maybe_unused]] const int cut = seekable_ ? ::ftruncate(file_, static_cast<off_t>(kHeaderBytes + written_)) : 0;
  ::close(file_);
  file_ = -1;
  buffer_.clear();
}

}  // namespace relic86
