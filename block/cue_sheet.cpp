// Commands, one a line, indented at will:
//
//   FILE "NAME" BINARY|MOTOROLA|WAVE     TRACK NN AUDIO|MODE1/2048|MODE1/2352|MODE2/2336|MODE2/2352
//   INDEX NN MM:SS:FF                    PREGAP MM:SS:FF, POSTGAP MM:SS:FF
//   REM, CATALOG, CDTEXTFILE, FLAGS, ISRC, PERFORMER, SONGWRITER, TITLE: nothing that is needed here
#include "block/cue_sheet.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "block/compact_disc.h"

namespace relic86 {

namespace {

using Words = std::vector<std::string>;

constexpr u8 kMostTracks = 99;
constexpr u32 kMostMinutes = 99, kSecondsPerMinute = 60;

Words words_of(std::string_view line) {
  Words words;
  for (std::size_t at = 0; at < line.size();) {
    if (std::isspace(static_cast<unsigned char>(line[at])) != 0) {
      at++;
      continue;
    }
    const bool quoted = line[at] == '"';
    if (quoted) at++;
    const std::size_t end = std::min(quoted ? line.find('"', at) : line.find_first_of(" \t\r", at), line.size());
    words.emplace_back(line.substr(at, end - at));
    at = quoted ? end + 1 : end;
  }
  return words;
}

std::optional<u32> number(std::string_view word, u32 most) {
  u32 value = 0;
  if (word.empty() || word.size() > 4) return std::nullopt;
  for (const char digit : word) {
    if (digit < '0' || digit > '9') return std::nullopt;
    value = value * 10 + static_cast<u32>(digit - '0');
  }
  return value <= most ? std::optional(value) : std::nullopt;
}

// "MM:SS:FF" in sectors.
std::optional<u32> sectors(std::string_view word) {
  const auto first = word.find(':'), second = word.rfind(':');
  if (first == std::string_view::npos || second == first) return std::nullopt;
  const auto minutes = number(word.substr(0, first), kMostMinutes);
  const auto seconds = number(word.substr(first + 1, second - first - 1), kSecondsPerMinute - 1);
  const auto frames = number(word.substr(second + 1), kCdFramesPerSecond - 1);
  if (!minutes || !seconds || !frames) return std::nullopt;
  return (*minutes * kSecondsPerMinute + *seconds) * kCdFramesPerSecond + *frames;
}

class CueParser {
 public:
  Result<> take(const Words& words) {
    const std::string& command = words[0];
    if (command == "FILE") return take_file(words);
    if (command == "TRACK") return take_track(words);
    if (command == "INDEX") return take_index(words);
    if (command == "PREGAP") return take_pregap(words);
    constexpr std::array kPassedOver = {"REM",       "CATALOG",    "CDTEXTFILE", "FLAGS",  "ISRC",
                                        "PERFORMER", "SONGWRITER", "TITLE",      "POSTGAP"};
    if (std::find(kPassedOver.begin(), kPassedOver.end(), command) != kPassedOver.end()) return {};
    return Error{fmt::format("'{}' is no command of a cue sheet; is this one?", command)};
  }

  Result<std::vector<CueFile>> finish() {
    if (auto done = finish_track(); !done) return done.error();
    if (last_track_ == 0) return Error{"it has no TRACK; is this a cue sheet?"};
    return std::move(files_);
  }

 private:
  Result<> take_file(const Words& words) {
    if (auto done = finish_track(); !done) return done;
    CueFile file;
    const std::string kind = words.size() == 3 ? words[2] : "";
    if (kind == "WAVE") {
      file.kind = CueFile::Kind::Wave;
    } else if (kind == "MOTOROLA") {
      file.kind = CueFile::Kind::BigEndian;
    } else if (kind != "BINARY") {
      return Error{"give FILE \"NAME\" BINARY, MOTOROLA or WAVE; sound of another kind must be made a WAVE file first"};
    }
    file.name = words[1];
    files_.push_back(std::move(file));
    reached_ = 0;
    return {};
  }

  Result<> take_track(const Words& words) {
    if (auto done = finish_track(); !done) return done;
    if (files_.empty()) return Error{"TRACK stands before any FILE"};
    using Mode = CueTrack::Mode;
    struct Row {
      const char* word;
      Mode mode;
      u32 bytes;
    };
    constexpr Row kRows[] = {{"AUDIO", Mode::Audio, 2352},
                             {"MODE1/2048", Mode::Mode1, 2048},
                             {"MODE1/2352", Mode::Mode1, 2352},
                             {"MODE2/2336", Mode::Mode2, 2336},
                             {"MODE2/2352", Mode::Mode2, 2352}};
    const auto wanted = words.size() == 3 ? number(words[1], kMostTracks) : std::nullopt;
    const Row* const row =
        std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& known) { return words.back() == known.word; });
    if (!wanted || row == std::end(kRows))
      return Error{"give TRACK 1 to 99 and AUDIO, MODE1/2048, MODE1/2352, MODE2/2336 or MODE2/2352"};
    if (*wanted <= last_track_) return Error{"the numbers of tracks must rise"};
    if (row->mode != Mode::Audio && files_.back().kind == CueFile::Kind::Wave)
      return Error{"a WAVE file holds AUDIO tracks alone"};
    last_track_ = static_cast<u8>(*wanted);
    CueTrack track;
    track.number = last_track_;
    track.mode = row->mode;
    track.sector_bytes = row->bytes;
    files_.back().tracks.push_back(track);
    open_ = true;
    return {};
  }

  Result<> take_index(const Words& words) {
    const auto index = words.size() == 3 ? number(words[1], kMostTracks) : std::nullopt;
    const auto at = index ? sectors(words[2]) : std::nullopt;
    if (!at) return Error{"give INDEX 00 to 99 and MM:SS:FF with 75 frames a second"};
    if (!open_) return Error{"INDEX stands before any TRACK of its file"};
    if (*at < reached_) return Error{"the places of indexes must rise"};
    reached_ = *at;
    if (*index == 0) files_.back().tracks.back().index0 = *at;
    if (*index == 1) {
      files_.back().tracks.back().index1 = *at;
      has_index1_ = true;
    }
    return {};
  }

  Result<> take_pregap(const Words& words) {
    const auto length = words.size() == 2 ? sectors(words[1]) : std::nullopt;
    if (!length || !open_) return Error{"give PREGAP MM:SS:FF after a TRACK"};
    files_.back().tracks.back().pregap = *length;
    return {};
  }

  // The track that is open has all that it needs.
  Result<> finish_track() {
    if (open_ && !has_index1_) return Error{fmt::format("track {} has no INDEX 01", last_track_)};
    open_ = has_index1_ = false;
    return {};
  }

  std::vector<CueFile> files_;
  u8 last_track_ = 0;
  u32 reached_ = 0;  // sectors into the file
  bool open_ = false, has_index1_ = false;
};

}  // namespace

bool names_cue_sheet(std::string_view file) {
  constexpr std::string_view kEnding = ".cue";
  if (file.size() < kEnding.size()) return false;
  return std::equal(kEnding.begin(), kEnding.end(), file.end() - kEnding.size(),
                    [](char want, char have) { return want == std::tolower(static_cast<unsigned char>(have)); });
}

Result<std::vector<CueFile>> parse_cue_sheet(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  CueParser parser;
  unsigned line = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const Words words = words_of(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    line++;
    if (words.empty()) continue;
    if (auto taken = parser.take(words); !taken) return Error{fmt::format("line {}: {}", line, taken.message())};
  }
  return parser.finish();
}

}  // namespace relic86
