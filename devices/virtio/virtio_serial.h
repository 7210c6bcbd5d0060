// The virtio console with several ports (virtio 1.0, 5.3): consoles of the guest (/dev/hvc0), and named streams of
// bytes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "devices/host_sinks.h"
#include "devices/virtio/virtio_pci.h"

namespace relic86 {

struct VirtioPortConfig {
  bool console = false;  // virtconsole: the guest has a terminal there
  u32 number = 0;        // 0 is a console's
  std::string name;      // of a virtserialport; may be empty
  u32 order = 0;         // among all ports of the board
};

class VirtioSerial final : public VirtioPci {
 public:
  static constexpr u32 kMostPorts = 31;

  // ports: each number once, below kMostPorts.
  VirtioSerial(std::string name, const VirtioInterfaces& interfaces, const std::vector<VirtioPortConfig>& ports);
  ~VirtioSerial() override;

  // The host's side of the port with this place in the list. Both may be null: nobody listens.
  std::size_t port_count() const { return ports_.size(); }
  CharSource& source(std::size_t port);
  void connect(std::size_t port, CharSink* sink);

  void event(u32 id, GuestTime late) override;

 protected:
  u64 device_features() const override;
  void fill_config(std::span<u8> config) const override;
  void config_bytes_written(unsigned offset, std::span<const u8> bytes) override;
  void serve(unsigned queue) override;
  void attach_device(Attachment& board) override;
  void reset_device() override;
  void state_device(StateArchive& archive) override;

 private:
  class Port;
  static unsigned receive_queue(u32 port) { return port == 0 ? 0 : 2 + port * 2; }
  static unsigned transmit_queue(u32 port) { return receive_queue(port) + 1; }
  Port* find(u32 number);
  void transmit(Port& port);
  void receive_command();
  void obey(u32 port, u16 event, u16 value);
  void tell(u32 port, u16 event, u16 value, const std::string& text = {});
  void send_commands();
  void deliver(Port& port);
  void deliver_soon();

  Scheduler* scheduler_ = nullptr;
  TimerId deliver_timer_ = 0;
  std::vector<std::unique_ptr<Port>> ports_;
  std::vector<u8> commands_;  // for the driver, each with its length (2 bytes) first
};

}  // namespace relic86
