// What is on a recording: stretches of sound between silences, and for each the tone that it holds.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "devices/sound_sinks.h"

namespace relic86::test {

struct Recording {
  u32 rate = 0;
  std::vector<float> left, right;

  double seconds() const { return static_cast<double>(left.size()) / rate; }
};

// A WAVE file of two channels of 16 bits; the header must name exactly what is there.
inline Recording read_wav(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  Recording recording;
  const auto number = [&](std::size_t at, unsigned width) {
    u32 value = 0;
    for (unsigned i = 0; i < width; i++) value |= u32{static_cast<u8>(bytes[at + i])} << (8 * i);
    return value;
  };
  if (bytes.size() < 44 || bytes.substr(0, 4) != "RIFF" || bytes.substr(8, 8) != "WAVEfmt ") {
    ADD_FAILURE() << path << " is no WAVE file";
    return recording;
  }
  EXPECT_EQ(number(4, 4), bytes.size() - 8);
  EXPECT_EQ(number(40, 4), bytes.size() - 44);
  EXPECT_EQ(number(20, 2), 1u);
  EXPECT_EQ(number(22, 2), 2u);
  EXPECT_EQ(number(34, 2), 16u);
  recording.rate = number(24, 4);
  for (std::size_t at = 44; at + 4 <= bytes.size(); at += 4) {
    recording.left.push_back(static_cast<float>(static_cast<i16>(number(at, 2))) / 32768.0f);
    recording.right.push_back(static_cast<float>(static_cast<i16>(number(at + 2, 2))) / 32768.0f);
  }
  return recording;
}

// A tone: how it sounds between its first and its last 60 ms.
struct Tone {
  double begin = 0, end = 0;  // seconds
  double frequency = 0;       // Hz, by the crossings of zero; 0: none
  double level = 0;           // root of the mean square, 1 is full scale
  double longest_gap = 0;     // seconds in which nothing is heard
};

namespace detail {

// The mean over some frames, three times: what is far above the tone goes.
inline std::vector<float> smooth(std::vector<float> signal, std::size_t width) {
  for (int pass = 0; pass < 3 && width > 1; pass++) {
    double sum = 0;
    std::vector<float> out(signal.size());
    for (std::size_t i = 0; i < signal.size(); i++) {
      sum += signal[i];
      if (i >= width) sum -= signal[i - width];
      out[i] = static_cast<float>(sum / static_cast<double>(width));
    }
    signal = std::move(out);
  }
  return signal;
}

inline void measure(Tone& tone, const std::vector<float>& signal, u32 rate) {
  constexpr double kEdge = 0.06;
  const auto begin = static_cast<std::size_t>((tone.begin + kEdge) * rate);
  const auto end = std::min(signal.size(), static_cast<std::size_t>((tone.end - kEdge) * rate));
  if (begin + 1 >= end) return;
  double square = 0, peak = 0;
  for (std::size_t i = begin; i < end; i++) {
    square += static_cast<double>(signal[i]) * signal[i];
    peak = std::max(peak, std::abs(static_cast<double>(signal[i])));
  }
  tone.level = std::sqrt(square / static_cast<double>(end - begin));
  double first = -1, last = -1, gap = 0;
  unsigned crossings = 0;
  bool low = false;
  std::size_t heard = begin;
  for (std::size_t i = begin; i < end; i++) {
    if (std::abs(signal[i]) > peak / 10) {
      gap = std::max(gap, static_cast<double>(i - heard) / rate);
      heard = i;
    }
    if (signal[i] < -peak / 4) low = true;
    if (!low || signal[i] < 0 || signal[i - 1] >= 0) continue;
    low = false;
    last = static_cast<double>(i) - signal[i] / (static_cast<double>(signal[i]) - signal[i - 1]);
    if (crossings++ == 0) first = last;
  }
  tone.longest_gap = std::max(gap, static_cast<double>(end - heard) / rate);
  if (crossings > 1) tone.frequency = (crossings - 1) * static_cast<double>(rate) / (last - first);
}

}  // namespace detail

// The stretches in which either channel sounds, with pauses of at least 50 ms between them; smoothing: frames over
// which the signal is averaged before it is measured.
inline std::vector<Tone> tones(const Recording& recording, const std::vector<float>& channel,
                               std::size_t smoothing = 1) {
  constexpr float kSilent = 0.003f;
  const auto pause = static_cast<std::size_t>(recording.rate / 20);
  const auto signal = detail::smooth(channel, smoothing);
  std::vector<Tone> found;
  std::size_t quiet = pause;
  for (std::size_t i = 0; i < recording.left.size(); i++) {
    if (std::abs(recording.left[i]) < kSilent && std::abs(recording.right[i]) < kSilent) {
      quiet++;
      continue;
    }
    const double now = static_cast<double>(i) / recording.rate;
    if (quiet >= pause) found.push_back({now, now});
    found.back().end = now;
    quiet = 0;
  }
  for (Tone& tone : found) detail::measure(tone, signal, recording.rate);
  return found;
}

}  // namespace relic86::test
