// Flags that a block leaves behind without writing them home: the steps of the block, by number. They hold as long as
// the next block has not changed the registers that the steps name (Translation::entry_clobbers).
#pragma once

#include <vector>

#include "base/types.h"

namespace relic86::jit {

struct Translation;

struct FlagRecord {
  const Translation* owner = nullptr;
  u16 first_step = 0, last_step = 0;
};

class FlagRecords {
 public:
  // Numbers are below 2^29, so that home_of() is a positive 32-bit immediate.
  u32 add(const FlagRecord& record) {
    if (free_.empty()) {
      records_.push_back(record);
      return static_cast<u32>(records_.size() - 1);
    }
    const u32 number = free_.back();
    free_.pop_back();
    records_[number] = record;
    return number;
  }
  void remove(u32 number) {
    records_[number] = {};
    free_.push_back(number);
  }
  const FlagRecord& operator[](u32 number) const { return records_[number]; }

  // What EngineArea::home_step holds for a record; steps written home have bit 0 set, and not this one.
  static constexpr u32 kRecord = 2;
  static constexpr u32 home_of(u32 number) { return number << 2 | kRecord; }
  static constexpr bool is_record(u32 home_step) { return (home_step & 3) == kRecord; }
  static constexpr u32 number_of(u32 home_step) { return home_step >> 2; }

 private:
  std::vector<FlagRecord> records_;
  std::vector<u32> free_;
};

}  // namespace relic86::jit
