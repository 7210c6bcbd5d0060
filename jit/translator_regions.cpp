// Regions: a hot path over several blocks becomes one translation. Counted branches or ends of slices find its head, the
// interpreter walks a path from there (jit/region/path.h), and the blocks' IR along that path is compiled as if it were
// one block: one check of the budget, flags that later blocks set are dead, checks of pages are shared and stand before
// the loop, if it is one. What leaves the path is an exit as any other. Links and lookups that led to the head's own
// translation lead to the region, which dies with any of its blocks.
#include "base/assert.h"
#include "jit/record/recorders.h"
#include "jit/translator.h"

namespace relic86::jit {

namespace {

// Of the block alone; null: there is none, or it was refused.
Translation* own_translation(const CodeBlock& block, u32 mode) {
  auto* translation = static_cast<Translation*>(block.translation);
  while (translation != nullptr && (translation->mode != mode || translation->unshared))
    translation = translation->next_mode;
  return translation != nullptr && translation->code != nullptr ? translation : nullptr;
}

}  // namespace

// No region begins here: there is one, none can be made, or the block is a loop by itself.
bool Translator::may_become_head(const Translation& translation) {
  return !translation.is_region() && translation.region == nullptr && !translation.no_region &&
         translation.loop_offset == 0 && !translation.unshared;
}

// The branch that leads to it has been taken often.
void Translator::begin_path(const ExitPoint& branch, Translation& head) {
  // A block that is a loop by itself, before any other way to it was hot, keeps its own code: a region would go round
  // with all that stands behind the loop.
  if (branch.owner == &head) head.no_region = true;
  if (recorder_.active() || !may_become_head(head)) return;
  record_path(head);
}

// From its next execution on.
void Translator::record_path(const Translation& head) {
  recorder_.begin(*head.block, may_go_far(head.mode) && !free_region_keys_.empty() ? Reach::Far : Reach::Page);
  path_mode_ = head.mode;
  path_rip_ = state_.rip;
}

// Regions of the mode's code go over pages: the jump cache's stamps tell whether these are what they were.
bool Translator::may_go_far(u32 mode_number) const {
  return options_.jumps && options_.far_regions && mode_number < JumpCache::kModes &&
         modes_.mode_of(mode_number).caches_jumps();
}

// A slice has ended before this translation, as happens to each by the time that is spent in it. Where it happens often,
// a region may begin that is no loop: whoever leads there comes by the dispatcher the next time.
void Translator::sample(Translation& next) {
  constexpr u8 kSamples = 4;
  if (!options_.regions || !options_.link || next.dead || next.wanted_head || !may_become_head(next)) return;
  if (++next.samples < kSamples && options_.region_threshold != 0) return;
  next.wanted_head = true;
  detach_incoming(next);
  lookups_.remove(lookup_key(next));
  jumps().forget();
}

// While another path is being recorded it goes on as it is, and is sampled again.
void Translator::begin_wanted_path(Translation& head) {
  head.wanted_head = false;
  head.samples = 0;
  if (!recorder_.active() && may_become_head(head)) record_path(head);
}

// The block is the next one of the path that is being recorded: the interpreter runs it. Nothing: the path has ended.
std::optional<Flow> Translator::walk(CodeBlock& block) {
  // Only blocks with a translation report that they die; one without is no part of a hot path either.
  const Translation* const own = mode_number() == path_mode_ ? own_translation(block, path_mode_) : nullptr;
  const u32 place = static_cast<u32>(state_.rip - path_rip_);
  if (own == nullptr || !recorder_.may_enter(block, place)) {
    if (own != nullptr && &block == recorder_.head()) recorder_.close();
    end_path();
    return std::nullopt;
  }
  if (own->region != nullptr) recorder_.enter_region();
  recorder_.enter(block, place);
  const u64 before = cpu_.instruction_count();
  const Flow flow = interpreter_.run_block(block.insns.data());
  const u64 ran = cpu_.instruction_count() - before;
  statistics_.interpreted_instructions += ran;
  if (!recorder_.active()) return flow;  // it has written over itself
  const bool goes_on = flow == Flow::Branched || flow == Flow::Lookup;
  if (!goes_on) recorder_.drop_last();
  if (!goes_on || !recorder_.ran(ran)) end_path();
  return flow;
}

void Translator::end_path() {
  constexpr u8 kTries = 4;
  const std::vector<PathStep> path = recorder_.region();
  const CodeBlock& head = *recorder_.head();
  recorder_.end();
  Translation* const translation = own_translation(head, path_mode_);
  if (translation == nullptr) return;
  if (path.size() >= 2 && make_region(*translation, path)) return;
  // An event may have cut the path short: it is tried again, but not for ever.
  translation->no_region = ++translation->region_tries == kTries;
  detach_incoming(*translation);
}

bool Translator::make_region(Translation& head, const std::vector<PathStep>& path) {
  const i64 start = options_.host_nanoseconds != nullptr ? options_.host_nanoseconds() : 0;
  auto region = std::make_unique<Translation>();
  region->block = head.block;
  region->head = &head;
  region->mode = head.mode;
  region->code_address = head.code_address;
  region->path = path;
  if (may_go_far(head.mode) && !free_region_keys_.empty()) {
    region->key_number = free_region_keys_.back();
    free_region_keys_.pop_back();
    jumps().regions[region->key_number] = 0;
  }
  const bool good = compile(*region) && region->path.size() >= 2;
  if (good && !region->over_pages) give_back_key(*region);
  spend(kTranslation * path.size());  // as for so many blocks
  if (options_.host_nanoseconds != nullptr)
    statistics_.translation_nanoseconds += static_cast<u64>(options_.host_nanoseconds() - start);
  if (!good) {
    ++statistics_.regions_refused;
    region->dead = true;
    dead_.push_back(region.release());
    return false;
  }
  ++statistics_.regions;
  if (region->over_pages) ++statistics_.far_regions;
  statistics_.region_instructions += region->count;
  statistics_.region_bytes += region->code_size;
  if (options_.perf_map) name_for_profilers(*region);
  head.region = region.get();
  regions_.add(*region);
  detach_incoming(head);
  if (options_.indirect) enter_in_lookups(*region);
  jumps().forget();
  region.release();
  return true;
}

void Translator::give_back_key(Translation& region) {
  if (region.key_number == Translation::kNoKey) return;
  free_region_keys_.push_back(region.key_number);
  region.key_number = Translation::kNoKey;
}

// The block's page is one of the region's. False: the path has been through another page at that place.
bool Translator::add_page(BlockIr& region, const PathStep& step) const {
  const i32 place = static_cast<i32>(region.page_offset + step.place);
  const u8* const host = store_.host(BackingOffset(step.block->first.raw & ~u64{kPageSize - 1}));
  const i32 first = place & ~static_cast<i32>(kPageSize - 1);
  if (first == 0) return step.block->first.raw >> kPageShift == region.head_page;
  if (const CodePage* const page = region.page_at(place); page != nullptr) return page->host == host;
  region.pages.push_back({first, host});
  return true;
}

// The guest's code at an offset from the block's first byte.
const u8* Translator::code_at(const BlockIr& ir, u32 offset) const {
  const i32 place = static_cast<i32>(ir.page_offset + offset);
  if (const CodePage* const page = ir.page_at(place); page != nullptr) return page->host + (place - page->first);
  return store_.host(BackingOffset(ir.head_page << kPageShift)) + place;
}

// The instructions of the path, as far as one leads to the next; the path is cut there.
BlockIr Translator::region_ir(std::vector<PathStep>& path, const std::vector<bool>& cold, const Mode& mode) const {
  BlockIr ir = empty_ir(*path.front().block, mode);
  ir.region = true;
  ir.head_instructions = path.front().count;
  const Reach reach = options_.far_regions && mode.caches_jumps() ? Reach::Far : Reach::Page;
  PathFollower follower(ir, mode.code_bytes(), reach);
  for (std::size_t i = 0; i < path.size(); ++i) {
    const PathStep& step = path[i];
    if (i > 0 && (!add_page(ir, step) || !follower.follow(ir.insns.back(), step.place))) {
      path.resize(i);
      break;
    }
    u32 offset = step.place;
    for (u32 k = 0; k < step.count; ++k) {
      record_instruction(ir, step.block->insns[k], offset, cold[ir.insns.size()], mode);
      ir.insns.back().followed_call = follower.call();
      offset = ir.insns.back().end;
      if (!ir.insns.back().leaves || ir.insns.back().cold) continue;
      path.resize(i + 1);
      return ir;
    }
  }
  return ir;
}

// Whoever leads to the translation looks anew where to go.
void Translator::detach_incoming(Translation& translation) {
  for (ExitPoint* const exit : translation.incoming) unlink(*exit);
  translation.incoming.clear();
}

void Translator::detach(ExitPoint& exit) {
  if (exit.linked == nullptr) return;
  std::erase(exit.linked->incoming, &exit);
  unlink(exit);
}

}  // namespace relic86::jit
