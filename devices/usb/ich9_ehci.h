// Intel 82801I (ICH9), PCI 8086:293A: an enhanced host controller (EHCI) whose ports full-speed and low-speed devices
// leave to its companions, UHCIs of two ports each.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "devices/pci_device.h"
#include "devices/usb/piix3_uhci.h"

namespace relic86 {

class Ich9Ehci final : public PciDevice, public UhciPortOwner {
 public:
  // Companions have the ports in their order. They are used as long as this is.
  explicit Ich9Ehci(std::span<Piix3Uhci* const> companions);

  std::string_view name() const override { return "ich9_ehci"; }
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32 id, GuestTime late) override;
  void device_came_or_went(const Piix3Uhci& companion, unsigned port) override;

 protected:
  Result<> attach_function(Attachment& board) override;
  void reset_function(ResetKind kind) override;
  void state_function(StateArchive& archive) override;
  void config_written(unsigned, unsigned) override {}

 private:
  static constexpr unsigned kMostPorts = 6;

  unsigned port_count() const { return static_cast<unsigned>(companions_.size()) * Piix3Uhci::kPorts; }
  Piix3Uhci& companion_of(unsigned port) const { return *companions_[port / Piix3Uhci::kPorts]; }
  UsbDevice* device_at(unsigned port) const { return companion_of(port).device_at(port % Piix3Uhci::kPorts); }
  u32 read_register(u32 offset) const;
  u32 read_operational(u32 offset) const;
  u32 read_port(unsigned port) const;
  // written: the bits that the access brings.
  void write_operational(u32 offset, u32 value, u32 written);
  void write_command(u32 value);
  void write_port(unsigned port, u32 value, u32 written);
  void reset_controller();
  void route(bool here);
  bool has(unsigned port) const;  // not the companion
  void give(unsigned port, bool here);
  void note_change(unsigned port);
  bool running() const;
  u32 status() const;
  u64 micro_frames_passed() const;  // since counted_since_
  u32 micro_frame() const;
  void count_from(u32 micro_frame);
  void watch_rollover();
  void update_interrupt();

  std::vector<Piix3Uhci*> companions_;
  Scheduler* scheduler_ = nullptr;
  TimerId rollover_timer_ = 0;
  u32 command_ = 0;
  u32 status_ = 0;  // the bits that are cleared by writing ones
  u32 interrupts_ = 0;
  u32 periodic_list_ = 0, async_list_ = 0;
  bool configured_ = false;      // CONFIGFLAG: ports are routed here
  u32 counted_ = 0;              // FRINDEX: at counted_since_, or since the controller halted
  GuestTime counted_since_ = 0;  // while running
  std::array<u32, kMostPorts> ports_{};
};

}  // namespace relic86
