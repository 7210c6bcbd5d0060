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
  // Of them only these still do; 0: no code is left in the page.
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

  void set_code_watch(CodeWatch* watch) { code_watch_ = watch; }
  // Told when pages have become watched: whoever stores to them directly (the TLB's fast write entries) must stop doing
  // so.
  void on_watch(std::function<void(BackingOffset first, u64 size)> listener) { watch_listener_ = std::move(listener); }

 private:
  BackingStore() = default;

  void mark_dirty(u64 page);

  static constexpr u8 kWatchDirty = 2;
  u8* base_ = nullptr;
  u64 ram_size_ = 0;
  u64 used_ = 0;
  u64 reserved_ = 0;
  std::vector<u8> watch_;  // kWatchCode, kWatchDirty; per page
  std::vector<u64> code_;  // granules with code, per page
  std::vector<u8> dirty_;  // per page
  CodeWatch* code_watch_ = nullptr;
  std::function<void(BackingOffset, u64)> watch_listener_;
};

}  // namespace relic86
