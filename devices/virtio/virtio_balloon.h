// The virtio balloon (virtio 1.0, 5.5): the guest gives memory back to the host as it is asked to.
#pragma once

#include <functional>
#include <string>

#include "devices/virtio/virtio_pci.h"

namespace relic86 {

struct VirtioBalloonOptions {
  bool deflate_on_oom = false;  // the guest may take memory back when it runs out of it
};

class VirtioBalloon final : public VirtioPci {
 public:
  VirtioBalloon(std::string name, const VirtioInterfaces& interfaces, const VirtioBalloonOptions& options);

  // How many bytes of its RAM the guest is to keep, a multiple of 4 KiB; more than it has: all.
  void set_target(u64 bytes);
  // How many it has now, as its driver says.
  u64 actual() const;
  // Called when that has changed.
  void on_change(std::function<void()> listener) { changed_ = std::move(listener); }

 protected:
  u64 device_features() const override;
  void fill_config(std::span<u8> config) const override;
  void config_bytes_written(unsigned offset, std::span<const u8> bytes) override;
  void serve(unsigned queue) override;
  void attach_device(Attachment& board) override;
  void reset_device() override;
  void state_device(StateArchive& archive) override;

 private:
  void release(u32 page);

  const VirtioBalloonOptions options_;
  PhysicalBus* bus_ = nullptr;
  u32 wanted_pages_ = 0;  // in the balloon, as the host wants it; survives resets
  u32 actual_pages_ = 0;  // as the driver says
  std::function<void()> changed_;
};

}  // namespace relic86
