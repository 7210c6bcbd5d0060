#include "jit/x64/walk_thunks.h"

#include <algorithm>
#include <bit>

#include "cpu/canonical.h"
#include "jit/x64/answer.h"
#include "memory/long_walk.h"

namespace relic86::jit::x64 {

namespace {

using asmjit::Label;

// Bits of the entries of page tables (SDM 3A tables 4-15 to 4-20).
constexpr u32 kP = 1, kW = 2, kU = 4, kA = 1u << 5, kD = 1u << 6, kPs = 1u << 7, kG = 1u << 8;
constexpr u32 kFrame = 0xFFFFF000, kLargeFrame = 0xFFE00000, kLargeReserved = 0x1FE000;
constexpr unsigned kIndexBits = 9, kIndexMask = (1u << kIndexBits) - 1;

constexpr std::size_t kTlb = offsetof(VcpuMemory, tlb);
constexpr std::size_t kRing = kTlb + offsetof(TlbTables, ring);
constexpr std::size_t kHigh = kTlb + offsetof(TlbTables, high);

x86::Mem at(std::size_t offset, u32 bytes) { return x86::Mem(kState, static_cast<i32>(offset), bytes); }
x86::Mem walk_field(std::size_t field, u32 bytes) { return at(kTlbWalk + field, bytes); }
x86::Mem ring_field(std::size_t field, u32 bytes) { return at(kRing + field, bytes); }
// Of the page whose number, and for user mode the table's length more, is in index.
x86::Mem low_entry(const x86::Gp& index, std::size_t table) {
  return x86::Mem(kState, index, 3, static_cast<i32>(kTlb + table), 8);
}
// A field of the slot that lies so many bytes into the table of high pages.
x86::Mem high_entry(const x86::Gp& slot, std::size_t field) {
  return x86::Mem(kState, slot, 0, static_cast<i32>(kHigh + offsetof(HighTlbTable, slots) + field), 8);
}
x86::Mem place_of(const x86::Gp& number) {
  return x86::Mem(kState, number, 2, static_cast<i32>(kRing + offsetof(TlbRing, places)), 4);
}
x86::Mem tag_of_place(const x86::Gp& number) {
  return x86::Mem(kState, number, 3, static_cast<i32>(kHigh + offsetof(HighTlbTable, pages)), 8);
}

enum class Room : u8 { Replaces, Keeps };
enum class For : u8 { Read, Write, Fetch };

class WalkThunk {
 public:
  WalkThunk(x86::Assembler& a, For access, bool user, Room room)
      : a_(a),
        access_(access),
        user_(user),
        room_(room),
        slow_(a.newLabel()),
        large_(a.newLabel()),
        walked_(a.newLabel()),
        evict_(a.newLabel()),
        space_(a.newLabel()) {}

  void emit() {
    keep(a_, kKept);
    if (access_ == For::Fetch) check_due();
    check_absent();
    walk();
    make_entries();
    make_room();
    list();
    answer(a_, slow_, kKept);
    a_.bind(large_);
    walk_large();
    if (room_ == Room::Replaces) {
      a_.bind(evict_);
      evict();
    }
  }

 private:
  static inline const x86::Gp kKept[] = {x86::rax, x86::rcx, x86::rdx, x86::rsi, x86::rdi,
                                         x86::r10, x86::r11, x86::r12, x86::r13};
  // The page's number; where its host bytes are, later its entry; the leaf's entry; what all entries allow, later the
  // page's place in the ring; the write entry.
  static inline const x86::Gp kPage = x86::rax, kHost = x86::rcx, kLeaf = x86::rsi, kRights = x86::r10,
                              kWritable = x86::r11;
  // Of the page that is replaced: its address, and its privilege.
  static inline const x86::Gp kOther = x86::r12, kOwner = x86::r13;

