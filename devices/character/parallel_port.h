// Parallel port (standard, one way) with a printer that takes every byte.
#pragma once

#include <string>

#include "devices/attachment.h"
#include "devices/host_sinks.h"

namespace relic86 {

class ParallelPort final : public Device {
 public:
  // number: 1 to 3 (LPT1 to LPT3), for the name only. irq: ISA interrupt, 0 to 15.
  ParallelPort(unsigned number, u16 port, unsigned irq);

  // The printer; null: it throws the paper away.
  void connect(CharSink* sink) { sink_ = sink; }

  std::string_view name() const override { return name_; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind kind) override;
  void state(StateArchive& archive) override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32 id, GuestTime late) override;

 private:
  enum class Printer : u8 { Ready, Busy, Acknowledging };
  u8 status() const;
  void write_control(u8 value);
  void drive();

  std::string name_;
  u16 port_;
  unsigned irq_number_;
  CharSink* sink_ = nullptr;
  Scheduler* scheduler_ = nullptr;
  TimerId printer_timer_ = 0;
  IrqLine irq_;
  u8 data_ = 0;
  u8 control_ = 0;
  Printer printer_ = Printer::Ready;
};

}  // namespace relic86
