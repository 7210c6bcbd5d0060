// One processor of a machine: its state, its port to the local APIC, and the engine that runs it.
#pragma once

#include <memory>
#include <optional>

#include "cpu/cpu.h"
#include "cpu/cpuid.h"
#include "cpu/executor.h"
#include "cpu/processor_thread.h"
#include "devices/board/pc_board.h"
#include "devices/processor_registers.h"
#include "devices/smi_sink.h"
#include "machine/apic_port.h"

namespace relic86 {

class Vcpu final : public ProcessorRegisters, private InterruptAcknowledge, private SmiSink {
 public:
  // model: this processor's, with its APIC ID. The board must outlive it.
  Vcpu(unsigned number, CpuModel model, PcBoard& board) : number_(number), model_(std::move(model)), board_(board) {}

  // Connects both ways: wiring is completed with what is this processor's own.
  void connect(Cpu::Wiring wiring, bool system_management);
  void set_thread(std::unique_ptr<ProcessorThread> thread) { thread_ = std::move(thread); }
  void set_engine(std::unique_ptr<Executor> engine) { engine_ = std::move(engine); }

  unsigned number() const { return number_; }
  ProcessorThread* thread() { return thread_.get(); }  // null: all processors share the machine's
  Cpu& cpu() { return *cpu_; }
  const Cpu& cpu() const { return *cpu_; }
  Executor& engine() { return *engine_; }
  const Executor& engine() const { return *engine_; }
  // Whoever asks something of the processor in the middle of what another one does, asks here: of one that is in
  // translated code on a thread of its own, the slice cannot be shortened, and one that sleeps there wakes up.
  void request(u32 pending_bits);
  void set_intr(bool level);
  u64 interrupts_taken() const { return interrupts_taken_; }  // INTA cycles

  u32 read_register(Register number) const override { return cpu_->state().gpr32(static_cast<unsigned>(number)); }
  void write_register(Register number, u32 value) override { cpu_->state().gpr[static_cast<unsigned>(number)] = value; }

  bool init_requested = false;     // INIT# came and is not carried out yet
  bool waits_for_startup = false;  // an application processor between INIT and the start-up message (SDM 3A 8.4)
  bool starting = false;           // the start-up message has come; with threads: its thread has not had a turn since

 private:
  u8 acknowledge() override {
    interrupts_taken_++;
    return board_.acknowledge_interrupt(number_);
  }
  void raise_smi() override { request(kPendingSmi); }

  unsigned number_;
  CpuModel model_;
  PcBoard& board_;
  std::unique_ptr<ApicPort> apic_;  // null: the processor has no local APIC
  std::unique_ptr<Cpu> cpu_;
  std::unique_ptr<Executor> engine_;
  u64 interrupts_taken_ = 0;
  std::unique_ptr<ProcessorThread> thread_;

 public:
  // The start-up message has come before INIT# was carried out, which the processor's thread does.
  std::optional<u8> startup_after_init;
};

}  // namespace relic86