  x86::Mem directory(u32 bytes) const { return walk_field(offsetof(TlbWalk, directory) + user_ * sizeof(u64), bytes); }
  i32 user_bit() const { return user_ ? 1 : 0; }
  std::size_t user_table() const { return user_ ? sizeof(u64) * kLinearPages : 0; }

  // Where the slice ends an event may come first: nothing is fetched then.
  void check_due() {
    a_.test(kRemaining, kRemaining);
    a_.jle(slow_);
  }

  // The page has no entry, and its address is canonical. A home that is taken is C++'s to look behind.
  void check_absent() {
    const Label high = a_.newLabel(), absent = a_.newLabel(), wide = a_.newLabel(), extended = a_.newLabel();
    const auto extend = [this](unsigned linear_bits) {
      a_.shl(x86::rcx, 64 - linear_bits);
      a_.sar(x86::rcx, 64 - linear_bits);
    };
    a_.mov(x86::rcx, kAddress);
    a_.test(directory(1), static_cast<i32>(kWalkFiveLevels));
    a_.jnz(wide);
    extend(kLinearBits);
    a_.jmp(extended);
    a_.bind(wide);
    extend(kWideLinearBits);
    a_.bind(extended);
    a_.cmp(x86::rcx, kAddress);
    a_.jne(slow_);
    a_.mov(kPage, kAddress);
    a_.shr(kPage, kPageShift);
    a_.cmp(kPage, static_cast<i32>(kLinearPages));
    a_.jae(high);
    a_.cmp(low_entry(kPage, offsetof(TlbTables, read) + user_table()), 0);
    a_.jne(slow_);
    a_.jmp(absent);
    a_.bind(high);
    a_.lea(x86::rdx, x86::ptr(kPage, kPage, 0, user_bit()));
    emit_high_home(a_, x86::rcx, x86::rdx, x86::rdi);
    a_.cmp(high_entry(x86::rcx, offsetof(HighTlbSlot, tag)), 0);
    a_.jne(slow_);
    a_.bind(absent);
  }

  // host := where the frame of the entry in `from` lies, in RAM below 4 GiB. from is kept; rdx and rdi change.
  void frame(const x86::Gp& host, const x86::Gp& from) {
    check_below_4g(from);
    addend(host, from, x86::rdx);
    a_.mov(x86::edi, from.r32());
    a_.and_(x86::edi, static_cast<i32>(kFrame));
    a_.add(host, x86::rdi);
  }
  void check_below_4g(const x86::Gp& entry) {
    constexpr unsigned kFlagsAbove = 12, kAboveFourGigabytes = 32 + kFlagsAbove;
    a_.mov(x86::rdi, entry);
    a_.shl(x86::rdi, kFlagsAbove);
    a_.shr(x86::rdi, kAboveFourGigabytes);
    a_.jnz(slow_);
  }
  void addend(const x86::Gp& host, const x86::Gp& physical, const x86::Gp& scratch) {
    a_.mov(scratch.r32(), physical.r32());
    a_.shr(scratch.r32(), PhysicalBus::kAddendShift);
    a_.mov(host, walk_field(offsetof(TlbWalk, addends), 8));
    a_.mov(host, x86::Mem(host, scratch, 3, 0, 8));
    a_.test(host, host);
    a_.jz(slow_);
  }

  // kLeaf := the entry of this level, from the table in kHost.
  void take_entry(unsigned level) {
    const u32 wanted = kP | kA | (user_ ? kU : 0);
    a_.mov(x86::rdx, kAddress);
    a_.shr(x86::rdx, kPageShift + kIndexBits * (level - 1));
    a_.and_(x86::edx, kIndexMask);
    a_.mov(kLeaf, x86::Mem(kHost, x86::rdx, 3, 0, 8));
    a_.mov(x86::edx, kLeaf.r32());
    a_.and_(x86::edx, static_cast<i32>(wanted));
    a_.cmp(x86::edx, static_cast<i32>(wanted));
    a_.jne(slow_);
    if (access_ == For::Fetch) {
      a_.test(kLeaf, kLeaf);  // bit 63: no-execute
      a_.js(slow_);
    }
  }

