#include "cpu/code_blocks.h"

#include <algorithm>
#include <bit>

namespace relic86 {

namespace {

constexpr u64 kGranule = 64;

Flow stale(Cpu&, const Insn&) { return Flow::Lookup; }

u64 page_of(BackingOffset offset) { return offset.raw >> kPageShift; }

// The granules that the bytes [first, end) of a page touch, at least one.
u64 granules(u64 first, u64 end) {
  const u64 low = first / kGranule, high = (end - 1) / kGranule;
  return (~u64{0} << low) & (~u64{0} >> (63 - high));
}

}  // namespace

CodeBlocks::CodeBlocks(BackingStore& store)
    : store_(store),
      table_(kSlots),
      heat_(kSlots),
      sites_(kSites),
      rewrites_(kRewriteCounts),
      unkept_runs_(kRewriteCounts),
      met_(std::size_t{1} << kMetBits) {}

u8& CodeBlocks::unkept_runs(BackingOffset first) { return unkept_runs_[first.raw / kGranule % kRewriteCounts]; }

bool CodeBlocks::runs_first(BackingOffset first) {
  const std::size_t place = hash(first.raw, kMetBits);
  if (met_[place]) return false;
  if (++met_count_ > kMostMet) {
    met_.assign(met_.size(), false);
    met_count_ = 1;
  }
  met_[place] = true;
  return true;
}

bool CodeBlocks::passes_unkept(BackingOffset first) {
  u8& left = unkept_runs(first);
  if (left == 0) return runs_first(first);
  --left;
  return true;
}

CodeBlock* CodeBlocks::insert(std::unique_ptr<CodeBlock> block) {
  if (instructions_ > room_) make_room();
  // An older block under this key (a straddling one whose second page changed place) gives way.
  if (CodeBlock* const old = find(block->key); old != nullptr) kill(*old);
  Insn sentinel;
  sentinel.handler = stale;
  block->insns.push_back(sentinel);
  instructions_ += block->insns.size();
  ++generation_;
  CodeBlock* const raw = block.get();
  enter_page(raw->first, raw->bytes_in_first_page(), *raw);
  if (raw->straddles) enter_page(raw->second_page, raw->bytes - raw->bytes_in_first_page(), *raw);
  std::unique_ptr<CodeBlock>& first = table_[slot(raw->key)];
  raw->next = std::move(first);
  first = std::move(block);
  ++live_;
  return raw;
}

std::span<const CodeBlocks::Stretch> CodeBlocks::PageCode::near(u64 at, u64 length) const {
  const auto begin = std::ranges::partition_point(stretches, [&](const Stretch& s) { return s.first + longest <= at; });
  const auto end =
      std::partition_point(begin, stretches.end(), [&](const Stretch& s) { return s.first < at + length; });
  return {begin, end};
}

void CodeBlocks::enter_page(BackingOffset first, u64 length, CodeBlock& block) {
  const u64 at = first.raw & (kPageSize - 1);
  PageCode& page = pages_[page_of(first)];
  const Stretch stretch{static_cast<u16>(at), static_cast<u16>(at + length), &block};
  page.stretches.insert(std::ranges::upper_bound(page.stretches, stretch.first, {}, &Stretch::first), stretch);
  page.longest = std::max(page.longest, static_cast<u16>(length));
  store_.add_code(BackingOffset(first.raw - at), granules(at, at + length));
}

// The granules that no other block of the page holds are free of code again.
void CodeBlocks::leave_page(BackingOffset in_page, const CodeBlock& block) {
  const auto found = pages_.find(page_of(in_page));
  if (found == pages_.end()) return;
  PageCode& page = found->second;
  const auto own = std::ranges::find(page.stretches, &block, &Stretch::block);
  if (own == page.stretches.end()) return;
  const u64 left = granules(own->first, own->end), low = own->first / kGranule * kGranule;
  const u64 reach = (own->end + kGranule - 1) / kGranule * kGranule - low;
  page.stretches.erase(own);
  u64 held = 0;
  for (const Stretch& each : page.near(low, reach)) held |= granules(each.first, each.end);
  if (page.stretches.empty()) pages_.erase(found);
  store_.keep_code(BackingOffset(page_of(in_page) << kPageShift), held | ~left);
}

u64 CodeBlocks::held(BackingOffset page, u64 wanted) const {
  const auto found = pages_.find(page_of(page));
  if (found == pages_.end() || wanted == 0) return 0;
  const u64 low = static_cast<u64>(std::countr_zero(wanted)), high = static_cast<u64>(std::bit_width(wanted));
  u64 held = 0;
  for (const Stretch& each : found->second.near(low * kGranule, (high - low) * kGranule))
    held |= granules(each.first, each.end);
  return held & wanted;
}

void CodeBlocks::kill(CodeBlock& block) {
  if (!block.alive) return;
  block.alive = false;
  heat(block) = 0;
  ++generation_;
  if (block.translation != nullptr && death_listener_) death_listener_(block);
  for (Insn& insn : block.insns) insn.handler = stale;
  instructions_ -= block.insns.size();
  leave_page(block.first, block);
  if (block.straddles) leave_page(block.second_page, block);
  std::unique_ptr<CodeBlock>* owner = &table_[slot(block.key)];
  while (owner->get() != &block) owner = &(*owner)->next;
  dead_.push_back(std::move(*owner));
  *owner = std::move(block.next);
  --live_;
}

// Every instruction that the write touches takes the new bytes in, or none of the block's does any more.
bool CodeBlocks::patch(CodeBlock& block, BackingOffset first, u64 length, std::optional<BackingOffset> writer) {
  constexpr u64 kMostBytes = 4;
  if (!patcher_.enabled() || block.straddles || length > kMostBytes) return false;
  const u64 end = first.raw + length, page_end = (page_of(block.first) + 1) << kPageShift;
  const CodeSize size = size_of(block.key);
  bool changed = false;
  u64 at = block.first.raw;
  for (std::size_t i = 0; i + 1 < block.insns.size() && at < end; ++i) {
    Insn& insn = block.insns[i];
    const u64 next = at + insn.length;
    if (next > first.raw) {
      if (writer == BackingOffset(at)) return false;
      const u32 from = first.raw > at ? static_cast<u32>(first.raw - at) : 0;
      const u32 to = static_cast<u32>(std::min(end, next) - at);
      const std::span<const u8> window{store_.host(BackingOffset(at)), page_end - at};
      const u32 immediate = CodePatcher::immediate_offset(insn);
      const auto outcome = patcher_.patch(insn, window, size, from, to);
      if (outcome == CodePatcher::Outcome::Misfit) return false;
      changed = changed || outcome == CodePatcher::Outcome::Changed;
      if (CodePatcher::immediate_offset(insn) != immediate) ++generation_;
    }
    at = next;
  }
  if (changed && block.translation != nullptr && patch_listener_) patch_listener_(block);
  return true;
}

CodeBlocks::Site* CodeBlocks::site(BackingOffset first, u64 length) {
  Site& site = sites_[(first.raw ^ first.raw >> 6) % kSites];
  if (site.first == first.raw && site.length == length && site.generation == generation_) return &site;
  const auto page = pages_.find(page_of(first));
  if (page == pages_.end() || !patcher_.enabled()) return nullptr;
  site = {first.raw, length, 0, {}, {}};
  for (const Stretch& each : page->second.near(first.raw & (kPageSize - 1), length)) {
    if (!each.meets(first, length)) continue;
    CodeBlock* const block = each.block;
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

bool CodeBlocks::worth_keeping(const CodeBlock& block) const {
  return !patcher_.enabled() || block.translation != nullptr || heat(block) >= kRunsUnkept;
}

void CodeBlocks::invalidate(BackingOffset first, u64 length, std::optional<BackingOffset> writer) {
  if (const Site* const known = site(first, length)) {
    for (std::size_t i = 0; i < known->insns.size(); ++i) CodePatcher::set_immediate(*known->insns[i], known->bytes[i]);
    return;
  }
  const auto page = pages_.find(page_of(first));
  if (page == pages_.end()) return;
  hit_.clear();
  for (const Stretch& each : page->second.near(first.raw & (kPageSize - 1), length)) {
    if (each.meets(first, length)) hit_.push_back(each.block);
  }
  if (hit_.empty()) return;
  const Rewritten how = count_rewrite(first);
  for (CodeBlock* const block : hit_) {
    if (how == Rewritten::Often && patch(*block, first, length, writer)) continue;
    if (length <= kSmallWrite && !worth_keeping(*block)) unkept_runs(block->first) = kRunsUnkept;
    kill(*block);
  }
}

CodeBlocks::Rewritten CodeBlocks::count_rewrite(BackingOffset first) {
  u8& count = rewrites_[first.raw % kRewriteCounts];
  if (count < kRewritesThatKill) ++count;
  return count == kRewritesThatKill ? Rewritten::Often : Rewritten::Seldom;
}

// Blocks of which no translator has made anything go first: they were run seldom, and are decoded again in no time.
void CodeBlocks::make_room() {
  std::vector<CodeBlock*> cold;
  for (const auto& first : table_) {
    for (CodeBlock* block = first.get(); block != nullptr; block = block->next.get()) {
      if (block->translation == nullptr) cold.push_back(block);
    }
  }
  for (CodeBlock* const block : cold) kill(*block);
  if (instructions_ > room_ / 4 * 3) clear();
}

void CodeBlocks::clear() {
  for (const auto& first : table_) {
    while (first != nullptr) kill(*first);
  }
}

void CodeBlocks::collect() { dead_.clear(); }

}  // namespace relic86
