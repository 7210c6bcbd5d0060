// Code whose page may reach over CS's limit: segments of any base and limit, exact to the byte. A block is entered if
// all of it and all targets of its branches within the page lie below the limit, which EngineArea::page_end and
// page_eip tell; else it is interpreted. Branches that leave the page compare their target with the limit first, and
// are the interpreter's if it lies beyond.
#include <algorithm>

#include "jit/runtime/engine_area.h"
#include "jit/x64/branches.h"

namespace relic86::jit::x64 {

// At the block's entry, and not again when it loops.
void Branches::check_block() {
  i32 lowest = page_offset(), end = block_end();
  for (const InsnIr& each : ir_.insns) {
    lowest = std::min(lowest, place(each.offset));  // a region's head need not be its first block in memory
    end = std::max(end, place(each.end));
    for (const Node& n : each.nodes) {
      i32 offset = 0;
      if (!direct_target(each, n, offset)) continue;
      const i32 target = page_offset() + offset;
      if (!linkable(target, n.size)) continue;
      lowest = std::min(lowest, target);
      end = std::max(end, target + 1);
    }
  }
  translation_.limited = true;
  translation_.lowest = lowest;
  translation_.end = end;
  const Label out = a_.newLabel();
  index_ = 0;
  ExitPoint* const exit = exits_.add(ExitKind::Budget, 0);
  if (lowest < page_offset()) {
    a_.cmp(area(offsetof(EngineArea, page_eip), 8), -lowest);
    a_.jl(out);
  }
  a_.cmp(area(offsetof(EngineArea, page_end), 8), end);
  a_.jl(out);
  if (ir_.loop) translation_.loop_offset = static_cast<u32>(a_.offset());
  deferred_.add([=, this] {
    a_.bind(out);
    exits_.leave(exit);
  });
}

// Jumps if the offset in kAddress lies beyond CS's limit.
void Branches::compare_with_code_limit(const Label& beyond) {
  flags_.host_lost();
  a_.cmp(kAddress.r32(), segment_field(kCs, offsetof(Segment, limit), 4));
  a_.ja(beyond);
}

// Of branches that are always taken.
void Branches::check_target(u16 id) {
  const Node& n = at(id);
  if (mode_.code64) {
    check_canonical_target(n);
    return;
  }
  if (at(n.a).op == Op::TargetOf) {
    check_taken(place(static_cast<u32>(at(n.a).immediate)), n.size);
    return;
  }
  const Label beyond = a_.newLabel();
  ExitPoint* const exit = exits_.add(ExitKind::Before, undone_before());
  registers_.move_to(kAddress, n.a, n.size);
  if (n.size == 2) a_.movzx(kAddress.r32(), kAddress.r16());
  compare_with_code_limit(beyond);
  deferred_.add([=, this] {
    a_.bind(beyond);
    exits_.leave(exit);
  });
}

// Of a direct branch. Those within the page were looked at when the block was entered.
void Branches::check_taken(i32 target, unsigned bytes) {
  if (mode_.code64) return;  // jit/x64/branches_canonical.cpp
  if (!mode_.checks_target(bytes) || (mode_.limited && linkable(target, bytes))) return;
  const Label beyond = a_.newLabel();
  ExitPoint* const exit = exits_.add(ExitKind::Before, undone_before());
  addresses_.load_eip(kAddress, target);
  if (bytes == 2) a_.movzx(kAddress.r32(), kAddress.r16());
  compare_with_code_limit(beyond);
  const Node& jump = insn().nodes.back();
  deferred_.add([=, this, counts = jump.op == Op::JumpIfCounting, size = jump.address_size] {
    a_.bind(beyond);
    if (counts) a_.add(registers_.guest(kEcx, size), 1);  // a branch that faults counts nothing
    exits_.leave(exit);
  });
}

// The page that page_eip names, not cut to 32 bits, is the present one.
void Branches::store_page(const Gp& page_eip, const Gp& scratch) {
  const Mem limit = segment_field(kCs, offsetof(Segment, limit), 4);
  if (mode_.code32) {
    a_.mov(scratch.r32(), limit);
  } else {
    a_.mov(scratch.r32(), 0xFFFF);
    a_.cmp(scratch.r32(), limit);
    a_.cmova(scratch.r32(), limit);
  }
  a_.mov(area(offsetof(EngineArea, page_eip), 8), page_eip);
  a_.sub(scratch, page_eip);
  a_.add(scratch, 1);
  a_.mov(area(offsetof(EngineArea, page_end), 8), scratch);
}

// A direct branch to another page: a patched jump, taken as long as the target is mapped to where it was found.
void Branches::limited_exit(i32 target, u32 mask) {
  ExitPoint* const exit = exits_.add_branch(target, Way::Branches);
  exit->crosses = exit->checks_place = true;
  exit->eip_mask = mask;
  const Label stub = a_.newLabel(), elsewhere = a_.newLabel();
  const Gp eip = x86::r10, linear = x86::r11;
  addresses_.load_eip(eip, target);
  if (mask == 0xFFFF) a_.movzx(eip.r32(), eip.r16());
  a_.mov(linear.r32(), eip.r32());
  a_.add(linear.r32(), segment_field(kCs, offsetof(Segment, base), 4));
  a_.mov(kAddress.r32(), linear.r32());
  a_.shr(kAddress.r32(), kPageShift);
  a_.mov(kAddress, Mem(kState, kAddress, 3, memory_.code_table(), 8));
  a_.add(kAddress, linear);
  a_.movabs(linear, ~u64{0});
  exit->check_offset = static_cast<u32>(a_.offset()) - 8;
  a_.cmp(kAddress, linear);
  a_.jne(elsewhere);
  if (const i32 in_page = target & static_cast<i32>(kPageSize - 1); in_page != 0) a_.sub(eip, in_page);
  store_page(eip, linear);
  a_.long_().jmp(stub);
  exits_.note_jump(exit, stub, elsewhere);
}

// The rest of a block that runs over the end of its page is where it was, and 16-bit code below 64 KiB.
void Branches::check_second_page(const Label& other) {
  if (!mode_.flat_code && !mode_.limited) {
    a_.cmp(area(offsetof(EngineArea, page_eip), 4), 0x10000 - block_end());
    a_.jg(other);
  }
  (void)check_page(1, translation_.second_page + kTlbFast, other);
}

}  // namespace relic86::jit::x64
