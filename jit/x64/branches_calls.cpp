// Near calls and returns: a guest's CALL is a host's call, its RET a host's ret, so that the host predicts returns. The
// host's stack holds, per call, the return address behind the host's call and the EIP that the guest is to return to. A
// RET that finds another EIP there (a changed return address, a switch of stacks, a retpoline) drops that frame and
// looks the target up. The frames end with translated code: leaving it resets the stack, so that no mapping and no
// translation behind them can have changed.
#include "jit/runtime/engine_area.h"
#include "jit/x64/branches.h"

namespace relic86::jit::x64 {

bool Branches::frames_apply(unsigned bytes) const {
  return options_.returns && mode_.flat_code && bytes == code_bytes();
}

// The frame of a call that follows at once; before page_eip changes. Uses scratch.
void Branches::push_frame(const Gp& scratch) {
  const Label deep = a_.newLabel(), room = a_.newLabel();
  addresses_.load_eip(scratch, next_eip());
  a_.cmp(x86::rsp, area(offsetof(EngineArea, frame_limit), 8));
  a_.jb(deep);
  a_.bind(room);
  a_.push(scratch.r64());
  deferred_.add([=, this] {
    a_.bind(deep);  // the oldest frames are forgotten, with all others
    a_.mov(x86::rsp, area(offsetof(EngineArea, first_frame), 8));
    a_.jmp(room);
  });
}

// Where the host's call returns to: r10 holds EIP, the flags are home.
void Branches::after_call() {
  if (linkable(next_eip(), code_bytes()) || ir_.page_at(next_eip()) != nullptr) return region_.resume(next_eip());
  registers_.drop_copies();
  flags_.settle();
  a_.lea(x86::rsp, x86::ptr(x86::rsp, 8));
  a_.lea(code_register(x86::r10), x86::ptr(x86::r10, -next_eip()));
  store_page_eip(x86::r10);
  direct_exit(next_eip(), code_bytes(), 0, Way::RunsOn);
}

void Branches::direct_call(i32 target) {
  if (!flags_.leave_record()) flags_.write_home();
  registers_.drop_copies();
  const CodePage* const page = ir_.page_at(target);
  ExitPoint* const exit = region_.add_branch(target, Way::Branches, page);
  const Label stub = a_.newLabel(), elsewhere = a_.newLabel();
  if (linkable(target, code_bytes()) || page != nullptr) {
    push_frame(x86::r13);
    region_.enter(page);
  } else {
    exit->crosses = true;
    exit->check_offset = check_page(target >> static_cast<i32>(kPageShift), ~u64{0}, elsewhere);
    push_frame(x86::r13);
    store_page_eip(x86::r10);
  }
  a_.call(stub);
  exits_.note_jump(exit, stub, elsewhere);
  after_call();
}

// Equal: the host's RET leads to that EIP.
void Branches::compare_frame(const Gp& eip) { a_.cmp(eip.r64(), x86::qword_ptr(x86::rsp, 8)); }

// r10: where the guest says it returns to.
void Branches::return_jump() {
  const Label other = a_.newLabel();
  compare_frame(x86::r10);
  a_.jne(other);
  a_.ret();
  a_.bind(other);
  leave_frame(x86::r10);
}

// It returns elsewhere than the last call came from: that call's frame goes, if there is one.
void Branches::leave_frame(const Gp& eip) {
  const Label none = a_.newLabel();
  a_.cmp(x86::qword_ptr(x86::rsp, 8), -1);
  a_.je(none);
  a_.lea(x86::rsp, x86::ptr(x86::rsp, 16));
  a_.bind(none);
  indirect_exit(eip, 0);
}

}  // namespace relic86::jit::x64
