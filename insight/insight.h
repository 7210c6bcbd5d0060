// What a run tells of the guest's program, as --profile, --coverage and --trace ask for it (docs/insight.md).
#pragma once

#include <memory>
#include <vector>

#include "insight/chrome_trace.h"
#include "insight/code_coverage.h"
#include "insight/kernel_trace.h"
#include "insight/profiler.h"

namespace relic86 {

class Insight {
 public:
  // Begins to watch the machine, which must outlive it. Null: nothing was asked for. Errors name the option, the file
  // and the cause.
  static Result<std::unique_ptr<Insight>> create(Machine& machine);
  ~Insight();
  Insight(const Insight&) = delete;
  Insight& operator=(const Insight&) = delete;

  // Writes the files, at the end of the run.
  Result<> write();

 private:
  explicit Insight(Machine& machine) : machine_(machine), profiler_(machine) {}
  void watch();

  Machine& machine_;
  std::vector<SymbolTable> symbols_;
  std::vector<LineTable> lines_;  // beside symbols_, for lcov
  Profiler profiler_;
  CodeCoverage coverage_;
  bool full_ = false;  // coverage_ takes no more
  std::unique_ptr<ChromeTrace> trace_;
  std::unique_ptr<KernelTrace> kernel_;  // which writes into it
};

}  // namespace relic86
