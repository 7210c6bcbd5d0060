// Endpoints: 81h IN, 02h OUT, bulk, 64 bytes.
//
//   command wrapper, 31 bytes to 02h:  0-3 "USBC", 4-7 tag, 8-11 bytes of data, 12: 7 to the host, 13 unit, 14 length
//   of
//                                      the command (1 to 16), 15-30 the command
//   status wrapper, 13 bytes from 81h: 0-3 "USBS", 4-7 tag, 8-11 residue, 12: 0 good, 1 failed, 2 phase error
//   request 21h, FFh                   resets the transport; A1h, FEh: the last unit, 0
//
// Host and device may disagree on the data (6.7, the thirteen cases). What the host expects and the device lacks ends
// with a short packet, or a stall where the last packet was full; what the host brings beyond what the command takes is
// dropped; less than the command moves, or the other way round, is a phase error. A wrapper that is none stalls both
// endpoints until the transport is reset (6.6.1).
#include "devices/usb/usb_storage.h"

#include <algorithm>
#include <array>

#include "base/byte_order.h"

namespace relic86 {

namespace {

constexpr std::string_view kProduct = "relic86 USB Disk";
constexpr const char* kScsiProduct = "USB DISK";
constexpr std::string_view kStrings[] = {"relic86", kProduct, "000000000001"};  // 4.1.1: 12 digits at least

constexpr u8 kDeviceDescriptor[] = {
    18,   1,           // size, DEVICE
    0x10, 0x01,        // USB 1.1
    0,    0,    0, 8,  // class: the interface's; packets of 8 bytes
    0xF4, 0x46,        // vendor 46F4h and product 0001h: those of QEMU's disk
    0x01, 0x00,        //
    0x00, 0x00,        // release
    1,    2,    3, 1   // strings: vendor, product, serial number; one configuration
};
constexpr u8 kIn = 0x81, kOut = 0x02;
constexpr std::size_t kPacket = 64;
constexpr u8 kConfigurationDescriptor[] = {
    9, 2, 32,   0,                    // size, CONFIGURATION, whole size
    1, 1, 0,    0xC0, 0,              // one interface, number 1, powered by itself
    9, 4, 0,    0,    2,              // interface 0: two endpoints
    8, 6, 0x50, 0,                    // mass storage, SCSI commands, bulk-only transport
    7, 5, kIn,  2,    kPacket, 0, 0,  // bulk, 64 bytes
    7, 5, kOut, 2,    kPacket, 0, 0,  //
};
static_assert(sizeof kConfigurationDescriptor == 32);

constexpr u32 kCommandSignature = 0x43425355, kStatusSignature = 0x53425355;
constexpr std::size_t kCommandBytes = 31, kStatusBytes = 13;
constexpr std::size_t kTagAt = 4, kLengthAt = 8, kFlagsAt = 12, kUnitAt = 13, kSizeAt = 14, kBlockAt = 15;
constexpr std::size_t kResidueAt = 8, kStatusAt = 12;
constexpr u8 kToHost = 0x80;
enum Status : u8 { kGood = 0, kFailed = 1, kPhaseError = 2 };

constexpr u8 kClassToInterface = 0x21, kClassFromInterface = 0xA1, kReset = 0xFF, kLastUnit = 0xFE;

ScsiDiskOptions on_usb(ScsiDiskOptions options) {
  options.product = kScsiProduct;
  return options;
}

}  // namespace

UsbStorage::UsbStorage(std::unique_ptr<BlockDevice> image, const ScsiDiskOptions& options)
    : UsbDevice({kDeviceDescriptor, kConfigurationDescriptor, kStrings}), disk_(std::move(image), on_usb(options)) {
  set_serial_number(options.serial);
  disk_.image().retry_with([this] { disk_.retry(); });
}

std::string_view UsbStorage::product() const { return kProduct; }

void UsbStorage::await_command() {
  phase_ = Phase::Command;
  tag_ = expected_ = dropped_ = 0;
  data_ = 0;
  phase_error_ = false;
}

void UsbStorage::reset_function() {
  await_command();
  disk_.reset();
}

void UsbStorage::state_function(StateArchive& archive) {
  archive.field("phase", phase_);
  archive.field("tag", tag_);
  archive.field("expected", expected_);
  archive.field("dropped", dropped_);
  archive.field("bytes_left", data_);
  archive.field("phase_error", phase_error_);
  archive.group("disk", [&] { disk_.state(archive); });
  if (!archive.loading()) return;
  if (phase_ > Phase::Broken) phase_ = Phase::Broken;
  data_ = std::min<u64>(data_, expected_);
}

std::optional<std::vector<u8>> UsbStorage::class_answer(const UsbSetup& setup) {
  if (setup.type != kClassFromInterface || setup.request != kLastUnit) return std::nullopt;
  return std::vector<u8>{0};
}

bool UsbStorage::class_request(const UsbSetup& setup, std::span<const u8>) {
  if (setup.type != kClassToInterface || setup.request != kReset) return false;
  await_command();
  return true;
}

UsbAnswer UsbStorage::stall(u8 address) {
  halt(address);
  return {UsbAnswer::Kind::Stall};
}

UsbAnswer UsbStorage::break_down() {
  phase_ = Phase::Broken;
  halt(kIn);
  return stall(kOut);
}

UsbAnswer UsbStorage::out(u8, std::span<const u8> data) {
  switch (phase_) {
    case Phase::Command:
      if (data.size() != kCommandBytes || load_le<u32>(data, 0) != kCommandSignature || data[kSizeAt] < 1 ||
          data[kSizeAt] > ScsiDisk::kMostCommand)
        return break_down();
      take_command(data);
      return {UsbAnswer::Kind::Ack};
    case Phase::FromHost: {
      if (data.size() > expected_) return break_down();
      if (disk_.waiting()) return {UsbAnswer::Kind::Nak};
      const auto taken = static_cast<std::size_t>(std::min<u64>(data.size(), data_));
      disk_.from_host(data.first(taken));
      data_ -= taken;
      dropped_ += static_cast<u32>(data.size() - taken);
      expected_ -= static_cast<u32>(data.size());
      if (expected_ == 0) phase_ = Phase::Status;
      return {UsbAnswer::Kind::Ack};
    }
    default: return break_down();
  }
}

void UsbStorage::take_command(std::span<const u8> wrapper) {
  await_command();
  tag_ = load_le<u32>(wrapper, kTagAt);
  expected_ = load_le<u32>(wrapper, kLengthAt);
  const bool to_host = (wrapper[kFlagsAt] & kToHost) != 0;
  const ScsiDisk::Transfer transfer =
      disk_.begin(wrapper.subspan(kBlockAt, wrapper[kSizeAt]), static_cast<u8>(wrapper[kUnitAt] & 0xF));
  if (transfer.medium && transfer.medium->kind == BlockRequest::Kind::Flush) disk_.flush();
  using Direction = ScsiDisk::Transfer::Direction;
  const bool agreed =
      transfer.direction == Direction::None || (expected_ != 0 && to_host == (transfer.direction == Direction::ToHost));
  // Nothing of a transfer in the other direction is carried out.
  data_ = agreed ? std::min<u64>(transfer.bytes, expected_) : 0;
  phase_error_ = !agreed || transfer.bytes > expected_;
  phase_ = expected_ == 0 ? Phase::Status : to_host ? Phase::ToHost : Phase::FromHost;
}

UsbAnswer UsbStorage::in(u8, std::span<u8> room) {
  switch (phase_) {
    case Phase::ToHost: return send_data(room.first(std::min(room.size(), kPacket)));
    case Phase::Status: return disk_.waiting() ? UsbAnswer{UsbAnswer::Kind::Nak} : send_status(room);
    case Phase::FromHost:
    case Phase::Command: return {UsbAnswer::Kind::Nak};
    default: return break_down();
  }
}

UsbAnswer UsbStorage::send_data(std::span<u8> room) {
  if (data_ == 0) {
    phase_ = Phase::Status;
    return stall(kIn);
  }
  const auto size = static_cast<std::size_t>(std::min<u64>(room.size(), data_));
  if (!disk_.ready_to_move(size)) return {UsbAnswer::Kind::Nak};
  disk_.to_host(room.first(size));
  data_ -= size;
  expected_ -= static_cast<u32>(size);
  if (expected_ == 0 || (data_ == 0 && size < room.size())) phase_ = Phase::Status;
  return {UsbAnswer::Kind::Ack, size};
}

UsbAnswer UsbStorage::send_status(std::span<u8> room) {
  std::array<u8, kStatusBytes> wrapper{};
  store_le<u32>(wrapper, 0, kStatusSignature);
  store_le<u32>(wrapper, kTagAt, tag_);
  store_le<u32>(wrapper, kResidueAt, expected_ + dropped_);
  wrapper[kStatusAt] = phase_error_ ? kPhaseError : disk_.good() ? kGood : kFailed;
  const std::size_t size = std::min(room.size(), wrapper.size());
  std::copy_n(wrapper.begin(), size, room.begin());
  await_command();
  return {UsbAnswer::Kind::Ack, size};
}

}  // namespace relic86
