// Where the guest spends its time: stacks of return addresses at regular moments, counted.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "insight/symbol_table.h"
#include "machine/machine.h"

namespace relic86 {

// The running processor's place, then the return addresses of its callers, innermost first: as far as frame pointers
// (EBP, RBP) lead. Reading has no effect on the guest.
std::vector<u64> guest_stack(Machine& machine);

class Profiler {
 public:
  // The machine must outlive it.
  explicit Profiler(Machine& machine) : machine_(machine) {}

  // Counts where the running processor is.
  void sample(u64 weight);
  // A line for each stack, outermost function first: "start_kernel;do_idle;default_idle 42", what flamegraph.pl and
  // others read. Code of the user's programs, of which symbols are not known, is one "[user]" for each function known,
  // else for each page.
  std::string folded(const std::vector<SymbolTable>& symbols) const;

 private:
  struct Stack {
    bool user = false;
    bool halted = false;
    std::vector<u64> frames;
    auto operator<=>(const Stack&) const = default;
  };
  Machine& machine_;
  std::map<Stack, u64> counts_;
};

}  // namespace relic86
