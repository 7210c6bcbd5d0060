// Canonical addresses of 64-bit code. Before anything of their instructions is done, CALL, LOOP and indirect branches
// look whether their target is one; other direct branches have nothing to undo, and leave translated code with their
// target (Translator::left_canonical). Data addresses that are not canonical have no TLB entry.
#include "jit/x64/branches.h"
#include "jit/x64/canonical_check.h"

namespace relic86::jit::x64 {

// Leaves the instruction to its handler, which raises the fault, if the address in kAddress, which is used up, is not
// canonical.
void Branches::leave_unless_canonical() {
  const Label beyond = a_.newLabel();
  ExitPoint* const exit = exits_.add(ExitKind::Before, undone_before());
  flags_.host_lost();
  check_canonical(a_, mode_.linear_bits(), kAddress, beyond);
  deferred_.add([=, this] {
    a_.bind(beyond);
    exits_.leave(exit);
  });
}

void Branches::check_canonical_target(const Node& n) {
  if (at(n.a).op != Op::TargetOf) {
    registers_.move_to(kAddress, n.a, n.size);
    leave_unless_canonical();
  } else if (insn().nodes.back().op == Op::Call) {
    check_canonical_place(place(static_cast<i32>(at(n.a).immediate)), n.size);
  }
}

// Of a direct branch.
void Branches::check_canonical_place(i32 target, unsigned bytes) {
  if (linkable(target, bytes)) return;
  addresses_.load_eip(kAddress, target);
  leave_unless_canonical();
}

}  // namespace relic86::jit::x64
