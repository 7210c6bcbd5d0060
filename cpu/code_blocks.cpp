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

CodeBlocks::CodeBlocks(BackingStore& store) : store_(store), table_(kSlots, nullptr) {}

CodeBlock* CodeBlocks::find_slow(u64 key) {
  const auto found = blocks_.find(key);
  if (found == blocks_.end()) return nullptr;
  return table_[slot(key)] = found->second.get();
}

CodeBlock* CodeBlocks::insert(std::unique_ptr<CodeBlock> block) {
  if (instructions_ > kMaxInstructionsHeld) clear();
  // An older block under this key (a straddling one whose second page changed place) gives way.
  if (const auto old = blocks_.find(block->key); old != blocks_.end()) kill(*old->second);
  Insn sentinel;
  sentinel.handler = stale;
  block->insns.push_back(sentinel);
  instructions_ += block->insns.size();
  CodeBlock* const raw = block.get();
  pages_[page_of(raw->first)].push_back(raw);
  store_.add_code(BackingOffset(page_of(raw->first) << kPageShift), granules(raw->first, first_part(*raw)));
  if (raw->straddles) {
    pages_[page_of(raw->second_page)].push_back(raw);
    store_.add_code(raw->second_page, granules(raw->second_page, raw->bytes - first_part(*raw)));
  }
  table_[slot(raw->key)] = raw;
  blocks_.emplace(raw->key, std::move(block));
  return raw;
}

void CodeBlocks::kill(CodeBlock& block) {
  if (!block.alive) return;
  block.alive = false;
  if (block.translation != nullptr && death_listener_) death_listener_(block);
  for (Insn& insn : block.insns) insn.handler = stale;
  instructions_ -= block.insns.size();
  if (table_[slot(block.key)] == &block) table_[slot(block.key)] = nullptr;
  const auto leave = [&](BackingOffset offset) {
    const auto page = pages_.find(page_of(offset));
    if (page == pages_.end()) return;
    std::erase(page->second, &block);
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

void CodeBlocks::invalidate(BackingOffset first, u64 length) {
  const auto page = pages_.find(page_of(first));
  if (page == pages_.end()) return;
  std::vector<CodeBlock*> hit;
  for (CodeBlock* const block : page->second) {
    if (overlaps(*block, first, length)) hit.push_back(block);
  }
  for (CodeBlock* const block : hit) kill(*block);
}

void CodeBlocks::clear() {
  while (!blocks_.empty()) kill(*blocks_.begin()->second);
}

void CodeBlocks::collect() { dead_.clear(); }

}  // namespace relic86
