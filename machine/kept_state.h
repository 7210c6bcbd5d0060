// A machine's state as it was at one moment of a replay, kept in memory: everything that the run from there depends on.
// What is the same as in the state before is shared with it.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "block/drive_medium.h"
#include "machine/guest_inputs.h"

namespace relic86 {

class KeptMemory {
 public:
  // before: the memory of an earlier state, of the same size; null: there is none.
  KeptMemory(std::span<const u8> memory, const KeptMemory* before);
  void put_back(std::span<u8> memory) const;

 private:
  static constexpr std::size_t kPage = 4096;
  using Page = std::array<u8, kPage>;
  std::vector<std::shared_ptr<const Page>> pages_;  // null: all zeros
};

// The overlays of the drives (-snapshot), by drive.
class KeptOverlays {
 public:
  static Result<KeptOverlays> of(const DriveMedia& media, const KeptOverlays* before);
  Result<> put_back(const DriveMedia& media) const;

 private:
  using Block = std::vector<u8>;
  using Blocks = std::map<u64, std::shared_ptr<const Block>>;  // by offset in the image
  std::map<std::string, Blocks> drives_;
};

struct KeptState {
  u64 instructions = 0;
  std::vector<u8> state;  // Machine::state()
  KeptMemory memory;
  KeptOverlays overlays;
  GuestInputs::Position inputs;
  GuestMoment last_look;
  std::vector<std::deque<std::vector<u8>>> frames;  // that wait, by card
};

}  // namespace relic86
