// The default pipe (USB 1.1, 8.5.2): SETUP, a data stage of IN or OUT packets, a status packet the other way. An OUT in
// the middle of an IN stage ends it; a SETUP begins anew whatever came before.
//
//   request (9.4)            value          answered by
//   00h GET_STATUS                          device: 1 remote wakeup; endpoint: 0 halted
//   01h CLEAR_, 03h SET_FEATURE             0 endpoint halt, 1 remote wakeup
//   05h SET_ADDRESS          address        from the status stage on
//   06h GET_DESCRIPTOR       type, index    1 device, 2 configuration, 3 string; to an interface: its class's types
//   08h GET_, 09h SET_CONFIGURATION         0 or the configuration's number
//   0Ah GET_, 0Bh SET_INTERFACE             setting 0
//
// Data toggles are not looked at: no packet is ever lost here, so that none comes twice.
#include "devices/usb/usb_device.h"

#include <algorithm>

namespace relic86 {

namespace {

enum Request : u8 {
  kGetStatus = 0,
  kClearFeature = 1,
  kSetFeature = 3,
  kSetAddress = 5,
  kGetDescriptor = 6,
  kGetConfiguration = 8,
  kSetConfiguration = 9,
  kGetInterface = 10,
  kSetInterface = 11,
};
enum DescriptorType : u8 { kDevice = 1, kConfiguration = 2, kString = 3, kEndpoint = 5 };
constexpr u8 kRecipient = 0x1F, kToDevice = 0, kToInterface = 1, kToEndpoint = 2;
constexpr u8 kTypeOfRequest = 0x60, kStandard = 0x00;
constexpr u16 kEndpointHalt = 0, kRemoteWakeup = 1;
constexpr std::size_t kSetupBytes = 8;
constexpr std::size_t kSerialNumberAt = 16, kConfigurationValueAt = 5, kAttributesAt = 7, kInterfacesAt = 4;
constexpr u8 kSelfPowered = 0x40;
constexpr u8 kAddressBits = 0x7F;
constexpr u16 kAmericanEnglish = 0x0409;

std::vector<u8> copy_of(std::span<const u8> bytes) { return {bytes.begin(), bytes.end()}; }

}  // namespace

void UsbDevice::bus_reset() {
  address_ = configuration_ = 0;
  remote_wakeup_ = false;
  halted_ = 0;
  stage_ = Stage::Idle;
  setup_ = {};
  data_.clear();
  moved_ = 0;
  reset_function();
}

void UsbDevice::state(StateArchive& archive) {
  archive.field("address", address_);
  archive.field("configuration", configuration_);
  archive.field("remote_wakeup", remote_wakeup_);
  archive.field("halted", halted_);
  archive.field("stage", stage_);
  archive.field("setup_type", setup_.type);
  archive.field("setup_request", setup_.request);
  archive.field("setup_value", setup_.value);
  archive.field("setup_index", setup_.index);
  archive.field("setup_length", setup_.length);
  archive.resizable("data", data_);
  archive.field("moved", moved_);
  state_function(archive);
  if (!archive.loading()) return;
  address_ &= kAddressBits;
  if (configuration_ != 0) configuration_ = descriptors_.configuration[kConfigurationValueAt];
  if (stage_ > Stage::Stalled) stage_ = Stage::Stalled;
  if (data_.size() > kMostControlData) data_.resize(kMostControlData);
  moved_ = std::min(moved_, static_cast<u32>(data_.size()));
}

void UsbDevice::wake_host() {
  if (remote_wakeup_ && host_ != nullptr) host_->usb_wake(*this);
}

UsbAnswer UsbDevice::transact(UsbToken token, u8 endpoint, std::span<u8> data) {
  using enum UsbAnswer::Kind;
  if (endpoint == 0) {
    switch (token) {
      case UsbToken::Setup: return begin(data);
      case UsbToken::In: return control_in(data);
      default: return control_out(data);
    }
  }
  const u8 address = static_cast<u8>(endpoint | (token == UsbToken::In ? 0x80 : 0));
  if (token == UsbToken::Setup || !configured() || !has_endpoint(address)) return {None};
  if ((halted_ & endpoint_bit(address)) != 0) return {Stall};
  return token == UsbToken::In ? in(endpoint, data) : out(endpoint, data);
}

UsbAnswer UsbDevice::begin(std::span<const u8> bytes) {
  if (bytes.size() != kSetupBytes) return {};
  const auto word = [&](std::size_t at) { return static_cast<u16>(bytes[at] | bytes[at + 1] << 8); };
  setup_ = {bytes[0], bytes[1], word(2), word(4), word(6)};
  data_.clear();
  moved_ = 0;
  if (setup_.to_host()) {
    auto found = answer();
    stage_ = found ? Stage::DataIn : Stage::Stalled;
    if (found) data_ = std::move(*found);
    if (data_.size() > setup_.length) data_.resize(setup_.length);
    // Without data the status goes the usual way (8.5.2).
    if (found && setup_.length == 0) stage_ = Stage::StatusIn;
  } else if (setup_.length > kMostControlData) {
    stage_ = Stage::Stalled;
  } else if (setup_.length > 0) {
    stage_ = Stage::DataOut;
  } else {
    stage_ = carry_out({}) ? Stage::StatusIn : Stage::Stalled;
  }
  return {UsbAnswer::Kind::Ack};
}

UsbAnswer UsbDevice::control_in(std::span<u8> room) {
  if (stage_ == Stage::DataIn) {
    const std::size_t bytes = std::min({room.size(), data_.size() - moved_, std::size_t{kControlPacket}});
    std::copy_n(data_.begin() + moved_, bytes, room.begin());
    moved_ += static_cast<u32>(bytes);
    return {UsbAnswer::Kind::Ack, bytes};
  }
  if (stage_ != Stage::StatusIn) return {UsbAnswer::Kind::Stall};
  stage_ = Stage::Idle;
  const bool standard = (setup_.type & kTypeOfRequest) == kStandard && !setup_.to_host();
  if (standard && setup_.request == kSetAddress) address_ = static_cast<u8>(setup_.value & kAddressBits);
  return {UsbAnswer::Kind::Ack};
}

UsbAnswer UsbDevice::control_out(std::span<const u8> data) {
  switch (stage_) {
    case Stage::DataIn: stage_ = Stage::Idle; return {UsbAnswer::Kind::Ack};
    case Stage::DataOut: {
      const std::size_t wanted = std::min<std::size_t>(data.size(), setup_.length - data_.size());
      data_.insert(data_.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(wanted));
      if (data_.size() == setup_.length) stage_ = carry_out(data_) ? Stage::StatusIn : Stage::Stalled;
      return {UsbAnswer::Kind::Ack};
    }
    default: return {UsbAnswer::Kind::Stall};
  }
}

// --- Requests to the host ---

std::optional<std::vector<u8>> UsbDevice::answer() {
  if ((setup_.type & kTypeOfRequest) != kStandard) return class_answer(setup_);
  switch (setup_.request) {
    case kGetStatus: return status();
    case kGetDescriptor: return descriptor();
    case kGetConfiguration: return std::vector<u8>{configuration_};
    case kGetInterface:
      if (!configured() || setup_.index >= descriptors_.configuration[kInterfacesAt]) return std::nullopt;
      return std::vector<u8>{0};
    default: return std::nullopt;
  }
}

std::optional<std::vector<u8>> UsbDevice::status() const {
  switch (setup_.type & kRecipient) {
    case kToDevice: {
      const bool powered = (descriptors_.configuration[kAttributesAt] & kSelfPowered) != 0;
      return std::vector<u8>{static_cast<u8>((powered ? 1 : 0) | (remote_wakeup_ ? 2 : 0)), 0};
    }
    case kToInterface: return std::vector<u8>{0, 0};
    case kToEndpoint: {
      const u8 address = static_cast<u8>(setup_.index);
      if ((address & 0xF) != 0 && !has_endpoint(address)) return std::nullopt;
      return std::vector<u8>{static_cast<u8>((halted_ & endpoint_bit(address)) != 0 ? 1 : 0), 0};
    }
    default: return std::nullopt;
  }
}

std::optional<std::vector<u8>> UsbDevice::descriptor() const {
  const u8 type = static_cast<u8>(setup_.value >> 8), index = static_cast<u8>(setup_.value);
  if ((setup_.type & kRecipient) == kToInterface) {
    const auto found = interface_descriptor(type);
    return found.empty() ? std::nullopt : std::optional(copy_of(found));
  }
  if ((setup_.type & kRecipient) != kToDevice) return std::nullopt;
  if (type == kDevice && index == 0) return copy_of(descriptors_.device);
  if (type == kConfiguration && index == 0) return copy_of(descriptors_.configuration);
  if (type != kString || index > descriptors_.strings.size()) return std::nullopt;
  std::vector<u8> text{0, kString};
  if (index == 0) {
    text.push_back(kAmericanEnglish & 0xFF);
    text.push_back(kAmericanEnglish >> 8);
  } else {
    for (const char letter : text_of(index)) {
      text.push_back(static_cast<u8>(letter));
      text.push_back(0);
    }
  }
  text[0] = static_cast<u8>(text.size());
  return text;
}

std::string_view UsbDevice::text_of(u8 number) const {
  if (!serial_number_.empty() && number == descriptors_.device[kSerialNumberAt]) return serial_number_;
  return descriptors_.strings[number - 1u];
}

// --- Requests to the device ---

bool UsbDevice::carry_out(std::span<const u8> data) {
  return (setup_.type & kTypeOfRequest) == kStandard ? standard_request() : class_request(setup_, data);
}

bool UsbDevice::standard_request() {
  switch (setup_.request) {
    case kClearFeature: return set_feature(false);
    case kSetFeature: return set_feature(true);
    case kSetAddress: return setup_.value <= kAddressBits;  // control_in() has the rest
    case kSetConfiguration: {
      const u8 value = static_cast<u8>(setup_.value);
      if (value != 0 && value != descriptors_.configuration[kConfigurationValueAt]) return false;
      configuration_ = value;
      halted_ = 0;
      configuration_set();
      return true;
    }
    case kSetInterface:
      return configured() && setup_.value == 0 && setup_.index < descriptors_.configuration[kInterfacesAt];
    default: return false;
  }
}

bool UsbDevice::set_feature(bool on) {
  const u8 recipient = setup_.type & kRecipient;
  if (recipient == kToDevice && setup_.value == kRemoteWakeup) {
    remote_wakeup_ = on;
    return true;
  }
  const u8 address = static_cast<u8>(setup_.index);
  if (recipient != kToEndpoint || setup_.value != kEndpointHalt || !has_endpoint(address)) return false;
  halted_ = on ? halted_ | endpoint_bit(address) : halted_ & ~endpoint_bit(address);
  return true;
}

bool UsbDevice::has_endpoint(u8 address) const {
  const auto bytes = descriptors_.configuration;
  for (std::size_t at = 0; at + 2 < bytes.size() && bytes[at] != 0; at += bytes[at]) {
    if (bytes[at + 1] == kEndpoint && bytes[at + 2] == address) return true;
  }
  return false;
}

}  // namespace relic86