  // kLeaf: the entry of the page; kRights: what all entries allow; kHost: the page. Reserved bits are those of
  // addresses beyond 4 GiB; bit 63 is none (Mmu::find_directory).
  void walk() {
    constexpr unsigned kMostLevels = 5, kLarge = 2;
    const Label four = a_.newLabel();
    a_.mov(kHost, directory(8));
    a_.test(x86::cl, static_cast<i32>(kWalkLong));
    a_.jz(slow_);
    a_.mov(kRights.r32(), -1);
    a_.mov(x86::edx, x86::ecx);
    a_.and_(kHost, -static_cast<i32>(kPageSize));
    a_.test(x86::dl, static_cast<i32>(kWalkFiveLevels));
    a_.jz(four);
    for (unsigned level = kMostLevels; level > 0; --level) {
      if (level + 1 == kMostLevels) a_.bind(four);
      take_entry(level);
      a_.and_(kRights.r32(), kLeaf.r32());
      if (level > 1) {
        a_.test(kLeaf.r32(), static_cast<i32>(kPs));
        a_.jnz(level == kLarge ? large_ : slow_);
      }
      frame(kHost, kLeaf);
    }
    a_.xor_(x86::edi, x86::edi);  // of the place in the ring: no large page
    a_.bind(walked_);
    if (!user_ && access_ == For::Fetch) {  // SMEP and SMAP have their say in C++
      a_.test(kRights.r8(), static_cast<i32>(kU));
      a_.jnz(slow_);
    } else if (!user_) {
      const Label allowed = a_.newLabel();
      a_.test(directory(1), static_cast<i32>(kWalkNoUserPages));
      a_.jz(allowed);
      a_.test(kRights.r8(), static_cast<i32>(kU));
      a_.jnz(slow_);
      a_.bind(allowed);
    }
    a_.or_(kRights.r32(), walk_field(offsetof(TlbWalk, granted) + user_ * sizeof(u32), 4));
  }

  // kLeaf is the entry of a page of 2 MiB.
  void walk_large() {
    a_.test(kLeaf.r32(), static_cast<i32>(kLargeReserved));
    a_.jnz(slow_);
    check_below_4g(kLeaf);
    a_.mov(x86::edi, kAddress.r32());
    a_.and_(x86::edi, static_cast<i32>(~kLargeFrame & kFrame));
    a_.mov(x86::edx, kLeaf.r32());
    a_.and_(x86::edx, static_cast<i32>(kLargeFrame));
    a_.or_(x86::edi, x86::edx);
    addend(kHost, x86::rdi, x86::rdx);
    a_.add(kHost, x86::rdi);
    a_.mov(x86::edi, TlbRing::kLarge);
    a_.jmp(walked_);
  }

  // kHost := the read entry, kWritable := the write entry, kRights := flags of the page's place in the ring, of which
  // edi has some.
  void make_entries() {
    const Label quiet = a_.newLabel();
    if (access_ == For::Write) {
      a_.test(kRights.r8(), static_cast<i32>(kW));
      a_.jz(slow_);
      a_.test(kLeaf.r8(), static_cast<i32>(kD));
      a_.jz(slow_);
    } else {
      static_assert(kD >> 5 == kW);
      a_.mov(x86::edx, kLeaf.r32());
      a_.shr(x86::edx, 5);
      a_.and_(x86::edx, kRights.r32());
      a_.and_(x86::edx, static_cast<i32>(kW));
      a_.mov(kWritable, x86::rdx);
      a_.jz(quiet);
    }
    // Stores to pages with code, or of a display, are to be seen.
    a_.mov(x86::rdx, kHost);
    a_.sub(x86::rdx, walk_field(offsetof(TlbWalk, memory), 8));
    a_.shr(x86::rdx, kPageShift);
    a_.add(x86::rdx, walk_field(offsetof(TlbWalk, watch), 8));
    a_.cmp(x86::Mem(x86::rdx, 0, 1), 0);
    a_.jne(slow_);
    a_.bind(quiet);
    a_.mov(x86::rdx, kAddress);
    a_.and_(x86::rdx, -static_cast<i32>(kPageSize));
    a_.sub(kHost, x86::rdx);
    a_.or_(kHost, static_cast<i32>(kTlbFast));
    if (access_ == For::Write) {
      a_.mov(kWritable, kHost);
    } else {
      a_.test(kWritable, kWritable);
      a_.cmovnz(kWritable, kHost);
    }
    static_assert(kG << 14 == TlbRing::kGlobal);
    a_.and_(kLeaf.r32(), walk_field(offsetof(TlbWalk, global), 4));
    a_.shl(kLeaf.r32(), 14);
    a_.or_(kLeaf.r32(), x86::edi);
    a_.mov(kRights.r32(), kLeaf.r32());
  }

