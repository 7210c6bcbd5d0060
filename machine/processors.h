// The machine's processors, and whose turn it is: they share one host thread (docs/processors.md).
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/processor_topology.h"
#include "cpu/cpu.h"
#include "cpu/cpuid.h"
#include "cpu/executor.h"
#include "cpu/processor_thread.h"
#include "machine/vcpu.h"
#include "options/options.h"

namespace relic86 {

// Whether every processor has a host thread of its own (-accel ..,thread=multi).
inline bool has_threads(const Options& options) { return options.asks_for_threads && options.processors.count > 1; }

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
  // As many as options.processors says. What the wiring names must outlive them. With has_threads() each has a
  // ProcessorThread (machine/processor_threads.h), and the functions that run processors are for the debugger alone.
  static Result<std::unique_ptr<Processors>> create(const Wiring& wiring);

  unsigned count() const { return static_cast<unsigned>(all_.size()); }
  Vcpu& operator[](unsigned number) { return *all_[number]; }
  // The processor whose turn it is; number 0 is the bootstrap processor.
  Vcpu& running() { return *running_; }
  const Vcpu& running() const { return *running_; }
  // Instructions carried out since power-on, by all of them together: what counted time counts.
  u64 instruction_count() const {
    return lock_ == nullptr ? settled_ + running_->cpu().instruction_count() : counted_by_all();
  }
  u64 interrupts_taken() const;
  u64 decoded_instructions() const;
  std::string describe_engines() const;

  // Runs up to budget instructions: of the running processor or, if its turn is over, of the next that is not halted,
  // and of more of them while their turns are short. Halted: all of them are. Whose turn it is depends on what was
  // carried out alone, never on how the budgets cut it.
  ExitReason run(u64 budget);
  // In the middle of it: it ends after at most `count` more instructions, whoever carries them out.
  void shorten_run(u64 count);
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
  void carry_out_init(Vcpu& vcpu);
  bool can_run(const Vcpu& vcpu) const;
  // With threads: this one is running() from now on, for the machine's thread.
  void attend(unsigned number) { take_turn(*all_[number]); }
  // With threads: null if all share one.
  MachineLock* lock() { return lock_.get(); }
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
  bool next_turn();
  void switch_to(unsigned number);
  void take_turn(Vcpu& vcpu);
  u64 counted_by_all() const;
  void settle();
  void account(u64 before);
  void let_start(Vcpu& vcpu);

  // Long beside the cost of a switch, short beside what guests wait for each other without PAUSE.
  static constexpr u64 kQuantum = 10'000;  // instructions
  // Processors that wait for each other end their turns after a few instructions. As many turns as this follow each
  // other without a look at the host, unless so many instructions have been carried out: in real time the budget is an
  // estimate, which changes of turn make too long.
  static constexpr unsigned kTurnsAtOnce = 64;
  static_assert(kTurnsAtOnce >= 2 * SmpWords::kMostProcessors,
                "each must have a turn in which it can say that it idles");
  static constexpr u64 kLooksAfter = 1'000;  // instructions

  PcBoard& board_;
  std::vector<std::unique_ptr<Vcpu>> all_;
  Vcpu* running_ = nullptr;
  u64 quantum_left_ = 0;  // of the running one's turn
  u64 settled_ = 0;       // instructions of the others
  std::unique_ptr<MachineLock> lock_;
  u64 run_end_ = 0;  // the instruction_count() at which run() ends
};

}  // namespace relic86
