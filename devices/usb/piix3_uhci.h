// Intel 82371SB (PIIX3) function 2: a universal host controller (UHCI) with two ports. The three of the ICH9 (device 29,
// functions 0 to 2) have the same registers.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "devices/pci_device.h"
#include "devices/usb/usb_device.h"

namespace relic86 {

class Piix3Uhci;

// An EHCI, which has the ports of its companions first (EHCI 1.0, 4.2).
class UhciPortOwner {
 public:
  virtual void device_came_or_went(const Piix3Uhci& companion, unsigned port) = 0;

 protected:
  ~UhciPortOwner() = default;
};

class Piix3Uhci final : public PciDevice, public UsbHost, public UsbPorts {
 public:
  static constexpr unsigned kPorts = 2;

  // Ich9First: the board's own. Companion1 to 3: of an EHCI on a card, and of the same kind.
  enum class Model : u8 { Piix3, Ich9First, Companion1, Companion2, Companion3 };
  explicit Piix3Uhci(Model model = Model::Piix3);

  // Before attach.
  void set_owner(UhciPortOwner* owner) { owner_ = owner; }
  // The driver sees the device at the port come, or go: its owner has it now.
  void route(unsigned port, bool here);
  bool has(unsigned port) const { return ports_[port].here; }

  unsigned port_count() const override { return kPorts; }
  UsbDevice* device_at(unsigned port) const override { return ports_[port].device.get(); }
  void plug(unsigned port, std::unique_ptr<UsbDevice> device) override;
  void unplug(unsigned port) override;

  std::string_view name() const override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32 id, GuestTime late) override;
  GuestTime usb_time() const override;
  void usb_wake(UsbDevice& device) override;

 protected:
  Result<> attach_function(Attachment& board) override;
  void reset_function(ResetKind kind) override;
  void state_function(StateArchive& archive) override;
  void config_written(unsigned offset, unsigned width) override;

 private:
  struct Port {
    std::unique_ptr<UsbDevice> device;
    u16 status = 0;
    bool here = true;  // not its owner's
    bool occupied() const { return device != nullptr && here; }
  };
  // What became of a transfer descriptor.
  enum class Outcome : u8 {
    Passed,     // inactive, or to be tried again: its queue waits
    Done,       // its queue goes on
    Held,       // over, but its queue stays: a short packet, a failure
    FrameOver,  // no time for it, or the controller has stopped
  };
  struct Descriptor {
    u32 at = 0;
    u32 link = 0, control = 0, token = 0, buffer = 0;
  };

  u16 register_at(unsigned index) const;
  void write_register(unsigned index, u16 value, u16 written);
  void write_command(u16 value);
  void write_port(Port& port, u16 value);
  void reset_controller();
  void connect(Port& port);
  void notice_change();
  bool running() const;
  void start_or_stop();
  void update_interrupt();

  void run_frame();
  template <std::size_t count>
  std::array<u32, count> fetch(u32 address);
  void store(u32 address, u32 value);
  Outcome run_descriptor(Descriptor& descriptor, i32& time_left);
  Outcome finish(Descriptor& descriptor, const UsbAnswer& answer, std::size_t size);
  Outcome retry_or_fail(Descriptor& descriptor);
  UsbAnswer transact(const Descriptor& descriptor, UsbToken token, std::size_t size);
  UsbDevice* addressed(u8 address) const;

  void take_away(Port& port);

  const Model model_;
  UhciPortOwner* owner_ = nullptr;
  Scheduler* scheduler_ = nullptr;
  PhysicalBus* memory_ = nullptr;
  TimerId frame_timer_ = 0;
  std::array<Port, kPorts> ports_;
  u16 command_ = 0;
  u16 status_ = 0;
  u16 interrupts_ = 0;  // enabled
  u16 frame_ = 0;
  u32 list_ = 0;
  u8 start_of_frame_ = 0;
  u8 causes_ = 0;  // of USBINT: 0 a descriptor's IOC, 1 a short packet
};

}  // namespace relic86
