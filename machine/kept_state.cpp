#include "machine/kept_state.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace relic86 {

namespace {

bool all_zero(const u8* bytes, std::size_t size) {
  return bytes[0] == 0 && std::memcmp(bytes, bytes + 1, size - 1) == 0;
}

}  // namespace

KeptMemory::KeptMemory(std::span<const u8> memory, const KeptMemory* before) {
  RELIC86_ASSERT(memory.size() % kPage == 0);
  pages_.resize(memory.size() / kPage);
  RELIC86_ASSERT(before == nullptr || before->pages_.size() == pages_.size());
  for (std::size_t i = 0; i < pages_.size(); i++) {
    const u8* const now = memory.data() + i * kPage;
    if (before != nullptr && before->pages_[i] != nullptr && std::memcmp(before->pages_[i]->data(), now, kPage) == 0) {
      pages_[i] = before->pages_[i];
    } else if (!all_zero(now, kPage)) {
      auto page = std::make_shared<Page>();
      std::memcpy(page->data(), now, kPage);
      pages_[i] = std::move(page);
    }
  }
}

// Pages that are as they were are left alone: the host has not committed those that were never used.
void KeptMemory::put_back(std::span<u8> memory) const {
  RELIC86_ASSERT(memory.size() == pages_.size() * kPage);
  for (std::size_t i = 0; i < pages_.size(); i++) {
    u8* const now = memory.data() + i * kPage;
    if (pages_[i] == nullptr) {
      if (!all_zero(now, kPage)) std::memset(now, 0, kPage);
    } else if (std::memcmp(now, pages_[i]->data(), kPage) != 0) {
      std::memcpy(now, pages_[i]->data(), kPage);
    }
  }
}

Result<KeptOverlays> KeptOverlays::of(const DriveMedia& media, const KeptOverlays* before) {
  KeptOverlays kept;
  for (const auto& [drive, medium] : media) {
    const OverlayImage* const overlay = medium->overlay();
    if (overlay == nullptr) continue;
    const Blocks none;
    const Blocks& old = before != nullptr && before->drives_.contains(drive) ? before->drives_.at(drive) : none;
    Blocks& blocks = kept.drives_[drive];
    auto visited = overlay->visit([&](u64 offset, std::span<const u8> bytes) -> Result<> {
      const auto known = old.find(offset);
      const bool same = known != old.end() && std::ranges::equal(*known->second, bytes);
      blocks[offset] = same ? known->second : std::make_shared<const Block>(bytes.begin(), bytes.end());
      return {};
    });
    if (!visited) return visited.error();
  }
  return kept;
}

Result<> KeptOverlays::put_back(const DriveMedia& media) const {
  for (const auto& [drive, medium] : media) {
    OverlayImage* const overlay = medium->overlay();
    if (overlay == nullptr) continue;
    if (auto cleared = overlay->clear(); !cleared) return cleared;
    const auto blocks = drives_.find(drive);
    if (blocks == drives_.end()) continue;
    for (const auto& [offset, block] : blocks->second) {
      if (auto written = overlay->write(offset, *block); !written) return written;
    }
  }
  return {};
}

}  // namespace relic86
