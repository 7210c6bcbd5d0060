// The same machine twice, from one command line: one interprets, the other translates. Both count time by instructions,
// so that after equally many of them everything must be equal.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "frontend/consoles.h"
#include "machine/machine.h"
#include "tests/lockstep/state_fields.h"

namespace relic86 {

// A bit that is flipped in the translating machine after so many instructions.
struct Injection {
  u64 instruction = 0;
  std::string target = "dr3";  // eax to edi, dr0 to dr3, xmm0 to xmm7, st0 to st7, or @PHYSICAL-ADDRESS (hexadecimal)
};

class MachinePair {
 public:
  // Whatever the options say of engine, consoles and display, the machines have none that lets them differ or meet the
  // host; disks are snapshots.
  static Result<std::unique_ptr<MachinePair>> create(Options options, std::optional<Injection> injection,
                                                     std::set<std::string> masked);
  ~MachinePair();

  void run_to(u64 instruction);
  void run_interpreter_to(u64 instruction) { run(interpreter_, instruction); }
  void run_translator_to(u64 instruction);
  u64 position() const { return position_; }  // of the last run_to()
  // The guest has ended or sleeps for good.
  bool ended();

  bool equal();
  std::vector<Difference> differences();
  u64 masked() const { return masked_count_; }  // comparisons in which something masked differed

  Machine& interpreter() { return *interpreter_.machine; }
  Machine& translator() { return *translator_.machine; }

 private:
  struct Side {
    Options options;
    HostPoller poller;
    std::unique_ptr<Machine> machine;
    std::unique_ptr<Consoles> consoles;
  };
  MachinePair(std::optional<Injection> injection, std::set<std::string> masked)
      : injection_(std::move(injection)), masked_(std::move(masked)) {}
  static Result<> build(Side& side, const Options& options);
  static void run(Side& side, u64 instruction) { side.machine->run_to(instruction); }
  void inject();
  bool memory_equal();

  Side interpreter_, translator_;
  std::optional<Injection> injection_;
  std::set<std::string> masked_;
  u64 position_ = 0;
  u64 masked_count_ = 0;
};

// Whether the target can be flipped.
bool valid_injection_target(const std::string& target);

}  // namespace relic86
