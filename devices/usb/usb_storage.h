// A disk on USB: SCSI commands over the bulk-only transport (USB Mass Storage Class, Bulk-Only Transport 1.0).
#pragma once

#include "devices/storage/scsi_disk.h"
#include "devices/usb/usb_device.h"

namespace relic86 {

class UsbStorage final : public UsbDevice {
 public:
  UsbStorage(std::unique_ptr<BlockDevice> image, const ScsiDiskOptions& options);

  BlockDevice& image() { return disk_.image(); }
  std::string_view product() const override;

 protected:
  void reset_function() override;
  void state_function(StateArchive& archive) override;
  std::span<const u8> interface_descriptor(u8) const override { return {}; }
  std::optional<std::vector<u8>> class_answer(const UsbSetup& setup) override;
  bool class_request(const UsbSetup& setup, std::span<const u8> data) override;
  UsbAnswer in(u8 endpoint, std::span<u8> room) override;
  UsbAnswer out(u8 endpoint, std::span<const u8> data) override;
  void configuration_set() override { await_command(); }

 private:
  enum class Phase : u8 {
    Command,  // a command block wrapper comes next
    ToHost,
    FromHost,
    Status,  // a command status wrapper goes next
    Broken,  // out of step: everything is stalled until the transport is reset
  };

  void await_command();
  void take_command(std::span<const u8> wrapper);
  UsbAnswer stall(u8 address);
  UsbAnswer break_down();
  UsbAnswer send_data(std::span<u8> room);
  UsbAnswer send_status(std::span<u8> room);

  ScsiDisk disk_;
  Phase phase_ = Phase::Command;
  u32 tag_ = 0;
  u32 expected_ = 0;  // bytes that the host still counts on
  u32 dropped_ = 0;   // bytes from the host that the command did not take: with expected_ they are the residue
  u64 data_ = 0;      // bytes that the command still has or takes
  bool phase_error_ = false;
};

}  // namespace relic86
