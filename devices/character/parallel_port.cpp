// Parallel port (IBM PC/AT Technical Reference, Printer Adapter; IEEE 1284-1994, compatibility mode)
//
//   port      width  R/W  bits
//   base + 0  1      RW   data
//   base + 1  1      R    status: 7 not BUSY, 6 ACK#, 5 paper out, 4 selected, 3 ERROR#; 2:0 read 1
//   base + 2  1      RW   control: 0 strobe, 1 auto feed, 2 INIT#, 3 select, 4 interrupt enable; 7:5 read 1
//
//   IRQ: follows ACK while enabled: the interrupt controller sees an edge for each byte taken.
#include "devices/character/parallel_port.h"

#include <fmt/format.h>

namespace relic86 {

namespace {
constexpr u8 kNotBusy = 0x80, kNotAcknowledging = 0x40, kSelected = 0x10, kNoError = 0x08, kStatusOnes = 0x07;
constexpr u8 kStrobe = 1, kNotInitialize = 4, kInterruptEnable = 0x10, kControlBits = 0x1F, kControlOnes = 0xE0;
// How long a quick printer is busy with a byte, and its acknowledge pulse (IEEE 1284-1994: at least 0.5 us).
constexpr GuestTime kBusyTime = 5'000, kAcknowledgeTime = 2'000;
constexpr GuestTime kReaderPatience = 1'000'000;  // ns between looks at a reader on the host that is behind
}  // namespace

ParallelPort::ParallelPort(unsigned number, u16 port, unsigned irq)
    : name_(fmt::format("parallel.lpt{}", number)), port_(port), irq_number_(irq) {}

Result<> ParallelPort::attach(Attachment& board) {
  scheduler_ = &board.scheduler();
  printer_timer_ = board.timer(*this, "printer", 0);
  irq_ = board.isa_irq(irq_number_);
  return board.ports(*this, 0, port_, 3);
}

void ParallelPort::reset(ResetKind) {
  data_ = 0;
  control_ = 0;
  printer_ = Printer::Ready;
  scheduler_->cancel(printer_timer_);
  drive();
}

void ParallelPort::state(StateArchive& archive) {
  archive.field("data", data_);
  archive.field("control", control_);
  archive.field("printer", printer_);
  control_ &= kControlBits;
  if (printer_ > Printer::Acknowledging) printer_ = Printer::Ready;
  if (archive.loading()) drive();
}

u8 ParallelPort::status() const {
  u8 value = kSelected | kNoError | kStatusOnes;
  if (printer_ == Printer::Ready) value |= kNotBusy;
  if (printer_ != Printer::Acknowledging) value |= kNotAcknowledging;
  return value;
}

void ParallelPort::drive() {
  const bool active = printer_ == Printer::Acknowledging && (control_ & kInterruptEnable) != 0;
  if (irq_.level() != active) irq_.set(active);
}

void ParallelPort::event(u32, GuestTime late) {
  if (printer_ == Printer::Busy && sink_ != nullptr && !sink_->can_take()) {
    scheduler_->schedule_in(printer_timer_, kReaderPatience);  // it stays busy while the reader on the host is behind
  } else if (printer_ == Printer::Busy) {
    printer_ = Printer::Acknowledging;
    scheduler_->schedule_at(printer_timer_, scheduler_->now() - late + kAcknowledgeTime);
  } else {
    printer_ = Printer::Ready;
  }
  drive();
}

u64 ParallelPort::read(RegionId, u64 offset, unsigned) {
  switch (offset) {
    case 0: return data_;
    case 1: return status();
    default: return static_cast<u8>(control_ | kControlOnes);
  }
}

void ParallelPort::write(RegionId, u64 offset, unsigned, u64 value) {
  if (offset == 0) data_ = static_cast<u8>(value);
  if (offset == 2) write_control(static_cast<u8>(value));
}

void ParallelPort::write_control(u8 value) {
  const bool strobed = (value & ~control_ & kStrobe) != 0;
  const bool initializing = (value & kNotInitialize) == 0;
  control_ = value & kControlBits;
  if (initializing) {  // what the printer was doing is over
    printer_ = Printer::Ready;
    scheduler_->cancel(printer_timer_);
  } else if (strobed) {
    // The byte is taken even when the program did not wait for BUSY: no printer that loses letters is worth having.
    if (sink_ != nullptr) sink_->put(data_);
    printer_ = Printer::Busy;
    scheduler_->schedule_in(printer_timer_, kBusyTime);
  }
  drive();
}

}  // namespace relic86
