// The 8254 programmable interval timer: channel 0 interrupts, channel 1 refreshes memory, channel 2 drives the speaker.
#pragma once

#include <array>
#include <functional>

#include "devices/attachment.h"
#include "devices/device.h"

namespace relic86 {

class I8254 final : public Device {
 public:
  static constexpr unsigned kChannels = 3;

  // GATE of channel 2 (port 61h bit 0).
  void set_gate(unsigned channel, bool level);
  bool gate(unsigned channel) const { return channels_[channel].gate; }
  bool output(unsigned channel, GuestTime now);  // OUT as it is now
  // Tells OUT as it was at `from`, and each change after that until `to`, but for pulses of one clock; both lie in the
  // time for which the channel has been programmed as it is now (before_channel2_change says when that ends).
  using OutputFollower = std::function<void(GuestTime at, bool level)>;
  void follow_output(unsigned channel, GuestTime from, GuestTime to, const OutputFollower& told) const;
  u32 period(unsigned channel) const { return channels_[channel].reload; }  // in clocks, 1 to 65536
  bool periodic(unsigned channel) const { return channels_[channel].mode == 2 || channels_[channel].mode == 3; }
  // Called before channel 2 is programmed or its gate changes.
  void before_channel2_change(std::function<void()> callback) { channel2_changes_ = std::move(callback); }

  std::string_view name() const override { return "i8254"; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind kind) override;
  void state(StateArchive& archive) override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32 id, GuestTime late) override;

 private:
  struct Channel {
    u8 mode = 0;       // 0 to 5
    u8 mode_bits = 0;  // as written, 0 to 7: the status shows them
    u8 access = 3;     // RW: 1 low byte, 2 high byte, 3 both
    bool bcd = false;
    bool gate = true;
    bool loaded = false;     // a count has been written since the mode was set
    bool triggered = false;  // modes 1 and 5: the gate has started a run
    bool high_byte_next_write = false;
    bool high_byte_next_read = false;
    u8 write_low = 0;
    u32 reload = 0x10000;       // ticks of a period, 1 to 65536 (10000 in BCD)
    i64 start = 0;              // tick at which the run began
    u32 next_reload = 0;        // the count that the next period, half period or trigger takes; 0: none
    i64 next_change_ticks = 0;  // modes 2 and 3: when it does, in ticks of the run
    i64 paused_ticks = 0;       // ticks of the run when the gate stopped it
    bool paused = false;
    bool count_latched = false;
    u16 count_latch = 0;
    bool status_latched = false;
    u8 status_latch = 0;
  };

  i64 ticks_now() const { return tick_at(scheduler_->now()); }
  static i64 tick_at(GuestTime time);
  static GuestTime time_of_tick(i64 tick);
  static u16 count(const Channel& channel, i64 tick);
  // Ticks of the run, which stand while the gate is low.
  static i64 elapsed(const Channel& channel, i64 tick);
  static bool output_at(const Channel& channel, i64 tick);
  void settle(unsigned index, i64 tick);  // a new count whose time has come takes the place of the old one
  // The same for a channel at a tick; false: nothing is to be done.
  static bool takes_new_count(const Channel& channel, i64 tick);
  static void take_new_count(Channel& channel);
  void channel_state(StateArchive& archive, Channel& channel);
  static u8 status(const Channel& channel, i64 tick);
  void load(unsigned index, u32 value, i64 now);
  void write_control(u8 value);
  void write_counter(unsigned index, u8 byte);
  static void latch_count(Channel& channel, i64 tick);
  static u8 read_counter(Channel& channel, i64 tick);
  static i64 rising_edges(const Channel& channel, i64 ticks);
  static i64 next_change(const Channel& channel, i64 ticks);
  void update_channel0();
  void restart_channel0();  // channel 0 was programmed: nothing of its past counts

  std::array<Channel, kChannels> channels_;
  Scheduler* scheduler_ = nullptr;
  TimerId timer_ = 0;
  i64 rises_seen_ = 0;  // of channel 0's run: interrupts made
  u32 owed_ = 0;        // interrupts that a late host still owes the guest
  IrqLine irq_;
  std::function<void()> channel2_changes_;
};

}  // namespace relic86
