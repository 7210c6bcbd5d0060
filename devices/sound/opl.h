// An FM synthesizer on the ISA bus: the AdLib's YM3812 (OPL2), or the YMF262 (OPL3) of later cards.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "devices/attachment.h"
#include "devices/device.h"
#include "devices/sound/opl3_chip.h"
#include "devices/sound_sinks.h"

namespace relic86 {

struct OplConfig {
  enum class Model : u8 { Opl2, Opl3 } model = Model::Opl3;
  std::optional<u16> card;  // base port of a Sound Blaster, which shows the chip there, too
};

class Opl final : public Device, public SoundSource {
 public:
  // host: null: nothing is heard.
  Opl(const OplConfig& config, SoundHost* host);

  // The volume that a card's mixer gives the chip.
  void set_gain(StereoFrame gain);

  void produce(GuestTime until) override;
  bool sounding() const override { return quiet_frames_ < kQuiet; }

  std::string_view name() const override { return "opl"; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind kind) override;
  void state(StateArchive& archive) override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32, GuestTime) override {}

 private:
  // After so many frames without a sound, slower than any attack, only a write makes one.
  static constexpr u32 kQuiet = 4 * Opl3Chip::kRate.numerator;

  struct Timer {
    u8 count = 0;  // it counts up from here and overflows beyond FFh
    bool running = false;
    bool masked = false;
    GuestTime start = 0;  // of the count, or of the period after the last overflow that was taken note of
  };
  static GuestTime period(const Timer& timer, unsigned index);
  bool overflowed(unsigned index) const;
  u8 status() const;
  void write_register(u16 index, u8 value);
  void write_timer_control(u8 value);

  OplConfig config_;
  SoundSink* sink_ = nullptr;
  Scheduler* scheduler_ = nullptr;
  u16 address_ = 0;
  std::array<u8, Opl3Chip::kRegisters> registers_{};
  std::array<Timer, 2> timers_;

  // The sound: nothing of it is seen by the guest.
  Opl3Chip chip_;
  StereoFrame gain_{1, 1};
  u64 next_frame_ = 0;  // since the machine's start
  u32 quiet_frames_ = kQuiet;
  std::vector<StereoFrame> frames_;
};

}  // namespace relic86
