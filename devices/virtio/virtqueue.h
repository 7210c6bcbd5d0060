// A split virtqueue (virtio 1.0, 2.4), as the device sees it. Everything in it is the guest's and may be anything.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/state_archive.h"
#include "devices/virtio/virtio_memory.h"

namespace relic86 {

// A chain of descriptors: buffers that the device reads, then buffers that it writes.
class DescriptorChain {
 public:
  // More buffers than any queue has descriptors.
  static constexpr std::size_t kMostBuffers = 1024;

  u16 head() const { return head_; }
  u64 readable_bytes() const { return readable_bytes_; }
  u64 writable_bytes() const { return writable_bytes_; }

  // Moves bytes from or to the buffers as if they were one, from `offset` on. False: the range does not lie within
  // them, or an address in it is nothing; a part may have been moved then.
  bool read(const VirtioMemory& memory, u64 offset, std::span<u8> into) const;
  bool write(VirtioMemory& memory, u64 offset, std::span<const u8> from) const;

 private:
  friend class Virtqueue;
  struct Buffer {
    PhysAddr address;
    u32 length = 0;
  };
  u16 head_ = 0;
  std::vector<Buffer> readable_, writable_;
  u64 readable_bytes_ = 0, writable_bytes_ = 0;
};

class Virtqueue {
 public:
  // most: a power of two, the number of descriptors that the device offers.
  explicit Virtqueue(u16 most) : most_(most), size_(most) {}

  // --- Set up by the driver through the transport. ---
  void reset();
  u16 most() const { return most_; }
  u16 size() const { return size_; }
  bool set_size(u32 size);  // false: no power of two up to most()
  bool enabled() const { return enabled_; }
  void enable(bool on) { enabled_ = on; }
  u64 descriptors() const { return descriptors_; }
  u64 available() const { return available_; }
  u64 used() const { return used_; }
  void set_descriptors(u64 address) { descriptors_ = address; }
  void set_available(u64 address) { available_ = address; }
  void set_used(u64 address) { used_ = address; }
  // All three where the legacy layout has them from this page on; page 0 disables the queue.
  void set_legacy_page(u32 page);

  // --- Used by the device. What is wrong with the queue then stands in trouble(), and nothing more is taken. ---
  std::string_view trouble() const { return trouble_; }
  // event_index: the driver has accepted VIRTIO_F_EVENT_IDX.
  void set_event_index(bool on) { event_index_ = on; }
  // Chains that the driver offers and that were not taken yet; 0 of a queue that is not enabled.
  u16 waiting(const VirtioMemory& memory);
  bool offers(const VirtioMemory& memory) const;  // there is one, or trouble that taking it will find
  // The next chain; nothing: none is there, or trouble.
  std::optional<DescriptorChain> take(VirtioMemory& memory);
  // The chain that take() would give after `skipped` others; it stays in the queue.
  std::optional<DescriptorChain> peek(const VirtioMemory& memory, u16 skipped = 0);
  // A chain that was taken and not given back yet, by its head; nothing: trouble.
  std::optional<DescriptorChain> taken(const VirtioMemory& memory, u16 head);
  // The last chains that were taken are offered again.
  void put_back(u16 chains) { next_available_ = static_cast<u16>(next_available_ - chains); }
  // What waits is not enough: the driver is to notify of the next chain.
  void await_more(VirtioMemory& memory);
  // Notes a chain as used, `position` places after the last one that was published. written: bytes in its buffers.
  void fill(VirtioMemory& memory, const DescriptorChain& chain, u64 written, u16 position = 0);
  // The driver sees so many used chains more.
  void publish(VirtioMemory& memory, u16 chains);
  // Whether the driver wants an interrupt for what was published since the last call. notify_on_empty: it has accepted
  // VIRTIO_F_NOTIFY_ON_EMPTY.
  enum class WhenEmpty : u8 { AsTheDriverSays, Always };
  bool interrupt_wanted(const VirtioMemory& memory, WhenEmpty when_empty);

  // Addresses and indexes; trouble is the device's to save.
  void state(StateArchive& archive);

 private:
  struct Table {
    PhysAddr at;
    u32 entries = 0;
    bool indirect = false;
  };
  bool fail(std::string_view what);
  bool walk(const VirtioMemory& memory, DescriptorChain& chain);
  bool add_buffer(DescriptorChain& chain, std::span<const u8> descriptor, u16 flags);
  u16 slot(u16 index) const { return static_cast<u16>(index & (size_ - 1)); }

  const u16 most_;
  u16 size_;
  bool enabled_ = false;
  u64 descriptors_ = 0, available_ = 0, used_ = 0;
  u16 next_available_ = 0;       // the index of the next chain to take
  u16 next_used_ = 0;            // the index that the driver sees next
  u16 signalled_ = 0;            // next_used_ when interrupt_wanted() was asked last
  bool signalled_valid_ = true;  // false: more were published since then than indexes tell
  bool event_index_ = false;
  std::string_view trouble_;
};

}  // namespace relic86