  // rdx := the place of the page that has to go, if there is one.
  void make_room() {
    a_.mov(x86::edx, ring_field(offsetof(TlbRing, fills), 4));
    a_.sub(x86::edx, ring_field(offsetof(TlbRing, cap), 4));
    a_.and_(x86::edx, TlbRing::kMask);
    a_.mov(x86::edi, place_of(x86::rdx));
    a_.test(x86::edi, x86::edi);
    a_.jnz(room_ == Room::Replaces ? evict_ : slow_);
    a_.bind(space_);
  }

  // INVLPG looks for entries made from large pages where one is noted. Not before the page is sure to get its entry:
  // below 4 GiB, whatever lies near such a place goes. There the ring does not say which pages are large.
  void note_large() {
    constexpr unsigned kRegionShift = 10, kGiantShift = 18;  // pages of 4 MiB and of 1 GiB (memory/tlb.cpp)
    const Label high = a_.newLabel(), done = a_.newLabel();
    a_.test(kRights.r32(), static_cast<i32>(TlbRing::kLarge));
    a_.jz(done);
    a_.mov(x86::rdx, kPage);
    a_.cmp(kPage, static_cast<i32>(kLinearPages));
    a_.jae(high);
    a_.xor_(kRights.r32(), static_cast<i32>(TlbRing::kLarge));
    a_.shr(x86::edx, kRegionShift);
    a_.mov(x86::Mem(kState, x86::rdx, 0, static_cast<i32>(kTlb + offsetof(TlbTables, large)), 1), 1);
    a_.jmp(done);
    a_.bind(high);
    a_.mov(x86::rdi, kPage);
    a_.shr(x86::rdx, kGiantShift);
    a_.shr(x86::rdi, kGiantShift + 8);
    a_.xor_(x86::edx, x86::edi);
    a_.movzx(x86::edx, x86::dl);  // HighTlb::large_index
    a_.mov(x86::Mem(kState, x86::rdx, 0, static_cast<i32>(kHigh + offsetof(HighTlbTable, large)), 1), 1);
    a_.bind(done);
  }

