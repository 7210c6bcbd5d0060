#include "memory/paging.h"

#include <array>
#include <cstring>
#include <span>

namespace relic86 {
namespace {

// Bits of entries at every level (SDM 3A tables 4-4 to 4-6 and 4-8 to 4-11).
constexpr u64 kP = 1, kW = 2, kU = 4, kA = 1u << 5, kD = 1u << 6, kPs = 1u << 7, kG = 1u << 8, kNx = u64{1} << 63;
constexpr u64 kWideAddress = ((u64{1} << 52) - 1) & ~u64{0xFFF};  // of 8-byte entries: those that are not reserved

// Bits 51:MAXPHYADDR.
constexpr u64 beyond(unsigned physical_bits) { return ((u64{1} << 52) - 1) & ~((u64{1} << physical_bits) - 1); }

struct Entry {
  PhysAddr at{};
  u64 value = 0;
  unsigned width = 4;
};

// Tables lie in memory as a rule.
Entry load(PhysicalBus& bus, PhysAddr at, unsigned width) {
  const PageTarget& target = bus.page(at).read;
  if (target.kind != PageTarget::Kind::Backing) [[unlikely]]
    return {at, bus.read(at, width), width};
  const u8* const host = bus.store().host(target.backing) + (at.raw & (kPageSize - 1));
  if (width == 8) {
    u64 value = 0;
    std::memcpy(&value, host, sizeof value);
    return {at, value, width};
  }
  u32 value = 0;
  std::memcpy(&value, host, sizeof value);
  return {at, value, width};
}

template <class T>
bool exchange_if_equal(u8* place, u64 before, u64 after) {
  T expected = static_cast<T>(before);
  return __atomic_compare_exchange_n(reinterpret_cast<T*>(place), &expected, static_cast<T>(after), false,
                                     __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

// A locked access (SDM 3A 8.1.2.1): other processors may be writing the entry. False: one has.
bool set(PhysicalBus& bus, const Entry& entry, u64 bits) {
  if ((entry.value & bits) == bits) return true;
  const u64 wanted = entry.value | bits, in_page = entry.at.raw & (kPageSize - 1);
  const PageTarget& source = bus.page(entry.at).read;
  const PageTarget& target = bus.page(entry.at).write;
  const bool memory = source.kind == PageTarget::Kind::Backing && target.kind == PageTarget::Kind::Backing &&
                      source.backing == target.backing;
  if (!memory || in_page % entry.width != 0) [[unlikely]] {
    bus.write(entry.at, entry.width, wanted);
    return true;
  }
  const BackingOffset at = target.backing + in_page;
  u8* const host = bus.store().host(at);
  const bool done = entry.width == sizeof(u64) ? exchange_if_equal<u64>(host, entry.value, wanted)
                                               : exchange_if_equal<u32>(host, entry.value, wanted);
  if (done && bus.store().watched(at)) bus.store().note_write(at, entry.width);
  return done;
}

u32 base_code(const PagingMode& mode, const WalkRequest& request) {
  u32 code = request.user ? kFaultUser : 0u;
  if (request.access == Access::Write) code |= kFaultWrite;
  if (request.access == Access::Execute && ((mode.pae && mode.no_execute) || mode.smep)) code |= kFaultFetch;
  return code;
}

struct Walk : WalkResult {
  bool again = false;  // another processor has changed an entry meanwhile
};

Walk fail(const PagingMode& mode, const WalkRequest& request, u32 bits) {
  Walk result;
  result.error_code = base_code(mode, request) | bits;
  return result;
}

bool allowed(const PagingMode& mode, const WalkRequest& request, const WalkResult& page) {
  if (request.user) {
    if (!page.user) return false;
  } else if (page.user) {
    if (request.access == Access::Execute ? mode.smep : mode.smap && !request.smap_override) return false;
  }
  if (request.access == Access::Execute) return !page.no_execute;
  if (request.access == Access::Write) return page.writable || (!request.user && !mode.write_protect);
  return true;
}

// The leaf and the entries above it are known: check rights, set bits.
Walk finish(PhysicalBus& bus, const PagingMode& mode, const WalkRequest& request, Walk page,
            std::span<const Entry> upper, const Entry& leaf, bool set_bits) {
  if (!allowed(mode, request, page)) return fail(mode, request, kFaultPresent);
  page.ok = true;
  page.global = mode.global_pages && (leaf.value & kG) != 0;
  const bool write = request.access == Access::Write;
  page.dirty = (leaf.value & kD) != 0 || (write && set_bits);
  if (set_bits) {
    for (const Entry& each : upper) page.again = page.again || !set(bus, each, kA);
    page.again = page.again || !set(bus, leaf, write ? kA | kD : kA);
  }
  return page;
}

Walk walk_32bit(PhysicalBus& bus, const PagingMode& mode, const PageTables& tables, const WalkRequest& request,
                bool set_bits) {
  const u32 linear = static_cast<u32>(request.address.raw);
  const Entry directory = load(bus, PhysAddr((tables.cr3 & 0xFFFFF000u) + (linear >> 22) * 4), 4);
  if ((directory.value & kP) == 0) return fail(mode, request, 0);
  Walk page;
  page.writable = (directory.value & kW) != 0;
  page.user = (directory.value & kU) != 0;
  if (mode.page_size && (directory.value & kPs) != 0) {
    // Bits 16:13 are physical address bits 35:32 (PSE-36), 21:17 are reserved.
    if ((directory.value & 0x3E0000u) != 0) return fail(mode, request, kFaultPresent | kFaultReserved);
    page.large = true;
    page.physical =
        PhysAddr((directory.value & 0xFFC00000u) | (directory.value >> 13 & 0xF) << 32 | (linear & 0x3FF000u));
    return finish(bus, mode, request, page, {}, directory, set_bits);
  }
  const Entry leaf = load(bus, PhysAddr((directory.value & 0xFFFFF000u) + (linear >> 12 & 0x3FF) * 4), 4);
  if ((leaf.value & kP) == 0) return fail(mode, request, 0);
  page.writable = page.writable && (leaf.value & kW) != 0;
  page.user = page.user && (leaf.value & kU) != 0;
  page.physical = PhysAddr(leaf.value & 0xFFFFF000u);
  return finish(bus, mode, request, page, {&directory, 1}, leaf, set_bits);
}

Walk walk_pae(PhysicalBus& bus, const PagingMode& mode, const PageTables& tables, const WalkRequest& request,
              bool set_bits) {
  const u32 linear = static_cast<u32>(request.address.raw);
  const u64 pointer = tables.pdptes[linear >> 30];
  if ((pointer & kP) == 0) return fail(mode, request, 0);
  constexpr u64 kAbove = 0x7FF0000000000000;  // bits 62:52
  const u64 reserved = kAbove | beyond(mode.physical_bits) | (mode.no_execute ? 0 : kNx);
  const Entry directory = load(bus, PhysAddr((pointer & kWideAddress) + (linear >> 21 & 0x1FF) * 8), 8);
  if ((directory.value & kP) == 0) return fail(mode, request, 0);
  Walk page;
  page.writable = (directory.value & kW) != 0;
  page.user = (directory.value & kU) != 0;
  page.no_execute = (directory.value & kNx) != 0;
  if ((directory.value & reserved) != 0) return fail(mode, request, kFaultPresent | kFaultReserved);
  if ((directory.value & kPs) != 0) {
    if ((directory.value & 0x1FE000u) != 0) return fail(mode, request, kFaultPresent | kFaultReserved);
    page.large = true;
    page.physical = PhysAddr((directory.value & kWideAddress & ~u64{0x1FFFFF}) | (linear & 0x1FF000u));
    return finish(bus, mode, request, page, {}, directory, set_bits);
  }
  const Entry leaf = load(bus, PhysAddr((directory.value & kWideAddress) + (linear >> 12 & 0x1FF) * 8), 8);
  if ((leaf.value & kP) == 0) return fail(mode, request, 0);
  if ((leaf.value & reserved) != 0) return fail(mode, request, kFaultPresent | kFaultReserved);
  page.writable = page.writable && (leaf.value & kW) != 0;
  page.user = page.user && (leaf.value & kU) != 0;
  page.no_execute = page.no_execute || (leaf.value & kNx) != 0;
  page.physical = PhysAddr(leaf.value & kWideAddress);
  return finish(bus, mode, request, page, {&directory, 1}, leaf, set_bits);
}

// 4-level and 5-level paging (SDM 3A 4.5). Bits 62:52 of entries are ignored.
Walk walk_long(PhysicalBus& bus, const PagingMode& mode, const PageTables& tables, const WalkRequest& request,
               bool set_bits) {
  constexpr unsigned kBits = 9, kMostLevels = 5, kDirectoryLevel = 2, kPointerLevel = 3;
  const u64 linear = request.address.raw;
  const u64 reserved = beyond(mode.physical_bits) | (mode.no_execute ? 0 : kNx);
  std::array<Entry, kMostLevels> used;
  unsigned count = 0;
  Walk page;
  page.writable = page.user = true;
  u64 table = tables.cr3 & kWideAddress;
  for (unsigned level = mode.five_levels ? 5 : 4;; --level) {
    const unsigned shift = kPageShift + (level - 1) * kBits;
    const Entry entry = load(bus, PhysAddr(table + (linear >> shift & ((1u << kBits) - 1)) * 8), 8);
    if ((entry.value & kP) == 0) return fail(mode, request, 0);
    if ((entry.value & reserved) != 0) return fail(mode, request, kFaultPresent | kFaultReserved);
    page.writable = page.writable && (entry.value & kW) != 0;
    page.user = page.user && (entry.value & kU) != 0;
    page.no_execute = page.no_execute || (entry.value & kNx) != 0;
    const bool sized = level > 1 && (entry.value & kPs) != 0;
    if (sized && !(level == kDirectoryLevel || (level == kPointerLevel && mode.giant_pages)))
      return fail(mode, request, kFaultPresent | kFaultReserved);
    if (!sized && level > 1) {
      table = entry.value & kWideAddress;
      used[count++] = entry;
      continue;
    }
    const u64 inside = (u64{1} << shift) - 1;
    constexpr u64 kPatOfLarge = 1u << 12;
    if (sized && (entry.value & kWideAddress & inside & ~kPatOfLarge) != 0)
      return fail(mode, request, kFaultPresent | kFaultReserved);
    page.large = sized;
    page.giant = level == kPointerLevel;
    page.physical = PhysAddr((entry.value & kWideAddress & ~inside) | (linear & inside & ~u64{kPageSize - 1}));
    return finish(bus, mode, request, page, {used.data(), count}, entry, set_bits);
  }
}

}  // namespace

WalkResult walk_pages(PhysicalBus& bus, const PagingMode& mode, const PageTables& tables, const WalkRequest& request,
                      bool set_bits) {
  if (!mode.enabled) {
    WalkResult identity;
    identity.ok = identity.writable = identity.user = identity.dirty = true;
    identity.physical = PhysAddr(request.address.raw & 0xFFFFF000u);
    return identity;
  }
  for (;;) {
    const Walk found = mode.long_mode ? walk_long(bus, mode, tables, request, set_bits)
                       : mode.pae     ? walk_pae(bus, mode, tables, request, set_bits)
                                      : walk_32bit(bus, mode, tables, request, set_bits);
    if (!found.again) [[likely]]
      return found;
  }
}

bool load_pdptes(PhysicalBus& bus, u64 cr3, unsigned physical_bits, std::array<u64, 4>& pdptes) {
  const u64 reserved = ~((u64{1} << physical_bits) - 1) | 0x1E6;  // bits 63:MAXPHYADDR, 8:5, 2:1
  std::array<u64, 4> fresh{};
  for (unsigned i = 0; i < 4; i++) {
    fresh[i] = bus.read(PhysAddr((cr3 & 0xFFFFFFE0u) + i * 8), 8);
    if ((fresh[i] & kP) != 0 && (fresh[i] & reserved) != 0) return false;
  }
  pdptes = fresh;
  return true;
}

}  // namespace relic86
