// Serial port (National Semiconductor PC16550D datasheet, section 8, Registers)
//
//   port      width  R/W  bits
//   base + 0  1      R    RBR: received character;  W THR: character to send;  DLAB: divisor 7:0
//   base + 1  1      RW   IER: 0 received data, 1 THRE, 2 line status, 3 modem status;  DLAB: divisor 15:8
//   base + 2  1      R    IIR: 0 none pending, 3:1 source (3 line status, 2 data, 6 timeout, 1 THRE, 0 modem), 7:6
//   FIFOs base + 2  1      W    FCR: 0 FIFOs on, 1 clear receiver, 2 clear transmitter, 3 DMA mode (no pins here), 7:6
//   trigger base + 3  1      RW   LCR: 1:0 length - 5, 2 stop bits, 5:3 parity, 6 break, 7 DLAB base + 4  1      RW
//   MCR: 0 DTR, 1 RTS, 2 OUT1, 3 OUT2 (on PCs: lets the interrupt through), 4 loop base + 5  1      R    LSR: 0 data
//   ready, 1 overrun, 2 parity, 3 framing, 4 break, 5 THRE, 6 TEMT, 7 error in FIFO base + 6  1      R    MSR: 3:0
//   changes (CTS, DSR, RI's end, DCD), 7:4 CTS DSR RI DCD base + 7  1      RW   SCR
//
//   IRQ: see the board. Clock 1.8432 MHz: divisor 1 is 115200 baud.
#include "devices/character/uart16550.h"

#include <fmt/format.h>

#include <algorithm>

