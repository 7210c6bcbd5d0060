// Intel 82093AA I/O APIC: 24 inputs to interrupt messages. Input n is ISA line n, but line 0 (the timer) is on input 2.
#pragma once

#include <array>
#include <functional>
#include <string>

#include "devices/attachment.h"
#include "devices/chipset/apic_message.h"

namespace relic86 {

class IoApic final : public Device, public IrqSink {
 public:
  static constexpr unsigned kInputs = 24;

  // Where messages go; the answer says whether a processor took it. Without one nobody does.
  void connect(std::function<bool(const ApicMessage&)> bus) { bus_ = std::move(bus); }
  void set_irq(unsigned input, bool level) override;
  void end_of_interrupt(u8 vector);  // a local APIC's EOI of a level-triggered vector
  std::string describe() const;      // info pic

  std::string_view name() const override { return "io-apic"; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind kind) override;
  void state(StateArchive& archive) override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32, GuestTime) override {}

 private:
  u32 read_register() const;
  void write_register(u32 value);
  bool send(unsigned input);
  void service_level(unsigned input);

  std::function<bool(const ApicMessage&)> bus_;
  std::array<u64, kInputs> entries_{};
  u32 levels_ = 0;  // of the inputs
  u8 select_ = 0;
  u8 id_ = 0;
};

}  // namespace relic86
