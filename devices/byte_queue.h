// A small fixed ring of bytes with saved state, for devices that buffer what they send.
#pragma once

#include <array>

#include "base/assert.h"
#include "base/state_archive.h"

namespace relic86 {

template <unsigned Capacity>
class ByteQueue {
 public:
  bool empty() const { return count_ == 0; }
  unsigned size() const { return count_; }
  unsigned room() const { return Capacity - count_; }
  void clear() { count_ = 0; }
  // False, and nothing happens, when the queue is full.
  bool push(u8 byte) {
    if (count_ >= Capacity) return false;
    bytes_[(first_ + count_++) % Capacity] = byte;
    return true;
  }
  u8 pop() {
    RELIC86_ASSERT(count_ > 0);
    const u8 byte = bytes_[first_];
    first_ = (first_ + 1) % Capacity;
    count_--;
    return byte;
  }
  // The byte that pop() would give.
  u8& front() {
    RELIC86_ASSERT(count_ > 0);
    return bytes_[first_];
  }
  bool any() const {  // a byte other than 0 is in the queue
    for (unsigned i = 0; i < count_; i++) {
      if (bytes_[(first_ + i) % Capacity] != 0) return true;
    }
    return false;
  }
  void state(StateArchive& archive, std::string_view name) {
    archive.group(name, [&] {
      archive.bytes("bytes", bytes_);
      archive.field("first", first_);
      archive.field("count", count_);
    });
    if (first_ >= Capacity) first_ = 0;
    if (count_ > Capacity) count_ = 0;
  }

 private:
  std::array<u8, Capacity> bytes_{};
  u32 first_ = 0;
  u32 count_ = 0;
};

}  // namespace relic86
