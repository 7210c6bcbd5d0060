#include "jit/x64/shared_pages.h"

namespace relic86::jit::x64 {

SharedPages::SharedPages(BlockCode& block) : BlockPart(block) {
  for (const PageGroup& group : ir_.groups) left_.push_back(group.accesses);
}

SharedPage* SharedPages::find(u16 group) {
  for (SharedPage& page : pages_) {
    if (page.host != 0 && page.group == group) return &page;
  }
  return nullptr;
}

// There are no more pages than temporaries.
SharedPage& SharedPages::add(const SharedPage& page) {
  SharedPage* free = &pages_[0];
  for (SharedPage& each : pages_) {
    if (each.host == 0) free = &each;
  }
  return *free = page;
}

u32 SharedPages::taken() const {
  u32 hosts = 0;
  for (const SharedPage& page : pages_) {
    if (page.host != 0) hosts |= 1u << page.host;
  }
  return hosts;
}

u32 SharedPages::needed() const {
  u32 hosts = 0;
  for (const SharedPage& page : pages_) {
    if (page.host != 0 && (page.fixed || left_[page.group] != 0)) hosts |= 1u << page.host;
  }
  return hosts;
}

u8 SharedPages::evict() {
  if (deferring_ && mode_.code64) return 0;  // the block goes on with its pages
  SharedPage* victim = nullptr;
  for (SharedPage& page : pages_) {
    if (page.host == 0 || page.fixed || (pinned_ >> page.host & 1) != 0) continue;
    if (victim == nullptr || left_[page.group] < left_[victim->group]) victim = &page;
  }
  if (victim == nullptr) return 0;
  const u8 host = victim->host;
  victim->host = 0;
  return host;
}

}  // namespace relic86::jit::x64
