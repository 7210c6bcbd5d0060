// Intel 82540EM Gigabit Ethernet Controller (e1000).
#pragma once

#include <array>
#include <string>
#include <vector>

#include "devices/network/e1000_phy.h"
#include "devices/network/e1000_registers.h"
#include "devices/network/eeprom93c46.h"
#include "devices/network_link.h"
#include "devices/pci_device.h"

namespace relic86 {

class E1000 final : public PciDevice, public NetworkReceiver {
 public:
  E1000(std::string name, NetworkLink& link, const MacAddress& address);
  ~E1000() override { link_.connect(nullptr); }

  std::string_view name() const override { return name_; }
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32 id, GuestTime late) override;

  bool listening() const override;
  bool can_receive() const override;
  void receive(std::span<const u8> frame) override;
  void link_changed(bool up) override;
  ReceiveFilter receive_filter() const override;

 protected:
  Result<> attach_function(Attachment& board) override;
  void reset_function(ResetKind kind) override;
  void state_function(StateArchive& archive) override;
  void config_written(unsigned offset, unsigned width) override;

 private:
  // A packet that is longer is cut: the longest of IPv4 with room for headers, twice.
  static constexpr std::size_t kMostPacketBytes = 128u << 10;
  // Registers that hold what was written and do nothing else.
  static constexpr std::size_t kPlain = 41;
  // A ring of descriptors in guest memory, by the offset of its base address register.
  struct Ring {
    u32 base_low = 0, base_high = 0, length = 0, head = 0, tail = 0;
    u32 count() const { return length / e1000::kDescriptorBytes; }
    u64 base() const { return u64{base_high} << 32 | base_low; }
    PhysAddr descriptor(u32 index) const { return PhysAddr(base() + u64{index} * e1000::kDescriptorBytes); }
    void state(StateArchive& archive);
  };
  // What a context descriptor says about the packets after it (3.3.6).
  struct Context {
    u8 ip_start = 0, ip_offset = 0, transport_start = 0, transport_offset = 0;
    u16 ip_end = 0, transport_end = 0;
    u16 segment_size = 0;
    u8 header_length = 0;
    u8 command = 0;
    void state(StateArchive& archive);
  };

  u32 read_register(u32 offset);
  void write_register(u32 offset, u32 value);
  u32* plain_register(u32 offset);
  u32* ring_register(u32 offset);
  u32 read_array(u32 offset) const;
  void reset_registers();
  void load_eeprom(const MacAddress& address);
  void write_eecd(u32 value);
  void read_eeprom(u32 value);
  u32 status() const;

  // Interrupts
  void cause(u32 bits);
  void update_interrupt();
  void delay(bool receives, u32 timer, u32 absolute);
  void expire(bool receives);

  // e1000_transmit.cpp
  void transmit();
  void take_descriptor(std::span<const u8> descriptor);
  void take_data(u64 address, u32 length);
  void finish_packet();
  void send_segments();
  void send_frame(std::vector<u8>& frame);
  void report_descriptor(PhysAddr at, std::span<u8> descriptor, u8 command);

  // e1000_receive.cpp
  bool accepts(std::span<const u8> frame) const;
  bool passes_vlan_filter(std::span<const u8> frame) const;
  bool carries_vlan(std::span<const u8> frame) const;
  u32 buffer_bytes() const;
  u32 free_descriptors() const;
  u32 descriptors_from(u32 from) const;  // as far as the receive ring's tail
  void fetch_descriptors(u32 tail_before);
  void count(e1000::Statistic low, u64 amount);  // a counter of 64 bits
  void bump(e1000::Statistic which);

  const std::string name_;
  NetworkLink& link_;
  Eeprom93c46 eeprom_;
  E1000Phy phy_;
  PhysicalBus* memory_ = nullptr;
  Scheduler* scheduler_ = nullptr;
  TimerId throttle_timer_ = 0, receive_timer_ = 0, transmit_timer_ = 0, resume_timer_ = 0;

  std::array<u32, kPlain> plain_{};
  std::array<u32, 64> statistics_{};
  std::array<u32, 128> multicast_{};
  std::array<u32, 32> addresses_{};
  std::array<u32, 128> vlans_{};
  u32 control_ = 0, eecd_ = 0, eerd_ = 0, mdic_ = 0;
  u32 causes_ = 0, mask_ = 0;
  u32 receive_control_ = 0, transmit_control_ = 0;
  Ring receive_ring_, transmit_ring_;
  u32 fetched_ = 0;                 // receive descriptors that the card has and has not used
  GuestTime next_interrupt_ = 0;    // no earlier than this, by ITR
  GuestTime receive_absolute_ = 0;  // the latest moment of a delayed cause; 0: none is delayed
  GuestTime transmit_absolute_ = 0;
  bool asserted_ = false;
  u32 io_address_ = 0;
  bool bus_mastering_ = false;  // see BusMastering; no state: it never lasts

  // The packet that is being gathered from descriptors.
  std::vector<u8> packet_;
  bool packet_started_ = false;
  bool segmenting_ = false;
  u8 packet_options_ = 0;                    // POPTS of its first data descriptor
  u8 legacy_offset_ = 0, legacy_start_ = 0;  // CSO and CSS of a legacy descriptor with IC
  bool legacy_checksum_ = false;
  bool insert_vlan_ = false;
  u16 vlan_ = 0;
  Context checksum_context_, segment_context_;
};

}  // namespace relic86
