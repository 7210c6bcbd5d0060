#include "cpu/code_blocks.h"

#include <algorithm>

namespace relic86 {

namespace {

constexpr u64 kGranule = 64;

Flow stale(Cpu&, const Insn&) { return Flow::Lookup; }

u64 page_of(BackingOffset offset) { return offset.raw >> kPageShift; }

// The granules of a page that [first, first + length) touches, length 1 or more, within the page.
u64 granules(BackingOffset first, u64 length) {
  const u64 low = (first.raw & (kPageSize - 1)) / kGranule;
  const u64 high = ((first.raw & (kPageSize - 1)) + length - 1) / kGranule;
  return (~u64{0} << low) & (~u64{0} >> (63 - high));
}

// The bytes of a block in its first page.
u64 first_part(const CodeBlock& block) {
  return std::min<u64>(block.bytes, kPageSize - (block.first.raw & (kPageSize - 1)));
}

bool overlaps(const CodeBlock& block, BackingOffset first, u64 length) {
  const auto meets = [&](u64 start, u64 size) { return first.raw < start + size && start < first.raw + length; };
  if (meets(block.first.raw, first_part(block))) return true;
  return block.straddles && meets(block.second_page.raw, block.bytes - first_part(block));
}

}  // namespace

CodeBlocks::CodeBlocks(BackingStore& store)
    : store_(store), table_(kSlots, nullptr), sites_(kSites), rewrites_(kRewriteCounts) {}

CodeBlock* CodeBlocks::find_slow(u64 key) {
  const auto found = blocks_.find(key);
  if (found == blocks_.end()) return nullptr;
  return table_[slot(key)] = found->second.get();
}

CodeBlock* CodeBlocks::insert(std::unique_ptr<CodeBlock> block) {
  if (instructions_ > kMaxInstructionsHeld) make_room();
  // An older block under this key (a straddling one whose second page changed place) gives way.
  if (const auto old = blocks_.find(block->key); old != blocks_.end()) kill(*old->second);
  Insn sentinel;
  sentinel.handler = stale;
  block->insns.push_back(sentinel);
  block->insns.shrink_to_fit();
  instructions_ += block->insns.size();
  ++generation_;
  CodeBlock* const raw = block.get();
  const auto cover = [&](BackingOffset from, u64 length) {
    const u64 covered = granules(from, length);
    pages_[page_of(from)].push_back({covered, raw});
    store_.add_code(BackingOffset(page_of(from) << kPageShift), covered);
  };
  cover(raw->first, first_part(*raw));
  if (raw->straddles) cover(raw->second_page, raw->bytes - first_part(*raw));
  table_[slot(raw->key)] = raw;
  blocks_.emplace(raw->key, std::move(block));
  return raw;
}

void CodeBlocks::kill(CodeBlock& block) {
  if (!block.alive) return;
  block.alive = false;
  ++generation_;
  if (block.translation != nullptr && death_listener_) death_listener_(block);
  for (Insn& insn : block.insns) insn.handler = stale;
  instructions_ -= block.insns.size();
  if (table_[slot(block.key)] == &block) table_[slot(block.key)] = nullptr;
  const auto leave = [&](BackingOffset offset) {
    const auto page = pages_.find(page_of(offset));
    if (page == pages_.end()) return;
    std::erase_if(page->second, [&](const Covering& each) { return each.block == &block; });
    if (page->second.empty()) {
      pages_.erase(page);
      store_.clear_code(BackingOffset(page_of(offset) << kPageShift));
    }
  };
  leave(block.first);
  if (block.straddles) leave(block.second_page);
  const auto owner = blocks_.find(block.key);
  dead_.push_back(std::move(owner->second));
  blocks_.erase(owner);
}

// Every instruction that the write touches takes the new bytes in, or none of the block's does any more.
bool CodeBlocks::patch(CodeBlock& block, BackingOffset first, u64 length) {
  constexpr u64 kMostBytes = 4;
  if (!patcher_.enabled() || block.straddles || length > kMostBytes) return false;
  const u64 end = first.raw + length, page_end = (page_of(block.first) + 1) << kPageShift;
  const bool code32 = (block.key & 1) != 0;
  bool changed = false;
  u64 at = block.first.raw;
  for (std::size_t i = 0; i + 1 < block.insns.size() && at < end; ++i) {
    Insn& insn = block.insns[i];
    const u64 next = at + insn.length;
    if (next > first.raw) {
      const u32 from = first.raw > at ? static_cast<u32>(first.raw - at) : 0;
      const u32 to = static_cast<u32>(std::min(end, next) - at);
      const std::span<const u8> window{store_.host(BackingOffset(at)), page_end - at};
      const auto outcome = patcher_.patch(insn, window, code32, from, to);
      if (outcome == CodePatcher::Outcome::Misfit) return false;
      changed = changed || outcome == CodePatcher::Outcome::Changed;
    }
    at = next;
  }
  if (changed) {
    ++generation_;
    if (block.translation != nullptr && patch_listener_) patch_listener_(block);
  }
  return true;
}

CodeBlocks::Site* CodeBlocks::site(BackingOffset first, u64 length) {
  Site& site = sites_[(first.raw ^ first.raw >> 6) % kSites];
  if (site.first == first.raw && site.length == length && site.generation == generation_) return &site;
  const auto page = pages_.find(page_of(first));
  if (page == pages_.end() || !patcher_.enabled()) return nullptr;
  site = {first.raw, length, 0, {}, {}};
  const u64 touched = granules(first, length);
  for (const auto& [covered, block] : page->second) {
    if ((covered & touched) == 0 || !overlaps(*block, first, length)) continue;
    if (block->straddles) return nullptr;
    u64 at = block->first.raw;
    for (std::size_t i = 0; i + 1 < block->insns.size() && at < first.raw + length; ++i) {
      Insn& insn = block->insns[i];
      if (at + insn.length > first.raw) {
        const u64 from = first.raw - at;  // wraps where the write begins before the instruction: no immediate then
        if (at > first.raw || !CodePatcher::follows(insn, static_cast<u32>(from), static_cast<u32>(from + length))) {
          return nullptr;
        }
        site.insns.push_back(&insn);
        site.bytes.push_back(store_.host(BackingOffset(at + CodePatcher::immediate_offset(insn))));
      }
      at += insn.length;
    }
  }
  site.generation = generation_;
  return &site;
}

bool CodeBlocks::immediates_only(BackingOffset first, u64 length) { return site(first, length) != nullptr; }

void CodeBlocks::invalidate(BackingOffset first, u64 length) {
  if (const Site* const known = site(first, length)) {
    for (std::size_t i = 0; i < known->insns.size(); ++i) CodePatcher::set_immediate(*known->insns[i], known->bytes[i]);
    return;
  }
  const auto page = pages_.find(page_of(first));
  if (page == pages_.end()) return;
  std::vector<CodeBlock*> hit;
  const u64 touched = granules(first, length);
  for (const auto& [covered, block] : page->second) {
    if ((covered & touched) != 0 && overlaps(*block, first, length)) hit.push_back(block);
  }
  if (hit.empty()) return;
  const bool often = rewritten_often(first);
  for (CodeBlock* const block : hit) {
    if (!often || !patch(*block, first, length)) kill(*block);
  }
}

bool CodeBlocks::rewritten_often(BackingOffset first) {
  u8& count = rewrites_[first.raw % kRewriteCounts];
  if (count < kRewritesThatKill) ++count;
  return count == kRewritesThatKill;
}

// Blocks of which no translator has made anything go first: they were run seldom, and are decoded again in no time.
void CodeBlocks::make_room() {
  std::vector<CodeBlock*> cold;
  for (const auto& [key, block] : blocks_) {
    if (block->translation == nullptr) cold.push_back(block.get());
  }
  for (CodeBlock* const block : cold) kill(*block);
  if (instructions_ > kMaxInstructionsHeld / 4 * 3) clear();
}

void CodeBlocks::clear() {
  while (!blocks_.empty()) kill(*blocks_.begin()->second);
}

void CodeBlocks::collect() { dead_.clear(); }

}  // namespace relic86