  void list() {
    const Label high = a_.newLabel(), done = a_.newLabel();
    note_large();
    a_.mov(x86::edx, ring_field(offsetof(TlbRing, fills), 4));
    a_.and_(x86::edx, TlbRing::kMask);
    a_.add(ring_field(offsetof(TlbRing, fills), 8), 1);
    a_.add(ring_field(offsetof(TlbRing, live), 4), 1);
    a_.cmp(kPage, static_cast<i32>(kLinearPages));
    a_.jae(high);
    a_.lea(x86::edi, x86::ptr(kRights, kPage, 0, static_cast<i32>(TlbRing::kListed | (user_ ? TlbRing::kUser : 0))));
    a_.mov(place_of(x86::rdx), x86::edi);
    a_.mov(low_entry(kPage, offsetof(TlbTables, read) + user_table()), kHost);
    a_.mov(low_entry(kPage, offsetof(TlbTables, write) + user_table()), kWritable);
    if (access_ == For::Fetch) a_.mov(low_entry(kPage, offsetof(TlbTables, code) + user_table()), kHost);
    a_.jmp(done);
    a_.bind(high);
    a_.or_(kRights.r32(), static_cast<i32>(TlbRing::kListed | TlbRing::kHigh));
    a_.mov(place_of(x86::rdx), kRights.r32());
    a_.lea(kPage, x86::ptr(kPage, kPage, 0, user_bit()));
    a_.mov(tag_of_place(x86::rdx), kPage);
    emit_high_home(a_, x86::rdx, kPage, x86::rdi);
    a_.mov(high_entry(x86::rdx, offsetof(HighTlbSlot, tag)), kPage);
    a_.mov(high_entry(x86::rdx, offsetof(HighTlbSlot, read)), kHost);
    a_.mov(high_entry(x86::rdx, offsetof(HighTlbSlot, write)), kWritable);
    if (access_ == For::Fetch) {
      a_.mov(high_entry(x86::rdx, offsetof(HighTlbSlot, code)), kHost);
    } else {
      a_.mov(high_entry(x86::rdx, offsetof(HighTlbSlot, code)), 0);
    }
    a_.bind(done);
  }

  // Where keep() has left a register.
  static x86::Mem kept(unsigned host) {
    const auto* const found = std::ranges::find(kKept, host, [](const x86::Gp& each) { return each.id(); });
    return x86::Mem(x86::rsp, static_cast<i32>((std::end(kKept) - found - 1) * 8), 8);
  }

  // Not if a temporary may hold an address in the page at kOther whose read entry is in rsi.
  void check_held() {
    a_.and_(x86::rsi, -static_cast<i32>(kPageSize));
    a_.add(x86::rsi, kOther);
    for (const unsigned each : kTemporaries) {
      a_.mov(x86::rdi, kept(each));
      a_.sub(x86::rdi, x86::rsi);
      a_.cmp(x86::rdi, kPageSize);
      a_.jb(slow_);
    }
  }

  // The page goes whose place edx is, and what stands there edi: Tlb::make_room. Not if it holds code, if a temporary
  // may hold an address in it, or if entries in the table of high pages would have to move.
  void evict() {
    const Label high = a_.newLabel(), listed = a_.newLabel(), cleared = a_.newLabel(), gone = a_.newLabel();
    a_.test(x86::edi, TlbRing::kHigh);
    a_.jnz(high);
    a_.mov(x86::eax, x86::edi);
    a_.and_(x86::eax, static_cast<i32>(TlbRing::kIndex));
    a_.cmp(low_entry(x86::rax, offsetof(TlbTables, code)), 0);
    a_.jne(slow_);
    a_.mov(x86::rsi, low_entry(x86::rax, offsetof(TlbTables, read)));
    a_.test(x86::rsi, x86::rsi);
    a_.jz(gone);
    a_.mov(kOther.r32(), x86::eax);
    a_.shl(kOther.r32(), kPageShift);  // the user's bit goes
    check_held();
    a_.mov(kOwner.r32(), x86::eax);
    a_.shr(kOwner.r32(), std::countr_zero(TlbRing::kUser));
    a_.mov(low_entry(x86::rax, offsetof(TlbTables, read)), 0);
    a_.mov(low_entry(x86::rax, offsetof(TlbTables, write)), 0);
    a_.jmp(cleared);

    a_.bind(high);
    a_.mov(kOther, tag_of_place(x86::rdx));
    emit_high_home(a_, x86::rax, kOther, x86::rdi);
    a_.mov(x86::rdi, high_entry(x86::rax, offsetof(HighTlbSlot, tag)));
    a_.cmp(x86::rdi, kOther);
    a_.je(listed);
    a_.test(x86::rdi, x86::rdi);
    a_.jz(gone);
    a_.jmp(slow_);
    a_.bind(listed);
    a_.cmp(high_entry(x86::rax, offsetof(HighTlbSlot, code)), 0);
    a_.jne(slow_);
    a_.lea(x86::esi, x86::ptr(x86::rax, sizeof(HighTlbSlot)));
    a_.and_(x86::esi, static_cast<i32>(HighTlbTable::kMask * sizeof(HighTlbSlot)));
    a_.cmp(high_entry(x86::rsi, offsetof(HighTlbSlot, tag)), 0);
    a_.jne(slow_);
    a_.mov(x86::rsi, high_entry(x86::rax, offsetof(HighTlbSlot, read)));
    a_.mov(kOwner.r32(), kOther.r32());
    a_.and_(kOwner.r32(), 1);
    a_.shr(kOther, 1);
    a_.shl(kOther, kPageShift);
    check_held();
    for (const std::size_t field : {offsetof(HighTlbSlot, tag), offsetof(HighTlbSlot, read),
                                    offsetof(HighTlbSlot, write), offsetof(HighTlbSlot, code)})
      a_.mov(high_entry(x86::rax, field), 0);

    a_.bind(cleared);
    a_.sub(ring_field(offsetof(TlbRing, live), 4), 1);
    forget_inline();
    a_.bind(gone);
    a_.mov(place_of(x86::rdx), 0);
    a_.mov(kPage, kAddress);
    a_.shr(kPage, kPageShift);
    a_.jmp(space_);
  }

