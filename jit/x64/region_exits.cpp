#include "jit/x64/region_exits.h"

#include "base/assert.h"

namespace relic86::jit::x64 {

void RegionExits::before_last() {
  if (index_ + 1 == ir_.insns.size()) push_frames(insn().followed_call);
}

void RegionExits::push_frames(u16 call) {
  if (call == 0 || !options_.returns) return;
  const FollowedCall& followed = ir_.calls[call - 1u];
  push_frames(followed.outer);
  flags_.host_lost();
  const i32 place = this->place(followed.return_place);
  const Label deep = a_.newLabel(), room = a_.newLabel(), back = a_.newLabel();
  a_.cmp(x86::rsp, area(offsetof(EngineArea, frame_limit), 8));
  a_.jb(deep);
  a_.bind(room);
  const Gp eip = code_register(kAddress);
  a_.mov(eip, area(offsetof(EngineArea, page_eip), eip.size()));
  a_.lea(eip, x86::ptr(kAddress, place));
  a_.push(kAddress);
  a_.lea(kAddress, x86::ptr(back));
  a_.push(kAddress);
  deferred_.add([=, this] {
    a_.bind(deep);
    a_.mov(x86::rsp, area(offsetof(EngineArea, first_frame), 8));
    a_.jmp(room);
    a_.bind(back);
    resume(place);
  });
}

void RegionExits::enter(const CodePage* page) {
  if (page == nullptr) return;
  const Mem kept = area(offsetof(EngineArea, page_eip), mode_.pointer_bytes());
  const Gp eip = code_register(kAddress);
  a_.mov(eip, kept);
  a_.lea(eip, x86::ptr(kAddress, page->first));
  a_.mov(kept, eip);
}

ExitPoint* RegionExits::add_branch(i32 target, Way way, const CodePage* page) {
  ExitPoint* const exit = exits_.add_branch(target, way);
  if (page == nullptr) return exit;
  exit->eip = target - page->first;
  exit->page = page->host;
  return exit;
}

void RegionExits::resume(i32 place) {
  const CodePage* const page = ir_.page_at(place);
  RELIC86_ASSERT(page != nullptr || in_head_page(place));
  registers_.drop_copies();
  flags_.settle();
  a_.lea(x86::rsp, x86::ptr(x86::rsp, 8));
  const Gp eip = code_register(x86::r10);
  a_.lea(eip, x86::ptr(x86::r10, (page != nullptr ? page->first : 0) - place));
  a_.mov(area(offsetof(EngineArea, page_eip), eip.size()), eip);
  if (!flags_.leave_record()) flags_.write_home();
  exits_.jump(add_branch(place, Way::RunsOn, page));
}

}  // namespace relic86::jit::x64
