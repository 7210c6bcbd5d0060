// AMD Am79C970A, PCnet-PCI II (pcnet).
#pragma once

#include <array>
#include <string>
#include <vector>

#include "devices/network_link.h"
#include "devices/pci_device.h"

namespace relic86 {

class Pcnet final : public PciDevice, public NetworkReceiver {
 public:
  Pcnet(std::string name, NetworkLink& link, const MacAddress& address);
  ~Pcnet() override { link_.connect(nullptr); }

  std::string_view name() const override { return name_; }
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32 id, GuestTime late) override;

  bool listening() const override;
  bool can_receive() const override;
  void receive(std::span<const u8> frame) override;
  void link_changed(bool) override {}
  ReceiveFilter receive_filter() const override;

 protected:
  Result<> attach_function(Attachment& board) override;
  void reset_function(ResetKind kind) override;
  void state_function(StateArchive& archive) override;
  void config_written(unsigned offset, unsigned width) override;

 private:
  static constexpr std::size_t kCsrs = 128, kBcrs = 24, kPromBytes = 16;
  static constexpr std::size_t kMostPacketBytes = 16384;

  // A descriptor of either ring, whatever its form in memory (chapter "Descriptors", software styles 0, 2 and 3).
  struct Descriptor {
    PhysAddr at{};
    u32 address = 0;  // of the buffer
    u16 flags = 0;    // bits 15:8 OWN, ERR .. STP, ENP
    u32 bytes = 0;    // of the buffer: BCNT
  };

  enum class Port : u8 { None, Data, Address, Reset, BusData };
  Port port_at(unsigned offset) const;
  u32 read_port(Port port);
  void write_port(Port port, u16 value);
  u16 read_csr(unsigned index) const;
  void write_csr(unsigned index, u16 value);
  u16 read_bcr(unsigned index) const;
  void write_bcr(unsigned index, u16 value);
  void write_status(u16 value);
  void reset_chip();
  void initialize();
  void start();
  void stop();
  void cause(u16 bits);
  void update_interrupt();

  // pcnet_rings.cpp
  bool wide() const;  // software structures of 32 bits
  Descriptor load(bool receive, u32 index) const;
  // flags: bits 15:8 as loaded; count: MCNT of a received frame, or 0.
  void store(const Descriptor& descriptor, u16 flags, u32 count);
  void transmit();
  void send(std::vector<u8>& frame);
  bool accepts(std::span<const u8> frame) const;

  const std::string name_;
  NetworkLink& link_;
  PhysicalBus* memory_ = nullptr;
  Scheduler* scheduler_ = nullptr;
  TimerId resume_timer_ = 0;

  std::array<u8, kPromBytes> prom_{};
  std::array<u16, kCsrs> csr_{};
  std::array<u16, kBcrs> bcr_{};
  u16 address_ = 0;  // RAP
  bool dword_io_ = false;
  u32 receive_base_ = 0, transmit_base_ = 0;
  u32 receive_count_ = 1, transmit_count_ = 1;  // descriptors in the rings
  u32 receive_index_ = 0, transmit_index_ = 0;
  std::vector<u8> packet_;  // of several transmit descriptors
  bool packet_started_ = false;
  bool bus_mastering_ = false;
};

}  // namespace relic86
