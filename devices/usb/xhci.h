// An eXtensible Host Controller (xHCI), PCI 1B36:000D as QEMU's qemu-xhci. Its devices are of USB 1.1 and hang on the
// ports of USB 2; those of USB 3 are there and stay empty.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "devices/msix.h"
#include "devices/pci_device.h"
#include "devices/usb/usb_device.h"
#include "devices/usb/xhci_registers.h"

namespace relic86 {

class Xhci final : public PciDevice, public UsbHost, public UsbPorts {
 public:
  static constexpr unsigned kMostPorts = 15;  // of each kind
  struct PortCounts {
    unsigned usb2 = 4, usb3 = 4;
  };
  // messages: where those of MSI-X go; empty: it has none.
  explicit Xhci(PortCounts ports, MsixTable::Send messages = {});

  unsigned port_count() const override { return counts_.usb2; }
  UsbDevice* device_at(unsigned port) const override { return ports_[port].device.get(); }
  void plug(unsigned port, std::unique_ptr<UsbDevice> device) override;
  void unplug(unsigned port) override;

  std::string_view name() const override { return "xhci"; }
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
  static constexpr unsigned kMostSlots = 64;
  struct Port {
    std::unique_ptr<UsbDevice> device;
    u32 status = 0;
    bool told = true;  // of the changes that the status shows
  };
  struct Ring {
    u64 dequeue = 0;
    bool cycle = false;
  };
  struct Endpoint {
    u8 state = xhci::kDisabled;
    u8 type = 0;
    u8 interval = 0;  // between two polls, as a power of two of micro-frames
    u16 packet = 0;   // most bytes
    Ring ring;
    bool armed = false;  // its doorbell was rung, and it has not been found empty since
    u32 moved = 0;       // bytes of the transfer at the ring's front
    GuestTime next = 0;  // when it may be looked at again

    bool is_control() const { return type == xhci::kControl; }
    bool polls() const { return type == xhci::kInterruptIn || type == xhci::kInterruptOut; }
  };
  struct Slot {
    bool enabled = false;
    bool addressed = false;  // the device has the slot's number as its address; else 0
    u8 port = 0;             // from 1 on
    std::array<Endpoint, xhci::kEndpoints> endpoints{};
  };
  struct Block {
    u64 at = 0;
    u64 parameter = 0;
    u32 status = 0, control = 0;
    xhci::BlockType type() const { return static_cast<xhci::BlockType>(control >> 10 & 0x3F); }
    u32 length() const { return status & xhci::kLengthBits; }
    bool has_data() const;
    bool known() const;  // as one of a transfer ring
  };
  // Blocks that belong together: one stage of a control transfer, or one transfer of another endpoint.
  struct Transfer {
    std::vector<Block> blocks;
    u32 bytes = 0;
    Ring after;
  };

  // Registers (xhci.cpp).
  u32 read_register(u32 offset) const;
  u32 read_capability(u32 offset) const;
  u32 read_operational(u32 offset) const;
  u32 read_runtime(u32 offset) const;
  void write_register(u32 offset, u32 value);
  void write_operational(u32 offset, u32 value);
  void write_runtime(u32 offset, u32 value);
  void write_command(u32 value);
  void write_command_ring(u32 value);
  void ring_doorbell(u32 slot, u32 target);
  void reset_controller();
  bool running() const { return (command_ & xhci::kRun) != 0; }
  unsigned all_ports() const { return counts_.usb2 + counts_.usb3; }
  void declare_msix(MsixTable::Send sink);
  static void state_slot(StateArchive& archive, Slot& slot, unsigned ports);

  // Ports.
  void connect(Port& port);
  void write_port(Port& port, u32 value);
  void set_link(Port& port, u32 link);
  void change(Port& port, u32 bits);
  void tell_of_ports();

  // Events (xhci_events.cpp).
  struct Event {
    u64 parameter = 0;
    u32 status = 0, control = 0;
  };
  void find_event_ring();
  u32 event_room() const;
  void post(const Event& event);
  void note_event();
  void event_dequeue_written();
  void drive_pin();

  // Commands (xhci_commands.cpp).
  void run_commands();
  void finish_command(const Block& block, xhci::Code code, u32 slot);
  xhci::Code carry_out(const Block& block, u32& slot);
  u32 enable_slot();
  xhci::Code address_device(const Block& block, u32 number);
  xhci::Code configure(const Block& block, u32 number);
  xhci::Code evaluate(const Block& block, u32 number);
  xhci::Code reset_device(u32 number);
  xhci::Code stop_endpoint(u32 number, u32 endpoint);
  xhci::Code restart_endpoint(u32 number, u32 endpoint);
  xhci::Code set_dequeue(const Block& block, u32 number, u32 endpoint);
  using Context = std::array<u32, xhci::kContextBytes / 4>;
  u64 device_context(u32 number, u32 index);
  Context read_context(u64 at);
  void write_context(u64 at, const Context& context);
  void take_endpoint(u32 number, u32 index, Context context);
  void show_endpoint(u32 number, u32 index);

  // Transfers (xhci_transfers.cpp).
  std::optional<Block> next_block(Ring& ring);
  std::optional<Transfer> next_transfer(const Endpoint& endpoint);
  bool may_run(const Endpoint& endpoint) const;
  void run_endpoints();
  void run_endpoint(u32 number, u32 index);
  UsbDevice* device_of(u32 number) const;
  UsbAnswer transact(u32 number, u32 index, const Transfer& transfer, std::size_t size);
  void move(const Transfer& transfer, u32 from, std::span<u8> bytes, bool to_memory);
  void finish(u32 number, u32 index, const Transfer& transfer, xhci::Code code);
  void plan();

  u32 load32(u64 at);
  u64 load64(u64 at);

  const PortCounts counts_;
  Scheduler* scheduler_ = nullptr;
  PhysicalBus* memory_ = nullptr;
  TimerId work_timer_ = 0;
  bool moves_ = false;  // memory: an access to a register is its own then
  std::optional<MsixTable> msix_;
  MsixCapability msix_capability_;
  std::array<Port, 2 * kMostPorts> ports_;
  std::array<Slot, kMostSlots> slots_;  // slot 1 first

  u32 command_ = 0, status_ = 0, notifications_ = 0, configured_slots_ = 0;
  u64 context_array_ = 0;
  Ring commands_;
  bool commands_run_ = false;
  u32 management_ = 0, moderation_ = 0, segment_count_ = 0;
  u64 segment_table_ = 0, event_dequeue_ = 0;
  u64 event_ring_ = 0;  // of the only segment
  u32 event_ring_size_ = 0, event_index_ = 0;
  bool event_cycle_ = false;
  GuestTime bus_busy_until_ = 0;
};

}  // namespace relic86
