// The virtio network card (virtio 1.0, 5.1).
#pragma once

#include <array>
#include <string>
#include <vector>

#include "devices/network_link.h"
#include "devices/virtio/virtio_net_registers.h"
#include "devices/virtio/virtio_pci.h"

namespace relic86 {

class VirtioNet final : public VirtioPci, public NetworkReceiver {
 public:
  VirtioNet(std::string name, const VirtioInterfaces& interfaces, NetworkLink& link, const MacAddress& address);
  ~VirtioNet() override { link_.connect(nullptr); }

  bool listening() const override { return running(); }
  bool can_receive() const override;
  void receive(std::span<const u8> frame) override;
  void link_changed(bool up) override;
  ReceiveFilter receive_filter() const override;

 protected:
  u64 device_features() const override;
  void fill_config(std::span<u8> config) const override;
  void config_bytes_written(unsigned offset, std::span<const u8> bytes) override;
  void serve(unsigned queue) override;
  void reset_device() override;
  void state_device(StateArchive& archive) override;

 private:
  static constexpr std::size_t kMostAddresses = 64;
  // Addresses that the driver wants to hear of; more than fit: all of the kind.
  struct AddressTable {
    std::array<u8, kMostAddresses * 6> bytes{};
    u8 count = 0;
    bool overflown = false;
    bool holds(std::span<const u8> frame) const;
    void state(StateArchive& archive);
  };
  enum class Answer : u8 { Good = 0, Refused = 1 };

  std::size_t header_bytes() const;
  // virtio_net.cpp: frames
  void transmit();
  void send_packet(std::span<u8> header, std::span<u8> frame);
  bool accepts(std::span<const u8> frame) const;
  // virtio_net_control.cpp
  void control();
  Answer command(std::span<const u8> request);
  Answer set_mode(u8 command, std::span<const u8> data);
  Answer set_addresses(u8 command, std::span<const u8> data);
  Answer set_vlan(u8 command, std::span<const u8> data);

  NetworkLink& link_;
  const MacAddress own_address_;
  MacAddress address_;
  std::array<u8, virtio_net::kModes> modes_{};  // by Mode; 1: on
  AddressTable unicast_, multicast_;
  std::array<u32, 128> vlans_{};
};

}  // namespace relic86
