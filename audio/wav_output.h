// A recording in a RIFF/WAVE file. At every moment the file on the disk is a complete one: its header names what is
// there, even after the process was killed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "audio/audio_output.h"
#include "base/result.h"
#include "options/sample_format.h"

namespace relic86 {

struct WavSettings {
  std::string path;
  u32 rate = 44100;       // frames a second
  unsigned channels = 2;  // 1: both channels' mean
  SampleFormat format = SampleFormat::S16;
};

class WavOutput final : public AudioOutput {
 public:
  // Replaces the file. A pipe gets a header that says that the length is not known.
  // Errors say the cause alone.
  static Result<std::unique_ptr<WavOutput>> create(const WavSettings& settings);
  ~WavOutput() override;

  void write(std::span<const StereoFrame> frames) override;
  void silence(u64 frames) override;
  void rest() override { flush(); }

 private:
  WavOutput(const WavSettings& settings, int file, bool seekable);
  void put(float sample);
  void flush();
  void write_header();
  void stop(const char* cause);
  u32 sample_bytes() const;

  WavSettings settings_;
  int file_;
  bool seekable_;
  u64 written_ = 0;  // bytes of samples in the file
  std::vector<u8> buffer_;
};

}  // namespace relic86
