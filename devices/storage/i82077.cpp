// Intel 82077AA (datasheet 290166), PC/AT mode
//
//   port  width  R/W  bits
//   3F2h  1      RW   DOR (2.1.3): 7:4 motors, 3 DMA and interrupt pins on, 2 reset (low active), 1:0 drive
//   3F3h  1      RW   TDR (2.1.4): 1:0 tape drive
//   3F4h  1      R    MSR (2.1.6): 7 data port ready, 6 it is to be read, 5 execution without DMA, 4 busy,
//                     3:0 drive seeks
//   3F4h  1      W    DSR (2.1.5): 7 reset (by itself cleared), 6 power down, 1:0 data rate
//   3F5h  1      RW   data: commands, results, and data without DMA
//   3F7h  1      R    DIR (2.1.8): 7 disk change of the selected drive
//   3F7h  1      W    CCR (2.1.9): 1:0 data rate: 0 500, 1 300, 2 250, 3 1000 kbit/s
//   3F0h, 3F1h: not driven in AT mode
//
//   command bytes (5.1): kCommands.   IRQ 6, DMA channel 2.
#include "devices/storage/i82077.h"

#include <algorithm>
#include <cstdlib>

#include "base/log.h"

namespace relic86 {

namespace {
constexpr u8 kPinsOn = 0x08, kNotReset = 0x04, kSelected = 0x03;
constexpr u8 kReady = 0x80, kToHost = 0x40, kNonDma = 0x20, kBusy = 0x10;
constexpr u8 kSoftwareReset = 0x80;
constexpr u8 kInvalidCommand = 0x80, kSeekEnd = 0x20, kAbnormal = 0x40, kEquipmentCheck = 0x10, kReadyChanged = 0xC0;
constexpr u8 kFifoOff = 0x20;
constexpr unsigned kMostRecalibratePulses = 79;  // 5.2.7
constexpr GuestTime kMicrosecond = 1'000, kMillisecond = 1'000'000;
constexpr GuestTime kResetTime = 50 * kMicrosecond;
}  // namespace

const std::array<I82077::Command, 23> I82077::kCommands = {{
    {0x02, 0x1F, 9, &I82077::read_track},
    {0x03, 0xFF, 3, &I82077::specify},
    {0x04, 0xFF, 2, &I82077::sense_drive},
    {0x05, 0x1F, 9, &I82077::write_data},
    {0x06, 0x1F, 9, &I82077::read_data},
    {0x07, 0xFF, 2, &I82077::recalibrate},
    {0x08, 0xFF, 1, &I82077::sense_interrupt},
    {0x09, 0x1F, 9, &I82077::write_deleted},
    {0x0A, 0x1F, 2, &I82077::read_id},
    {0x0C, 0x1F, 9, &I82077::read_deleted},
    {0x0D, 0x1F, 6, &I82077::format_track},
    {0x0E, 0xFF, 1, &I82077::dump_registers},
    {0x0F, 0xFF, 3, &I82077::seek},
    {0x8F, 0xBF, 3, &I82077::relative_seek},
    {0x10, 0xFF, 1, &I82077::version},
    {0x11, 0x1F, 9, &I82077::scan_equal},
    {0x12, 0xFF, 2, &I82077::perpendicular},
    {0x13, 0xFF, 4, &I82077::configure},
    {0x14, 0x7F, 1, &I82077::lock},
    {0x16, 0x1F, 9, &I82077::verify},
    {0x18, 0xFF, 1, &I82077::part_id},
    {0x19, 0x1F, 9, &I82077::scan_low},
    {0x1D, 0x1F, 9, &I82077::scan_high},
}};

Result<> I82077::attach(Attachment& board) {
  scheduler_ = &board.scheduler();
  irq_ = board.isa_irq(6);
  transfer_timer_ = board.timer(*this, "transfer", kTransferStep);
  reset_timer_ = board.timer(*this, "reset", kResetDone);
  constexpr std::array<std::string_view, 4> kNames = {"seek0", "seek1", "seek2", "seek3"};
  for (u32 i = 0; i < kNames.size(); i++) seek_timers_[i] = board.timer(*this, kNames[i], kSeekDone + i);
  if (auto done = board.ports(*this, kMain, 0x3F0, 6); !done) return done;
  return board.ports(*this, kDigitalInput, 0x3F7, 1);
}

void I82077::reset(ResetKind kind) {
  digital_output_ = tape_drive_ = 0;
  data_rate_ = 2;
  step_rate_ = head_unload_ = head_load_ = 0;
  non_dma_ = locked_ = false;
  configuration_ = kFifoOff;
  precompensation_track_ = perpendicular_ = 0;
  command_ = {};
  result_ = {};
  transfer_ = {};
  present_cylinder_ = {};  // a software reset leaves them: the heads have not moved either
  if (kind == ResetKind::PowerOn) {
    for (FloppyDrive& each : drives_) each.power_on();
  }
  enter_reset();
}

void I82077::state(StateArchive& archive) {
  archive.field("phase", phase_);
  archive.field("digital_output", digital_output_);
  archive.field("tape_drive", tape_drive_);
  archive.field("data_rate", data_rate_);
  archive.field("interrupt", interrupt_);
  archive.bytes("command", command_);
  archive.field("command_count", command_count_);
  archive.bytes("result", result_);
  archive.field("result_count", result_count_);
  archive.field("result_position", result_position_);
  archive.bytes("sector_buffer", sector_buffer_);
  archive.bytes("present_cylinder", present_cylinder_);
  archive.bytes("seek_status", seek_status_);
  archive.bytes("seek_target", seek_target_);
  archive.bytes("pending_status", pending_status_);
  archive.field("busy_drives", busy_drives_);
  archive.field("after_reset", after_reset_);
  archive.field("step_rate", step_rate_);
  archive.field("head_unload", head_unload_);
  archive.field("head_load", head_load_);
  archive.field("non_dma", non_dma_);
  archive.field("configuration", configuration_);
  archive.field("precompensation_track", precompensation_track_);
  archive.field("perpendicular", perpendicular_);
  archive.field("locked", locked_);
  archive.group("transfer", [&] { transfer_state(archive); });
  archive.group("drive0", [&] { drives_[0].state(archive); });
  archive.group("drive1", [&] { drives_[1].state(archive); });
  if (!archive.loading()) return;
  data_rate_ &= 3;
  step_rate_ &= 0x0F;
  busy_drives_ &= 0x0F;
  const bool sane = phase_ <= Phase::Result && result_count_ <= result_.size() && result_position_ <= result_count_ &&
                    command_count_ < command_.size();
  if (!sane) end_command();
  drive_interrupt();
}

// --- Registers ---

u64 I82077::read(RegionId region, u64 offset, unsigned) {
  if (region == kDigitalInput) return digital_input();
  switch (offset) {
    case 2: return digital_output_;
    case 3: return static_cast<u8>(tape_drive_ | 0xFC);
    case 4: return main_status();
    case 5: return read_fifo();
    default: return 0xFF;
  }
}

void I82077::write(RegionId region, u64 offset, unsigned, u64 value) {
  const auto byte = static_cast<u8>(value);
  if (region == kDigitalInput) {
    data_rate_ = byte & 3;
    return;
  }
  switch (offset) {
    case 2: return write_digital_output(byte);
    case 3: tape_drive_ = byte & 3; return;
    case 4: return write_data_rate_select(byte);
    case 5: return write_fifo(byte);
    default: return;
  }
}

u8 I82077::main_status() const {
  switch (phase_) {
    case Phase::Reset: return 0;
    case Phase::Command: return static_cast<u8>(kReady | busy_drives_ | (command_count_ != 0 ? kBusy : 0));
    case Phase::Result: return static_cast<u8>(kReady | kToHost | kBusy | busy_drives_);
    default: break;
  }
  u8 value = static_cast<u8>(kBusy | busy_drives_);
  if (non_dma_ && transfer_.kind != Kind::ReadId && transfer_.kind != Kind::Verify) value |= kNonDma;
  if (transfer_.waits_for_host) value |= kReady | (host_reads() ? kToHost : 0);
  return value;
}

u8 I82077::digital_input() const {
  const unsigned selected = digital_output_ & kSelected;
  return selected < kDrives && drives_[selected].change_line() ? 0x80 : 0x00;
}

void I82077::write_digital_output(u8 value) {
  const bool was_reset = (digital_output_ & kNotReset) == 0;
  digital_output_ = value;
  if ((value & kNotReset) == 0) {
    if (!was_reset) enter_reset();
  } else if (was_reset) {
    software_reset();
  }
  drive_interrupt();
}

void I82077::write_data_rate_select(u8 value) {
  data_rate_ = value & 3;
  if ((value & kSoftwareReset) == 0 || (digital_output_ & kNotReset) == 0) return;
  enter_reset();
  software_reset();
}

// Held in reset: nothing goes on.
void I82077::enter_reset() {
  phase_ = Phase::Reset;
  command_count_ = result_count_ = result_position_ = 0;
  transfer_.waits_for_host = false;
  scheduler_->cancel(transfer_timer_);
  scheduler_->cancel(reset_timer_);
  for (const TimerId timer : seek_timers_) scheduler_->cancel(timer);
  busy_drives_ = 0;
  pending_status_ = {};
  after_reset_ = false;
  if (!locked_) {
    configuration_ = kFifoOff;
    precompensation_track_ = 0;
  } else {
    configuration_ &= 0x2F;  // implied seek and polling take their defaults even when locked (5.2.9, 5.2.10)
  }
  perpendicular_ &= 0xFC;  // a software reset clears GAP and WGATE only (5.2.11)
  set_interrupt(false);
}

void I82077::software_reset() { scheduler_->schedule_in(reset_timer_, kResetTime); }

// Polling finds that all four drives have changed their ready state: one interrupt, and four times Sense Interrupt
// Status (5.2.4).
void I82077::finish_reset() {
  if ((digital_output_ & kNotReset) == 0) return;
  phase_ = Phase::Command;
  for (unsigned i = 0; i < pending_status_.size(); i++) pending_status_[i] = static_cast<u8>(kReadyChanged | i);
  after_reset_ = true;
  set_interrupt(true);
}

void I82077::set_interrupt(bool level) {
  interrupt_ = level;
  drive_interrupt();
}

void I82077::drive_interrupt() {
  const bool level = interrupt_ && (digital_output_ & kPinsOn) != 0;
  if (irq_.level() != level) irq_.set(level);
}

void I82077::event(u32 id, GuestTime) {
  if (id == kTransferStep) return transfer_step();
  if (id == kResetDone) return finish_reset();
  const unsigned number = (id - kSeekDone) & 3;
  busy_drives_ &= static_cast<u8>(~(1u << number));
  present_cylinder_[number] = seek_target_[number];
  pending_status_[number] = seek_status_[number];
  set_interrupt(true);
}

// --- Command and result phases ---

const I82077::Command* I82077::find_command(u8 first) {
  for (const Command& each : kCommands) {
    if ((first & each.fixed_bits) == each.code) return &each;
  }
  return nullptr;
}

void I82077::write_fifo(u8 value) {
  // A driver that sends its first command without waiting for the reset's interrupt finds the chip ready.
  if (phase_ == Phase::Reset && (digital_output_ & kNotReset) != 0) {
    scheduler_->cancel(reset_timer_);
    finish_reset();
  }
  if (phase_ == Phase::Execution && transfer_.waits_for_host && !host_reads()) {
    sector_buffer_[transfer_.position++ % sector_buffer_.size()] = value;
    set_interrupt(false);
    if (transfer_.position >= transfer_.length) return host_side_done(false);
    return set_interrupt(true);
  }
  if (phase_ != Phase::Command) return;
  command_[command_count_++] = value;
  const Command* const which = find_command(command_[0]);
  if (which == nullptr) return invalid();
  if (command_count_ < which->length) return;
  (this->*which->handler)();
}

u8 I82077::read_fifo() {
  if (phase_ == Phase::Execution && transfer_.waits_for_host && host_reads()) {
    const u8 value = sector_buffer_[transfer_.position++ % sector_buffer_.size()];
    set_interrupt(false);
    if (transfer_.position < transfer_.length) {
      set_interrupt(true);
    } else {
      host_side_done(false);
    }
    return value;
  }
  if (phase_ != Phase::Result) return 0;
  const u8 value = result_[result_position_++ % result_.size()];
  set_interrupt(false);
  if (result_position_ >= result_count_) end_command();
  return value;
}

void I82077::give_result(std::initializer_list<u8> bytes, bool interrupt) {
  std::copy(bytes.begin(), bytes.end(), result_.begin());
  result_count_ = static_cast<u8>(bytes.size());
  result_position_ = 0;
  phase_ = Phase::Result;
  if (interrupt) set_interrupt(true);
}

void I82077::end_command() {
  phase_ = Phase::Command;
  command_count_ = result_count_ = result_position_ = 0;
  // A seek that ended while another command was busy; the four of a reset share one interrupt.
  if (interrupt_pending() && !after_reset_) set_interrupt(true);
}

bool I82077::interrupt_pending() const {
  return std::any_of(pending_status_.begin(), pending_status_.end(), [](u8 each) { return each != 0; });
}

// A guest that goes on without the four Sense Interrupt Status commands does not want to hear of the reset any more.
void I82077::forget_reset() {
  if (after_reset_) pending_status_ = {};
  after_reset_ = false;
}

void I82077::invalid() {
  log::once(log::Channel::GuestErrors, "i82077: unknown command {:02X}h", command_[0]);
  give_result({kInvalidCommand}, false);
}

// --- Commands without data transfer ---

void I82077::specify() {
  step_rate_ = command_[1] >> 4;
  head_unload_ = command_[1] & 0x0F;
  head_load_ = command_[2] >> 1;
  non_dma_ = (command_[2] & 1) != 0;
  end_command();
}

void I82077::sense_drive() {
  const unsigned number = command_[1] & 3;
  u8 status3 = static_cast<u8>((command_[1] & 7) | 0x28);  // ready and two-sided are tied high (5.2.5)
  if (number < kDrives && drives_[number].present()) {
    if (drives_[number].track() == 0) status3 |= 0x10;
    if (drives_[number].write_protected()) status3 |= 0x40;
  }
  give_result({status3}, false);
}

void I82077::sense_interrupt() {
  set_interrupt(false);
  for (unsigned number = 0; number < pending_status_.size(); number++) {
    if (pending_status_[number] == 0) continue;
    const u8 status0 = pending_status_[number];
    pending_status_[number] = 0;
    if (!interrupt_pending()) after_reset_ = false;
    give_result({status0, present_cylinder_[number]}, false);
    return;
  }
  after_reset_ = false;
  give_result({kInvalidCommand}, false);
}

void I82077::dump_registers() {
  const u8 specify1 = static_cast<u8>(step_rate_ << 4 | head_unload_);
  const u8 specify2 = static_cast<u8>(head_load_ << 1 | (non_dma_ ? 1 : 0));
  const u8 lock_byte = static_cast<u8>((locked_ ? 0x80 : 0) | (perpendicular_ & 0x3F));
  const u8 last = transfer_.kind == Kind::Format ? transfer_.sectors_left : transfer_.end_of_track;
  give_result({present_cylinder_[0], present_cylinder_[1], present_cylinder_[2], present_cylinder_[3], specify1,
               specify2, last, lock_byte, configuration_, precompensation_track_},
              false);
}

void I82077::version() { give_result({0x90}, false); }
void I82077::part_id() { give_result({0x41}, false); }

void I82077::configure() {
  configuration_ = command_[2] & 0x7F;
  precompensation_track_ = command_[3];
  end_command();
}

void I82077::perpendicular() {
  // Without OW the drive bits stay (5.2.11).
  const u8 drives = (command_[1] & 0x80) != 0 ? command_[1] & 0x3C : perpendicular_ & 0x3C;
  perpendicular_ = static_cast<u8>(drives | (command_[1] & 3));
  end_command();
}

void I82077::lock() {
  locked_ = (command_[0] & 0x80) != 0;
  give_result({static_cast<u8>(locked_ ? 0x10 : 0x00)}, false);
}

// --- Head movement ---

GuestTime I82077::step_time() const {
  // SRT counts down from 16 in milliseconds at 500 kbit/s (5.2.6).
  constexpr std::array<GuestTime, 4> kScaleTimes6 = {6, 10, 12, 3};
  return (16 - step_rate_) * kMillisecond * kScaleTimes6[data_rate_ & 3] / 6;
}

void I82077::begin_seek(unsigned number, unsigned to_track, unsigned pulses, u8 status0) {
  if (number < kDrives && drives_[number].present()) drives_[number].step_to(to_track);
  forget_reset();
  seek_status_[number] = static_cast<u8>(status0 | number);
  pending_status_[number] = 0;
  busy_drives_ |= static_cast<u8>(1u << number);
  scheduler_->schedule_in(seek_timers_[number], timing_.seek(pulses, step_time()));
  end_command();
}

void I82077::recalibrate() {
  const unsigned number = command_[1] & 3;
  const bool there = number < kDrives && drives_[number].present();
  const unsigned track = there ? drives_[number].track() : kMostRecalibratePulses + 1;
  const unsigned pulses = std::min(track, kMostRecalibratePulses);
  seek_target_[number] = 0;
  const bool failed = track > pulses;  // track 0 was not sensed
  begin_seek(number, track - pulses, pulses, failed ? kAbnormal | kSeekEnd | kEquipmentCheck : kSeekEnd);
}

void I82077::seek() {
  const unsigned number = command_[1] & 3;
  const int distance = command_[2] - present_cylinder_[number];
  const int from = number < kDrives ? static_cast<int>(drives_[number].track()) : 0;
  seek_target_[number] = command_[2];
  begin_seek(number, static_cast<unsigned>(std::max(0, from + distance)), static_cast<unsigned>(std::abs(distance)),
             static_cast<u8>(kSeekEnd | (command_[1] & 4)));
}

void I82077::relative_seek() {
  const unsigned number = command_[1] & 3;
  const int distance = (command_[0] & 0x40) != 0 ? command_[2] : -command_[2];
  const int from = number < kDrives ? static_cast<int>(drives_[number].track()) : 0;
  seek_target_[number] = static_cast<u8>(present_cylinder_[number] + distance);
  begin_seek(number, static_cast<unsigned>(std::max(0, from + distance)), command_[2],
             static_cast<u8>(kSeekEnd | (command_[1] & 4)));
}

}  // namespace relic86
