// RAM, a bus and an MMU without a processor, for the tests of memory/. Page tables are built by hand in low RAM.
#pragma once

#include <sys/mman.h>

#include <vector>

#include "memory/mmu.h"

namespace relic86 {

// Answers reads with the offset's low bytes and remembers every access.
struct RecordingHandler final : RegionHandler {
  struct Access {
    char kind;
    RegionId region;
    u64 offset;
    unsigned width;
    u64 value;
    friend bool operator==(const Access&, const Access&) = default;
  };
  std::vector<Access> log;

  u64 read(RegionId region, u64 offset, unsigned width) override {
    const u64 value = 0x8877665544332211u + offset;
    log.push_back({'r', region, offset, width, value & all_ones(width)});
    return value;
  }
  void write(RegionId region, u64 offset, unsigned width, u64 value) override {
    log.push_back({'w', region, offset, width, value});
  }
};

struct RecordingCodeWatch final : CodeWatch {
  struct Hit {
    u64 first;
    u64 length;
    friend bool operator==(const Hit&, const Hit&) = default;
  };
  std::vector<Hit> hits;
  void code_written(BackingOffset first, u64 length) override { hits.push_back({first.raw, length}); }
  u64 held = 0;  // granules, in every page
  u64 code_held(BackingOffset, u64 granules) const override { return held & granules; }
};

// Page-table entry bits.
inline constexpr u64 kP = 1, kW = 2, kU = 4, kA = 0x20, kD = 0x40, kPs = 0x80, kG = 0x100, kNx = u64{1} << 63;
inline constexpr Privilege kSupervisor = Privilege::Supervisor, kUser = Privilege::User;

class MemoryBoard {
 public:
  static constexpr u64 kRam = 16u << 20, kExtra = 1u << 20;
  // 32-bit paging: a directory and one table, for linear 4 to 8 MiB. PAE: a directory per GiB and one table, for linear
  // 2 to 4 MiB.
  static constexpr u32 kDirectory = 0x1000, kTable = 0x2000;
  static constexpr u32 kPointers = 0x4000, kPaeDirectory = 0x5000, kPaeTable = 0x9000;

  explicit MemoryBoard(u32 cap = kDefaultTlbCap)
      : tables_(mmap(nullptr, sizeof(TlbTables), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                     -1, 0)),
        store(BackingStore::create(kRam, kExtra).value()),
        bus(store),
        mmu(*static_cast<TlbTables*>(tables_), bus, cap) {
    RELIC86_ASSERT(bus.map_fixed(bus.new_key(), ram_range("ram", PhysAddr(0), kRam, BackingOffset(0))).ok());
    bus.on_topology_change([this] { mmu.flush_all(); });
  }
  ~MemoryBoard() { munmap(tables_, sizeof(TlbTables)); }
  MemoryBoard(const MemoryBoard&) = delete;
  MemoryBoard& operator=(const MemoryBoard&) = delete;

  u64 entry(u32 at, unsigned width = 4) { return bus.read(PhysAddr(at), width); }
  void set_entry(u32 at, u64 value, unsigned width = 4) { bus.write(PhysAddr(at), width, value); }

  // 32-bit paging, write protection on.
  PagingMode paging_mode() const {
    PagingMode mode;
    mode.enabled = mode.write_protect = true;
    return mode;
  }
  void page32(const PagingMode& mode) {
    set_entry(kDirectory + 4, kTable | kP | kW | kU);
    mmu.set_mode(mode);
    RELIC86_ASSERT(mmu.load_cr3(kDirectory));
  }
  void page32() { page32(paging_mode()); }
  // linear: 4 to 8 MiB.
  static u32 table_entry(u32 linear) { return kTable + (linear >> 12 & 0x3FF) * 4; }
  void map(u32 linear, u64 entry_value) { set_entry(table_entry(linear), entry_value); }

  void page_pae(PagingMode mode) {
    mode.pae = true;
    for (u32 i = 0; i < 4; i++) set_entry(kPointers + i * 8, (kPaeDirectory + i * 0x1000) | kP, 8);
    set_entry(kPaeDirectory + 8, kPaeTable | kP | kW | kU, 8);
    mmu.set_mode(mode);
    RELIC86_ASSERT(mmu.load_cr3(kPointers));
  }
  static u32 pae_table_entry(u32 linear) { return kPaeTable + (linear >> 12 & 0x1FF) * 8; }
  void map_pae(u32 linear, u64 entry_value) { set_entry(pae_table_entry(linear), entry_value, 8); }

  template <class T>
  bool read(u32 linear, T& value, Privilege privilege = kSupervisor) {
    return mmu.read(LinAddr(linear), value, privilege);
  }
  template <class T>
  bool write(u32 linear, T value, Privilege privilege = kSupervisor) {
    return mmu.write(LinAddr(linear), value, privilege);
  }
  bool can_read(u32 linear, Privilege privilege = kSupervisor) {
    u8 value = 0;
    return read(linear, value, privilege);
  }
  u64 read_entry(u32 linear, Privilege privilege = kSupervisor) {
    return mmu.tlb().read_entry(LinAddr(linear), privilege);
  }
  u64 write_entry(u32 linear, Privilege privilege = kSupervisor) {
    return mmu.tlb().write_entry(LinAddr(linear), privilege);
  }

 private:
  void* tables_;

 public:
  BackingStore store;
  PhysicalBus bus;
  Mmu mmu;
};

}  // namespace relic86