namespace relic86 {

namespace {
constexpr u8 kDataInterrupt = 1, kEmptyInterrupt = 2, kLineInterrupt = 4, kModemInterrupt = 8;
constexpr u8 kIdNone = 1, kIdLine = 6, kIdData = 4, kIdTimeout = 0x0C, kIdEmpty = 2, kIdModem = 0, kIdFifos = 0xC0;
constexpr u8 kFifoEnable = 1, kFifoClearReceiver = 2, kFifoClearTransmitter = 4, kFifoKept = 0xC9;
constexpr u8 kLengthMask = 3, kTwoStopBits = 4, kParityEnable = 8, kBreakControl = 0x40, kDivisorLatch = 0x80;
constexpr u8 kDtr = 1, kRts = 2, kOut1 = 4, kOut2 = 8, kLoop = 0x10, kModemControlBits = 0x1F;
constexpr u8 kDataReady = 1, kOverrun = 2, kBreak = 0x10, kHoldingEmpty = 0x20, kAllEmpty = 0x40, kErrorInFifo = 0x80;
constexpr u8 kCharacterErrors = 0x1C;
constexpr u8 kChanges = 0x0F, kRingEnded = 4;
constexpr u64 kClock = 1'843'200;  // Hz; 16 cycles per bit and divisor
constexpr u16 kDivisor9600 = 12;
constexpr GuestTime kTimeoutCharacters = 4;
constexpr GuestTime kReaderPatience = 1'000'000;  // ns between looks at a reader on the host that is behind
}  // namespace

Uart16550::Uart16550(unsigned number, u16 port, unsigned irq)
    : name_(fmt::format("uart16550.com{}", number)), port_(port), irq_number_(irq) {}

Result<> Uart16550::attach(Attachment& board) {
  scheduler_ = &board.scheduler();
  transmit_timer_ = board.timer(*this, "transmit", kTransmitTimer);
  timeout_timer_ = board.timer(*this, "timeout", kTimeoutTimer);
  irq_ = board.isa_irq(irq_number_);
  return board.ports(*this, 0, port_, 8);
}

// Master reset (datasheet, Table I). The divisor and the scratch register have no reset value: only at power-on.
void Uart16550::reset(ResetKind kind) {
  if (kind == ResetKind::PowerOn) {
    divisor_ = kDivisor9600;
    scratch_ = 0;
  }
  interrupt_enable_ = fifo_control_ = line_control_ = modem_control_ = 0;
  out2_used_ = length_set_ = false;
  scheduler_->cancel(transmit_timer_);
  sending_ = false;
  clear_receiver();
  clear_transmitter();
  transmitter_emptied_ = false;
  line_errors_ = 0;
  modem_status_ = modem_inputs_;
  drive();
}

void Uart16550::state(StateArchive& archive) {
  archive.field("divisor", divisor_);
  archive.field("interrupt_enable", interrupt_enable_);
  archive.field("fifo_control", fifo_control_);
  archive.field("line_control", line_control_);
  archive.field("modem_control", modem_control_);
  archive.field("out2_used", out2_used_);
  archive.field("length_set", length_set_);
  archive.field("modem_status", modem_status_);
  archive.field("modem_inputs", modem_inputs_);
  archive.field("scratch", scratch_);
  archive.field("line_errors", line_errors_);
  received_.state(archive, "received");
  received_errors_.state(archive, "received_errors");
  to_send_.state(archive, "to_send");
  archive.field("shift_register", shift_register_);
  archive.field("sending", sending_);
  archive.field("transmitter_emptied", transmitter_emptied_);
  archive.field("timed_out", timed_out_);
  if (!archive.loading()) return;
  if (received_.size() != received_errors_.size()) {
    received_.clear();
    received_errors_.clear();
  }
  irq_.set(interrupts());
}

bool Uart16550::fifos_enabled() const { return (fifo_control_ & kFifoEnable) != 0; }
bool Uart16550::looped() const { return (modem_control_ & kLoop) != 0; }

unsigned Uart16550::trigger_level() const {
  constexpr u8 kLevels[] = {1, 4, 8, 14};
  return fifos_enabled() ? kLevels[fifo_control_ >> 6] : 1;
}

GuestTime Uart16550::bit_time() const {
  return static_cast<GuestTime>(std::max<u64>(divisor_, 1) * 16 * 1'000'000'000 / kClock);
}

GuestTime Uart16550::character_time() const {
  const unsigned length = 5 + (line_control_ & kLengthMask);
  unsigned half_bits = 2 * (1 + length + 1);  // start, data, stop
  if ((line_control_ & kParityEnable) != 0) half_bits += 2;
  if ((line_control_ & kTwoStopBits) != 0) half_bits += length == 5 ? 1 : 2;
  const u64 divisor = std::max<u64>(divisor_, 1);
  return static_cast<GuestTime>(half_bits * divisor * 8 * 1'000'000'000 / kClock);
}

u8 Uart16550::line_status() const {
  u8 status = line_errors_;
  if (!received_.empty()) status |= kDataReady;
  if (to_send_.empty()) status |= kHoldingEmpty;
  if (to_send_.empty() && !sending_) status |= kAllEmpty;
  if (fifos_enabled() && (received_errors_.any() || (line_errors_ & kCharacterErrors) != 0)) status |= kErrorInFifo;
  return status;
}

// Sources by priority (datasheet, Table IV).
u8 Uart16550::interrupt_identification() const {
  if ((interrupt_enable_ & kLineInterrupt) != 0 && line_errors_ != 0) return kIdLine;
  if ((interrupt_enable_ & kDataInterrupt) != 0) {
    if (received_.size() >= trigger_level()) return kIdData;
    if (timed_out_) return kIdTimeout;
  }
  if ((interrupt_enable_ & kEmptyInterrupt) != 0 && transmitter_emptied_) return kIdEmpty;
  if ((interrupt_enable_ & kModemInterrupt) != 0 && (modem_status_ & kChanges) != 0) return kIdModem;
  return kIdNone;
}

// On PCs OUT2 lets the interrupt through. Systems that grew up under emulators (xv6) never set it, and expect
// interrupts all the same: it counts from its first use on.
bool Uart16550::interrupts() const {
  return interrupt_identification() != kIdNone && (!out2_used_ || (modem_control_ & kOut2) != 0);
}

void Uart16550::drive() {
  const bool active = interrupts();
  if (irq_.level() != active) irq_.set(active);
}

// --- Receiver. ---

bool Uart16550::can_receive() const {
  return !looped() && (fifos_enabled() ? received_.room() > 0 : received_.empty());
}

// After a reset LCR stands for 5 bits. Systems that grew up under emulators send and receive without a word about it:
// the length counts from the first write to LCR on.
void Uart16550::receive(u8 byte) {
  constexpr u8 kLengths[] = {0x1F, 0x3F, 0x7F, 0xFF};
  if (!looped()) put_received(length_set_ ? byte & kLengths[line_control_ & kLengthMask] : byte, 0);
}

void Uart16550::receive_break() {
  if (!looped()) put_received(0, kBreak);
}

void Uart16550::put_received(u8 byte, u8 errors) {
  if (received_.size() >= (fifos_enabled() ? kFifoSize : 1)) {
    line_errors_ |= kOverrun;
    // A full FIFO loses the new character, the single register the old one (datasheet, LSR bit 1).
    if (fifos_enabled()) return drive();
    received_.clear();
    received_errors_.clear();
  }
  received_.push(byte);
  received_errors_.push(errors);
  if (received_.size() == 1) look_at_first_received();
  restart_timeout();
  drive();
}

// Errors show in the line status once their character is the first of the FIFO.
void Uart16550::look_at_first_received() {
  if (!received_errors_.empty()) line_errors_ |= received_errors_.front() & kCharacterErrors;
}

// Four character times without a character or a read.
void Uart16550::restart_timeout() {
  timed_out_ = false;
  if (fifos_enabled() && !received_.empty()) {
    scheduler_->schedule_in(timeout_timer_, kTimeoutCharacters * character_time());
  } else {
    scheduler_->cancel(timeout_timer_);
  }
}

// A program that tests the port by its loop reads what it has just written; many do not wait for it.
void Uart16550::finish_loop() {
  while (looped() && received_.empty() && (sending_ || !to_send_.empty())) {
    scheduler_->cancel(transmit_timer_);
    event(kTransmitTimer, 0);
  }
}

u8 Uart16550::read_received() {
  finish_loop();
  if (received_.empty()) return 0;
  const u8 byte = received_.pop();
  received_errors_.pop();
  look_at_first_received();
  restart_timeout();
  drive();
  return byte;
}

void Uart16550::clear_receiver() {
  received_.clear();
  received_errors_.clear();
  restart_timeout();
}

// --- Transmitter. ---

void Uart16550::write_transmit(u8 byte) {
  if (sink_ != nullptr && !looped() && (line_control_ & kBreakControl) == 0) sink_->put(byte);
  if (!fifos_enabled()) to_send_.clear();
  to_send_.push(byte);  // a full FIFO takes no more
  transmitter_emptied_ = false;
  // An idle transmitter takes the character up to 24 baud clocks later (datasheet, AC characteristics, tIRS). So a
  // driver that fills the FIFO in one go sees no THRE interrupt in between.
  const bool idle = scheduler_->deadline(transmit_timer_) == Scheduler::kNever;
  if (idle) scheduler_->schedule_in(transmit_timer_, std::min(bit_time(), slowest_send_));
  drive();
}

void Uart16550::start_sending(GuestTime from) {
  if (to_send_.empty()) return;
  shift_register_ = to_send_.pop();
  sending_ = true;
  if (to_send_.empty()) transmitter_emptied_ = true;
  scheduler_->schedule_at(transmit_timer_, from + std::min(character_time(), slowest_send_));
}

void Uart16550::clear_transmitter() {
  if (!to_send_.empty()) transmitter_emptied_ = true;
  to_send_.clear();
}

void Uart16550::event(u32 id, GuestTime late) {
  if (id == kTimeoutTimer) {
    timed_out_ = fifos_enabled() && !received_.empty();
  } else if (sink_ != nullptr && !looped() && !sink_->can_take()) {
    // The transmitter stays busy, and the guest waits with it.
    scheduler_->schedule_in(transmit_timer_, kReaderPatience);
  } else {
    if (sending_ && looped()) put_received(shift_register_, 0);
    sending_ = false;
    start_sending(scheduler_->now() - late);
  }
  drive();
}

// --- Modem lines. ---

void Uart16550::set_modem_inputs(u8 inputs) {
  modem_inputs_ = inputs & static_cast<u8>(~kChanges);
  update_modem_status();
  drive();
}

void Uart16550::update_modem_status() {
  u8 lines = modem_inputs_;
  if (looped()) {
    lines = 0;
    if ((modem_control_ & kRts) != 0) lines |= kClearToSend;
    if ((modem_control_ & kDtr) != 0) lines |= kDataSetReady;
    if ((modem_control_ & kOut1) != 0) lines |= kRing;
    if ((modem_control_ & kOut2) != 0) lines |= kCarrier;
  }
  const u8 changed = (lines ^ modem_status_) & static_cast<u8>(~kChanges);
  u8 changes = modem_status_ & kChanges;
  changes |= static_cast<u8>((changed & ~kRing) >> 4);
  if ((changed & kRing) != 0 && (lines & kRing) == 0) changes |= kRingEnded;
  modem_status_ = lines | changes;
}

u8 Uart16550::read_modem_status() {
  const u8 value = modem_status_;
  modem_status_ &= static_cast<u8>(~kChanges);
  drive();
  return value;
}

// --- Registers. ---

u8 Uart16550::read_line_status() {
  const u8 value = line_status();
  line_errors_ = 0;
  if (!received_errors_.empty()) received_errors_.front() = 0;
  drive();
  return value;
}

u64 Uart16550::read(RegionId, u64 offset, unsigned) {
  const bool latch = (line_control_ & kDivisorLatch) != 0;
  switch (offset) {
    case 0: return latch ? static_cast<u8>(divisor_) : read_received();
    case 1: return latch ? static_cast<u8>(divisor_ >> 8) : interrupt_enable_;
    case 2: {
      const u8 id = interrupt_identification();
      if (id == kIdEmpty) transmitter_emptied_ = false;  // reading takes this source back, and only this one
      drive();
      return static_cast<u8>(id | (fifos_enabled() ? kIdFifos : 0));
    }
    case 3: return line_control_;
    case 4: return modem_control_;
    case 5: return read_line_status();
    case 6: return read_modem_status();
    default: return scratch_;
  }
}

void Uart16550::write(RegionId, u64 offset, unsigned, u64 value) {
  const auto byte = static_cast<u8>(value);
  const bool latch = (line_control_ & kDivisorLatch) != 0;
  switch (offset) {
    case 0:
      if (!latch) return write_transmit(byte);
      divisor_ = static_cast<u16>((divisor_ & 0xFF00) | byte);
      return;
    case 1:
      if (!latch) return write_interrupt_enable(byte);
      divisor_ = static_cast<u16>((divisor_ & 0xFF) | byte << 8);
      return;
    case 2: return write_fifo_control(byte);
    case 3: return write_line_control(byte);
    case 4: return write_modem_control(byte);
    case 7: scratch_ = byte; return;
    default: return;  // LSR and MSR: factory tests only
  }
}

void Uart16550::write_interrupt_enable(u8 value) {
  const u8 before = interrupt_enable_;
  interrupt_enable_ = value & 0x0F;
  // Turning the THRE interrupt on with nothing to send raises it: drivers start sending so.
  if (((before ^ value) & kEmptyInterrupt) != 0) {
    transmitter_emptied_ = (value & kEmptyInterrupt) != 0 && to_send_.empty();
  }
  drive();
}

void Uart16550::write_fifo_control(u8 value) {
  const bool toggled = ((value ^ fifo_control_) & kFifoEnable) != 0;
  const bool enabled = (value & kFifoEnable) != 0;  // the other bits count only with this one
  fifo_control_ = enabled ? value & kFifoKept : 0;
  if (toggled || (enabled && (value & kFifoClearReceiver) != 0)) clear_receiver();
  if (toggled || (enabled && (value & kFifoClearTransmitter) != 0)) clear_transmitter();
  drive();
}

void Uart16550::write_line_control(u8 value) {
  length_set_ = true;
  const bool break_begins = (value & ~line_control_ & kBreakControl) != 0;
  line_control_ = value;
  if (break_begins && looped()) put_received(0, kBreak);
}

void Uart16550::write_modem_control(u8 value) {
  modem_control_ = value & kModemControlBits;
  out2_used_ = out2_used_ || (value & kOut2) != 0;
  update_modem_status();
  drive();
}

}  // namespace relic86
