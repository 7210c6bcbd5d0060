// Command block registers of a drive (ATA/ATAPI-6, 7.x)
//
//   index  R/W  content
//   1      R    error: 2 ABRT, 4 IDNF, 6 UNC;  W features
//   2-5    RW   sector count, LBA low, mid, high: two deep, the older byte is read while HOB is set
//   6      RW   device: 6 LBA, 4 DEV, 3:0 head or LBA 27:24;  7 and 5 read as written (old drives: 1)
//   7      R    status: 7 BSY, 6 DRDY, 5 DF, 4 DSC, 3 DRQ, 0 ERR;  W command
#include "devices/storage/ata_device.h"

#include <algorithm>

#include "base/assert.h"
#include "base/log.h"

namespace relic86 {

using namespace ata;

AtaDevice::AtaDevice() : buffer_(kBufferSize) {}

u8 AtaDevice::read_register(unsigned index, bool previous) {
  settle();
  switch (index) {
    case kErrorFeatures: return previous ? task_.old_features : task_.error;
    case kCount: return previous ? task_.old_count : task_.count;
    case kLbaLow: return previous ? task_.old_low : task_.lba_low;
    case kLbaMid: return previous ? task_.old_mid : task_.lba_mid;
    case kLbaHigh: return previous ? task_.old_high : task_.lba_high;
    default: return task_.device;
  }
}

void AtaDevice::write_register(unsigned index, u8 value) {
  settle();
  if ((status_ & kBsy) != 0) return;  // 7.x: "BSY set to one ... the result is indeterminate"
  const auto push = [value](u8& now, u8& old) { old = now, now = value; };
  switch (index) {
    case kErrorFeatures: return push(task_.features, task_.old_features);
    case kCount: return push(task_.count, task_.old_count);
    case kLbaLow: return push(task_.lba_low, task_.old_low);
    case kLbaMid: return push(task_.lba_mid, task_.old_mid);
    case kLbaHigh: return push(task_.lba_high, task_.old_high);
    default: task_.device = value;
  }
}

AtaDevice::LinkRegisters AtaDevice::link_registers() const {
  LinkRegisters registers;
  registers.status = status_;
  registers.error = task_.error;
  registers.features = task_.features;
  registers.device = task_.device;
  registers.lba = {task_.lba_low, task_.lba_mid, task_.lba_high};
  registers.lba_high = {task_.old_low, task_.old_mid, task_.old_high};
  registers.count = static_cast<u16>(task_.count | task_.old_count << 8);
  return registers;
}

void AtaDevice::set_link_registers(const LinkRegisters& registers) {
  const auto push = [this](unsigned index, u8 older, u8 newer) {
    write_register(index, older);
    write_register(index, newer);
  };
  push(kErrorFeatures, registers.features_high, registers.features);
  push(kCount, static_cast<u8>(registers.count >> 8), static_cast<u8>(registers.count));
  for (unsigned i = 0; i < registers.lba.size(); i++) push(kLbaLow + i, registers.lba_high[i], registers.lba[i]);
  write_register(kDevice, registers.device);
}

void AtaDevice::command(u8 code) {
  if (asleep_ && code != kDeviceReset) return;
  if (!obeys_while_busy(code)) {
    settle();
    if ((status_ & kBsy) != 0) return;
  }
  set_interrupt(false);
  command_ = code;
  position_ = limit_ = 0;
  task_.error = 0;
  status_ = kBsy;
  wait(Phase::Executing, kCommandTime);
}

void AtaDevice::settle() {
  switch (phase_) {
    case Phase::Executing:
    case Phase::BlockIn:
    case Phase::BlockOut:
    case Phase::Resetting:
      if (bus_ != nullptr) bus_->stop(*this);
      proceed();
      break;
    default: break;
  }
  if (phase_ == Phase::Waiting) stop_waiting();
}

void AtaDevice::wait(Phase phase, GuestTime delay) {
  phase_ = phase;
  if (bus_ != nullptr) bus_->schedule(*this, delay);
}

void AtaDevice::proceed() {
  switch (phase_) {
    case Phase::Executing: return execute(command_);
    case Phase::BlockIn: return block_read();
    case Phase::BlockOut: return block_written();
    case Phase::Resetting: return reset_done();
    default: return;
  }
}

std::size_t AtaDevice::read_data(std::span<u8> into) {
  settle();
  if (phase_ != Phase::DataIn) return 0;
  const std::size_t count = std::min<std::size_t>(into.size(), limit_ - position_);
  std::copy_n(buffer_.begin() + position_, count, into.begin());
  position_ += static_cast<u32>(count);
  if (position_ != limit_) return count;
  if (last_block_in()) {
    block_read();
  } else {
    status_ = static_cast<u8>((status_ & ~kDrq) | kBsy);
    wait(Phase::BlockIn, kBlockTime);
  }
  return count;
}

std::size_t AtaDevice::write_data(std::span<const u8> from) {
  settle();
  if (phase_ != Phase::DataOut) return 0;
  const std::size_t count = std::min<std::size_t>(from.size(), limit_ - position_);
  std::copy_n(from.begin(), count, buffer_.begin() + position_);
  position_ += static_cast<u32>(count);
  if (position_ == limit_) {
    status_ = static_cast<u8>((status_ & ~kDrq) | kBsy);
    wait(Phase::BlockOut, kBlockTime);
  }
  return count;
}

void AtaDevice::dma_moved(std::size_t count) {
  RELIC86_ASSERT(dma_wanted() && count <= limit_ - position_);
  position_ += static_cast<u32>(count);
  if (position_ != limit_) return;
  if (phase_ == Phase::DmaIn) {
    block_read();
  } else {
    block_written();
  }
}

// --- Outcomes ---

void AtaDevice::finish() {
  finish_quietly();
  set_interrupt(true);
}

void AtaDevice::finish_quietly() {
  phase_ = Phase::Idle;
  status_ = kReady;
}

void AtaDevice::fail(u8 error) {
  phase_ = Phase::Idle;
  task_.error = error;
  status_ = kReady | kErr;
  set_interrupt(true);
}

void AtaDevice::offer_block(u32 size, u8 status) {
  RELIC86_ASSERT(size > 0 && size <= kBufferSize);
  phase_ = Phase::DataIn;
  position_ = 0;
  limit_ = size;
  status_ = status | kDrq;
  set_interrupt(true);
}

void AtaDevice::request_block(u32 size, u8 status, bool interrupts) {
  RELIC86_ASSERT(size > 0 && size <= kBufferSize);
  phase_ = Phase::DataOut;
  position_ = 0;
  limit_ = size;
  status_ = status | kDrq;
  if (interrupts) set_interrupt(true);
}

void AtaDevice::begin_dma(Phase phase, u32 size) {
  RELIC86_ASSERT(size > 0 && size <= kBufferSize);
  phase_ = phase;
  position_ = 0;
  limit_ = size;
  status_ = kReady | kDrq;
  if (bus_ != nullptr) bus_->dma_requested();
}

u64 AtaDevice::wait_for_host() {
  phase_ = Phase::Waiting;
  position_ = limit_ = 0;
  status_ = kBsy;
  return ++waits_;
}

bool AtaDevice::answered(u64 number) { return phase_ == Phase::Waiting && waits_ == number; }

void AtaDevice::await_retry(u32 kept) {
  phase_ = Phase::ToBeRetried;
  position_ = 0;
  limit_ = kept;
  status_ = kBsy;
}

void AtaDevice::retry() {
  retry_kept();
  if (phase_ == Phase::ToBeRetried) retry_step();
}

void AtaDevice::set_interrupt(bool level) {
  if (interrupt_ == level) return;
  interrupt_ = level;
  if (bus_ != nullptr) bus_->interrupt_changed();
}

void AtaDevice::report_host_error(const std::string& message) {
  if (log::first_time(message)) log::warning(message);
}

// --- Resets ---

void AtaDevice::reset(ResetKind kind) {
  if (kind != ResetKind::PowerOn) keep_written_block();
  if (bus_ != nullptr) bus_->stop(*this);
  phase_ = Phase::Idle;
  position_ = limit_ = 0;
  command_ = 0;
  asleep_ = false;
  diagnose_interrupts_ = false;
  std::fill(buffer_.begin(), buffer_.end(), u8{0});
  task_ = {};
  set_interrupt(false);
  reset_drive(kind);
  reset_done();
}

// A block that the host handed over whole reaches the medium though a reset follows: the drive's buffer survives it.
void AtaDevice::keep_written_block() {
  if (phase_ == Phase::BlockOut) block_written();
}

void AtaDevice::hold_reset() {
  keep_written_block();
  if (phase_ == Phase::ToBeRetried && limit_ != 0) keep_block(std::span(buffer_).first(limit_));
  if (bus_ != nullptr) bus_->stop(*this);
  phase_ = Phase::HeldInReset;
  position_ = limit_ = 0;
  asleep_ = false;
  diagnose_interrupts_ = false;
  status_ = kBsy;
  set_interrupt(false);
}

void AtaDevice::release_reset() { wait(Phase::Resetting, kResetTime); }

void AtaDevice::diagnose(bool interrupts) {
  hold_reset();
  diagnose_interrupts_ = interrupts;
  release_reset();
}

void AtaDevice::reset_done() {
  phase_ = Phase::Idle;
  task_ = {};
  task_.error = 1;  // 9.x, diagnostic code: passed (device 0: device 1 passed, or is not there)
  set_signature();
  status_ = status_after_reset();
  if (diagnose_interrupts_) set_interrupt(true);
  diagnose_interrupts_ = false;
}

// --- State ---

void AtaDevice::state(StateArchive& archive) {
  archive.bytes("task", std::span(reinterpret_cast<u8*>(&task_), sizeof task_));
  archive.field("status", status_);
  archive.field("command", command_);
  archive.field("asleep", asleep_);
  archive.field("phase", phase_);
  archive.field("interrupt", interrupt_);
  archive.field("diagnose_interrupts", diagnose_interrupts_);
  archive.field("position", position_);
  archive.field("limit", limit_);
  std::vector<u8> used;
  if (!archive.loading()) used.assign(buffer_.begin(), buffer_.begin() + limit_);
  archive.resizable("buffer", used);
  if (archive.loading()) {
    const bool moves = phase_ == Phase::DataIn || phase_ == Phase::DataOut || dma_wanted();
    const bool known = phase_ <= Phase::HeldInReset || phase_ == Phase::ToBeRetried;
    const bool sound =
        known && limit_ <= kBufferSize && used.size() == limit_ && (moves ? position_ < limit_ : position_ <= limit_);
    if (sound) {
      std::copy(used.begin(), used.end(), buffer_.begin());
    } else {
      phase_ = Phase::Idle;
      position_ = limit_ = 0;
      status_ = kReady;
    }
  }
  archive.group("drive", [&] { state_drive(archive); });
}

}  // namespace relic86
