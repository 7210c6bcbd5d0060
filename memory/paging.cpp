#include "memory/paging.h"

#include <cstring>

namespace relic86 {
namespace {

// Bits of entries at every level (SDM 3A tables 4-4 to 4-6 and 4-8 to 4-11).
constexpr u64 kP = 1, kW = 2, kU = 4, kA = 1u << 5, kD = 1u << 6, kPs = 1u << 7, kG = 1u << 8, kNx = u64{1} << 63;
constexpr u64 kPaeAddress = ((u64{1} << kPhysicalBits) - 1) & ~u64{0xFFF};
constexpr u64 kPaeReserved = ~kNx & ~((u64{1} << kPhysicalBits) - 1);

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

void set(PhysicalBus& bus, const Entry& entry, u64 bits) {
  if ((entry.value & bits) != bits) bus.write(entry.at, entry.width, entry.value | bits);
}

u32 base_code(const PagingMode& mode, const WalkRequest& request) {
  u32 code = request.user ? kFaultUser : 0u;
  if (request.access == Access::Write) code |= kFaultWrite;
  if (request.access == Access::Execute && ((mode.pae && mode.no_execute) || mode.smep)) code |= kFaultFetch;
  return code;
}

WalkResult fail(const PagingMode& mode, const WalkRequest& request, u32 bits) {
  WalkResult result;
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

// The leaf and the entry above it are known: check rights, set bits.
WalkResult finish(PhysicalBus& bus, const PagingMode& mode, const WalkRequest& request, WalkResult page,
                  const Entry* upper, const Entry& leaf, bool set_bits) {
  if (!allowed(mode, request, page)) return fail(mode, request, kFaultPresent);
  page.ok = true;
  page.global = mode.global_pages && (leaf.value & kG) != 0;
  const bool write = request.access == Access::Write;
  page.dirty = (leaf.value & kD) != 0 || (write && set_bits);
  if (set_bits) {
    if (upper != nullptr) set(bus, *upper, kA);
    set(bus, leaf, write ? kA | kD : kA);
  }
  return page;
}

WalkResult walk_32bit(PhysicalBus& bus, const PagingMode& mode, const PageTables& tables, const WalkRequest& request,
                      bool set_bits) {
  const u32 linear = static_cast<u32>(request.address.raw);
  const Entry directory = load(bus, PhysAddr((tables.cr3 & 0xFFFFF000u) + (linear >> 22) * 4), 4);
  if ((directory.value & kP) == 0) return fail(mode, request, 0);
  WalkResult page;
  page.writable = (directory.value & kW) != 0;
  page.user = (directory.value & kU) != 0;
  if (mode.page_size && (directory.value & kPs) != 0) {
    // Bits 16:13 are physical address bits 35:32 (PSE-36), 21:17 are reserved.
    if ((directory.value & 0x3E0000u) != 0) return fail(mode, request, kFaultPresent | kFaultReserved);
    page.large = true;
    page.physical =
        PhysAddr((directory.value & 0xFFC00000u) | (directory.value >> 13 & 0xF) << 32 | (linear & 0x3FF000u));
    return finish(bus, mode, request, page, nullptr, directory, set_bits);
  }
  const Entry leaf = load(bus, PhysAddr((directory.value & 0xFFFFF000u) + (linear >> 12 & 0x3FF) * 4), 4);
  if ((leaf.value & kP) == 0) return fail(mode, request, 0);
  page.writable = page.writable && (leaf.value & kW) != 0;
  page.user = page.user && (leaf.value & kU) != 0;
  page.physical = PhysAddr(leaf.value & 0xFFFFF000u);
  return finish(bus, mode, request, page, &directory, leaf, set_bits);
}

WalkResult walk_pae(PhysicalBus& bus, const PagingMode& mode, const PageTables& tables, const WalkRequest& request,
                    bool set_bits) {
  const u32 linear = static_cast<u32>(request.address.raw);
  const u64 pointer = tables.pdptes[linear >> 30];
  if ((pointer & kP) == 0) return fail(mode, request, 0);
  const u64 reserved = kPaeReserved | (mode.no_execute ? 0 : kNx);
  const Entry directory = load(bus, PhysAddr((pointer & kPaeAddress) + (linear >> 21 & 0x1FF) * 8), 8);
  if ((directory.value & kP) == 0) return fail(mode, request, 0);
  WalkResult page;
  page.writable = (directory.value & kW) != 0;
  page.user = (directory.value & kU) != 0;
  page.no_execute = (directory.value & kNx) != 0;
  if ((directory.value & reserved) != 0) return fail(mode, request, kFaultPresent | kFaultReserved);
  if ((directory.value & kPs) != 0) {
    if ((directory.value & 0x1FE000u) != 0) return fail(mode, request, kFaultPresent | kFaultReserved);
    page.large = true;
    page.physical = PhysAddr((directory.value & kPaeAddress & ~u64{0x1FFFFF}) | (linear & 0x1FF000u));
    return finish(bus, mode, request, page, nullptr, directory, set_bits);
  }
  const Entry leaf = load(bus, PhysAddr((directory.value & kPaeAddress) + (linear >> 12 & 0x1FF) * 8), 8);
  if ((leaf.value & kP) == 0) return fail(mode, request, 0);
  if ((leaf.value & reserved) != 0) return fail(mode, request, kFaultPresent | kFaultReserved);
  page.writable = page.writable && (leaf.value & kW) != 0;
  page.user = page.user && (leaf.value & kU) != 0;
  page.no_execute = page.no_execute || (leaf.value & kNx) != 0;
  page.physical = PhysAddr(leaf.value & kPaeAddress);
  return finish(bus, mode, request, page, &directory, leaf, set_bits);
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
  return mode.pae ? walk_pae(bus, mode, tables, request, set_bits) : walk_32bit(bus, mode, tables, request, set_bits);
}

bool load_pdptes(PhysicalBus& bus, u64 cr3, std::array<u64, 4>& pdptes) {
  constexpr u64 kReserved = ~((u64{1} << kPhysicalBits) - 1) | 0x1E6;  // bits 63:36, 8:5, 2:1
  std::array<u64, 4> fresh{};
  for (unsigned i = 0; i < 4; i++) {
    fresh[i] = bus.read(PhysAddr((cr3 & 0xFFFFFFE0u) + i * 8), 8);
    if ((fresh[i] & kP) != 0 && (fresh[i] & kReserved) != 0) return false;
  }
  pdptes = fresh;
  return true;
}

}  // namespace relic86
