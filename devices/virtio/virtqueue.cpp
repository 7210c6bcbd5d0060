// Layout (virtio 1.0, 2.4.5 to 2.4.8), little-endian
//
//   descriptor  0-7 address, 8-11 length, 12-13 flags: 0 NEXT, 1 WRITE, 2 INDIRECT; 14-15 next
//   available   0-1 flags: 0 no interrupts; 2-3 index; then a head (2 bytes) for each place; then the used event index
//   used        0-1 flags; 2-3 index; then head (4 bytes) and length (4 bytes) for each place; then the available event
//               index
//   legacy      the three follow one another, the used ring at the next multiple of 4096
#include "devices/virtio/virtqueue.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/byte_order.h"
#include "devices/virtio/virtio_registers.h"

namespace relic86 {

using namespace virtio;

namespace {

// Calls move(address, piece) for each part of [offset, offset + bytes.size()) of the buffers.
template <class Buffers, class Bytes, class Move>
bool for_each_part(const Buffers& buffers, u64 offset, Bytes bytes, Move move) {
  for (const auto& buffer : buffers) {
    if (bytes.empty()) break;
    if (offset >= buffer.length) {
      offset -= buffer.length;
      continue;
    }
    const auto part = static_cast<std::size_t>(std::min<u64>(bytes.size(), buffer.length - offset));
    if (!move(buffer.address + offset, bytes.first(part))) return false;
    bytes = bytes.subspan(part);
    offset = 0;
  }
  return bytes.empty();
}

}  // namespace

bool DescriptorChain::read(const VirtioMemory& memory, u64 offset, std::span<u8> into) const {
  return for_each_part(readable_, offset, into,
                       [&](PhysAddr address, std::span<u8> part) { return memory.read(address, part); });
}

bool DescriptorChain::write(VirtioMemory& memory, u64 offset, std::span<const u8> from) const {
  return for_each_part(writable_, offset, from,
                       [&](PhysAddr address, std::span<const u8> part) { return memory.write(address, part); });
}

void Virtqueue::reset() {
  size_ = most_;
  enabled_ = false;
  descriptors_ = available_ = used_ = 0;
  next_available_ = next_used_ = signalled_ = 0;
  signalled_valid_ = true;
  event_index_ = false;
  trouble_ = {};
}

bool Virtqueue::set_size(u32 size) {
  if (size > most_ || !std::has_single_bit(size)) return false;
  size_ = static_cast<u16>(size);
  return true;
}

void Virtqueue::set_legacy_page(u32 page) {
  const bool event_index = event_index_;
  reset();
  event_index_ = event_index;
  if (page == 0) return;
  descriptors_ = u64{page} << kPageShift;
  available_ = descriptors_ + u64{size_} * kDescriptorBytes;
  const u64 end = available_ + kRingHeaderBytes + u64{size_} * 2 + 2;
  used_ = (end + kLegacyAlignment - 1) & ~u64{kLegacyAlignment - 1};
  enabled_ = true;
}

bool Virtqueue::fail(std::string_view what) {
  trouble_ = what;
  return false;
}

u16 Virtqueue::waiting(const VirtioMemory& memory) {
  if (!enabled_ || !trouble_.empty()) return 0;
  u16 index = 0;
  if (!memory.load16(PhysAddr(available_ + 2), index)) {
    fail("the available ring does not lie in memory");
    return 0;
  }
  const auto count = static_cast<u16>(index - next_available_);
  if (count > size_) {
    fail("the available ring's index is ahead by more than the ring holds");
    return 0;
  }
  return count;
}

bool Virtqueue::offers(const VirtioMemory& memory) const {
  u16 index = 0;
  return enabled_ && (!memory.load16(PhysAddr(available_ + 2), index) || index != next_available_);
}

bool Virtqueue::add_buffer(DescriptorChain& chain, std::span<const u8> descriptor, u16 flags) {
  const PhysAddr address(load_le<u64>(descriptor, 0));
  const auto length = load_le<u32>(descriptor, 8);
  if (length == 0) return fail("a buffer is empty");
  if (chain.readable_.size() + chain.writable_.size() >= DescriptorChain::kMostBuffers)
    return fail("a chain is longer than any queue");
  if ((flags & kDescriptorWritable) != 0) {
    chain.writable_.push_back({address, length});
    chain.writable_bytes_ += length;
    return true;
  }
  if (!chain.writable_.empty()) return fail("a buffer to read comes after one to write");
  chain.readable_.push_back({address, length});
  chain.readable_bytes_ += length;
  return true;
}

// Follows the descriptors from the chain's head on. An indirect table ends the chain: its descriptors are the rest.
bool Virtqueue::walk(const VirtioMemory& memory, DescriptorChain& chain) {
  Table table{PhysAddr(descriptors_), size_};
  u32 index = chain.head_;
  for (u32 left = table.entries;; left--) {
    if (left == 0) return fail("a chain goes round in a loop");
    if (index >= table.entries) return fail("a descriptor lies outside of its table");
    std::array<u8, kDescriptorBytes> bytes{};
    if (!memory.load(table.at + u64{index} * kDescriptorBytes, bytes))
      return fail("a descriptor does not lie in memory");
    const auto flags = load_le<u16>(bytes, 12);
    if ((flags & kDescriptorIndirect) != 0) {
      const auto length = load_le<u32>(bytes, 8);
      if (table.indirect) return fail("an indirect table holds another one");
      if (length == 0 || length % kDescriptorBytes != 0) return fail("an indirect table has no whole descriptors");
      const auto entries =
          static_cast<u32>(std::min<std::size_t>(length / kDescriptorBytes, DescriptorChain::kMostBuffers));
      table = {PhysAddr(load_le<u64>(bytes, 0)), entries, true};
      index = 0;
      left = entries + 1;
      continue;
    }
    if (!add_buffer(chain, bytes, flags)) return false;
    if ((flags & kDescriptorNext) == 0) return true;
    index = load_le<u16>(bytes, 14);
  }
}

std::optional<DescriptorChain> Virtqueue::peek(const VirtioMemory& memory, u16 skipped) {
  if (waiting(memory) <= skipped) return std::nullopt;
  const u16 place = slot(static_cast<u16>(next_available_ + skipped));
  DescriptorChain chain;
  if (!memory.load16(PhysAddr(available_ + kRingHeaderBytes + u64{place} * 2), chain.head_)) {
    fail("the available ring does not lie in memory");
    return std::nullopt;
  }
  if (!walk(memory, chain)) return std::nullopt;
  return chain;
}

std::optional<DescriptorChain> Virtqueue::taken(const VirtioMemory& memory, u16 head) {
  DescriptorChain chain;
  chain.head_ = head;
  if (!trouble_.empty() || !walk(memory, chain)) return std::nullopt;
  return chain;
}

std::optional<DescriptorChain> Virtqueue::take(VirtioMemory& memory) {
  auto chain = peek(memory);
  if (!chain) return std::nullopt;
  next_available_++;
  // The driver notifies when it makes the queue, once empty, hold something: at the index that comes next.
  if (event_index_ &&
      !memory.store16(PhysAddr(used_ + kRingHeaderBytes + u64{size_} * kUsedElementBytes), next_available_)) {
    fail("the used ring does not lie in memory");
    return std::nullopt;
  }
  return chain;
}

void Virtqueue::await_more(VirtioMemory& memory) {
  u16 index = 0;
  if (!event_index_ || !memory.load16(PhysAddr(available_ + 2), index)) return;
  if (!memory.store16(PhysAddr(used_ + kRingHeaderBytes + u64{size_} * kUsedElementBytes), index))
    fail("the used ring does not lie in memory");
}

void Virtqueue::fill(VirtioMemory& memory, const DescriptorChain& chain, u64 written, u16 position) {
  const u16 place = slot(static_cast<u16>(next_used_ + position));
  const u32 numbers[] = {chain.head_, static_cast<u32>(std::min<u64>(written, ~u32{0}))};
  std::array<u8, kUsedElementBytes> element{};
  for (unsigned i = 0; i < element.size(); i++) element[i] = static_cast<u8>(numbers[i / 4] >> (i % 4 * 8));
  if (!memory.store(PhysAddr(used_ + kRingHeaderBytes + u64{place} * kUsedElementBytes), element))
    fail("the used ring does not lie in memory");
}

void Virtqueue::publish(VirtioMemory& memory, u16 chains) {
  next_used_ = static_cast<u16>(next_used_ + chains);
  if (static_cast<u16>(next_used_ - signalled_) < chains) signalled_valid_ = false;
  if (!memory.store16(PhysAddr(used_ + 2), next_used_)) fail("the used ring does not lie in memory");
}

bool Virtqueue::interrupt_wanted(const VirtioMemory& memory, WhenEmpty when_empty) {
  const u16 before = signalled_;
  const bool valid = signalled_valid_;
  if ((valid && before == next_used_) || !trouble_.empty()) return false;
  signalled_ = next_used_;
  signalled_valid_ = true;
  if (when_empty == WhenEmpty::Always && waiting(memory) == 0) return true;
  u16 word = 0;
  if (!event_index_) return memory.load16(PhysAddr(available_), word) && (word & kNoInterrupt) == 0;
  if (!memory.load16(PhysAddr(available_ + kRingHeaderBytes + u64{size_} * 2), word)) return false;
  // Wanted if the driver's index lies among those that were published (2.4.7).
  return !valid || static_cast<u16>(next_used_ - word - 1) < static_cast<u16>(next_used_ - before);
}

void Virtqueue::state(StateArchive& archive) {
  archive.field("size", size_);
  archive.field("enabled", enabled_);
  archive.field("descriptors", descriptors_);
  archive.field("available", available_);
  archive.field("used", used_);
  archive.field("next_available", next_available_);
  archive.field("next_used", next_used_);
  archive.field("signalled", signalled_);
  archive.field("signalled_valid", signalled_valid_);
  archive.field("event_index", event_index_);
  if (!archive.loading()) return;
  trouble_ = {};
  if (!set_size(size_)) size_ = most_;
}

}  // namespace relic86
