#include "memory/io_space.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"

namespace relic86 {

namespace {
constexpr u32 kPortCount = 0x10000;
}

IoSpace::IoSpace() : index_(kPortCount, 0) {}

Result<> IoSpace::map_fixed(const IoRange& range) {
  RELIC86_ASSERT(range.handler != nullptr && range.count > 0 && range.first.raw + range.count <= kPortCount);
  for (const IoRange& other : fixed_) {
    if (range.first.raw < other.first.raw + other.count && other.first.raw < range.first.raw + range.count) {
      return Error{fmt::format("devices {} and {} both want I/O port {:#x}; leave one of them out or move it",
                               other.owner, range.owner, std::max(range.first.raw, other.first.raw))};
    }
  }
  fixed_.push_back(range);
  rebuild();
  return {};
}

void IoSpace::map_movable(u32 key, const IoRange& range) {
  std::erase_if(movable_, [&](const Movable& m) { return m.key == key; });
  if (range.count > 0) {
    movable_.push_back({key, range});
    std::sort(movable_.begin(), movable_.end(), [](const Movable& a, const Movable& b) { return a.key < b.key; });
  }
  rebuild();
}

void IoSpace::rebuild() {
  ranges_.clear();
  std::fill(index_.begin(), index_.end(), u16{0});
  const auto add = [&](const IoRange& range) {
    ranges_.push_back(range);
    const u32 end = std::min<u32>(range.first.raw + range.count, kPortCount);
    for (u32 port = range.first.raw; port < end; port++) index_[port] = static_cast<u16>(ranges_.size());
  };
  for (const Movable& movable : movable_) add(movable.range);
  for (const IoRange& range : fixed_) add(range);
}

const IoRange* IoSpace::find(u16 port) const { return index_[port] == 0 ? nullptr : &ranges_[index_[port] - 1u]; }

u32 IoSpace::read(IoPort port, unsigned width) {
  const IoRange* range = find(port.raw);
  if (range != nullptr && width <= range->max_width && port.raw + width <= range->first.raw + range->count) {
    const u64 value = range->handler->read(range->region, static_cast<u64>(port.raw - range->first.raw), width);
    return static_cast<u32>(value & all_ones(width));
  }
  if (width > 1) {
    const unsigned half = width / 2;
    const u32 low = read(port, half);
    return low | read(port + static_cast<u16>(half), half) << (half * 8);
  }
  if (range == nullptr) {
    log::once(log::Channel::Unimplemented, "io: read of unmapped port {:#06x}", port.raw);
    return 0xFF;
  }
  return static_cast<u32>(range->handler->read(range->region, static_cast<u64>(port.raw - range->first.raw), 1) & 0xFF);
}

void IoSpace::write(IoPort port, unsigned width, u32 value) {
  const IoRange* range = find(port.raw);
  value &= static_cast<u32>(all_ones(width));
  if (range != nullptr && width <= range->max_width && port.raw + width <= range->first.raw + range->count) {
    range->handler->write(range->region, static_cast<u64>(port.raw - range->first.raw), width, value);
    return;
  }
  if (width > 1) {
    const unsigned half = width / 2;
    write(port, half, value);
    write(port + static_cast<u16>(half), half, value >> (half * 8));
    return;
  }
  if (range == nullptr) {
    log::once(log::Channel::Unimplemented, "io: write of {:#04x} to unmapped port {:#06x}", value, port.raw);
    return;
  }
  range->handler->write(range->region, static_cast<u64>(port.raw - range->first.raw), 1, value);
}

std::string IoSpace::describe() const {
  std::vector<IoRange> sorted = ranges_;
  std::sort(sorted.begin(), sorted.end(), [](const IoRange& a, const IoRange& b) { return a.first < b.first; });
  std::string text = "I/O ports:\n";
  for (const IoRange& range : sorted) {
    text += fmt::format("  {:04x}-{:04x} {}\n", range.first.raw, range.first.raw + range.count - 1, range.owner);
  }
  return text;
}

}  // namespace relic86
