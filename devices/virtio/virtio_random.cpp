// Entropy device (virtio 1.0, 5.4)
//
//   queue 0  buffers that are to be filled; no configuration
#include "devices/virtio/virtio_random.h"

#include <algorithm>
#include <array>

#include "base/state_loading.h"

namespace relic86 {

namespace {
constexpr u16 kQueueSize = 8;
constexpr u32 kPeriodEvent = 1;
constexpr std::size_t kMostAtOnce = 64u << 10;  // bytes of one buffer

// SplitMix64 (Steele, Lea and Flood, 2014).
u64 next_number(u64& sequence) {
  sequence += 0x9E3779B97F4A7C15u;
  u64 value = sequence;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
  return value ^ (value >> 31);
}
}  // namespace

VirtioRandom::VirtioRandom(std::string name, const VirtioInterfaces& interfaces, const VirtioRandomOptions& options)
    : VirtioPci(std::move(name), {.type = 4, .transitional_device = 0x1005, .class_code = 0x00FF00}, interfaces,
                {kQueueSize}, 0),
      options_(options) {}

void VirtioRandom::attach_device(Attachment& board) {
  scheduler_ = &board.scheduler();
  period_timer_ = board.timer(*this, "period", kPeriodEvent);
}

void VirtioRandom::reset_device() {
  left_ = options_.most_bytes;
  scheduler_->cancel(period_timer_);
}

void VirtioRandom::state_device(StateArchive& archive) {
  archive.field("left", left_);
  archive.field("sequence", sequence_);
  if (archive.loading()) left_ = std::min(left_, options_.most_bytes);
}

void VirtioRandom::event(u32 id, GuestTime late) {
  if (id != kPeriodEvent) return VirtioPci::event(id, late);
  left_ = options_.most_bytes;
  serve_again(0);
}

void VirtioRandom::fill(std::span<u8> bytes) {
  if (options_.source != nullptr) return options_.source->fill(bytes);
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(u64)) {
    const u64 number = next_number(sequence_);
    for (std::size_t i = 0; i < sizeof number && at + i < bytes.size(); i++)
      bytes[at + i] = static_cast<u8>(number >> (i * 8));
  }
}

void VirtioRandom::serve(unsigned number) {
  const bool limited = options_.most_bytes != 0;
  bool served = false;
  for (unsigned count = 0; count < kQueueSize; count++) {
    if (limited && left_ == 0) break;
    const auto chain = take(number);
    if (!chain) break;
    served = true;
    u64 size = std::min<u64>(chain->writable_bytes(), kMostAtOnce);
    if (limited) size = std::min(size, left_);
    std::vector<u8> bytes(static_cast<std::size_t>(size));
    fill(bytes);
    if (!chain->write(memory(), 0, bytes)) return fail("a buffer has an address where nothing is");
    give_back(number, *chain, size);
    if (!limited) continue;
    if (left_ == options_.most_bytes) scheduler_->schedule_in(period_timer_, options_.period);
    left_ -= size;
  }
  if (served) interrupt(number);
}

}  // namespace relic86
