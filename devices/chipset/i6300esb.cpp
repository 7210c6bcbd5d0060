// Watchdog timer of the 6300ESB (Intel 6300ESB I/O Controller Hub datasheet 300641, chapter 16)
//
//   configuration
//   offset  width  R/W  bits
//   60h     2      RW   configuration: 1:0 what the first stage raises (kept only: no interrupt is connected), 2 the
//                       timer counts 33 MHz / 2^5 instead of / 2^15, 5 the second stage does not reset the machine
//   68h     1      RW   lock: 0 this register stays as it is until a reset, 1 enable, 2 free-running
//
//   registers in memory (BAR 0, which has a page here, not 16 bytes)
//   00h     4      RW   preload of the first stage, 20 bits;  04h 4 RW of the second
//   08h     4      RWC  0 the first stage has passed
//   0Ch     2      RW   8 (W) reload: the first stage begins anew, 9 (RWC) the second stage has passed. Bit 12 is
//                       another 9, because Linux's driver looks there.
//   Preloads and 0Ch take one write after each 80h, 86h written to 0Ch.
//
// When the second stage ends the machine hears of it, and the timer is as after a reset, as QEMU's is.
#include "devices/chipset/i6300esb.h"

#include <algorithm>
#include <utility>

namespace relic86 {

namespace {
constexpr u8 kConfig = 0x60, kLock = 0x68;
constexpr u32 kFast = 1u << 2, kNoReset = 1u << 5, kConfigBits = 0x0027;
constexpr u8 kLocked = 1u << 0, kEnable = 1u << 1, kFreeRunning = 1u << 2, kLockBits = 0x07;
constexpr u32 kPreloadBits = 0xFFFFF;
constexpr u32 kReload = 1u << 8, kTimedOut = 1u << 9, kTimedOutToo = 1u << 12;
constexpr u32 kFirstKey = 0x80, kSecondKey = 0x86;
constexpr u64 kInterruptRegister = 0x08, kReloadRegister = 0x0C, kRegisters = 0x10;

PciIdentity watchdog() {
  PciIdentity identity;
  identity.vendor = 0x8086;
  identity.device = 0x25AB;
  identity.class_code = 0x088000;
  return identity;
}
}  // namespace

I6300esb::I6300esb(MachineControl& machine) : PciDevice(watchdog()), machine_(machine) {
  declare_memory_bar(0, kPageSize, 0, 4);
  declare(kConfig, 2, 0, kConfigBits);
  declare(kLock, 1, 0, kLockBits);
}

Result<> I6300esb::attach_function(Attachment& board) {
  scheduler_ = &board.scheduler();
  timer_ = board.timer(*this, "stage", 0);
  return {};
}

void I6300esb::reset_function(ResetKind kind) {
  if (kind == ResetKind::PowerOn) timed_out_ = false;
  stop();
  preload_.fill(kPreloadBits);
  stage_ = 0;
  interrupted_ = false;
  key_ = Key::None;
}

void I6300esb::state_function(StateArchive& archive) {
  archive.bytes("preload", preload_);
  archive.field("stage", stage_);
  archive.field("running", running_);
  archive.field("interrupted", interrupted_);
  archive.field("timed_out", timed_out_);
  archive.field("key", key_);
  if (!archive.loading()) return;
  for (u32& preload : preload_) preload &= kPreloadBits;
  stage_ = std::min<unsigned>(stage_, preload_.size() - 1);
  running_ = running_ && (config(kLock, 1) & kEnable) != 0;
  key_ = std::min(key_, Key::Whole);
}

void I6300esb::config_written(unsigned offset, unsigned width) {
  if (offset > kLock || offset + width <= kLock) return;
  const u32 lock = config(kLock, 1);
  declare_writable(kLock, (lock & kLocked) != 0 ? 0 : kLockBits);
  const bool enabled = (lock & kEnable) != 0;
  if (enabled == running_ || scheduler_ == nullptr) return;
  enabled ? start_stage(0) : stop();
}

void I6300esb::start_stage(unsigned stage) {
  constexpr unsigned kSlowShift = 15, kFastShift = 5;
  constexpr u64 kMegahertz = 33, kMicrosecond = 1000;  // of the PCI clock, in nanoseconds
  stage_ = stage;
  running_ = true;
  // A preload of 0 is the shortest time, not none.
  const u64 clocks = u64{std::max(preload_[stage], 1u)}
                     << ((config(kConfig, 2) & kFast) != 0 ? kFastShift : kSlowShift);
  scheduler_->schedule_in(timer_, static_cast<GuestTime>(clocks * kMicrosecond / kMegahertz));
}

void I6300esb::stop() {
  running_ = false;
  scheduler_->cancel(timer_);
}

void I6300esb::event(u32, GuestTime) {
  if (stage_ == 0) {
    interrupted_ = true;
    return start_stage(1);
  }
  if ((config(kConfig, 2) & kNoReset) == 0) {
    reset_function(ResetKind::Hard);
    set_config(kConfig, 2, 0);
    set_config(kLock, 1, 0);
    declare_writable(kLock, kLockBits);
    timed_out_ = true;
    machine_.watchdog_expired();
  } else if ((config(kLock, 1) & kFreeRunning) != 0) {
    start_stage(0);
  } else {
    timed_out_ = true;
    scheduler_->cancel(timer_);
  }
}

u32 I6300esb::dword(u64 number) const {
  switch (number) {
    case 0:
    case 1: return preload_[number];
    case 2: return interrupted_ ? 1 : 0;
    case 3: return timed_out_ ? kTimedOut | kTimedOutToo : 0;
    default: return 0;
  }
}

u64 I6300esb::read(RegionId, u64 offset, unsigned width) {
  return dword(offset / 4) >> (offset % 4 * 8) & all_ones(width);
}

void I6300esb::write(RegionId, u64 offset, unsigned, u64 value) {
  const u32 word = static_cast<u32>(value);
  if (offset >= kRegisters) return;
  if (offset == kInterruptRegister) {
    if ((word & 1) != 0) interrupted_ = false;
    return;
  }
  if (offset == kReloadRegister && word == kFirstKey) {
    key_ = Key::First;
    return;
  }
  if (offset == kReloadRegister && word == kSecondKey && key_ == Key::First) {
    key_ = Key::Whole;
    return;
  }
  if (std::exchange(key_, Key::None) != Key::Whole) return;
  if (offset == 0 || offset == 4) preload_[offset / 4] = word & kPreloadBits;
  if (offset != kReloadRegister) return;
  if ((word & (kTimedOut | kTimedOutToo)) != 0) timed_out_ = false;
  if ((word & kReload) == 0) return;
  interrupted_ = false;
  if (running_) start_stage(0);
}

}  // namespace relic86
