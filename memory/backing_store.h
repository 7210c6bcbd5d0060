// The machine's one host allocation behind all memory that can hold code or pixels: system RAM, then ROM images, then
// video RAM. A BackingOffset names a byte of it, whatever physical or linear addresses show it. Code and dirty pages
// are known by it.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "memory/code_watch.h"

namespace relic86 {

class BackingStore {
 public:
  // Reserves host address space for ram_size bytes of system RAM (a multiple of 4 KiB, may be more than the host has)
  // at BackingOffset 0 and extra_size bytes for allocate(). Zero-filled; the host commits pages as they are touched.
  static Result<BackingStore> create(u64 ram_size, u64 extra_size);
  BackingStore(BackingStore&&) noexcept;
  BackingStore& operator=(BackingStore&&) = delete;
  ~BackingStore();

  // Sets aside size bytes (rounded up to pages) for a ROM or video RAM; the extra_size given to create() is the limit
  // (asserted).
  BackingOffset allocate(u64 size, std::string_view name);

  u64 ram_size() const { return ram_size_; }
  u64 size() const { return used_; }
  u8* host(BackingOffset offset) { return base_ + offset.raw; }
  const u8* host(BackingOffset offset) const { return base_ + offset.raw; }
  std::span<u8> bytes(BackingOffset offset, u64 size) { return {base_ + offset.raw, size}; }
  bool contains(const u8* pointer) const { return pointer >= base_ && pointer < base_ + used_; }
  BackingOffset offset_of(const u8* pointer) const { return BackingOffset(static_cast<u64>(pointer - base_)); }

  // --- Write tracking, per 4 KiB page. While watched(page) a page's stores must go through note_write(). ---
  bool watched(BackingOffset offset) const { return watch_[offset.raw >> kPageShift] != 0; }
  // By page, for translated code; both stay where they are. Watch: 0 unless watched, kWatchCode if for code alone.
  // Code: code_granules.
  static constexpr u8 kWatchCode = 1;
  const u8* watch_bits() const { return watch_.data(); }
  const u64* code_bits() const { return code_.data(); }

  // The page holds decoded or translated code in these 64-byte granules (bit n: bytes 64n to 64n+63). Adding granules
  // may make the page watched: the caller then downgrades the TLB's fast write entries (Tlb::watch).
  void add_code(BackingOffset page, u64 granules);
  // As far as the caller knows, of them only these still do; 0: no code of its own is left in the page. What another
  // code watch holds there stays.
  void keep_code(BackingOffset page, u64 granules);
  u64 code_granules(BackingOffset offset) const { return code_[offset.raw >> kPageShift]; }

  // Display and snapshot tracking: arm marks the pages clean and watched; the first write marks them dirty and
  // unwatched.
  void arm_dirty(BackingOffset first, u64 size);
  bool dirty(BackingOffset offset) const { return dirty_[offset.raw >> kPageShift] != 0; }

  // Every store to a watched page ends here, after the bytes have been changed: CPU slow path, DMA, debugger, state
  // loading. Marks dirty, and tells the code watch when a granule with code was hit. length may run over pages.
  void note_write(BackingOffset first, u64 length);
  // The same for a store that has put there what was there: code stays what it is.
  void note_rewrite(BackingOffset first, u64 length);

  // Every processor's engine is one; all are told of a write, in the order in which they came.
  void add_code_watch(CodeWatch& watch) { code_watches_.push_back(&watch); }
  void remove_code_watch(CodeWatch& watch) { std::erase(code_watches_, &watch); }
  // Told when pages have become watched: whoever stores to them directly (the fast write entries of every processor's
  // TLB) must stop doing so. The key takes the listener away again.
  using WatchListener = std::function<void(BackingOffset first, u64 size)>;
  u32 on_watch(WatchListener listener);
  void forget_watch_listener(u32 key);

 private:
  BackingStore() = default;

  void mark_dirty(u64 page);
  void tell_watched(BackingOffset first, u64 size);

  static constexpr u8 kWatchDirty = 2;
  u8* base_ = nullptr;
  u64 ram_size_ = 0;
  u64 used_ = 0;
  u64 reserved_ = 0;
  std::vector<u8> watch_;  // kWatchCode, kWatchDirty; per page
  std::vector<u64> code_;  // granules with code, per page
  std::vector<u8> dirty_;  // per page
  std::vector<CodeWatch*> code_watches_;
  struct KeyedListener {
    u32 key = 0;
    WatchListener listener;
  };
  std::vector<KeyedListener> watch_listeners_;
  u32 next_key_ = 1;
};

}  // namespace relic86
