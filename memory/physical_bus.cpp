#include "memory/physical_bus.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "base/whole_copy.h"

namespace relic86 {

namespace {

constexpr u64 kLow = u64{1} << 32;    // pages below have tables of their own from the start
constexpr u64 kLimit = u64{1} << 52;  // SDM 3A 4.1.4: MAXPHYADDR is at most 52
constexpr u64 kA20 = u64{1} << 20;

PhysRange whole(std::string owner, PhysAddr first, u64 size, Priority priority) {
  PhysRange range;
  range.owner = std::move(owner);
  range.first = first;
  range.size = size;
  range.priority = priority;
  return range;
}

// The target of the page `pages` behind the range's first one.
PageTarget advanced(PageTarget target, u64 pages) {
  target.backing = target.backing + pages * kPageSize;
  target.region_offset += pages * kPageSize;
  return target;
}

// A bus master's access to registers: aligned pieces of up to 4 bytes.
unsigned piece(u64 offset, u64 left) {
  unsigned width = 4;
  while (width > left || offset % width != 0) width /= 2;
  return width;
}

u64 mmio_read(const PageTarget& target, u64 in_page, unsigned width) {
  if (width <= target.max_width)
    return target.handler->read(target.region, target.region_offset + in_page, width) & all_ones(width);
  u64 value = 0;
  for (unsigned done = 0; done < width; done += target.max_width) {
    value |= (target.handler->read(target.region, target.region_offset + in_page + done, target.max_width) &
              all_ones(target.max_width))
             << (done * 8);
  }
  return value;
}

void mmio_write(const PageTarget& target, u64 in_page, unsigned width, u64 value) {
  if (width <= target.max_width)
    return target.handler->write(target.region, target.region_offset + in_page, width, value & all_ones(width));
  for (unsigned done = 0; done < width; done += target.max_width) {
    target.handler->write(target.region, target.region_offset + in_page + done, target.max_width,
                          value >> (done * 8) & all_ones(target.max_width));
  }
}

}  // namespace

PhysRange ram_range(std::string owner, PhysAddr first, u64 size, BackingOffset backing, Priority priority) {
  PhysRange range = whole(std::move(owner), first, size, priority);
  range.read.kind = range.write.kind = PageTarget::Kind::Backing;
  range.read.backing = range.write.backing = backing;
  return range;
}

PhysRange rom_range(std::string owner, PhysAddr first, u64 size, BackingOffset backing, Priority priority) {
  PhysRange range = whole(std::move(owner), first, size, priority);
  range.read.kind = PageTarget::Kind::Backing;
  range.read.backing = backing;
  return range;
}

PhysRange mmio_range(std::string owner, PhysAddr first, u64 size, RegionHandler* handler, RegionId region,
                     unsigned max_width, Priority priority) {
  PhysRange range = whole(std::move(owner), first, size, priority);
  range.read.kind = range.write.kind = PageTarget::Kind::Mmio;
  range.read.handler = range.write.handler = handler;
  range.read.region = range.write.region = region;
  range.read.max_width = range.write.max_width = max_width;
  return range;
}

PhysicalBus::PhysicalBus(BackingStore& store) : store_(store) {}

Result<> PhysicalBus::map_fixed(u32 key, const PhysRange& range) {
  RELIC86_ASSERT(range.first.raw % kPageSize == 0 && range.size % kPageSize == 0 &&
                 range.first.raw + range.size <= kLimit);
  for (const Mapping& other : mappings_) {
    if (other.key == key || !other.fixed || other.range.priority != range.priority) continue;
    if (range.first.raw < other.range.first.raw + other.range.size &&
        other.range.first.raw < range.first.raw + range.size &&
        ((range.affects_read && other.range.affects_read) || (range.affects_write && other.range.affects_write))) {
      return Error{fmt::format("{} and {} both want the memory at {:#x}; leave one of them out or move it",
                               other.range.owner, range.owner, std::max(range.first.raw, other.range.first.raw))};
    }
  }
  mappings_.push_back({key, next_order_++, true, range});
  render(range.first.raw, range.size);
  return {};
}

void PhysicalBus::map_movable(u32 key, const PhysRange& range) {
  RELIC86_ASSERT(range.first.raw % kPageSize == 0 && range.size % kPageSize == 0);
  for (auto mapping = mappings_.begin(); mapping != mappings_.end(); ++mapping) {
    if (mapping->key != key) continue;
    const PhysRange old = mapping->range;
    mappings_.erase(mapping);
    render(old.first.raw, old.size);
    break;
  }
  // What the guest places beyond the end is not reachable; what it places across the end is cut.
  if (range.size > 0 && range.first.raw < kLimit) {
    PhysRange clipped = range;
    clipped.size = std::min(range.size, kLimit - range.first.raw);
    mappings_.push_back({key, next_order_++, false, clipped});
    render(clipped.first.raw, clipped.size);
  }
  if (topology_changed_) topology_changed_();
}

std::vector<const PhysicalBus::Mapping*> PhysicalBus::mappings_over(u64 first, u64 last) const {
  std::vector<const Mapping*> over;
  for (const Mapping& mapping : mappings_) {
    const PhysRange& range = mapping.range;
    if (range.first.raw < last && first < range.first.raw + range.size) over.push_back(&mapping);
  }
  std::sort(over.begin(), over.end(), [](const Mapping* a, const Mapping* b) {
    return a->range.priority != b->range.priority ? a->range.priority < b->range.priority : a->order < b->order;
  });
  return over;
}

void PhysicalBus::render_page(u64 address, std::span<const Mapping* const> over, PhysPage& page) {
  page = PhysPage{};
  for (const Mapping* mapping : over) {
    const PhysRange& range = mapping->range;
    if (address < range.first.raw || address >= range.first.raw + range.size) continue;
    const u64 pages = (address - range.first.raw) >> kPageShift;
    if (range.affects_read) page.read = advanced(range.read, pages);
    if (range.affects_write) page.write = advanced(range.write, pages);
  }
}

void PhysicalBus::render(u64 first, u64 size) {
  const u64 last = std::min(first + size, kLimit);
  if (first >= last) return;
  if (first < kLow) render_low(first, std::min(last, kLow));
  if (last > kLow) forget_high(std::max(first, kLow), last);
}

void PhysicalBus::render_low(u64 first, u64 last) {
  const auto over = mappings_over(first, last);
  for (u64 address = first; address < last; address += kPageSize) {
    const u64 page = address >> kPageShift;
    auto& table = tables_[page / kTableEntries];
    if (!table) table = std::make_unique<Table>();
    render_page(address, over, (*table)[page % kTableEntries]);
  }
  for (u64 number = first >> kAddendShift; number <= (last - 1) >> kAddendShift; ++number) find_addend(number);
}

void PhysicalBus::forget_high(u64 first, u64 last) {
  const u64 directories = ((last - 1) >> kDirectoryShift) + 1;
  if (high_.size() < directories) high_.resize(directories);
  for (u64 number = first >> kTableShift; number <= (last - 1) >> kTableShift; ++number) {
    const auto& directory = high_[number / kTableEntries];
    if (directory) {
      (*directory)[number % kTableEntries].reset();
    } else {
      number |= kTableEntries - 1;
    }
  }
}

const PhysPage& PhysicalBus::high_page(u64 raw) const {
  const u64 number = raw >> kTableShift;
  if (number / kTableEntries >= high_.size()) return unmapped_;
  auto& directory = high_[number / kTableEntries];
  const bool there = directory && (*directory)[number % kTableEntries];
  if (!there) [[unlikely]] {
    const u64 first = number << kTableShift;
    const auto over = mappings_over(first, first + (u64{1} << kTableShift));
    if (over.empty()) return unmapped_;
    if (!directory) directory = std::make_unique<Directory>();
    auto table = std::make_unique<Table>();
    for (u64 i = 0; i < kTableEntries; ++i) render_page(first + (i << kPageShift), over, (*table)[i]);
    (*directory)[number % kTableEntries] = std::move(table);
  }
  return (*(*directory)[number % kTableEntries])[raw >> kPageShift & (kTableEntries - 1)];
}

void PhysicalBus::find_addend(u64 number) {
  constexpr u64 kPages = u64{1} << (kAddendShift - kPageShift);
  const auto distance = [&](u64 page, const PageTarget& target) {
    if (target.kind != PageTarget::Kind::Backing) return u64{0};
    return reinterpret_cast<u64>(store_.host(target.backing)) - (page << kPageShift);
  };
  addends_[number] = 0;
  const auto& table = tables_[number * kPages / kTableEntries];
  if (!table) return;
  const u64 first = number * kPages;
  const u64 usual = distance(first, (*table)[first % kTableEntries].read);
  for (u64 page = first; page < first + kPages; ++page) {
    const PhysPage& each = (*table)[page % kTableEntries];
    if (distance(page, each.read) != usual || distance(page, each.write) != usual) return;
  }
  addends_[number] = usual;
}

void PhysicalBus::set_a20(bool open) {
  if (a20_ == open) return;
  a20_ = open;
  if (topology_changed_) topology_changed_();
}

const PhysPage& PhysicalBus::page(PhysAddr address) const {
  u64 raw = address.raw;
  if (!a20_) raw &= ~kA20;
  if (raw >= kLow) [[unlikely]]
    return high_page(raw);
  const auto& table = tables_[raw >> kPageShift >> 10];
  return table ? (*table)[raw >> kPageShift & (kTableEntries - 1)] : unmapped_;
}

u64 PhysicalBus::read(PhysAddr address, unsigned width) {
  const PageTarget target = page(address).read;  // a copy: the read may remap the page
  const u64 in_page = address.raw & (kPageSize - 1);
  switch (target.kind) {
    case PageTarget::Kind::Backing: {
      u64 value = 0;
      copy_whole(&value, store_.host(target.backing + in_page), width);
      return value;
    }
    case PageTarget::Kind::Mmio: return mmio_read(target, in_page, width);
    case PageTarget::Kind::Unmapped: break;
  }
  log::once(log::Channel::Unimplemented, "memory: read of unmapped page {:#010x}", address.raw & ~u64{kPageSize - 1});
  return all_ones(width);
}

void PhysicalBus::write(PhysAddr address, unsigned width, u64 value) {
  const PageTarget target = page(address).write;  // a copy: the write may remap the page
  const u64 in_page = address.raw & (kPageSize - 1);
  switch (target.kind) {
    case PageTarget::Kind::Backing: {
      const BackingOffset at = target.backing + in_page;
      copy_whole(store_.host(at), &value, width);
      if (store_.watched(at)) store_.note_write(at, width);
      return;
    }
    case PageTarget::Kind::Mmio: return mmio_write(target, in_page, width, value);
    case PageTarget::Kind::Unmapped: break;
  }
  log::once(log::Channel::Unimplemented, "memory: write to unmapped or read-only page {:#010x}",
            address.raw & ~u64{kPageSize - 1});
}

void PhysicalBus::read_block(PhysAddr address, std::span<u8> into) {
  while (!into.empty()) {
    const u64 in_page = address.raw & (kPageSize - 1);
    const u64 chunk = std::min<u64>(into.size(), kPageSize - in_page);
    const PageTarget target = page(address).read;  // a copy: as in read()
    switch (target.kind) {
      case PageTarget::Kind::Backing: std::memcpy(into.data(), store_.host(target.backing + in_page), chunk); break;
      case PageTarget::Kind::Mmio:
        for (u64 done = 0; done < chunk;) {
          const unsigned width = piece(in_page + done, chunk - done);
          const u64 value = mmio_read(target, in_page + done, width);
          std::memcpy(into.data() + done, &value, width);
          done += width;
        }
        break;
      case PageTarget::Kind::Unmapped: std::memset(into.data(), 0xFF, chunk); break;
    }
    into = into.subspan(chunk);
    address = address + chunk;
  }
}

void PhysicalBus::write_block(PhysAddr address, std::span<const u8> from) {
  while (!from.empty()) {
    const u64 in_page = address.raw & (kPageSize - 1);
    const u64 chunk = std::min<u64>(from.size(), kPageSize - in_page);
    const PageTarget target = page(address).write;
    switch (target.kind) {
      case PageTarget::Kind::Backing: {
        const BackingOffset at = target.backing + in_page;
        std::memcpy(store_.host(at), from.data(), chunk);
        if (store_.watched(at)) store_.note_write(at, chunk);
        break;
      }
      case PageTarget::Kind::Mmio:
        for (u64 done = 0; done < chunk;) {
          const unsigned width = piece(in_page + done, chunk - done);
          u64 value = 0;
          std::memcpy(&value, from.data() + done, width);
          mmio_write(target, in_page + done, width, value);
          done += width;
        }
        break;
      case PageTarget::Kind::Unmapped: break;
    }
    from = from.subspan(chunk);
    address = address + chunk;
  }
}

std::vector<PhysRange> PhysicalBus::ranges() const {
  std::vector<PhysRange> all;
  for (const Mapping& mapping : mappings_) all.push_back(mapping.range);
  return all;
}

std::string PhysicalBus::describe() const {
  std::vector<const Mapping*> sorted;
  for (const Mapping& mapping : mappings_) sorted.push_back(&mapping);
  std::sort(sorted.begin(), sorted.end(), [](const Mapping* a, const Mapping* b) {
    return a->range.first != b->range.first ? a->range.first < b->range.first : a->range.priority < b->range.priority;
  });
  std::string text = "physical memory:\n";
  for (const Mapping* mapping : sorted) {
    const PhysRange& range = mapping->range;
    static constexpr const char* kKinds[] = {"none", "memory", "registers"};
    text += fmt::format("  {:08x}-{:08x} (prio {}) {} read:{} write:{}\n", range.first.raw,
                        range.first.raw + range.size - 1, static_cast<unsigned>(range.priority), range.owner,
                        range.affects_read ? kKinds[static_cast<unsigned>(range.read.kind)] : "-",
                        range.affects_write ? kKinds[static_cast<unsigned>(range.write.kind)] : "-");
  }
  return text;
}

}  // namespace relic86
