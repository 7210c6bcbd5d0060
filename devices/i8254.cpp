// Registers (Intel 8254 datasheet 231164):
//
//   port  R/W  register
//   40h   RW   counter 0; reads give the latched status, the latched count or the count, in the access order of the
//   channel 41h   RW   counter 1 42h   RW   counter 2 43h   W    control word: 7:6 channel (3 = read-back: 5 = 0 count,
//   4 = 0 status, 3:1 channels), 5:4 access (0 latches the count),
//              3:1 mode, 0 BCD
//
// The clock is 14.31818 MHz / 12. All counts are computed from guest time: nothing runs between accesses but channel
// 0's edges.
#include "devices/i8254.h"

#include <algorithm>

namespace relic86 {

namespace {

enum Event : u32 { kChannel0Edge };
// 1193181.8181... Hz = 13125000 / 11 ticks a second.
constexpr i64 kTicksNumerator = 13125000, kTicksDenominator = 11, kSecond = 1'000'000'000;

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
  for (unsigned i = 0; i < kChannels; i++) {
    channels_[i] = Channel{};
    channels_[i].gate = i != 2;
  }
  rises_seen_ = owed_ = 0;
  restart_channel0();
}

void I8254::state(StateArchive& archive) {
  archive.field("rises_seen", rises_seen_);
  archive.field("owed", owed_);
  for (unsigned i = 0; i < kChannels; i++) {
    archive.group(i == 0   ? "channel0"
                  : i == 1 ? "channel1"
                           : "channel2",
                  [&] {
                    Channel& c = channels_[i];
                    archive.field("mode", c.mode);
                    archive.field("access", c.access);
                    archive.field("bcd", c.bcd);
                    archive.field("gate", c.gate);
                    archive.field("loaded", c.loaded);
                    archive.field("triggered", c.triggered);
                    archive.field("high_byte_next_write", c.high_byte_next_write);
                    archive.field("high_byte_next_read", c.high_byte_next_read);
                    archive.field("write_low", c.write_low);
                    archive.field("reload", c.reload);
                    archive.field("start", c.start);
                    archive.field("paused_at", c.paused_at);
                    archive.field("paused", c.paused);
                    archive.field("count_latched", c.count_latched);
                    archive.field("count_latch", c.count_latch);
                    archive.field("status_latched", c.status_latched);
                    archive.field("status_latch", c.status_latch);
                    if (archive.loading()) {
                      if (c.mode > 5) c.mode = 0;
                      if (c.access < 1 || c.access > 3) c.access = 3;
                      if (c.reload < 1 || c.reload > 0x10000) c.reload = 0x10000;
                    }
                  });
  }
}

u64 I8254::read(RegionId, u64 offset, unsigned) {
  if (offset == 3) return 0xFF;  // write only
  return read_counter(channels_[offset]);
}

void I8254::write(RegionId, u64 offset, unsigned, u64 value) {
  const u8 byte = static_cast<u8>(value);
  if (offset == 3) return write_control(byte);
  Channel& channel = channels_[offset];
  const auto index = static_cast<unsigned>(offset);
  switch (channel.access) {
    case 1: return load(index, byte);
    case 2: return load(index, u32{byte} << 8);
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
      return load(index, channel.write_low | u32{byte} << 8);
  }
}

// --- Time ---

i64 I8254::ticks_now() const {
  const GuestTime now = scheduler_->now();
  // Whole seconds apart, so that nothing overflows.
  const i64 seconds = now / kSecond * kTicksNumerator;  // in 1/11 ticks
  return seconds / kTicksDenominator +
         (seconds % kTicksDenominator * kSecond + now % kSecond * kTicksNumerator) / (kTicksDenominator * kSecond);
}

// The first nanosecond at which ticks_now() is `tick`.
GuestTime I8254::time_of_tick(i64 tick) {
  const i64 seconds = tick * kTicksDenominator / kTicksNumerator;
  const i64 rest = tick * kTicksDenominator - seconds * kTicksNumerator;  // in 1/kTicksNumerator seconds
  return seconds * kSecond + (rest * kSecond + kTicksNumerator - 1) / kTicksNumerator;
}

u16 I8254::count(const Channel& channel) const {
  const u32 modulus = channel.bcd ? 10000 : 0x10000;
  u32 value = channel.reload;
  if (channel.paused) {
    value = channel.paused_at;
  } else if (channel.loaded) {
    const i64 ticks = std::max<i64>(0, ticks_now() - channel.start);
    switch (channel.mode) {
      case 2: value = channel.reload - static_cast<u32>(ticks % channel.reload); break;
      case 3: {
        // Counts down by two, twice a period.
        const u32 half = (channel.reload + 1) / 2;
        const u32 in_period = static_cast<u32>(ticks % channel.reload);
        const u32 in_half = in_period < half ? in_period : in_period - half;
        value = (channel.reload & ~1u) - in_half * 2;
        break;
      }
      case 1:
      case 5:
        if (!channel.triggered) break;
        [[fallthrough]];
      default:
        value = static_cast<u32>((channel.reload + modulus - static_cast<u32>(ticks % modulus)) % modulus);
        break;
    }
  }
  value %= modulus;
  return static_cast<u16>(channel.bcd ? to_bcd(value) : value);
}

bool I8254::output_at(const Channel& channel, i64 tick) const {
  if (!channel.loaded) return channel.mode != 0;
  const i64 ticks = std::max<i64>(0, tick - channel.start);
  switch (channel.mode) {
    case 0: return !channel.paused && ticks >= channel.reload;
    case 1: return !channel.triggered || ticks >= channel.reload;
    case 2:
      return channel.paused || !channel.gate || ticks % channel.reload != channel.reload - 1 || channel.reload == 1;
    case 3: return !channel.gate || static_cast<u32>(ticks % channel.reload) < (channel.reload + 1) / 2;
    case 4: return channel.paused || ticks != channel.reload;
    default: return !channel.triggered || ticks != channel.reload;
  }
}

bool I8254::output(unsigned index) const { return output_at(channels_[index], ticks_now()); }

// --- Programming ---

void I8254::load(unsigned index, u32 value) {
  Channel& channel = channels_[index];
  if (channel.bcd) value = from_bcd(value & 0x9999);
  const u32 modulus = channel.bcd ? 10000 : 0x10000;
  const u32 reload = value == 0 ? modulus : value;
  const i64 now = ticks_now();
  const bool periodic = channel.mode == 2 || channel.mode == 3;
  if (periodic && channel.loaded) {
    // The new count is taken at the end of the present period; a phase that is kept does not drift.
    const i64 periods = (now - channel.start) / channel.reload;
    channel.start += periods * channel.reload;
    if (channel.reload != reload) channel.start = now;
  } else if ((channel.mode != 1 && channel.mode != 5) || !channel.triggered) {
    channel.start = now + 1;  // the count is loaded by the next clock
  }
  channel.reload = reload;
  channel.loaded = true;
  channel.paused = !channel.gate && (channel.mode == 0 || channel.mode == 4 || periodic);
  channel.paused_at = reload;
  if (index == 0) restart_channel0();
}

void I8254::latch_count(Channel& channel) {
  if (channel.count_latched) return;
  channel.count_latched = true;
  channel.count_latch = count(channel);
}

u8 I8254::status(const Channel& channel) const {
  return static_cast<u8>((output_at(channel, ticks_now()) ? 0x80 : 0) | (channel.loaded ? 0 : 0x40) |
                         channel.access << 4 | channel.mode << 1 | (channel.bcd ? 1 : 0));
}

void I8254::write_control(u8 value) {
  const unsigned index = value >> 6;
  if (index == 3) {  // read-back
    for (unsigned i = 0; i < kChannels; i++) {
      if ((value & 2u << i) == 0) continue;
      Channel& channel = channels_[i];
      if ((value & 0x20) == 0) latch_count(channel);
      if ((value & 0x10) == 0 && !channel.status_latched) {
        channel.status_latched = true;
        channel.status_latch = status(channel);
      }
    }
    return;
  }
  Channel& channel = channels_[index];
  const u8 access = value >> 4 & 3;
  if (access == 0) return latch_count(channel);
  const bool gate_level = channel.gate;
  channel = Channel{};
  channel.gate = gate_level;
  channel.access = access;
  const u8 mode = value >> 1 & 7;
  channel.mode = mode > 5 ? mode & 3 : mode;
  channel.bcd = (value & 1) != 0;
  channel.reload = channel.bcd ? 10000 : 0x10000;
  if (index == 0) restart_channel0();
}

u8 I8254::read_counter(Channel& channel) {
  if (channel.status_latched) {
    channel.status_latched = false;
    return channel.status_latch;
  }
  const u16 value = channel.count_latched ? channel.count_latch : count(channel);
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
  const bool stops = channel.mode == 0 || channel.mode == 4 || channel.mode == 2 || channel.mode == 3;
  if (!level && stops && channel.loaded && !channel.paused) {
    const u16 standing = count(channel);
    channel.paused_at = channel.bcd ? from_bcd(standing) : standing;
    channel.paused = true;
  }
  channel.gate = level;
  if (level && channel.loaded) {
    const i64 now = ticks_now();
    if (channel.mode == 0 || channel.mode == 4) {
      if (channel.paused)
        channel.start = now - (static_cast<i64>(channel.reload) - (channel.paused_at == 0 ? 0 : channel.paused_at));
    } else {
      channel.start = now + 1;  // a rising gate restarts the count
      channel.triggered = true;
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
  Channel& channel = channels_[0];
  const i64 now = ticks_now();
  if (!channel.loaded || channel.paused || ((channel.mode == 1 || channel.mode == 5) && !channel.triggered)) {
    owed_ = 0;
    irq_.set(output_at(channel, now));
    return scheduler_->cancel(timer_);
  }
  const i64 ticks = std::max<i64>(0, now - channel.start);
  const i64 rises = rising_edges(channel, ticks);
  if (rises > rises_seen_) {
    const u32 most_owed = std::max<u32>(1, 1193182 / channel.reload);  // a second's worth
    owed_ = static_cast<u32>(std::min<i64>(owed_ + (rises - rises_seen_ - 1), most_owed));
    rises_seen_ = rises;
    irq_.lower();
    irq_.raise();
  } else if (owed_ > 0) {
    owed_--;
    irq_.lower();
    irq_.raise();
  }
  irq_.set(output_at(channel, now));
  i64 next = next_change(channel, ticks);
  if (owed_ > 0) next = std::min<i64>(next, ticks + std::max<u32>(1, channel.reload / 4));
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
