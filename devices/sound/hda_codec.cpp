// Nodes (High Definition Audio Specification 1.0a, 7.1):
//
//   0  root
//   1  audio function group
//   2  output converter with an amplifier of -63 to 0 dB
//   3  pin complex: line out, or a loudspeaker
//   4  input converter with an amplifier     (not in hda-output)
//   5  pin complex: line in, or a microphone (not in hda-output)
//
// Verbs (7.3.3), of which those with 16 bits of payload have four bits:
//
//   A, 2      converter format, get and set      B, 3      amplifier, get and set
//   F00       parameter (7.3.4)                  F01, 701  selected connection
//   F02       connection list                    F05, 705  power state
//   F06, 706  stream and channel                 F07, 707  pin control
//   F09       pin sense                          F1C, 71C to 71F  default configuration
//   F20, 720 to 723  subsystem                   7FF       reset of the function group
#include "devices/sound/hda_codec.h"

#include <algorithm>
#include <cmath>

#include "devices/sound/pcm_frames.h"

namespace relic86 {

namespace {

constexpr unsigned kRoot = 0, kGroup = 1, kFirstWidget = 2, kOutput = 2, kOutputPin = 3, kInputPin = 5;

enum Verb : u32 {
  kSetFormat = 0x2,
  kSetAmplifier = 0x3,
  kGetFormat = 0xA,
  kGetAmplifier = 0xB,
  kGetParameter = 0xF00,
  kGetConnections = 0xF02,
  kGetPower = 0xF05,
  kSetPower = 0x705,
  kGetStream = 0xF06,
  kSetStream = 0x706,
  kGetPinControl = 0xF07,
  kSetPinControl = 0x707,
  kGetPinSense = 0xF09,
  kGetConfiguration = 0xF1C,
  kSetConfiguration = 0x71C,  // to 71Fh, a byte each
  kGetSubsystem = 0xF20,
  kSetSubsystem = 0x720,  // to 723h
  kResetGroup = 0x7FF,
};

enum Parameter : u32 {
  kVendor = 0x00,
  kRevision = 0x02,
  kSubordinates = 0x04,
  kGroupType = 0x05,
  kWidgetCapabilities = 0x09,
  kSampleSizes = 0x0A,
  kStreamFormats = 0x0B,
  kPinCapabilities = 0x0C,
  kInputAmplifier = 0x0D,
  kConnectionCount = 0x0E,
  kPowerStates = 0x0F,
  kOutputAmplifier = 0x12,
};

// The maker and the numbers that QEMU's codecs of these names have.
constexpr u32 kIdentities[] = {0x1AF40012, 0x1AF40022, 0x1AF40032};
constexpr u32 kRevisionNumber = 0x00100101;
constexpr u32 kAudioGroup = 1;
constexpr u32 kPcm = 1;
// 32, 24, 20 and 16 bits; 8 to 96 kHz with all rates between.
constexpr u32 kSizesAndRates = 0x001E'01FF;
constexpr u32 kPowerStateD0 = 1u << 0, kPowerStateD3 = 1u << 3;
constexpr u8 kPowerBits = 3;

// Widget capabilities: 23:20 what it is.
constexpr u32 kStereo = 1u << 0, kHasInputAmplifier = 1u << 1, kHasOutputAmplifier = 1u << 2, kOwnAmplifier = 1u << 3,
              kOwnFormat = 1u << 4, kHasConnections = 1u << 8, kOutputConverter = 0, kInputConverter = 1u << 20,
              kPinComplex = 4u << 20;
constexpr u32 kOutputCapable = 1u << 4, kInputCapable = 1u << 5;
constexpr u8 kOutputEnable = 0x40, kInputEnable = 0x20, kPinControlBits = 0xE7;
// Amplifiers: 31 can be muted, 22:16 step in quarters of a dB less one, 14:8 steps less one, 6:0 which of them is 0 dB.
constexpr u8 kSteps = 63;
constexpr u32 kAmplifierCapabilities = 1u << 31 | 3u << 16 | u32{kSteps} << 8 | kSteps;
constexpr u8 kMute = 0x80, kGainMask = 0x7F;
constexpr u32 kPayloadOutput = 1u << 15, kPayloadInput = 1u << 14, kPayloadLeft = 1u << 13, kPayloadRight = 1u << 12;

// 48 kHz, 16 bits, stereo.
constexpr u16 kFirstFormat = 0x0011;
// Default configurations: 31:30 jack (0) or built in (2), 29:24 where, 23:20 what for, 19:16 plug, 15:12 colour,
// 8 cannot tell whether something is plugged in, 7:4 group, 3:0 place in it.
constexpr u32 kLineOutGreen = 0x01014110, kLineInBlue = 0x01813120, kLoudspeaker = 0x90170110,
              kMicrophonePink = 0x01A19120;

}  // namespace

struct HdaCodec::Widget {
  u32 capabilities;
  u32 pin;            // capabilities of a pin complex
  u8 pin_control;     // at reset
  u8 connection;      // the node that feeds it; 0: none
  u32 configuration;  // at reset
  u32 as_micro;       // the same of hda-micro
};

unsigned HdaCodec::widgets() const { return model_ == Model::Output ? 2 : 4; }

const HdaCodec::Widget* HdaCodec::widget(unsigned node) const {
  static constexpr Widget kWidgets[] = {
      {kOutputConverter | kStereo | kHasOutputAmplifier | kOwnAmplifier | kOwnFormat, 0, 0, 0, 0, 0},
      {kPinComplex | kStereo | kHasConnections, kOutputCapable, kOutputEnable, kOutput, kLineOutGreen, kLoudspeaker},
      {kInputConverter | kStereo | kHasInputAmplifier | kOwnAmplifier | kOwnFormat | kHasConnections, 0, 0, kInputPin,
       0, 0},
      {kPinComplex | kStereo, kInputCapable, kInputEnable, 0, kLineInBlue, kMicrophonePink},
  };
  return node < kFirstWidget || node >= kFirstWidget + widgets() ? nullptr : &kWidgets[node - kFirstWidget];
}

HdaCodec::HdaCodec(Model model, SoundHost* host) : model_(model) {
  if (host != nullptr) sink_ = &host->add_voice(nullptr);
  reset();
}

void HdaCodec::reset() {
  power_ = 0;
  subsystem_ = kIdentities[static_cast<unsigned>(model_)];
  nodes_ = {};
  for (unsigned i = kFirstWidget; i < kNodes; i++) {
    const Widget* const made = widget(i);
    if (made == nullptr) continue;
    nodes_[i].format = kFirstFormat;
    nodes_[i].pin_control = made->pin_control;
    nodes_[i].default_configuration = model_ == Model::Micro ? made->as_micro : made->configuration;
    nodes_[i].amplifier = {kSteps, kSteps};
  }
}

void HdaCodec::state(StateArchive& archive) {
  archive.field("power", power_);
  archive.field("subsystem", subsystem_);
  static constexpr const char* kNames[] = {"output", "output_pin", "input", "input_pin"};
  for (unsigned i = kFirstWidget; i < kFirstWidget + widgets(); i++) {
    archive.group(kNames[i - kFirstWidget], [&] {
      Node& node = nodes_[i];
      archive.field("format", node.format);
      archive.field("stream", node.stream);
      archive.field("pin_control", node.pin_control);
      archive.field("default_configuration", node.default_configuration);
      archive.field("left", node.amplifier.left);
      archive.field("right", node.amplifier.right);
      if (!archive.loading()) return;
      node.format &= HdaFormat::kBits;
      node.pin_control &= kPinControlBits;
    });
  }
  if (archive.loading()) power_ &= kPowerBits;
}

u32 HdaCodec::command(u32 command) {
  constexpr u32 kNodeMask = 0xFF;  // with bit 27, which would be another way to number nodes: none has such a number
  const unsigned node = command >> 20 & kNodeMask;
  const u32 verb = command >> 8 & 0xFFF, payload = command & 0xFF;
  if (verb == kGetParameter) return parameter(node, payload);
  if (node == kGroup) return group_command(verb, payload);
  if (widget(node) == nullptr) return 0;
  const u32 wide = command & 0xFFFF;
  const bool converter = (widget(node)->capabilities & kOwnFormat) != 0;
  switch (command >> 16 & 0xF) {
    case kSetFormat:
      if (converter) nodes_[node].format = static_cast<u16>(wide) & HdaFormat::kBits;
      return 0;
    case kGetFormat: return converter ? nodes_[node].format : 0;
    case kSetAmplifier: set_amplifier(node, wide); return 0;
    case kGetAmplifier: return amplifier(node, wide);
    default: return widget_command(node, verb, payload);
  }
}

u32 HdaCodec::parameter(unsigned node, u32 number) const {
  if (node == kRoot) {
    switch (number) {
      case kVendor: return kIdentities[static_cast<unsigned>(model_)];
      case kRevision: return kRevisionNumber;
      case kSubordinates: return kGroup << 16 | 1;
      default: return 0;
    }
  }
  if (node == kGroup) {
    switch (number) {
      case kSubordinates: return kFirstWidget << 16 | widgets();
      case kGroupType: return kAudioGroup;
      case kSampleSizes: return kSizesAndRates;
      case kStreamFormats: return kPcm;
      case kPowerStates: return kPowerStateD0 | kPowerStateD3;
      default: return 0;
    }
  }
  const Widget* const made = widget(node);
  if (made == nullptr) return 0;
  const auto if_it_has = [&](u32 capability, u32 value) { return (made->capabilities & capability) != 0 ? value : 0; };
  switch (number) {
    case kWidgetCapabilities: return made->capabilities;
    case kSampleSizes: return if_it_has(kOwnFormat, kSizesAndRates);
    case kStreamFormats: return if_it_has(kOwnFormat, kPcm);
    case kPinCapabilities: return made->pin;
    case kInputAmplifier: return if_it_has(kHasInputAmplifier, kAmplifierCapabilities);
    case kOutputAmplifier: return if_it_has(kHasOutputAmplifier, kAmplifierCapabilities);
    case kConnectionCount: return made->connection != 0 ? 1 : 0;
    default: return 0;
  }
}

u32 HdaCodec::group_command(u32 verb, u32 payload) {
  switch (verb) {
    case kResetGroup: reset(); return 0;
    case kSetPower: power_ = static_cast<u8>(payload) & kPowerBits; return 0;
    case kGetPower: return u32{power_} << 4 | power_;
    case kGetSubsystem: return subsystem_;
    default: break;
  }
  if (verb >= kSetSubsystem && verb < kSetSubsystem + 4) {
    const u32 shift = (verb - kSetSubsystem) * 8;
    subsystem_ = (subsystem_ & ~(0xFFu << shift)) | payload << shift;
  }
  return 0;
}

u32 HdaCodec::widget_command(unsigned number, u32 verb, u32 payload) {
  Node& node = nodes_[number];
  const Widget& made = *widget(number);
  const bool pin = made.pin != 0;
  switch (verb) {
    case kGetConnections: return payload == 0 ? made.connection : 0;
    case kGetStream: return node.stream;
    case kSetStream:
      if (!pin) node.stream = static_cast<u8>(payload);
      return 0;
    case kGetPinControl: return node.pin_control;
    case kSetPinControl:
      if (pin) node.pin_control = static_cast<u8>(payload) & kPinControlBits;
      return 0;
    case kGetConfiguration: return node.default_configuration;
    case kGetPinSense:  // it cannot tell
    default: break;
  }
  if (pin && verb >= kSetConfiguration && verb < kSetConfiguration + 4) {
    const u32 shift = (verb - kSetConfiguration) * 8;
    node.default_configuration = (node.default_configuration & ~(0xFFu << shift)) | payload << shift;
  }
  return 0;
}

void HdaCodec::set_amplifier(unsigned number, u32 payload) {
  const u32 capabilities = widget(number)->capabilities;
  const bool reached = ((payload & kPayloadOutput) != 0 && (capabilities & kHasOutputAmplifier) != 0) ||
                       ((payload & kPayloadInput) != 0 && (capabilities & kHasInputAmplifier) != 0);
  if (!reached) return;
  const u8 gain = std::min(static_cast<u8>(payload & kGainMask), kSteps);
  const u8 value = static_cast<u8>(gain | (payload & kMute));
  Amplifier& amplifier = nodes_[number].amplifier;
  if ((payload & kPayloadLeft) != 0) amplifier.left = value;
  if ((payload & kPayloadRight) != 0) amplifier.right = value;
}

u32 HdaCodec::amplifier(unsigned number, u32 payload) const {
  const u32 asked = (payload & kPayloadOutput) != 0 ? kHasOutputAmplifier : kHasInputAmplifier;
  if ((widget(number)->capabilities & asked) == 0) return 0;
  const Amplifier& amplifier = nodes_[number].amplifier;
  return (payload & kPayloadLeft) != 0 ? amplifier.left : amplifier.right;
}

// --- Sound ---

StereoFrame HdaCodec::gain() const {
  if (power_ != 0 || (nodes_[kOutputPin].pin_control & kOutputEnable) == 0) return {};
  const auto side = [](u8 value) {
    if ((value & kMute) != 0) return 0.0f;
    return static_cast<float>(std::pow(10.0, ((value & kGainMask) - kSteps) / 20.0));
  };
  return {side(nodes_[kOutput].amplifier.left), side(nodes_[kOutput].amplifier.right)};
}

void HdaCodec::play(unsigned stream, GuestTime at, HdaFormat format, std::span<const u8> bytes) {
  const unsigned first = nodes_[kOutput].stream & 15u;
  if (sink_ == nullptr || nodes_[kOutput].stream >> 4 != stream || first >= format.channels()) return;
  const unsigned second = std::min(first + 1, format.channels() - 1);
  const PcmLayout layout{.sample_bytes = static_cast<u8>(format.sample_bytes()),
                         .is_signed = format.sample_bytes() != 1,
                         .channels = static_cast<u8>(format.channels()),
                         .left = static_cast<u8>(first),
                         .right = static_cast<u8>(second)};
  decode_pcm(bytes, layout, gain(), frames_);
  sink_->play(at, {format.rate()}, frames_);
}

}  // namespace relic86
