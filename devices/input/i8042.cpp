// Keyboard controller (Intel 8042 with the AT/PS/2 firmware: IBM PC/AT Technical Reference, section 1, Keyboard
// controller; IBM PS/2 Hardware Interface Technical Reference, Keyboard and Auxiliary Device Controller)
//
//   port  width  R/W  bits
//   60h   1      R    output buffer; reading empties it
//   60h   1      W    parameter of the last command, else a byte for the keyboard (which also enables its port)
//   64h   1      R    status: 0 output full, 1 input full (always taken at once: 0), 2 system flag, 3 last write was a
//                     command, 4 keyboard lock open, 5 output byte is the auxiliary port's, 6 timeout, 7 parity
//   64h   1      W    command:
//                     20-3F read RAM, 60-7F write RAM (20/60: command byte: 0 IRQ1, 1 IRQ12, 2 system flag,
//                     4 keyboard disabled, 5 auxiliary disabled, 6 translate set 2 to set 1)
//                     A4 password installed?  A5 load password  A7/A8 auxiliary off/on  A9 test auxiliary port
//                     AA self test  AB test keyboard port  AC dump  AD/AE keyboard off/on  C0 read input port
//                     D0/D1 read/write output port  D2/D3 pretend keyboard/auxiliary output  D4 to auxiliary device
//                     DD/DF A20 off/on  E0 read test inputs  F0-FF pulse output bits 3:0 low where 0 (bit 0: reset)
//   output port: 0 processor reset (low active), 1 A20, 2 and 3 auxiliary lines, 4 IRQ1, 5 IRQ12, 6 and 7 keyboard
//   lines
#include "devices/input/i8042.h"

#include "base/log.h"

