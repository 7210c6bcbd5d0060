// The virtio SCSI host (virtio 1.0, 5.6) with the disks on its bus.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "devices/storage/scsi_disk.h"
#include "devices/virtio/failed_chains.h"
#include "devices/virtio/virtio_pci.h"

namespace relic86 {

// A disk at its place on the bus.
struct VirtioScsiUnit {
  unsigned target = 0, unit = 0;
  std::unique_ptr<ScsiDisk> disk;
};

class VirtioScsi final : public VirtioPci {
 public:
  static constexpr unsigned kMostTargets = 256, kMostUnits = 16384;

  VirtioScsi(std::string name, const VirtioInterfaces& interfaces, std::vector<VirtioScsiUnit> units);

  std::span<const VirtioScsiUnit> units() const { return units_; }
  bool has(unsigned target, unsigned unit) const { return find(target, unit) != nullptr; }
  // The driver is told. The place must be free, or there must be a disk at it; that one's requests end first.
  void plug(VirtioScsiUnit unit);
  void unplug(unsigned target, unsigned unit);

  // What a disk calls its bus: "scsi0.0".
  void set_bus(std::string name) { bus_ = std::move(name); }
  const std::string& bus() const { return bus_; }

 protected:
  u64 device_features() const override;
  void fill_config(std::span<u8> config) const override;
  void config_bytes_written(unsigned offset, std::span<const u8> bytes) override;
  void serve(unsigned queue) override;
  void reset_device() override;
  void state_device(StateArchive& archive) override;

 private:
  static constexpr std::size_t kPiece = 128u << 10;  // bytes that are moved at once
  // Submitted: the image tells later what became of it. ToBeRetried: the host has failed it, and it is carried out again
  // when the machine goes on.
  enum class Outcome : u8 { Answered, Submitted, ToBeRetried, Broken };
  // A request that has been taken.
  struct Request {
    unsigned queue = 0;
    DescriptorChain chain{};
    std::size_t unit = 0;  // in units_
    ScsiDisk::Transfer transfer{};
    u64 moved = 0;  // bytes of data
  };
  // What a request is for, as its header says.
  struct Address {
    bool valid = false;
    unsigned target = 0, unit = 0;
  };

  std::size_t header_bytes() const;
  std::size_t response_bytes() const;
  u64 data_in_bytes(const DescriptorChain& chain) const;
  u64 data_out_bytes(const DescriptorChain& chain) const;
  // False: the device is broken.
  bool carry_out(unsigned queue, const DescriptorChain& chain, bool& answered);
  Outcome begin(Request& request);
  Outcome send_answer(Request& request);
  Outcome move_medium(Request& request);
  Outcome submit(Request request, BlockRequest what);
  void complete(Request request, BlockRequest what, const Result<>& result);
  // Whether the command goes on after what the host has done.
  enum class After : u8 { GoOn, Failed, ToBeRetried };
  After after(Request& request, BlockRequest::Kind kind, const Result<>& result);
  Outcome answer(const Request& request, u8 response, bool good);
  Outcome list_units(Request& request, unsigned target, std::span<const u8> command);
  // False: it is not answered yet.
  bool control(const DescriptorChain& chain);
  void retry_functions();
  static Address address_of(std::span<const u8> header);
  const VirtioScsiUnit* find(unsigned target, unsigned unit) const;
  // Of what waits to be carried out again, what is for this unit.
  void retry(unsigned target, unsigned unit);
  void drain();
  struct Event {
    u32 type = 0, reason = 0;
    unsigned target = 0, unit = 0;
  };
  void tell(const Event& event);

  std::vector<VirtioScsiUnit> units_;
  std::string bus_;
  std::vector<u8> piece_;
  u32 command_bytes_, sense_bytes_;  // of each request, as the driver says
  u64 work_ = 0;                     // bytes moved since a queue began to be served
  // Of requests that wait for the host, which a saved machine never has.
  u64 submitted_ = 0, submitted_bytes_ = 0;
  bool held_back_ = false;  // more wait in the queue for that
  u64 life_ = 0;            // changes when nobody wants to know any more what becomes of them
  FailedChains to_be_retried_;
  FailedChains waiting_functions_;  // of the control queue, for the end of those
  bool events_missed_ = false;      // the driver had left no buffer for one
};

}  // namespace relic86
