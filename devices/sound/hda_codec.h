// A codec on a High Definition Audio link: a function group with an output, and an input on which nothing is plugged in.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "base/state_archive.h"
#include "devices/sound/hda_format.h"
#include "devices/sound_sinks.h"

namespace relic86 {

class HdaCodec {
 public:
  // Output: a line out. Duplex: a line in besides. Micro: a loudspeaker and a microphone.
  enum class Model : u8 { Output, Duplex, Micro };
  static constexpr unsigned kAddresses = 15;  // of codecs on a link: STATESTS has a bit for each

  // host: null: nothing is heard.
  HdaCodec(Model model, SoundHost* host);

  void reset();  // of the link, or of the function group
  // Bits 27:0 of a command: node and verb. Returns the response.
  u32 command(u32 command);
  // What the link carries in an output stream (1 to 15), for the converters that are set to it.
  void play(unsigned stream, GuestTime at, HdaFormat format, std::span<const u8> bytes);
  void state(StateArchive& archive);

 private:
  static constexpr unsigned kNodes = 6;  // numbers 0 to 5

  struct Amplifier {
    u8 left = 0, right = 0;  // 7 mute, 6:0 gain
  };
  // What a node is set to; which of it counts depends on the node.
  struct Node {
    u16 format = 0;
    u8 stream = 0;  // 7:4 stream, 3:0 the first of its channels
    u8 pin_control = 0;
    u32 default_configuration = 0;
    Amplifier amplifier;
  };
  struct Widget;

  unsigned widgets() const;                   // nodes from the first widget on
  const Widget* widget(unsigned node) const;  // null: there is none of that number
  u32 parameter(unsigned node, u32 number) const;
  u32 group_command(u32 verb, u32 payload);
  u32 widget_command(unsigned node, u32 verb, u32 payload);
  void set_amplifier(unsigned node, u32 payload);
  u32 amplifier(unsigned node, u32 payload) const;
  StereoFrame gain() const;

  Model model_;
  SoundSink* sink_ = nullptr;
  std::array<Node, kNodes> nodes_;
  u8 power_ = 0;  // of the function group: D0 to D3
  u32 subsystem_ = 0;
  std::vector<StereoFrame> frames_;
};

}  // namespace relic86
