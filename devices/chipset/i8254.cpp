// Registers (Intel 8254 datasheet 231164):
//
//   port  R/W  register
//   40h   RW   counter 0; reads give the latched status, the latched count or the count, in the channel's access order
//   41h   RW   counter 1
//   42h   RW   counter 2
//   43h   W    control word: 7:6 channel (3 = read-back: 5 = 0 count, 4 = 0 status, 3:1 channels),
//              5:4 access (0 latches the count), 3:1 mode, 0 BCD
//
// The clock is 14.31818 MHz / 12. All counts are computed from guest time: nothing runs between accesses but channel
// 0's edges.
#include "devices/chipset/i8254.h"

#include <algorithm>

namespace relic86 {

namespace {

enum Event : u32 { kChannel0Edge };
// 1193181.8181... Hz = 13125000 / 11 ticks a second.
constexpr i64 kTicksNumerator = 13125000, kTicksDenominator = 11, kSecond = 1'000'000'000;
constexpr u32 kTicksInASecond = 1193182;
constexpr i64 kMostTicks = i64{1} << 53;  // 239 years: what GuestTime holds is little more

u32 from_bcd(u32 value) {
  return (value >> 12 & 15) * 1000 + (value >> 8 & 15) * 100 + (value >> 4 & 15) * 10 + (value & 15);
}
u32 to_bcd(u32 value) {
  return (value / 1000 % 10) << 12 | (value / 100 % 10) << 8 | (value / 10 % 10) << 4 | value % 10;
}

}  // namespace

Result<> I8254::attach(Attachment& board) {
  scheduler_ = &board.scheduler();
  timer_ = board.timer(*this, "channel0", kChannel0Edge);
  irq_ = board.isa_irq(0);
  return board.ports(*this, 0, 0x40, 4);
}

void I8254::reset(ResetKind) {
  if (channel2_changes_) channel2_changes_();
  for (unsigned i = 0; i < kChannels; i++) {
    channels_[i] = Channel{};
    channels_[i].gate = i != 2;
  }
  rises_seen_ = owed_ = 0;
  restart_channel0();
}

void I8254::channel_state(StateArchive& archive, Channel& c) {
  archive.field("mode", c.mode);
  archive.field("mode_bits", c.mode_bits);
  archive.field("access", c.access);
  archive.field("bcd", c.bcd);
  archive.field("gate", c.gate);
  archive.field("loaded", c.loaded);
  archive.field("triggered", c.triggered);
  archive.field("high_byte_next_write", c.high_byte_next_write);
  archive.field("high_byte_next_read", c.high_byte_next_read);
  archive.field("write_low", c.write_low);
  archive.field("reload", c.reload);
  archive.field("next_reload", c.next_reload);
  archive.field("next_change_ticks", c.next_change_ticks);
  archive.field("start", c.start);
  archive.field("paused_ticks", c.paused_ticks);
  archive.field("paused", c.paused);
  archive.field("count_latched", c.count_latched);
  archive.field("count_latch", c.count_latch);
  archive.field("status_latched", c.status_latched);
  archive.field("status_latch", c.status_latch);
  if (!archive.loading()) return;
  const u32 most = c.bcd ? 10000 : 0x10000;
  if (c.mode > 5) c.mode = 0;
  c.mode_bits &= 7;
  if (c.access < 1 || c.access > 3) c.access = 3;
  if (c.reload < 1 || c.reload > most) c.reload = most;
  if (c.next_reload > most) c.next_reload = 0;
  c.start = std::clamp(c.start, -kMostTicks, kMostTicks);
  c.next_change_ticks = std::clamp<i64>(c.next_change_ticks, 0, 2 * kMostTicks);
  c.paused_ticks = std::clamp<i64>(c.paused_ticks, 0, kMostTicks);
}

void I8254::state(StateArchive& archive) {
  static constexpr const char* kNames[kChannels] = {"channel0", "channel1", "channel2"};
  archive.field("rises_seen", rises_seen_);
  archive.field("owed", owed_);
  for (unsigned i = 0; i < kChannels; i++) {
    archive.group(kNames[i], [&] { channel_state(archive, channels_[i]); });
  }
  if (!archive.loading()) return;
  rises_seen_ = std::clamp(rises_seen_, -kMostTicks, kMostTicks);
  owed_ = std::min(owed_, kTicksInASecond);
}

u64 I8254::read(RegionId, u64 offset, unsigned) {
  if (offset == 3) return 0xFF;  // write only
  const i64 tick = tick_at(scheduler_->now());
  settle(static_cast<unsigned>(offset), tick);
  return read_counter(channels_[offset], tick);
}

void I8254::write(RegionId, u64 offset, unsigned, u64 value) {
  const u8 byte = static_cast<u8>(value);
  if (offset >= 2 && channel2_changes_) channel2_changes_();
  if (offset == 3) return write_control(byte);
  write_counter(static_cast<unsigned>(offset), byte);
}

void I8254::write_counter(unsigned index, u8 byte) {
  const i64 now = ticks_now();
  settle(index, now);
  Channel& channel = channels_[index];
  switch (channel.access) {
    case 1: return load(index, byte, now);
    case 2: return load(index, u32{byte} << 8, now);
    default:
      if (!channel.high_byte_next_write) {
        channel.write_low = byte;
        channel.high_byte_next_write = true;
        if (channel.mode == 0) {  // the first byte stops the count and OUT stays low
          channel.loaded = false;
          if (index == 0) restart_channel0();
        }
        return;
      }
      channel.high_byte_next_write = false;
      return load(index, channel.write_low | u32{byte} << 8, now);
  }
}

// --- Time ---

i64 I8254::tick_at(GuestTime now) {
  // Whole seconds apart, so that nothing overflows.
  const i64 seconds = now / kSecond * kTicksNumerator;  // in 1/11 ticks
  return seconds / kTicksDenominator +
         (seconds % kTicksDenominator * kSecond + now % kSecond * kTicksNumerator) / (kTicksDenominator * kSecond);
}

// The first nanosecond at which ticks_now() is `tick`.
GuestTime I8254::time_of_tick(i64 tick) {
  if (tick >= kMostTicks) return Scheduler::kNever;
  const i64 seconds = tick * kTicksDenominator / kTicksNumerator;
  const i64 rest = tick * kTicksDenominator - seconds * kTicksNumerator;  // in 1/kTicksNumerator seconds
  return seconds * kSecond + (rest * kSecond + kTicksNumerator - 1) / kTicksNumerator;
}

i64 I8254::elapsed(const Channel& channel, i64 tick) {
  return channel.paused ? channel.paused_ticks : std::max<i64>(0, tick - channel.start);
}

u16 I8254::count(const Channel& channel, i64 tick) {
  const i64 modulus = channel.bcd ? 10000 : 0x10000;
  const i64 reload = channel.reload;
  const i64 ticks = elapsed(channel, tick);
  i64 value = reload;
  if (channel.loaded) {
    switch (channel.mode) {
      case 2: value = reload - ticks % reload; break;
      case 3: {  // counts down by two, twice a period
        const i64 half = (reload + 1) / 2, in_period = ticks % reload;
        value = (reload & ~i64{1}) - (in_period < half ? in_period : in_period - half) * 2;
        break;
      }
      case 1:
      case 5:
        if (!channel.triggered) break;
        [[fallthrough]];
      default: value = reload + modulus - ticks % modulus; break;
    }
  }
  const u32 shown = static_cast<u32>(value % modulus);
  return static_cast<u16>(channel.bcd ? to_bcd(shown) : shown);
}

bool I8254::output_at(const Channel& channel, i64 tick) {
  if (!channel.loaded) return channel.mode != 0;
  const i64 ticks = elapsed(channel, tick), reload = channel.reload;
  switch (channel.mode) {
    case 0: return ticks >= reload;
    case 1: return !channel.triggered || ticks >= reload;
    case 2: return channel.paused || reload == 1 || ticks % reload != reload - 1;
    case 3: return channel.paused || ticks % reload < (reload + 1) / 2;
    case 4: return channel.paused || ticks != reload;
    default: return !channel.triggered || ticks != reload;
  }
}

void I8254::follow_output(unsigned index, GuestTime from, GuestTime to, const OutputFollower& told) const {
  Channel channel = channels_[index];
  i64 tick = tick_at(from);
  const i64 last = tick_at(to);
  if (takes_new_count(channel, tick)) take_new_count(channel);
  told(from, output_at(channel, tick));
  const bool waits = (channel.mode == 1 || channel.mode == 5) && !channel.triggered;
  while (channel.loaded && !channel.paused && !waits) {
    const i64 next = next_change(channel, elapsed(channel, tick));
    if (next < 0 || channel.start + next > last) return;
    tick = channel.start + next;
    if (takes_new_count(channel, tick)) take_new_count(channel);
    told(time_of_tick(tick), output_at(channel, tick));
  }
}

bool I8254::output(unsigned index, GuestTime now) {
  const i64 tick = tick_at(now);
  settle(index, tick);
  return output_at(channels_[index], tick);
}

// Mode 2 takes a new count at the end of a period, mode 3 at the end of a half (datasheet, "Mode Definitions").
bool I8254::takes_new_count(const Channel& channel, i64 tick) {
  const bool periodic = channel.mode == 2 || channel.mode == 3;
  return channel.next_reload != 0 && !channel.paused && periodic && tick >= channel.start + channel.next_change_ticks;
}

void I8254::take_new_count(Channel& channel) {
  const i64 change = channel.start + channel.next_change_ticks;
  const bool low_half = !output_at(channel, change);
  channel.reload = channel.next_reload;
  channel.next_reload = 0;
  channel.start = low_half ? change - (static_cast<i64>(channel.reload) + 1) / 2 : change;
}

void I8254::settle(unsigned index, i64 tick) {
  Channel& channel = channels_[index];
  if (!takes_new_count(channel, tick)) return;
  if (index == 2 && channel2_changes_) channel2_changes_();
  const i64 rises = rising_edges(channel, channel.next_change_ticks);
  take_new_count(channel);
  if (index == 0) rises_seen_ -= rises;
}

// --- Programming ---

void I8254::load(unsigned index, u32 value, i64 now) {
  Channel& channel = channels_[index];
  const u32 modulus = channel.bcd ? 10000 : 0x10000;
  if (channel.bcd) value = from_bcd(value) % modulus;
  const u32 reload = value == 0 ? modulus : value;
  const bool periodic = channel.mode == 2 || channel.mode == 3;
  const bool waits_for_trigger = channel.mode == 1 || channel.mode == 5;
  if (channel.loaded && !channel.paused && (periodic || (waits_for_trigger && channel.triggered))) {
    // The run goes on with the old count.
    channel.next_reload = reload;
    if (periodic) channel.next_change_ticks = next_change(channel, elapsed(channel, now));
    return;
  }
  channel.start = now + 1;  // the count is loaded by the next clock
  channel.reload = reload;
  channel.loaded = true;
  channel.paused = !channel.gate && !waits_for_trigger;
  channel.paused_ticks = 0;
  if (index == 0) restart_channel0();
}

void I8254::latch_count(Channel& channel, i64 tick) {
  if (channel.count_latched) return;
  channel.count_latched = true;
  channel.count_latch = count(channel, tick);
}

u8 I8254::status(const Channel& channel, i64 tick) {
  return static_cast<u8>((output_at(channel, tick) ? 0x80 : 0) |
                         (channel.loaded && channel.next_reload == 0 ? 0 : 0x40) | channel.access << 4 |
                         channel.mode_bits << 1 | (channel.bcd ? 1 : 0));
}

void I8254::write_control(u8 value) {
  const unsigned index = value >> 6;
  const i64 tick = tick_at(scheduler_->now());
  if (index == 3) {  // read-back
    for (unsigned i = 0; i < kChannels; i++) {
      if ((value & 2u << i) == 0) continue;
      settle(i, tick);
      Channel& channel = channels_[i];
      if ((value & 0x20) == 0) latch_count(channel, tick);
      if ((value & 0x10) == 0 && !channel.status_latched) {
        channel.status_latched = true;
        channel.status_latch = status(channel, tick);
      }
    }
    return;
  }
  settle(index, tick);
  Channel& channel = channels_[index];
  const u8 access = value >> 4 & 3;
  if (access == 0) return latch_count(channel, tick);
  const bool gate_level = channel.gate;
  channel = Channel{};
  channel.gate = gate_level;
  channel.access = access;
  channel.mode_bits = value >> 1 & 7;
  channel.mode = channel.mode_bits > 5 ? channel.mode_bits & 3 : channel.mode_bits;
  channel.bcd = (value & 1) != 0;
  channel.reload = channel.bcd ? 10000 : 0x10000;
  if (index == 0) restart_channel0();
}

u8 I8254::read_counter(Channel& channel, i64 tick) {
  if (channel.status_latched) {
    channel.status_latched = false;
    return channel.status_latch;
  }
  const u16 value = channel.count_latched ? channel.count_latch : count(channel, tick);
  switch (channel.access) {
    case 1: channel.count_latched = false; return static_cast<u8>(value);
    case 2: channel.count_latched = false; return static_cast<u8>(value >> 8);
    default:
      channel.high_byte_next_read = !channel.high_byte_next_read;
      if (channel.high_byte_next_read) return static_cast<u8>(value);
      channel.count_latched = false;
      return static_cast<u8>(value >> 8);
  }
}

void I8254::set_gate(unsigned index, bool level) {
  Channel& channel = channels_[index];
  if (channel.gate == level) return;
  if (index == 2 && channel2_changes_) channel2_changes_();
  const i64 now = ticks_now();
  settle(index, now);
  const bool triggers = channel.mode == 1 || channel.mode == 5;
  if (!level && !triggers && channel.loaded && !channel.paused) {
    channel.paused_ticks = elapsed(channel, now);
    channel.paused = true;
  }
  channel.gate = level;
  if (level && channel.loaded) {
    if (channel.mode == 0 || channel.mode == 4) {
      if (channel.paused) channel.start = now - channel.paused_ticks;
    } else {
      channel.start = now + 1;  // a rising gate restarts the count
      channel.triggered = true;
      if (channel.next_reload != 0) channel.reload = channel.next_reload;
      channel.next_reload = 0;
    }
    channel.paused = false;
  }
  if (index == 0) restart_channel0();
}

// --- Channel 0's interrupt ---

// Rising edges of OUT in the first `ticks` ticks of a run.
i64 I8254::rising_edges(const Channel& channel, i64 ticks) {
  if (ticks < 0) return 0;
  switch (channel.mode) {
    case 2:
    case 3: return ticks / channel.reload;
    case 4:
    case 5: return ticks > channel.reload ? 1 : 0;
    default: return ticks >= channel.reload ? 1 : 0;
  }
}

// The tick, counted from the run's start, at which OUT changes next; -1: never.
i64 I8254::next_change(const Channel& channel, i64 ticks) {
  const i64 reload = channel.reload;
  const i64 period = ticks / reload * reload;
  switch (channel.mode) {
    case 2: return period + reload;  // the low pulse of one clock is made when it ends
    case 3: return ticks - period < (reload + 1) / 2 ? period + (reload + 1) / 2 : period + reload;
    case 4:
    case 5: return ticks <= reload ? reload + 1 : -1;
    default: return ticks < reload ? reload : -1;
  }
}

// Brings the line up to the present moment. What a late host made the guest miss of a periodic interrupt is owed: it is
// given one by one, so that clocks that count ticks keep the time.
void I8254::update_channel0() {
  const i64 now = ticks_now();
  settle(0, now);
  const Channel& channel = channels_[0];
  if (!channel.loaded || channel.paused || ((channel.mode == 1 || channel.mode == 5) && !channel.triggered)) {
    owed_ = 0;
    irq_.set(output_at(channel, now));
    return scheduler_->cancel(timer_);
  }
  const i64 ticks = std::max<i64>(0, now - channel.start);
  const i64 rises = rising_edges(channel, ticks);
  bool interrupted = true;
  if (rises > rises_seen_) {
    const u32 most_owed = std::max<u32>(1, kTicksInASecond / channel.reload);  // a second's worth
    owed_ = static_cast<u32>(std::min<i64>(owed_ + (rises - rises_seen_ - 1), most_owed));
    rises_seen_ = rises;
    irq_.lower();
    irq_.raise();
  } else if (owed_ > 0) {
    owed_--;
    irq_.lower();
    irq_.raise();
  } else {
    interrupted = false;
  }
  // An interrupt made in the low half because the host is late keeps the line high for a while: falling, it would take
  // its request back.
  const bool output = output_at(channel, now);
  if (!interrupted) irq_.set(output);
  i64 next = next_change(channel, ticks);
  if (owed_ > 0 || (interrupted && !output)) {
    const i64 soon = ticks + std::max<u32>(1, channel.reload / 4);
    next = next < 0 ? soon : std::min(next, soon);
  }
  if (next < 0) return scheduler_->cancel(timer_);
  scheduler_->schedule_at(timer_, time_of_tick(channel.start + next));
}

void I8254::restart_channel0() {
  const Channel& channel = channels_[0];
  rises_seen_ = rising_edges(channel, ticks_now() - channel.start);
  owed_ = 0;
  update_channel0();
}

void I8254::event(u32, GuestTime) { update_channel0(); }

}  // namespace relic86
