// The physical address space of 52 bits: RAM, ROM and memory-mapped registers in 4 KiB pages.
// Reads and writes of one page may go to different places (PAM shadowing: read ROM, write RAM).
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "memory/backing_store.h"
#include "memory/region_handler.h"

namespace relic86 {

// Where one direction (read or write) of a physical page goes.
struct PageTarget {
  enum class Kind : u8 { Unmapped, Backing, Mmio };  // Unmapped: reads give all ones, writes are dropped
  Kind kind = Kind::Unmapped;
  RegionId region = 0;               // Mmio
  unsigned max_width = 4;            // Mmio
  BackingOffset backing{};           // Backing: offset of the page's first byte
  RegionHandler* handler = nullptr;  // Mmio
  u64 region_offset = 0;             // Mmio: offset of the page's first byte in the region
};

// One line of the host's cache: the TLB is filled from it.
struct alignas(64) PhysPage {
  PageTarget read;
  PageTarget write;
};

enum class Priority : u8 { Ram = 0, Rom = 1, Window = 2, Bar = 3, Overlay = 4 };  // a higher one hides a lower one

// A run of physical pages. first and size are multiples of 4 KiB.
struct PhysRange {
  std::string owner;
  PhysAddr first{};
  u64 size = 0;  // 0 unmaps
  Priority priority = Priority::Ram;
  bool affects_read = true;  // PAM: a range may take only one direction
  bool affects_write = true;
  PageTarget read{};  // for the first page; offsets advance by page
  PageTarget write{};
};

// Ready-made ranges.
PhysRange ram_range(std::string owner, PhysAddr first, u64 size, BackingOffset backing,
                    Priority priority = Priority::Ram);
PhysRange rom_range(std::string owner, PhysAddr first, u64 size, BackingOffset backing,
                    Priority priority = Priority::Rom);  // writes dropped
PhysRange mmio_range(std::string owner, PhysAddr first, u64 size, RegionHandler* handler, RegionId region,
                     unsigned max_width, Priority priority = Priority::Window);

class PhysicalBus {
 public:
  explicit PhysicalBus(BackingStore& store);

  // Maps or moves the range with this key (unique per mapping; allocate with new_key()). size 0 unmaps. Two fixed
  // ranges of one priority that overlap are an error naming both owners; movable: the guest placed it, the later
  // mapping wins.
  u32 new_key() { return next_key_++; }
  Result<> map_fixed(u32 key, const PhysRange& range);
  void map_movable(u32 key, const PhysRange& range);

  // A20 gate: false forces address bit 20 to 0 (IBM PC/AT). Reset state: open.
  void set_a20(bool open);
  bool a20() const { return a20_; }
  // Called after any remap or A20 change: the CPU flushes its TLB and links.
  void on_topology_change(std::function<void()> callback) { topology_changed_ = std::move(callback); }

  const PhysPage& page(PhysAddr address) const;  // A20 applied
  // For each 256 KiB: the host's address of a byte there less its physical address (modulo 2^64), if reads and writes
  // of all of it go to one run of the backing store, as those of most RAM do; else 0. A20 is not applied.
  static constexpr unsigned kAddendShift = 18;
  using Addends = std::array<u64, 1u << (32 - kAddendShift)>;
  const Addends& addends() const { return addends_; }

  // One access of 1, 2, 4 or 8 bytes as the CPU makes it; must not cross a page. Splits to the region's max_width.
  u64 read(PhysAddr address, unsigned width);
  void write(PhysAddr address, unsigned width, u64 value);

  // Bus masters, DMA, the debugger and loaders: any length, page by page; MMIO is accessed in pieces of up to 4 bytes.
  // Reports code and dirty pages like any write. Addresses outside memory read all ones and swallow writes.
  void read_block(PhysAddr address, std::span<u8> into);
  void write_block(PhysAddr address, std::span<const u8> from);

  BackingStore& store() { return store_; }
  std::vector<PhysRange> ranges() const;  // every mapping as it is now
  std::string describe() const;           // info mtree

 private:
  static constexpr u32 kTableEntries = 1024;
  static constexpr unsigned kTableShift = 22, kDirectoryShift = 32;  // 4 MiB and 4 GiB
  using Table = std::array<PhysPage, kTableEntries>;
  struct Mapping {
    u32 key;
    u64 order;  // mapping time: later ones win within a priority
    bool fixed;
    PhysRange range;
  };
  void render(u64 first, u64 size);
  void render_low(u64 first, u64 last);
  void forget_high(u64 first, u64 last);
  std::vector<const Mapping*> mappings_over(u64 first, u64 last) const;  // one that hides others comes after them
  static void render_page(u64 address, std::span<const Mapping* const> over, PhysPage& page);
  void find_addend(u64 number);
  const PhysPage& high_page(u64 raw) const;

  BackingStore& store_;
  std::array<std::unique_ptr<Table>, 1024> tables_;
  // By 4 GiB, above the first: tables are made when one of their pages is asked for.
  using Directory = std::array<std::unique_ptr<Table>, 1024>;
  mutable std::vector<std::unique_ptr<Directory>> high_;
  Addends addends_{};
  PhysPage unmapped_;
  std::vector<Mapping> mappings_;
  u32 next_key_ = 1;
  u64 next_order_ = 0;
  bool a20_ = true;
  std::function<void()> topology_changed_;
};

}  // namespace relic86
