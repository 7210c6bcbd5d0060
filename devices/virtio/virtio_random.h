// The virtio entropy device (virtio 1.0, 5.4).
#pragma once

#include <string>

#include "devices/random_source.h"
#include "devices/virtio/virtio_pci.h"

namespace relic86 {

struct VirtioRandomOptions {
  // Null: a sequence of the device's own, the same in every run; it belongs to the machine's state.
  RandomSource* source = nullptr;
  // So many bytes in a period at most; 0: no limit.
  u64 most_bytes = 0;
  GuestTime period = 0;
};

class VirtioRandom final : public VirtioPci {
 public:
  VirtioRandom(std::string name, const VirtioInterfaces& interfaces, const VirtioRandomOptions& options);

  void event(u32 id, GuestTime late) override;

 protected:
  u64 device_features() const override { return 0; }
  void fill_config(std::span<u8>) const override {}
  void serve(unsigned queue) override;
  void attach_device(Attachment& board) override;
  void reset_device() override;
  void state_device(StateArchive& archive) override;

 private:
  void fill(std::span<u8> bytes);

  const VirtioRandomOptions options_;
  Scheduler* scheduler_ = nullptr;
  TimerId period_timer_ = 0;
  u64 left_ = 0;      // bytes of this period
  u64 sequence_ = 0;  // of the device's own numbers
};

}  // namespace relic86
