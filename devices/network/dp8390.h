// The network interface controller DP8390 with the local memory of an NE2000: what ne2k_isa and ne2k_pci have in
// common.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "base/state_archive.h"
#include "devices/network_link.h"

namespace relic86 {

class Dp8390 final : public NetworkReceiver {
 public:
  static constexpr unsigned kRegisters = 16;

  // identity: what page 0 reads at 0Ah and 0Bh; the RTL8029AS says "PC" there.
  Dp8390(NetworkLink& link, const MacAddress& address, std::array<u8, 2> identity);
  ~Dp8390() { link_.connect(nullptr); }
  Dp8390(const Dp8390&) = delete;
  Dp8390& operator=(const Dp8390&) = delete;

  void on_interrupt(std::function<void(bool)> line) { line_ = std::move(line); }
  void reset();
  void state(StateArchive& archive);

  // Registers 0 to 15 of the page that the command register selects.
  u8 read(unsigned offset);
  void write(unsigned offset, u8 value);
  // The data port: width 1, 2 or 4 bytes of remote DMA.
  u32 read_data(unsigned width);
  void write_data(unsigned width, u32 value);

  bool listening() const override;
  bool can_receive() const override;
  void receive(std::span<const u8> frame) override;
  void link_changed(bool) override {}
  ReceiveFilter receive_filter() const override;

 private:
  // Offsets in local memory: the station address PROM, then 16 KiB of RAM.
  static constexpr u32 kPromBytes = 32, kRamBegin = 0x4000, kRamBytes = 0x4000;

  u8 read_page0(unsigned offset);
  u8 read_page2(unsigned offset) const;
  void write_page0(unsigned offset, u8 value);
  void command(u8 value);
  void transmit();
  void update_interrupt();
  u8 memory_read(u32 address) const;
  void memory_write(u32 address, u8 value);
  void advance_remote(unsigned bytes);
  unsigned moved_by(unsigned width) const;
  bool accepts(std::span<const u8> frame) const;
  unsigned free_pages() const;
  unsigned pages_for(std::size_t length) const;

  NetworkLink& link_;
  const std::array<u8, 2> identity_;
  std::function<void(bool)> line_;
  std::array<u8, kPromBytes> prom_{};
  std::vector<u8> ram_ = std::vector<u8>(kRamBytes);

  u8 command_ = 0;
  u8 page_start_ = 0, page_stop_ = 0, boundary_ = 0, current_ = 0;
  u8 transmit_page_ = 0, transmit_status_ = 0;
  u16 transmit_count_ = 0;
  u16 remote_address_ = 0, remote_count_ = 0;
  u8 interrupt_status_ = 0, interrupt_mask_ = 0;
  u8 receive_configuration_ = 0, transmit_configuration_ = 0, data_configuration_ = 0;
  u8 receive_status_ = 0;
  u8 missed_ = 0;
  std::array<u8, 6> physical_{};
  std::array<u8, 8> multicast_{};
};

}  // namespace relic86
