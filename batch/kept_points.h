// Points that outlive a run: saved machines in a folder, each under a name made of all that leads to it, so that it is
// found again only as long as program, machine, firmware, kernels, disks and steps are the same. Several runs, on
// several hosts, may share the folder.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "batch/suite.h"
#include "machine/machine.h"

namespace relic86::batch {

class KeptPoints {
 public:
  // No folder: nothing is kept.
  explicit KeptPoints(std::string folder) : folder_(std::move(folder)) {}

  // A machine of this process has been built, and runs from its first instruction.
  void begin(Machine& machine, const MachinePlan& plan);
  // The test's way is gone on from where the machine is.
  void follow(const TestPlan& test);

  // Whether the state that has been followed to is kept, and the machine is in it now. A file that does not fit is
  // told of in the log and will be replaced.
  bool load(Machine& machine, const TestPlan& test);
  // Keeps the state that has been followed to.
  void save(Machine& machine, const TestPlan& test);

 private:
  std::string name(const TestPlan& test) const;

  std::string folder_;
  u64 way_ = 0;  // a hash of all that led to the present state
  bool repeatable_ = false;
};

}  // namespace relic86::batch
