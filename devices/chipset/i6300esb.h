// The watchdog timer of Intel's 6300ESB I/O controller hub, as PCI 8086:25AB.
#pragma once

#include "devices/host_sinks.h"
#include "devices/pci_device.h"

namespace relic86 {

class I6300esb final : public PciDevice {
 public:
  explicit I6300esb(MachineControl& machine);

  std::string_view name() const override { return "i6300esb"; }
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32 id, GuestTime late) override;

 protected:
  Result<> attach_function(Attachment& board) override;
  void reset_function(ResetKind kind) override;
  void state_function(StateArchive& archive) override;
  void config_written(unsigned offset, unsigned width) override;

 private:
  // How much of the key 80h, 86h has been written.
  enum class Key : u8 { None, First, Whole };
  void start_stage(unsigned stage);
  void stop();
  u32 dword(u64 number) const;

  MachineControl& machine_;
  Scheduler* scheduler_ = nullptr;
  TimerId timer_ = 0;
  std::array<u32, 2> preload_{};  // of both stages
  unsigned stage_ = 0;            // that runs, or would
  bool running_ = false;
  bool interrupted_ = false;  // the first stage has passed
  bool timed_out_ = false;    // the second one has; survives resets
  Key key_ = Key::None;
};

}  // namespace relic86
