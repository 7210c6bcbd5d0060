#include "jit/x64/branches.h"

#include <bit>

#include "base/assert.h"
#include "jit/runtime/engine_area.h"
#include "jit/runtime/lookup_table.h"

namespace relic86::jit::x64 {

namespace {

constexpr i32 kJumps = static_cast<i32>(offsetof(VcpuMemory, tlb) + offsetof(TlbTables, jumps));

}  // namespace

// Within the page a branch keeps EngineArea::page_eip, and its target stays below CS's limit.
bool Branches::linkable(i32 target, unsigned bytes) const {
  return target >= 0 && target < static_cast<i32>(kPageSize) && bytes == code_bytes();
}

void Branches::store_page_eip(const Gp& page_eip) {
  const Gp whole = code_register(page_eip);
  a_.mov(area(offsetof(EngineArea, page_eip), whole.size()), whole);
}

// r10 := EIP of the page that lies `pages` behind this one. Jumps to `other` unless its TLB entry leads to the host
// address that `expected` (patched, or known) says, less one. Uses kAddress and r11.
u32 Branches::check_page(i32 pages, u64 expected, const Label& other) {
  registers_.drop_copies();
  addresses_.load_eip(x86::r10, pages * static_cast<i32>(kPageSize));
  if (mode_.code64) {
    find_long_code(x86::r10, other);
    a_.lea(kAddress, x86::ptr(x86::r11, static_cast<i32>(kTlbFast)));
    a_.movabs(x86::r11, expected);
    const u32 at = static_cast<u32>(a_.offset()) - 8;
    a_.cmp(kAddress, x86::r11);
    a_.jne(other);
    return at;
  }
  a_.mov(kAddress.r32(), x86::r10d);
  if (!mode_.flat_code) {
    a_.add(kAddress.r32(), segment_field(kCs, offsetof(Segment, base), 4));
    a_.mov(x86::r11d, kAddress.r32());
  }
  a_.shr(kAddress.r32(), kPageShift);
  a_.mov(kAddress, Mem(kState, kAddress, 3, memory_.code_table(), 8));
  a_.add(kAddress, mode_.flat_code ? x86::r10 : x86::r11);
  a_.movabs(x86::r11, expected);
  const u32 at = static_cast<u32>(a_.offset()) - 8;
  a_.cmp(kAddress, x86::r11);
  a_.jne(other);
  return at;
}

// r11 := the host address of the page of 64-bit code that holds RIP, kAddress := its offset there. Jumps to other if
// there is no such page.
void Branches::find_long_code(const Gp& rip, const Label& other, Fetch fetch) {
  const Gp slot = x86::r11;
  const Label look = a_.newLabel(), miss = a_.newLabel();
  a_.bind(look);
  a_.mov(kAddress, rip);
  memory_.take_inline_slot(slot, kQuickCode, 1, miss);
  deferred_.add([=, this, user = mode_.user ? 1u : 0u] {  // exit_to_mode() has another mode by then
    a_.bind(miss);
    if (!options_.quick) {
      a_.jmp(other);
      return;
    }
    a_.mov(kAddress, rip);
    const bool walks = options_.fill && fetch == Fetch::Walks;
    a_.call(walks ? thunks_.fetch[user] : thunks_.quick[kQuickCode][user]);
    a_.jz(look);
    a_.jmp(other);
  });
}

// At the entry of a region: the pages that it leads to are there, and what they were. Nothing has come and gone since
// they were looked at last, or they are looked at again, without touching them before the guest does: where one is
// missing, the head's own translation goes on.
void Branches::check_region_pages() {
  if (ir_.pages.empty()) return;
  RELIC86_ASSERT(translation_.key_number != Translation::kNoKey);
  const Mem known(kState, kJumps + static_cast<i32>(offsetof(JumpCache, regions) + 8 * u64{translation_.key_number}),
                  8);
  const Label changed = a_.newLabel(), good = a_.newLabel(), other = a_.newLabel();
  const auto load_key = [this] {
    addresses_.load_eip(kAddress, 0);
    a_.xor_(kAddress, stamp());
  };
  load_key();
  a_.cmp(kAddress, known);
  a_.jne(changed);
  a_.bind(good);
  deferred_.add([=, this, snapshot = exits_.moment()] {
    a_.bind(changed);
    for (const CodePage& page : ir_.pages) {
      addresses_.load_eip(x86::r10, page.first);
      if (mode_.code64) {
        find_long_code(x86::r10, other, Fetch::Looks);
        a_.mov(kAddress, reinterpret_cast<u64>(page.host));
      } else {
        a_.mov(kAddress.r32(), x86::r10d);
        a_.shr(kAddress.r32(), kPageShift);
        a_.mov(x86::r11, Mem(kState, kAddress, 3, memory_.code_table(), 8));
        a_.add(x86::r11, x86::r10);
        a_.mov(kAddress, reinterpret_cast<u64>(page.host) + kTlbFast);
      }
      a_.cmp(x86::r11, kAddress);
      a_.jne(other);
    }
    load_key();
    a_.mov(known, kAddress);
    a_.jmp(good);
    a_.bind(other);
    exits_.restore(snapshot);
    ExitPoint* const own = exits_.add_branch(eip_of(0), Way::RunsOn);
    own->self = true;
    exits_.jump_passing(own);
  });
  if (ir_.loop) translation_.loop_offset = static_cast<u32>(a_.offset());
}

// A direct branch to another page: a patched jump, taken as long as that page is mapped to where the target was found.
void Branches::cross_page_exit(i32 target, Way way) {
  ExitPoint* const exit = exits_.add_branch(target, way);
  exit->crosses = true;
  const Label stub = a_.newLabel(), elsewhere = a_.newLabel();
  exit->check_offset = check_page(target >> static_cast<i32>(kPageShift), ~u64{0}, elsewhere);
  store_page_eip(x86::r10);
  a_.long_().jmp(stub);
  exits_.note_jump(exit, stub, elsewhere);
}

// target: relative to the page.
void Branches::direct_exit(i32 target, unsigned bytes, unsigned undone, Way way) {
  if (undone != 0) a_.add(kRemaining, undone);
  const bool crosses = options_.cross_page && mode_.flat_code && bytes == code_bytes();
  region_.push_frames(region_.open_call());
  const CodePage* const page = ir_.page_at(target);
  if (linkable(target, bytes) || (page != nullptr && bytes == code_bytes())) {
    if (!flags_.leave_record()) flags_.write_home();
    region_.enter(page);
    exits_.jump(region_.add_branch(target, way, page));
    return;
  }
  if (crosses) {
    if (!flags_.leave_record()) flags_.write_home();
    cross_page_exit(target, way);
    return;
  }
  if (mode_.limited && options_.cross_page) {
    if (!flags_.leave_record()) flags_.write_home();
    limited_exit(target, bytes == 2 ? 0xFFFFu : 0xFFFFFFFFu);
    return;
  }
  flags_.write_home();
  const Gp eip = x86::r10;
  addresses_.load_eip(eip, target);
  if (bytes == 2) a_.movzx(eip.r32(), eip.r16());
  indirect_exit(eip, 0);
}

// A jump to EIP in r10: the TLB gives the host address of the code, a hash table the translation. A code page without
// an entry, or one that is not translated, is left to the dispatcher.
void Branches::indirect_exit(const Gp& eip, unsigned undone, bool call) {
  if (undone != 0) a_.add(kRemaining, undone);
  registers_.drop_copies();
  ExitPoint* const exit = exits_.add(ExitKind::Indirect, 0);
  exit->from_home = true;
  exit->first_step = exit->last_step;
  if (caches_jumps()) {
    cached_exit(exit, call);
  } else {
    looked_up_exit(exit, eip, call);
  }
  if (call) after_call();
}

void Branches::looked_up_exit(ExitPoint* exit, const Gp& eip, bool call) {
  const Gp linear = x86::r11, page_eip = x86::r13;
  const Label miss = a_.newLabel();
  if (mode_.code64 || mode_.flat_code) {
    find_translation(miss);
    load_flat_page(page_eip);
  } else {
    a_.mov(linear.r32(), eip.r32());
    a_.add(linear.r32(), segment_field(kCs, offsetof(Segment, base), 4));
    a_.mov(page_eip.r32(), eip.r32());
    a_.mov(kAddress.r32(), linear.r32());
    a_.and_(kAddress.r32(), kPageSize - 1);
    if (mode_.limited) {
      a_.sub(page_eip, kAddress);
    } else {
      a_.sub(page_eip.r32(), kAddress.r32());
      // All of the page must lie below CS's limit, FFFFh at least.
      a_.lea(kAddress.r32(), x86::ptr(page_eip, static_cast<i32>(kPageSize - 1)));
      a_.cmp(kAddress.r32(), 0xFFFF);
      a_.ja(miss);
    }
    find_by_linear(linear, miss);
  }
  enter_found(kAddress, page_eip, call);
  deferred_.add([=, this] { leave_unfound(exit, miss); });
}

// page_eip := that of the page in which EIP in r10 lies, of flat code.
void Branches::load_flat_page(const Gp& page_eip) {
  a_.mov(code_register(page_eip), code_register(x86::r10));
  a_.and_(code_register(page_eip), ~static_cast<i32>(kPageSize - 1));
}

// To a translation's entry, whose page begins at page_eip. Uses r11.
void Branches::enter_found(const asmjit::Operand& entry, const Gp& page_eip, bool call) {
  const Gp scratch = x86::r11;
  if (call) push_frame(scratch);
  if (mode_.limited) {
    store_page(page_eip, scratch);
  } else {
    store_page_eip(page_eip);
  }
  a_.emit(call ? x86::Inst::kIdCall : x86::Inst::kIdJmp, entry);
}

// Nothing is known of EIP in r10: the dispatcher looks.
void Branches::leave_unfound(ExitPoint* exit, const Label& miss) {
  a_.bind(miss);
  const Gp target = code_register(x86::r10);
  a_.mov(area(offsetof(EngineArea, target), target.size()), target);
  exits_.leave(exit);
}

bool Branches::caches_jumps() const {
  if (!options_.jumps || LookupTable::mode_of_tag(tag_) >= JumpCache::kModes) return false;
  return mode_.caches_jumps();
}

x86::Mem Branches::stamp() const {
  const u64 stamp = offsetof(JumpCache, stamps) + 8 * u64{LookupTable::mode_of_tag(tag_)};
  return Mem(kState, kJumps + static_cast<i32>(stamp), 8);
}

// r11 := what the jump cache's key of EIP in r10 is, r12 := the slot.
void Branches::find_jump() {
  a_.mov(x86::r11, stamp());
  a_.xor_(x86::r11, x86::r10);
  a_.imul(x86::r12d, x86::r10d, static_cast<i32>(JumpCache::kSpread));
  a_.shr(x86::r12d, JumpCache::kSlotShift);
}

// By way of the jump cache. What is not there is looked up as ever, and is there the next time.
void Branches::cached_exit(ExitPoint* exit, bool call) {
  const Gp page_eip = x86::r13;
  const Mem key(kState, x86::r12, 3, kJumps + static_cast<i32>(offsetof(JumpCache, keys)), 8);
  const Mem code(kState, x86::r12, 3, kJumps + static_cast<i32>(offsetof(JumpCache, code)), 8);
  const Label other = a_.newLabel(), found = a_.newLabel();
  find_jump();
  a_.cmp(x86::r11, key);
  a_.jne(other);
  a_.bind(found);
  load_flat_page(page_eip);
  enter_found(code, page_eip, call);
  deferred_.add([=, this, tag = tag_, mode = mode_] {
    a_.bind(other);
    const Mode here = mode_;
    const u64 own = tag_;
    block_.mode = mode;  // of exit_to_mode()
    tag_ = tag;
    const Label miss = a_.newLabel();
    find_translation(miss);
    find_jump();
    a_.mov(key, x86::r11);
    a_.mov(code, kAddress);
    a_.jmp(found);
    leave_unfound(exit, miss);
    block_.mode = here;
    tag_ = own;
  });
}

// kAddress := the entry of the translation at EIP in r10, of flat code: by the TLB and the lookup table. Jumps to miss
// if there is none. Uses r11 and r12.
void Branches::find_translation(const Label& miss) {
  if (!mode_.code64) {
    a_.mov(x86::r11d, x86::r10d);
    return find_by_linear(x86::r11, miss);
  }
  find_long_code(x86::r10, miss);
  a_.add(kAddress, x86::r11);
  a_.mov(x86::r11, tag_ + kTlbFast);
  find_by_key(miss);
}

// The same at a linear address of 32 bits, which is in r11.
void Branches::find_by_linear(const Gp& linear, const Label& miss) {
  const Gp page = x86::r12;
  a_.mov(page.r32(), linear.r32());
  a_.shr(page.r32(), kPageShift);
  a_.mov(kAddress, Mem(kState, page, 3, memory_.code_table(), 8));
  a_.add(kAddress, linear);
  a_.mov(linear, tag_);
  find_by_key(miss);
}

// kAddress := the entry in the lookup table whose key is kAddress and r11 added up.
void Branches::find_by_key(const Label& miss) {
  const Mem key = lookup_field(offsetof(LookupTable::Slot, key));
  const Label found = a_.newLabel();
  a_.add(kAddress, x86::r11);
  hash_key();
  a_.cmp(kAddress, key);
  a_.je(found);
  a_.xor_(x86::r12d, static_cast<i32>(sizeof(LookupTable::Slot)));
  a_.cmp(kAddress, key);
  a_.jne(miss);
  a_.bind(found);
  a_.mov(kAddress, lookup_field(offsetof(LookupTable::Slot, entry)));
}

// r12 := where the lookup table's slot of the key in kAddress stands.
void Branches::hash_key() {
  const Gp slot = x86::r12d, key = kAddress.r32();
  a_.mov(slot, key);
  a_.shr(slot, kPageShift);
  a_.xor_(slot, key);
  a_.and_(slot, LookupTable::kSlots - 1);
  a_.shl(slot, std::countr_zero(sizeof(LookupTable::Slot)));
}

x86::Mem Branches::lookup_field(std::size_t field) const {
  return Mem(kState, x86::r12, 0, static_cast<i32>(offsetof(VcpuMemory, lookup) + field), 8);
}

// The same where the processor is in another mode by now.
void Branches::exit_to_mode(const Mode& mode, const Gp& eip, unsigned undone) {
  const Mode here = mode_;
  block_.mode = mode;
  tag_ = tag_of_(mode);
  indirect_exit(eip, undone);
  block_.mode = here;
  tag_ = tag_of_(here);
}

// Calls of the guest's that are not over return to code of the mode that they were made in: their frames are dropped.
void Branches::enter_next_in(const Mode& mode, unsigned undone) {
  if (options_.returns) a_.mov(x86::rsp, area(offsetof(EngineArea, first_frame), 8));
  addresses_.load_eip(x86::r10, next_eip());
  exit_to_mode(mode, x86::r10, undone);
}

void Branches::fall_through_exit() {
  if (mode_.limited) {
    // EIP does not wrap at 64 KB here.
    if (!flags_.leave_record()) flags_.write_home();
    if (next_eip() >= static_cast<i32>(kPageSize)) {
      limited_exit(next_eip(), 0xFFFFFFFF);
      return;
    }
    ExitPoint* const exit = exits_.add_branch(next_eip(), Way::RunsOn);
    exit->eip_mask = 0xFFFFFFFF;
    exits_.jump(exit);
    return;
  }
  if (mode_.code32 || linkable(next_eip(), 2)) {
    direct_exit(next_eip(), code_bytes(), 0, Way::RunsOn);
    return;
  }
  flags_.write_home();
  addresses_.load_eip(x86::r10, next_eip());  // EIP does not wrap at 64 KB here
  indirect_exit(x86::r10, 0);
}

}  // namespace relic86::jit::x64
