// The machine's processors, and whose turn it is: they share one host thread (docs/processors.md).
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/processor_topology.h"
#include "cpu/cpu.h"
#include "cpu/cpuid.h"
#include "cpu/executor.h"
#include "machine/vcpu.h"
#include "options/options.h"

namespace relic86 {

class Processors final {
 public:
  struct Wiring {
    const Options& options;
    const CpuModel& model;
    PhysicalBus& bus;
    IoSpace& io;
    const GuestClock& clock;
    PcBoard& board;
    HostUnits host_units;
    u64 random_seed = 0;  // the bootstrap processor's; each has its own
  };
  // As many as options.processors says. What the wiring names must outlive them.
  static Result<std::unique_ptr<Processors>> create(const Wiring& wiring);

  unsigned count() const { return static_cast<unsigned>(all_.size()); }
  Vcpu& operator[](unsigned number) { return *all_[number]; }
  // The processor whose turn it is; number 0 is the bootstrap processor.
  Vcpu& running() { return *running_; }
  const Vcpu& running() const { return *running_; }
  // Instructions carried out since power-on, by all of them together: what counted time counts.
  u64 instruction_count() const { return settled_ + running_->cpu().instruction_count(); }
  u64 interrupts_taken() const;
  u64 decoded_instructions() const;
  std::string describe_engines() const;

  // Runs up to budget instructions of one processor: the running one, or the next that is not halted if its turn is
  // over. Halted: all of them are. Whose turn it is depends on what was carried out alone, never on how the budgets cut
  // it.
  ExitReason run(u64 budget);
  // One instruction of this processor, whose turn it is from now on.
  ExitReason single_step(unsigned number);
  // A turn for each processor but this one, whose turn it is afterwards. BudgetSpent: some have run; Halted: none can;
  // else one has met something, and it is its turn.
  ExitReason let_others_run(unsigned number);

  void reset();  // RESET# of all; all code is forgotten
  // INIT# of all, and of one. Carried out by carry_out_inits(), for a processor that is not running at once.
  void request_init();
  void request_init(unsigned number);
  void carry_out_inits();
  void start_up(unsigned number, u8 vector);

  void flush_code();
  void flush_tlbs();
  void state(StateArchive& archive);
  // What is asked of the processors and not done yet, beside their state.
  struct Requests {
    std::vector<u32> pending;
    std::vector<bool> inits;
  };
  Requests requests() const;
  // All of it, or all but INTR, which the interrupt controllers have driven since.
  void set_requests(const Requests& requests);
  void keep_all_but_intr(const Requests& requests);
  void forget_requests();

 private:
  Processors(PcBoard& board) : board_(board) {}
  bool can_run(const Vcpu& vcpu) const;
  bool next_turn();
  void switch_to(unsigned number);
  void carry_out_init(Vcpu& vcpu);
  void settle();
  void account(u64 before);

  // Long beside the cost of a switch, short beside what guests wait for each other without PAUSE.
  static constexpr u64 kQuantum = 10'000;  // instructions

  PcBoard& board_;
  std::vector<std::unique_ptr<Vcpu>> all_;
  Vcpu* running_ = nullptr;
  u64 quantum_left_ = 0;  // of the running one's turn
  u64 settled_ = 0;       // instructions of the others
};

}  // namespace relic86
