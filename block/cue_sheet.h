// A cue sheet: the text that says which files hold the tracks of a compact disc (as CDRWIN's manual describes it).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace relic86 {

struct CueTrack {
  enum class Mode : u8 { Audio, Mode1, Mode2 } mode = Mode::Audio;
  u8 number = 1;
  u32 sector_bytes = 2352;    // in the file
  u32 pregap = 0;             // sectors of silence before it that are in no file
  std::optional<u32> index0;  // sectors into its file: a pause before the track that is in the file
  u32 index1 = 0;
};

struct CueFile {
  enum class Kind : u8 { LittleEndian, BigEndian, Wave } kind = Kind::LittleEndian;  // of sound
  std::string name;
  std::vector<CueTrack> tracks;
};

// A name that ends in ".cue".
bool names_cue_sheet(std::string_view file);
// The error says which line, what is wrong and the mend.
Result<std::vector<CueFile>> parse_cue_sheet(std::string_view text);

}  // namespace relic86
