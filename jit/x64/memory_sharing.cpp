// Accesses of a group (jit/analyse/page_plan.h): the first one checks the page of all and leaves the host address of
// the group's lowest byte in a temporary, the others need no check. A group that lies over two pages, or on a page
// without a fast entry, is left to the block's other variant, which shares nothing.
#include <algorithm>

#include "jit/runtime/engine_area.h"
#include "jit/x64/memory_access.h"

namespace relic86::jit::x64 {

bool MemoryAccess::shared_place(const Node& n, bool write, AddressForm form, i32 displacement, unsigned segment,
                                Mem& place) {
  if (!options_.share || translation_.unshared || n.group == kNoGroup) return false;
  const PageGroup& group = ir_.groups[n.group];
  const u32 left = pages_.count_down(n.group);
  const SharedPage* page = pages_.find(n.group);
  if (page == nullptr || (write && !page->writable)) {
    if (left < 2) return false;
    page = &share(n, write, form, displacement, segment);
  }
  pages_.pin(*page);
  place = Mem(sized(page->host, 8), n.offset - group.low, n.size);
  return true;
}

// The groups whose addresses stay are checked before the loop: by entries that are there, else the other variant runs
// an iteration (a check must not touch a page before the guest does).
void MemoryAccess::hoist() {
  if (!options_.share || translation_.unshared) return;
  std::vector<u16> fixed;
  unsigned moving = 0;
  for (u16 i = 0; i < ir_.groups.size(); ++i) {
    const PageGroup& group = ir_.groups[i];
    if (group.fixed) fixed.push_back(i);
    if (!group.fixed && group.accesses > 1) ++moving;
  }
  std::stable_sort(fixed.begin(), fixed.end(),
                   [&](u16 a, u16 b) { return ir_.groups[a].accesses > ir_.groups[b].accesses; });
  // Of four temporaries, which 64-bit code needs for R8 to R15, too.
  const std::size_t most_of_all = mode_.code64 ? 1 : 2;
  if (const std::size_t most = moving < 2 ? most_of_all : 1; fixed.size() > most) fixed.resize(most);
  if (fixed.empty()) return;
  for (const u16 each : fixed) hoist_group(each);
  registers_.drop_copies();  // an iteration begins without any
  translation_.loop_offset = static_cast<u32>(a_.offset());
}

void MemoryAccess::hoist_group(u16 number) {
  const PageGroup& group = ir_.groups[number];
  const Label over = a_.newLabel();
  registers_.free_temporaries();
  const SharedPage& page = pages_.add({number, registers_.take(), group.writes, true});
  index_ = group.insn;
  const unsigned segment = at(group.address).segment;
  const u32 span = static_cast<u32>(group.high - group.low);
  const Gp pointer = sized(page.host, 8);
  addresses_.load(kAddress, group.address, group.low);
  check_offsets(segment, span, group.writes, pointer, over);
  check_alignment(group, pointer, over);
  if (mode_.code64) {
    find_long_page(pointer, group.writes, span, Walk::No, over, over);
    a_.add(pointer, kAddress);
  } else {
    if (!group.within_page) {
      compare_with_page_end(pointer, span);
      a_.ja(over);
    }
    tlb_entry(pointer, kAddress, group.writes, over);
    a_.lea(pointer, x86::ptr(kAddress, pointer, 0, -static_cast<i32>(kTlbFast)));
  }
  index_ = 0;
  deferred_.add([=, this, snapshot = exits_.moment()] {
    a_.bind(over);
    exits_.restore(snapshot);
    ExitPoint* const other = exits_.add_branch(eip_of(0), Way::RunsOn);
    other->unshared = true;
    exits_.jump_passing(other);
  });
}

// kAddress: the linear address of the group's lowest byte. What is not aligned faults before its page is looked at.
void MemoryAccess::check_alignment(const PageGroup& group, const Gp& scratch, const Label& other) {
  if (group.alignment == 0) return;
  const i32 mask = static_cast<i32>(group.alignment) - 1, distance = group.aligned_at - group.low;
  if ((distance & mask) == 0) {
    a_.test(kAddress.r8(), mask);
  } else {
    a_.lea(scratch.r32(), x86::ptr(kAddress, distance));
    a_.test(scratch.r8(), mask);
  }
  a_.jnz(other);
}

// A group of offsets from kAddress on lies within the segment; adds the base.
void MemoryAccess::check_offsets(unsigned segment, u32 span, bool write, const Gp& scratch, const Label& over) {
  if (mode_.code64) return add_long_base(segment, scratch, over);
  if (addresses_.narrow()) {
    a_.cmp(kAddress.r32(), 0x10000 - span);
    a_.ja(over);
  }
  const bool within = addresses_.narrow() && mode_.roomy(segment, addresses_.narrow());
  (void)check_limit(segment, span, write, within, scratch, over);
}

// displacement: from the stack pointer, for the stack's forms.
SharedPage& MemoryAccess::share(const Node& n, bool write, AddressForm form, i32 displacement, unsigned segment) {
  const PageGroup& group = ir_.groups[n.group];
  const i32 below = n.offset - group.low;
  const u32 span = static_cast<u32>(group.high - group.low);
  SharedPage* page = pages_.find(n.group);
  if (page == nullptr) {
    page = &pages_.add({n.group, registers_.take(), false});
  }
  pages_.pin(*page);  // the address below may need a temporary
  // A group that is written somewhere wants a writable page at once, so that one check is enough.
  page->writable = group.writes;
  const Gp pointer = sized(page->host, 8);
  ExitPoint* const exit = access_exit(form, n.size, segment);
  exit->write = write;
  exit->wants_writable = group.writes;
  exit->held &= static_cast<u8>(~(1u << (page->host - kTemporaries[0])));  // this page's is made anew
  const Label over = a_.newLabel(), miss = a_.newLabel(), again = a_.newLabel();
  a_.bind(again);
  flags_.host_lost();
  if (form == AddressForm::Operand) {
    addresses_.load(kAddress, n.a, -below);
  } else {
    addresses_.set_offset(Offset::Full);  // on a 32-bit stack alone
    a_.lea(code_register(kAddress),
           x86::ptr(registers_.guest(form == AddressForm::Frame ? kEbp : kEsp, 8), displacement - below));
  }
  check_offsets(segment, span, group.writes, pointer, over);
  check_alignment(group, pointer, over);
  // One place: aligned as a rule.
  const bool alone = below == 0 && span == n.size && (span & (span - 1)) == 0 && !group.within_page;
  const Label unaligned = a_.newLabel(), within = a_.newLabel();
  if (mode_.code64) {
    find_long_page(pointer, group.writes, span, units_.may_wait() ? Walk::No : walk_of(write), miss, over);
    a_.add(pointer, kAddress);
  } else if (alone) {
    if (span > 1) {
      a_.test(kAddress.r8(), span - 1);
      a_.jnz(unaligned);
      a_.bind(within);
    }
  } else if (!group.within_page) {
    compare_with_page_end(pointer, span);
    a_.ja(over);
  }
  if (mode_.code64) {
    // Done.
  } else if (units_.may_wait()) {
    tlb_entry(pointer, kAddress, group.writes, miss);
  } else {
    find_page(pointer, write, group.writes, miss);
  }
  if (!mode_.code64) a_.lea(pointer, x86::ptr(kAddress, pointer, 0, -static_cast<i32>(kTlbFast)));
  deferred_.add([=, this, snapshot = exits_.moment()] {
    a_.bind(miss);
    // No plain accesses: the other variant asks for each of them. Registers, which touch_helper counts, are not among
    // these.
    const u64 asks = (options_.aside ? kTlbDebug | kTlbIgnored : 0) | (options_.watched ? kTlbWatched : 0);
    if (asks != 0 && !mode_.code64) {
      a_.test(pointer.r8(), static_cast<i32>(asks));
      a_.jnz(over);
    }
    index_ = snapshot.index;
    units_.wait_here();
    exits_.call_thunk(thunks_.touch, exit);
    a_.cmp(area(offsetof(EngineArea, value)), 0);
    a_.jne(again);
    if (alone && span > 1 && !mode_.code64) {
      a_.jmp(over);
      a_.bind(unaligned);
      compare_with_page_end(pointer, span);
      a_.jbe(within);
    }
    a_.bind(over);
    exits_.restore(snapshot);
    const bool passes = flags_.passes();
    if (!passes && !flags_.leave_record()) flags_.write_home();
    units_.store_pointers();
    a_.add(kRemaining, undone_before());
    region_.push_frames(region_.open_call());
    const CodePage* const code = ir_.page_at(eip_of(index_));
    region_.enter(code);
    ExitPoint* const other = region_.add_branch(eip_of(index_), Way::RunsOn, code);
    other->unshared = true;
    if (passes) {
      exits_.jump_passing(other);
    } else {
      exits_.jump(other);
    }
  });
  return *page;
}

}  // namespace relic86::jit::x64
