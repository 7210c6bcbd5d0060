// Realtek RTL8139C+ Fast Ethernet controller (rtl8139): with the four transmit descriptors and the receive ring of an
// RTL8139, and with descriptors in memory (C+ mode).
#pragma once

#include <array>
#include <string>
#include <vector>

#include "devices/network/eeprom93c46.h"
#include "devices/network_link.h"
#include "devices/pci_device.h"

namespace relic86 {

class Rtl8139 final : public PciDevice, public NetworkReceiver {
 public:
  Rtl8139(std::string name, NetworkLink& link, const MacAddress& address);
  ~Rtl8139() override { link_.connect(nullptr); }

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
  static constexpr std::size_t kRegisters = 256;
  static constexpr std::size_t kMostPacketBytes = 128u << 10;

  u32 get(unsigned offset, unsigned width) const;
  void set(unsigned offset, unsigned width, u32 value);
  u8 read_byte(unsigned offset) const;
  void write_byte(unsigned offset, u8 value);
  void written(unsigned offset, unsigned width);
  void reset_chip();
  void load_from_eeprom();
  void write_eeprom_command(u8 value);
  void write_command(u8 value);
  void cause(u32 bits);
  void update_interrupt();
  void update_timer();
  u32 timer_count() const;

  // rtl8139_transmit.cpp
  void transmit_legacy(unsigned which);
  void transmit_ring();
  bool transmit_descriptor();
  void send(std::vector<u8>& frame);

  // rtl8139_receive.cpp
  bool accepts(std::span<const u8> frame, u32& status) const;
  void receive_legacy(std::span<const u8> frame, u32 status);
  void receive_ring(std::span<const u8> frame, u32 status);
  u32 ring_bytes() const;
  u32 ring_free() const;
  bool enhanced_receive() const;
  PhysAddr receive_descriptor() const;

  const std::string name_;
  NetworkLink& link_;
  Eeprom93c46 eeprom_;
  PhysicalBus* memory_ = nullptr;
  Scheduler* scheduler_ = nullptr;
  TimerId timer_ = 0, resume_timer_ = 0;

  std::array<u8, kRegisters> registers_{};      // little-endian, as the guest sees those that nothing computes
  u32 receive_index_ = 0, transmit_index_ = 0;  // C+ descriptors from the start of their tables
  GuestTime timer_base_ = 0;                    // when TCTR was 0
  std::vector<u8> packet_;                      // of a C+ packet in several descriptors
  bool bus_mastering_ = false;
};

}  // namespace relic86
