// A virtio device on the PCI bus (virtio 1.0, 4.1), transitional as QEMU's: the legacy registers of virtio 0.9.5 in
// BAR 0, those of virtio 1.0 in BAR 4. INTA#, or MSI-X with its table in BAR 1.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "devices/msix.h"
#include "devices/pci_device.h"
#include "devices/virtio/virtio_memory.h"
#include "devices/virtio/virtqueue.h"

namespace relic86 {

struct VirtioIdentity {
  u16 type = 0;                 // 5: 1 network card, 2 block device ..
  u16 transitional_device = 0;  // PCI device id of one that has the legacy interface, 1000h to 103Fh
  u32 class_code = 0;
};

struct VirtioInterfaces {
  bool legacy = true;  // disable-legacy=off
  bool modern = true;  // disable-modern=off; one of the two at least
  bool indirect = true;
  bool event_index = true;
  unsigned vectors = 0;  // of MSI-X, at most MsixTable::kMostVectors; 0: the function does not have it
  bool express = false;  // it stands behind a PCI Express port, and has the capability that says so
};

class VirtioPci : public PciDevice {
 public:
  // queues: the size of each, powers of two; config_bytes: what the device's own configuration takes.
  VirtioPci(std::string name, const VirtioIdentity& identity, const VirtioInterfaces& interfaces,
            const std::vector<u16>& queues, u32 config_bytes);

  // Where messages go that it sends in place of an interrupt (MSI-X): a doubleword written to an address. Without it
  // they are lost.
  using MessageSink = std::function<void(u64 address, u32 data)>;
  void connect_messages(MessageSink sink) { message_sink_ = std::move(sink); }

  std::string_view name() const override { return name_; }
  u64 read(RegionId region, u64 offset, unsigned width) final;
  void write(RegionId region, u64 offset, unsigned width, u64 value) final;
  void event(u32 id, GuestTime late) override;

 protected:
  // --- What a device says and does. ---
  virtual u64 device_features() const = 0;  // beside those of queues and transport; the same as long as it lives
  virtual void fill_config(std::span<u8> config) const = 0;
  virtual void config_bytes_written(unsigned /*offset*/, std::span<const u8> /*bytes*/) {}
  // The driver has put something into this queue, or what serve_later() asked for.
  virtual void serve(unsigned queue) = 0;
  virtual void attach_device(Attachment& /*board*/) {}
  virtual void reset_device() = 0;
  virtual void state_device(StateArchive& archive) = 0;

  // --- What it calls. ---
  bool negotiated(unsigned feature) const { return (negotiated_ >> feature & 1) != 0; }
  // The driver is there and the device may use its queues.
  bool running() const;
  VirtioMemory& memory() { return memory_; }
  bool& bus_mastering() { return bus_mastering_; }  // for BusMastering, where serve() is not what moves data
  std::size_t queue_count() const { return queues_.size(); }
  // The next chain of a queue; nothing: none is there, or the device does not run.
  std::optional<DescriptorChain> take(unsigned queue);
  // A chain that was taken before and not given back, by its head.
  std::optional<DescriptorChain> taken(unsigned queue, u16 head);
  // The same chain as take() gives, which stays in the queue.
  std::optional<DescriptorChain> look(unsigned queue);
  u16 waiting(unsigned queue);
  bool offers(unsigned queue) const { return queues_[queue].offers(memory_); }  // a look that changes nothing
  Virtqueue& queue(unsigned number) { return queues_[number]; }
  // Gives a chain back with so many bytes written; interrupt() comes after the last one.
  void give_back(unsigned queue, const DescriptorChain& chain, u64 written);
  void interrupt(unsigned queue);
  // The rest of this queue in a while: a notification is to keep nobody waiting for long.
  void serve_later(unsigned queue);
  // At once, and as if the driver had notified: for what has come from elsewhere.
  void serve_again(unsigned queue) { notify(queue); }
  // The device's own configuration has changed.
  void config_changed();
  // The driver broke a rule: the device stops until it is reset (2.1.2).
  void fail(std::string_view what);

 private:
  static constexpr unsigned kMsixBar = 1, kModernBar = 4;

  Result<> attach_function(Attachment& board) final;
  void reset_function(ResetKind kind) final;
  void state_function(StateArchive& archive) final;
  void config_written(unsigned offset, unsigned width) final;
  void config_reading(unsigned offset, unsigned width) final;

  struct Window {
    u32 offset;
    u32 width;
  };
  void declare_legacy();
  void declare_modern();
  void declare_msix(u8 next);
  void declare_express();
  u64 offered() const;
  u64 all_queues() const;  // a bit for each
  void enable_bus_master();
  void reset_virtio();
  void set_status(u8 status);
  void accept_features(u64 features);
  u8 take_interrupt_status();
  void interrupt_for_queue(unsigned queue);
  void interrupt_for_config();
  void drive_pin();

  // virtio_msix.cpp
  bool sends_messages() const { return msix_ && msix_->enabled(); }
  void msix_written(unsigned offset, unsigned width);
  void forget_vectors();
  void state_msix(StateArchive& archive);
  u16 kept_vector(u32 wanted) const;  // kNoVector: there is no such entry
  u32 legacy_config() const;          // where the device's own configuration begins
  u16 queue_vector() const;           // of the selected queue
  void set_queue_vector(u32 wanted);
  void notify(u32 queue);
  void serve_notified();
  bool check(unsigned queue);  // false, after fail(): the queue has trouble
  Virtqueue* selected();

  // virtio_legacy.cpp
  u32 read_legacy(u32 offset, unsigned width);
  void write_legacy(u32 offset, unsigned width, u32 value);
  // virtio_modern.cpp
  u32 read_modern(u32 offset, unsigned width);
  void write_modern(u32 offset, unsigned width, u32 value);
  u32 read_common(u32 offset);
  void write_common(u32 offset, u32 value);
  void write_status(u8 status);
  void write_queue(u32 offset, u32 value);
  std::optional<Window> window() const;  // nothing: the driver has set it to no place
  void read_window();
  void write_window();
  u32 read_config(u32 offset, unsigned width) const;
  void write_config(u32 offset, unsigned width, u32 value);

  const std::string name_;
  const VirtioInterfaces interfaces_;
  const u32 config_bytes_;
  VirtioMemory memory_;
  Scheduler* scheduler_ = nullptr;
  TimerId timer_ = 0;
  std::vector<Virtqueue> queues_;
  MessageSink message_sink_;
  std::optional<MsixTable> msix_;
  std::optional<MsixCapability> msix_capability_;
  u16 config_vector_;
  std::vector<u16> queue_vectors_;
  u8 status_ = 0;
  u8 interrupt_status_ = 0;
  u8 generation_ = 0;
  u64 driver_features_ = 0;  // as written by the modern driver, until FEATURES_OK
  u64 negotiated_ = 0;
  u32 device_feature_select_ = 0, driver_feature_select_ = 0;
  u16 queue_select_ = 0;
  u64 notified_ = 0;  // by queue: to be served
  bool broken_ = false;
  bool early_ = false;          // a legacy driver uses its queues before it says that it is ready
  bool bus_mastering_ = false;  // see BusMastering; no state: it never lasts
};

}  // namespace relic86