  // The page at kOther of the privilege kOwner has no slot of the inline table any more: Tlb::forget_inline.
  void forget_inline() {
    a_.mov(x86::rsi, kOther);
    a_.shr(x86::rsi, InlineTlbTable::kSlotShift);
    a_.and_(x86::esi, InlineTlbTable::kSlotMask);
    a_.imul(kOwner.r32(), kOwner.r32(), static_cast<i32>(sizeof(InlineTlbTable::slots[0])));
    a_.add(x86::rsi, kOwner);
    a_.xor_(kOther, static_cast<i32>(kPageSize));  // InlineTlbSlot::no_page
    for (const std::size_t field : kQuickFields) a_.mov(quick_slot(x86::rsi, false, field), kOther);
  }

  x86::Assembler& a_;
  For access_;
  bool user_;
  Room room_;
  Label slow_, large_, walked_, evict_, space_;
};

// The slot from the entries, if need be from entries that the walk makes.
void emit_bring(x86::Assembler& a, const Label& bring, const Label& walk) {
  const Label out = a.newLabel();
  a.call(bring);
  a.jz(out);
  a.call(walk);
  a.jz(bring);
  a.bind(out);
  a.ret();
}

}  // namespace

WalkThunks emit_walk_thunks(x86::Assembler& a, const QuickThunks& quick, bool keeping_walks) {
  WalkThunks places;
  for (const bool user : {false, true}) {
    for (const bool write : {false, true}) {
      const For access = write ? For::Write : For::Read;
      const Label replaces = a.newLabel(), keeps = a.newLabel();
      a.bind(replaces);
      WalkThunk(a, access, user, Room::Replaces).emit();
      a.bind(keeps);
      WalkThunk(a, access, user, Room::Keeps).emit();
      for (const QuickKind kind : {kQuickRead, kQuickWrite}) {
        places.bring[write][kind][user] = a.offset();
        emit_bring(a, quick.label[kind][user], replaces);
      }
      const Label& bring = quick.label[write ? kQuickWrite : kQuickRead][user];
      places.keeping[write][user] = keeping_walks ? a.newLabel() : bring;
      if (!keeping_walks) continue;
      a.bind(places.keeping[write][user]);
      emit_bring(a, bring, keeps);
    }
    const Label fetch = a.newLabel();
    a.bind(fetch);
    WalkThunk(a, For::Fetch, user, Room::Replaces).emit();
    places.fetch[user] = a.offset();
    emit_bring(a, quick.label[kQuickCode][user], fetch);
  }
  return places;
}

}  // namespace relic86::jit::x64
