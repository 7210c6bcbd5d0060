// A file in the Trace Event Format, which Perfetto, chrome://tracing, speedscope and others open: named spans of guest
// time on tracks.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/guest_clock.h"
#include "base/output_file.h"

namespace relic86 {

// Bytes as a string of JSON, quotes included. Those that are not ASCII are taken for Latin-1: guests may have any.
std::string json_string(std::string_view bytes);

class ChromeTrace {
 public:
  // Tracks of one group stand together; both have numbers from 1 on.
  struct Track {
    unsigned group = 1, number = 1;
  };
  struct Span {
    std::string name;
    std::string_view category;
    GuestTime start = 0, end = 0;
    std::string arguments;  // members of a JSON object: "name": value, ..
  };

  // Errors say the cause alone. most: spans; what comes after so many is left out, with one warning.
  static Result<std::unique_ptr<ChromeTrace>> create(const std::string& path, u64 most);

  void name_group(unsigned group, std::string_view name);
  void name_track(const Track& track, std::string_view name);
  void add(const Track& track, const Span& span);
  // No span is taken any more.
  bool full() const { return spans_ >= most_; }

  // The file is complete, and gets its name. Errors of add() are told here.
  Result<> finish();

 private:
  ChromeTrace(OutputFile file, u64 most) : file_(std::move(file)), most_(most) {}
  void name(std::string_view what, const Track& track, std::string_view name);
  void put(std::string_view event);
  void flush();

  OutputFile file_;
  const u64 most_;
  u64 spans_ = 0;
  std::string waiting_;  // text that is not written yet
  bool first_ = true;    // event
  Result<> trouble_;     // the first, after which nothing is written
};

}  // namespace relic86