namespace relic86 {

namespace {
constexpr u8 kOutputFull = 0x01, kSystemFlag = 0x04, kLastCommand = 0x08, kUnlocked = 0x10, kAuxiliaryData = 0x20,
             kTimeout = 0x40;
constexpr u8 kIrq1Enable = 0x01, kIrq12Enable = 0x02, kKeyboardOff = 0x10, kMouseOff = 0x20, kTranslate = 0x40;
constexpr u8 kPortReset = 0x01, kPortA20 = 0x02, kPortLatched = 0x0D;
constexpr u8 kBreakPrefix = 0xF0;

// The controller's firmware takes some tens of microseconds. A byte over the serial wire takes eleven clocks of 60 to
// 100 us (PS/2 reference, Data transmission); here a seventh of it, since drivers that give up after so many port reads
// do them faster than on an ISA bus.
constexpr GuestTime kControllerDelay = 20'000;
constexpr GuestTime kWireDelay = 100'000;

// Set 2 to set 1, as the controller's firmware has it (PS/2 reference, Scan code translation). 80h and up: as they are,
// but for two.
constexpr std::array<u8, 128> kTranslation = {
    0xFF, 0x43, 0x41, 0x3F, 0x3D, 0x3B, 0x3C, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3E, 0x0F, 0x29, 0x59,  //
    0x65, 0x38, 0x2A, 0x70, 0x1D, 0x10, 0x02, 0x5A, 0x66, 0x71, 0x2C, 0x1F, 0x1E, 0x11, 0x03, 0x5B,  //
    0x67, 0x2E, 0x2D, 0x20, 0x12, 0x05, 0x04, 0x5C, 0x68, 0x39, 0x2F, 0x21, 0x14, 0x13, 0x06, 0x5D,  //
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5E, 0x6A, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5F,  //
    0x6B, 0x33, 0x25, 0x17, 0x18, 0x0B, 0x0A, 0x60, 0x6C, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0C, 0x61,  //
    0x6D, 0x73, 0x28, 0x74, 0x1A, 0x0D, 0x62, 0x6E, 0x3A, 0x36, 0x1C, 0x1B, 0x75, 0x2B, 0x63, 0x76,  //
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7A, 0x0E, 0x7B, 0x7C, 0x4F, 0x7D, 0x4B, 0x47, 0x7E, 0x7F, 0x6F,  //
    0x52, 0x53, 0x50, 0x4C, 0x4D, 0x48, 0x01, 0x45, 0x57, 0x4E, 0x51, 0x4A, 0x37, 0x49, 0x46, 0x54,
};
}  // namespace

Result<> I8042::attach(Attachment& board) {
  scheduler_ = &board.scheduler();
  output_timer_ = board.timer(*this, "output", 0);
  keyboard_irq_ = board.isa_irq(1);
  mouse_irq_ = board.isa_irq(12);
  if (auto done = board.ports(*this, kData, 0x60, 1); !done) return done;
  return board.ports(*this, kCommand, 0x64, 1);
}

void I8042::reset(ResetKind) {
  ram_ = {};
  ram_[0] = kKeyboardOff | kMouseOff;  // both clocks are held low until the BIOS has tested the controller
  output_ = 0;
  output_full_ = false;
  output_source_ = Source::Controller;
  timeout_ = last_was_command_ = break_prefix_ = false;
  awaiting_ = 0;
  output_port_low_ = kPortLatched;
  replies_.clear();
  scheduler_->cancel(output_timer_);
  drive_irqs();
}

void I8042::state(StateArchive& archive) {
  archive.bytes("ram", ram_);
  archive.field("output", output_);
  archive.field("output_full", output_full_);
  archive.field("output_source", output_source_);
  archive.field("timeout", timeout_);
  archive.field("last_was_command", last_was_command_);
  archive.field("awaiting", awaiting_);
  archive.field("output_port_low", output_port_low_);
  archive.field("break_prefix", break_prefix_);
  replies_.state(archive, "replies");
  if (archive.loading()) drive_irqs();
}

u64 I8042::read(RegionId region, u64, unsigned) { return region == kData ? read_data() : status(); }

void I8042::write(RegionId region, u64, unsigned, u64 value) {
  const auto byte = static_cast<u8>(value);
  last_was_command_ = region == kCommand;
  if (region == kCommand) {
    awaiting_ = 0;
    write_command(byte);
  } else if (awaiting_ != 0) {
    write_command_data(byte);
  } else {
    write_data(byte);
  }
  schedule_output();
}

u8 I8042::status() const {
  u8 value = kUnlocked | (ram_[0] & kSystemFlag);
  if (output_full_) value |= kOutputFull;
  if (output_full_ && output_source_ == Source::Mouse) value |= kAuxiliaryData;
  if (last_was_command_) value |= kLastCommand;
  if (timeout_) value |= kTimeout;
  return value;
}

u8 I8042::read_data() {
  if (!output_full_) return output_;
  output_full_ = false;
  timeout_ = false;
  drive_irqs();
  Ps2Device* const device = output_source_ == Source::Keyboard ? keyboard_ : mouse_;
  if (output_source_ != Source::Controller && device != nullptr) device->port_ready();
  schedule_output();
  return output_;
}

u8 I8042::output_port() const {
  u8 value = static_cast<u8>(output_port_low_ | kPortReset);
  if (a20_.open()) value |= kPortA20;
  if (keyboard_irq_.level()) value |= 0x10;
  if (mouse_irq_.level()) value |= 0x20;
  if (enabled(kKeyboardOff)) value |= 0x40;  // keyboard clock; its data line rests high
  return value | 0x80;
}

void I8042::write_command(u8 command) {
  if (command >= 0x20 && command <= 0x3F) return reply(ram_[command & 0x1F]);
  if ((command >= 0x60 && command <= 0x7F) || command == 0xA5 || (command >= 0xD1 && command <= 0xD4)) {
    awaiting_ = command;
    return;
  }
  if (command >= 0xF0) {
    if ((command & 1) == 0) reset_pin_.pulse();
    return;
  }
  switch (command) {
    case 0xA4: return reply(0xF1);  // no password is installed
    case 0xA6: return;              // without a password there is nothing to enable
    case 0xA7: ram_[0] |= kMouseOff; return;
    case 0xA8: ram_[0] &= static_cast<u8>(~kMouseOff); return;
    case 0xA9: return reply(0x00);
    case 0xAA: ram_[0] |= kSystemFlag; return reply(0x55);
    case 0xAB: return reply(0x00);
    case 0xAC:
      for (unsigned i = 0; i < 4; i++) reply(ram_[i]);
      return;
    case 0xAD: ram_[0] |= kKeyboardOff; return;
    case 0xAE: ram_[0] &= static_cast<u8>(~kKeyboardOff); return;
    case 0xC0: return reply(0xA0);  // lock open, manufacturing jumper off, lines high
    case 0xC1:
    case 0xC2: return;  // poll the input port into the status: the lock bit is always up to date
    case 0xD0: return reply(output_port());
    case 0xDD: return a20_.set(false);
    case 0xDF: return a20_.set(true);
    case 0xE0: return reply(enabled(kKeyboardOff) ? 0x03 : 0x02);
    default: log::once(log::Channel::GuestErrors, "i8042: unknown command {:02X}h", command); return;
  }
}

void I8042::write_command_data(u8 value) {
  const u8 command = awaiting_;
  if (command == 0xA5) {  // the password's scan codes end with 0; it is never enabled
    if (value == 0) awaiting_ = 0;
    return;
  }
  awaiting_ = 0;
  switch (command) {
    case 0xD1: return write_output_port(value);
    case 0xD2: return reply(value, Source::Keyboard);
    case 0xD3: return reply(value, Source::Mouse);
    case 0xD4: return send_to_device(mouse_, value, kMouseOff, Source::Mouse);
    default:
      ram_[command & 0x1F] = value;
      drive_irqs();
      return;
  }
}

void I8042::write_output_port(u8 value) {
  output_port_low_ = value & kPortLatched;
  a20_.set((value & kPortA20) != 0);
  if ((value & kPortReset) == 0) reset_pin_.pulse();
}

void I8042::write_data(u8 value) { send_to_device(keyboard_, value, kKeyboardOff, Source::Keyboard); }

// Sending to a device enables its port (PC/AT reference, Keyboard data port).
void I8042::send_to_device(Ps2Device* device, u8 value, u8 disable_bit, Source source) {
  ram_[0] &= static_cast<u8>(~disable_bit);
  if (device != nullptr) return device->receive(value);
  timeout_ = true;
  reply(0xFE, source);
}

void I8042::reply(u8 value, Source source) {
  if (replies_.room() < 2) return;  // only a guest that never reads gets here
  replies_.push(value);
  replies_.push(static_cast<u8>(source));
}

void I8042::data_ready() { schedule_output(); }

bool I8042::port_idle(const Ps2Device& device) const {
  const bool is_mouse = &device == mouse_;
  if (!enabled(is_mouse ? kMouseOff : kKeyboardOff)) return false;
  return !output_full_ || output_source_ != (is_mouse ? Source::Mouse : Source::Keyboard);
}

void I8042::schedule_output() {
  if (output_full_) return;
  const bool device_waits = (keyboard_ != nullptr && enabled(kKeyboardOff) && keyboard_->has_byte()) ||
                            (mouse_ != nullptr && enabled(kMouseOff) && mouse_->has_byte());
  if (replies_.empty() && !device_waits) return;
  const GuestTime wanted = scheduler_->now() + (replies_.empty() ? kWireDelay : kControllerDelay);
  if (wanted < scheduler_->deadline(output_timer_)) scheduler_->schedule_at(output_timer_, wanted);
}

void I8042::event(u32, GuestTime) {
  if (output_full_) return;
  if (!replies_.empty()) {
    const u8 value = replies_.pop();
    const u8 source = replies_.empty() ? 0 : replies_.pop();
    return fill_output(value, source > 2 ? Source::Controller : static_cast<Source>(source));
  }
  while (keyboard_ != nullptr && enabled(kKeyboardOff) && keyboard_->has_byte()) {
    u8 value = keyboard_->take_byte();
    if (translate(value)) return fill_output(value, Source::Keyboard);
  }
  if (mouse_ != nullptr && enabled(kMouseOff) && mouse_->has_byte()) fill_output(mouse_->take_byte(), Source::Mouse);
}

// Keyboard bytes as the host sees them; false: nothing to see (a break prefix, which marks the next byte).
bool I8042::translate(u8& value) {
  if ((ram_[0] & kTranslate) == 0) {
    break_prefix_ = false;
    return true;
  }
  if (value == kBreakPrefix) {
    break_prefix_ = true;
    return false;
  }
  u8 translated = value;
  if (value < kTranslation.size()) translated = kTranslation[value];
  if (value == 0x83) translated = 0x41;  // F7
  if (value == 0x84) translated = 0x54;  // SysRq
  if (break_prefix_) translated |= 0x80;
  break_prefix_ = false;
  value = translated;
  return true;
}

void I8042::fill_output(u8 value, Source source) {
  output_ = value;
  output_source_ = source;
  output_full_ = true;
  drive_irqs();
}

void I8042::drive_irqs() {
  const bool mouse = output_source_ == Source::Mouse;
  const bool keyboard = output_full_ && !mouse && (ram_[0] & kIrq1Enable) != 0;
  const bool auxiliary = output_full_ && mouse && (ram_[0] & kIrq12Enable) != 0;
  if (keyboard_irq_.level() != keyboard) keyboard_irq_.set(keyboard);
  if (mouse_irq_.level() != auxiliary) mouse_irq_.set(auxiliary);
}

}  // namespace relic86
