// The 64 KB I/O port space. Unmapped reads give all ones and are logged once per port (-d unimp).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "memory/region_handler.h"

namespace relic86 {

// A run of ports that belongs to one handler.
struct IoRange {
  std::string owner;  // for messages and info mtree
  IoPort first{};
  u32 count = 0;  // 1 to 65536
  RegionHandler* handler = nullptr;
  RegionId region = 0;
  unsigned max_width = 1;  // 1, 2 or 4 bytes: wider accesses are split
};

class IoSpace {
 public:
  IoSpace();

  // Maps ports that stay where they are. An overlap with another fixed range is an error that names both owners.
  Result<> map_fixed(const IoRange& range);
  // Maps ports that the guest moves (BARs, PM base). They win over nothing: a fixed range shadows them. count 0 unmaps.
  // key: from new_key(), one range per key; mapping again moves the range.
  u32 new_key() { return next_key_++; }
  void map_movable(u32 key, const IoRange& range);

  u32 read(IoPort port, unsigned width);               // width 1, 2, 4
  void write(IoPort port, unsigned width, u32 value);  // an access that runs over FFFFh wraps to port 0

  // Every range as it is mapped now, movable ones first.
  const std::vector<IoRange>& ranges() const { return ranges_; }
  std::string describe() const;  // info mtree

 private:
  const IoRange* find(u16 port) const;
  void rebuild();

  std::vector<IoRange> fixed_;
  struct Movable {
    u32 key;
    IoRange range;
  };
  std::vector<Movable> movable_;
  u32 next_key_ = 0x1000;   // small keys were chosen by callers
  std::vector<u16> index_;  // per port: 0 unmapped, else 1 + position in ranges_
  std::vector<IoRange> ranges_;
};

}  // namespace relic86
