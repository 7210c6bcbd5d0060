// Which groups of accesses (jit/analyse/page_plan.h) have their page's host address in a temporary at this point of the
// block.
#pragma once

#include <array>
#include <vector>

#include "jit/x64/block_part.h"

namespace relic86::jit::x64 {

struct SharedPage {
  u16 group = kNoGroup;
  u8 host = 0;  // temporary that holds the host address of the group's lowest byte; 0: none
  bool writable = false;
  bool fixed = false;  // for the whole loop
};

class SharedPages : BlockPart {
 public:
  explicit SharedPages(BlockCode& block);

  void begin_instruction() { pinned_ = 0; }
  SharedPage* find(u16 group);
  SharedPage& add(const SharedPage& page);  // where there is none
  void forget() { pages_ = {}; }            // the block is over

  // The present instruction uses the page: it stays.
  void pin(const SharedPage& page) { pinned_ |= 1u << page.host; }
  // One less is to come of the group's accesses; how many there were.
  u32 count_down(u16 group) { return left_[group]--; }

  // Temporaries by host number, bits: all that are taken, and those that some access to come needs.
  u32 taken() const;
  u32 needed() const;
  // A page that the present instruction does not use gives its temporary; 0: none does.
  u8 evict();

 private:
  std::array<SharedPage, 4> pages_{};
  std::vector<u32> left_;  // accesses to come, by group
  u32 pinned_ = 0;         // temporaries of pages that the present instruction uses
};

}  // namespace relic86::jit::x64
