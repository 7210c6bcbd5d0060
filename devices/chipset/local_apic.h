// A processor's local APIC (SDM 3A chapter 10), with NMI on LINT1 and, the bootstrap processor's, the 8259A pair on
// LINT0.
#pragma once

#include <array>
#include <functional>
#include <string>

#include "devices/attachment.h"
#include "devices/chipset/apic_message.h"
#include "devices/chipset/apic_timer.h"
#include "devices/smi_sink.h"

namespace relic86 {

class ApicBus;

class LocalApic final : public Device {
 public:
  struct Features {
    bool x2apic = false;
    bool tsc_deadline = false;
    // A periodic timer's interrupt that is due while the one before it still waits for the processor comes later, as a
    // real part's does not: guest time that makes up for a busy host's delays goes faster than the processor, which
    // then keeps interrupts off for longer than its programmers thought.
    bool keeps_ticks = false;
  };
  // number: the processor's, 0 for the bootstrap processor; initial_id: the APIC ID after reset. Joins the bus, which
  // must outlive it.
  LocalApic(ApicBus& bus, Features features, unsigned number, u8 initial_id);

  // --- The processor's side ---
  void set_output(std::function<void(bool)> intr) { output_ = std::move(intr); }
  void set_nmi(std::function<void()> nmi) { nmi_ = std::move(nmi); }
  // INIT# of this processor, and the start-up message with its vector (SDM 3A 8.4.4).
  void set_init(std::function<void()> init) { init_ = std::move(init); }
  void set_startup(std::function<void(u8)> startup) { startup_ = std::move(startup); }
  void set_smi_sink(SmiSink* sink) { smi_ = sink; }
  // The INTA cycle: a vector of its own, or what the 8259A pair says.
  u8 acknowledge();
  void init();  // INIT#: as a reset, but the ID and IA32_APIC_BASE stay
  u64 base() const { return base_; }
  bool enabled() const { return (base_ & kBaseEnable) != 0; }
  bool x2apic_mode() const { return (base_ & kBaseX2apic) != 0; }
  // IA32_APIC_BASE; false: #GP(0), nothing changes.
  bool set_base(u64 value);
  // MSRs 800h to 8FFh; false: #GP(0).
  bool read_msr(u32 number, u64& value);
  bool write_msr(u32 number, u64 value);
  ApicTimer& timer() { return timer_; }
  // CR8: bits 7:4 of the task priority register; writing clears bits 3:0 (SDM 3A 10.8.6.1).
  u8 priority_class() const { return task_priority_ >> 4; }
  void set_priority_class(u8 value);

  // --- The board's side ---
  void set_legacy_acknowledge(std::function<u8()> acknowledge) { legacy_acknowledge_ = std::move(acknowledge); }
  void set_eoi_broadcast(std::function<void(u8)> broadcast) { broadcast_ = std::move(broadcast); }
  void set_lint0(bool level);  // INTR of the 8259A pair
  void pulse_lint1();          // NMI
  // --- The bus's side ---
  // Whether the message names this processor.
  bool accepts(const ApicMessage& message) const;
  // accepts(), and fixed interrupts can come: the APIC is enabled by software, too.
  bool takes_fixed(const ApicMessage& message) const { return software_enabled() && accepts(message); }
  // False: it does not take it.
  bool deliver(const ApicMessage& message);
  u8 processor_priority() const;
  std::string describe() const;  // info lapic

  std::string_view name() const override { return name_; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind kind) override;
  void state(StateArchive& archive) override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32 id, GuestTime late) override;

 private:
  using Bits = std::array<u32, 8>;  // one bit a vector
  enum LocalVector : u8 {
    kTimerEntry,
    kThermalEntry,
    kPerformanceEntry,
    kLint0Entry,
    kLint1Entry,
    kErrorEntry,
    kEntries
  };
  static constexpr u64 kBaseBootstrap = 1u << 8, kBaseX2apic = 1u << 10, kBaseEnable = 1u << 11;
  static constexpr u64 kDefaultBase = 0xFEE00000;

  void map();
  void reset_registers();
  bool software_enabled() const { return (spurious_ & 0x100) != 0; }
  u32 read_register(u32 offset, bool& exists) const;
  void write_register(u32 offset, u32 value);
  void write_local_vector(LocalVector entry, u32 value);
  void write_icr();
  void write_spurious(u32 value);
  void end_of_interrupt();
  void error(u32 bit);
  void local_interrupt(LocalVector entry);
  void set_request(u8 vector, bool level);
  bool visible() const { return enabled() && !x2apic_mode(); }
  u64 read_own(u64 offset, unsigned width);
  void write_own(u64 offset, unsigned width, u64 value);
  int deliverable() const;  // the vector that the processor would be given; -1: none
  bool legacy_request() const;
  void update();
  static int highest(const Bits& bits);
  u32 logical_id() const;

  ApicBus& bus_;
  Features features_;
  unsigned number_;
  u8 initial_id_;
  std::string name_;
  PhysicalBus* memory_ = nullptr;
  u32 mapping_ = 0;
  SmiSink* smi_ = nullptr;
  std::function<void(bool)> output_;
  std::function<void()> nmi_;
  std::function<void()> init_;
  std::function<void(u8)> startup_;
  std::function<u8()> legacy_acknowledge_;
  std::function<void(u8)> broadcast_;
  ApicTimer timer_;

  u64 base_ = 0;
  u8 id_ = 0;
  u8 task_priority_ = 0;
  u32 logical_destination_ = 0;  // LDR
  u32 destination_format_ = 0;   // DFR
  u32 spurious_ = 0;             // SVR
  Bits service_{}, trigger_{}, request_{};
  u32 error_status_ = 0;
  u32 errors_ = 0;  // seen since the last write of the ESR
  u32 command_low_ = 0;
  u32 command_high_ = 0;
  std::array<u32, kEntries> local_vectors_{};
  bool lint0_ = false;     // its level
  bool external_ = false;  // an ExtINT message is pending
  bool intr_ = false;
};

}  // namespace relic86
