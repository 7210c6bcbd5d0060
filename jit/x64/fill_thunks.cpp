#include "jit/x64/fill_thunks.h"

#include "jit/x64/answer.h"
#include "memory/long_walk.h"

namespace relic86::jit::x64 {

namespace {

using asmjit::Label;

// Bits of page-directory and page-table entries (SDM 3A tables 4-5 and 4-6).
constexpr u32 kP = 1, kW = 2, kU = 4, kA = 1u << 5, kD = 1u << 6, kPs = 1u << 7;
constexpr u32 kFrame = 0xFFFFF000, kLargeFrame = 0xFFC00000;
constexpr unsigned kDirectoryShift = 22, kTableMask = 0x3FF;

constexpr std::size_t kTlb = offsetof(VcpuMemory, tlb);
constexpr std::size_t kRing = kTlb + offsetof(TlbTables, ring);

x86::Mem at(std::size_t offset, u32 bytes) { return x86::Mem(kState, static_cast<i32>(offset), bytes); }
x86::Mem entry_of(const x86::Gp& index, std::size_t table) {
  return x86::Mem(kState, index, 3, static_cast<i32>(kTlb + table), 8);
}
x86::Mem place_of(const x86::Gp& number) {
  return x86::Mem(kState, number, 2, static_cast<i32>(kRing + offsetof(TlbRing, places)), 4);
}

class FillThunk {
 public:
  FillThunk(x86::Assembler& a, bool write, bool user)
      : a_(a),
        write_(write),
        user_(user),
        slow_(a.newLabel()),
        evict_(a.newLabel()),
        room_(a.newLabel()),
        large_(a.newLabel()),
        walked_(a.newLabel()) {}

  void emit() {
    keep(a_, kKept);
    a_.mov(kPage, kAddress.r32());
    a_.shr(kPage, kPageShift);
    a_.cmp(entry_of(x86::rax, own(write_ ? offsetof(TlbTables, write) : offsetof(TlbTables, read))), 0);
    a_.jne(slow_);  // it is there, and not a fast one
    walk();
    make_entries();
    list();
    finish();
  }

 private:
  static inline const x86::Gp kKept[] = {x86::rax, x86::rcx, x86::rdx, x86::rsi, x86::rdi};
  static inline const x86::Gp kPage = x86::eax, kRights = x86::ecx, kHost = x86::rsi, kWritable = x86::rdi;

  // The half of a kind of tables that the access uses.
  std::size_t own(std::size_t table) const { return table + (user_ ? sizeof(u64) * kLinearPages : 0); }

  // host := where the frame of the entry in `from` lies; from is kept.
  void frame(const x86::Gp& host, const x86::Gp& from, const x86::Gp& scratch) {
    a_.mov(scratch.r32(), from.r32());
    a_.shr(scratch.r32(), PhysicalBus::kAddendShift);
    a_.mov(host, at(kTlbWalk + offsetof(TlbWalk, addends), 8));
    a_.mov(host, x86::Mem(host, scratch, 3, 0, 8));
    a_.test(host, host);
    a_.jz(slow_);
    a_.mov(scratch.r32(), from.r32());
    a_.and_(scratch.r32(), static_cast<i32>(kFrame));
    a_.add(host, scratch);
  }

  void require(const x86::Gp& entry, const x86::Gp& scratch) {
    const u32 wanted = kP | kA | (user_ ? kU : 0);
    a_.mov(scratch.r32(), entry.r32());
    a_.and_(scratch.r32(), static_cast<i32>(wanted));
    a_.cmp(scratch.r32(), static_cast<i32>(wanted));
    a_.jne(slow_);
  }

  // edx := the entry of the page; kRights: what both entries allow; kHost: the page.
  void walk() {
    a_.mov(x86::rcx, at(kTlbWalk + offsetof(TlbWalk, directory) + user_ * sizeof(u64), 8));
    a_.test(x86::rcx, x86::rcx);
    a_.jz(slow_);
    a_.test(x86::cl, static_cast<i32>(kWalkLong));
    a_.jnz(slow_);
    a_.mov(x86::edx, kAddress.r32());
    a_.shr(x86::edx, kDirectoryShift);
    a_.mov(kRights, x86::Mem(x86::rcx, x86::rdx, 2, 0, 4));
    require(kRights, x86::rdx);
    a_.test(kRights, kPs);
    a_.jnz(large_);
    frame(x86::rsi, x86::rcx, x86::rdx);
    a_.mov(x86::edx, kPage);
    a_.and_(x86::edx, kTableMask);
    a_.mov(x86::edx, x86::Mem(x86::rsi, x86::rdx, 2, 0, 4));
    require(x86::edx, x86::rsi);
    a_.and_(kRights, x86::edx);
    frame(kHost, x86::rdx, x86::rdi);
    a_.bind(walked_);
    // Whoever misses the TLB all the time mostly misses the host's caches, too.
    a_.mov(x86::edi, kAddress.r32());
    a_.and_(x86::edi, kPageSize - 1);
    a_.prefetcht0(x86::ptr(kHost, x86::rdi));
    a_.or_(kRights, at(kTlbWalk + offsetof(TlbWalk, granted) + user_ * sizeof(u32), 4));
  }

  // The directory's entry, kRights, is of a page of 4 MiB.
  void walk_large() {
    a_.test(at(kTlbWalk + offsetof(TlbWalk, large_reserved), 4), kRights);
    a_.jnz(slow_);
    a_.mov(x86::edx, kAddress.r32());
    a_.shr(x86::edx, kDirectoryShift);
    a_.mov(x86::Mem(kState, x86::rdx, 0, static_cast<i32>(kTlb + offsetof(TlbTables, large)), 1), 1);
    a_.mov(x86::edi, kAddress.r32());
    a_.and_(x86::edi, static_cast<i32>(~kLargeFrame));
    a_.mov(x86::edx, kRights);
    a_.and_(x86::edx, static_cast<i32>(kLargeFrame));
    a_.or_(x86::edi, x86::edx);
    frame(kHost, x86::rdi, x86::rdx);
    a_.mov(x86::edx, kRights);
    a_.jmp(walked_);
  }

  // kHost := the read entry, kWritable := the write entry, ecx := the page's place in the ring.
  void make_entries() {
    a_.mov(x86::rdi, kHost);
    a_.sub(x86::rdi, at(kTlbWalk + offsetof(TlbWalk, memory), 8));
    a_.shr(x86::rdi, kPageShift);
    a_.add(x86::rdi, at(kTlbWalk + offsetof(TlbWalk, watch), 8));
    a_.cmp(x86::Mem(x86::rdi, 0, 1), 0);
    a_.jne(slow_);
    a_.mov(x86::edi, kAddress.r32());
    a_.and_(x86::edi, static_cast<i32>(kFrame));
    a_.sub(kHost, x86::rdi);
    a_.or_(kHost, static_cast<i32>(kTlbFast));
    if (write_) {
      a_.test(x86::cl, kW);
      a_.jz(slow_);
      a_.test(x86::dl, kD);
      a_.jz(slow_);
      a_.mov(kWritable, kHost);
    } else {
      a_.mov(x86::edi, x86::edx);
      a_.shr(x86::edi, 5);
      static_assert(kD >> 5 == kW);
      a_.and_(x86::ecx, x86::edi);
      a_.xor_(x86::edi, x86::edi);
      a_.test(x86::cl, kW);
      a_.cmovnz(kWritable, kHost);
    }
    a_.and_(x86::edx, at(kTlbWalk + offsetof(TlbWalk, global), 4));
    a_.shl(x86::edx, 14);
    static_assert(1u << 8 << 14 == TlbRing::kGlobal);
    a_.lea(x86::ecx,
           x86::ptr(x86::rdx, x86::rax, 0, static_cast<i32>(TlbRing::kListed | (user_ ? TlbRing::kUser : 0))));
  }

  void list() {
    const Label listed = a_.newLabel();
    if (write_) {
      a_.cmp(entry_of(x86::rax, own(offsetof(TlbTables, read))), 0);
      a_.jne(listed);
    }
    a_.mov(x86::edx, at(kRing + offsetof(TlbRing, fills), 4));
    a_.sub(x86::edx, at(kRing + offsetof(TlbRing, cap), 4));
    a_.and_(x86::edx, TlbRing::kMask);
    a_.mov(x86::eax, place_of(x86::rdx));
    a_.test(x86::eax, x86::eax);
    a_.jnz(evict_);
    a_.bind(room_);
    a_.mov(x86::edx, at(kRing + offsetof(TlbRing, fills), 4));
    a_.and_(x86::edx, TlbRing::kMask);
    a_.mov(place_of(x86::rdx), x86::ecx);
    a_.add(at(kRing + offsetof(TlbRing, fills), 8), 1);
    a_.add(at(kRing + offsetof(TlbRing, live), 4), 1);
    a_.mov(kPage, kAddress.r32());
    a_.shr(kPage, kPageShift);
    a_.bind(listed);
    a_.mov(entry_of(x86::rax, own(offsetof(TlbTables, read))), kHost);
    a_.mov(entry_of(x86::rax, own(offsetof(TlbTables, write))), kWritable);
  }

  void finish() {
    answer(a_, slow_, kKept);
    a_.bind(large_);
    walk_large();
    a_.bind(evict_);
    evict();
    a_.jmp(room_);
  }

  // The page goes whose place, edx, it is: Tlb::make_room. Not if it holds code, or if a temporary may hold an address
  // in it.
  void evict() {
    const Label gone = a_.newLabel();
    a_.and_(x86::eax, static_cast<i32>(TlbRing::kIndex));
    a_.cmp(entry_of(x86::rax, offsetof(TlbTables, code)), 0);
    a_.jne(slow_);
    a_.push(x86::rcx);
    a_.push(x86::rdx);
    a_.mov(x86::rcx, entry_of(x86::rax, offsetof(TlbTables, read)));
    a_.test(x86::rcx, x86::rcx);
    a_.jz(gone);
    a_.mov(x86::edx, x86::eax);
    a_.shl(x86::edx, kPageShift);  // the user's bit goes
    a_.and_(x86::rcx, static_cast<i32>(kFrame));
    a_.add(x86::rcx, x86::rdx);
    const Label held = a_.newLabel(), over = a_.newLabel();
    for (const unsigned each : kTemporaries) {
      a_.mov(x86::rdx, sized(each, 8));
      a_.sub(x86::rdx, x86::rcx);
      a_.cmp(x86::rdx, kPageSize);
      a_.jb(held);
    }
    a_.xor_(x86::edx, x86::edx);
    a_.mov(entry_of(x86::rax, offsetof(TlbTables, read)), x86::rdx);
    a_.mov(entry_of(x86::rax, offsetof(TlbTables, write)), x86::rdx);
    a_.sub(at(kRing + offsetof(TlbRing, live), 4), 1);
    a_.bind(gone);
    a_.pop(x86::rdx);
    a_.pop(x86::rcx);
    a_.mov(place_of(x86::rdx), 0);
    a_.jmp(over);
    a_.bind(held);
    a_.pop(x86::rdx);
    a_.pop(x86::rcx);
    a_.jmp(slow_);
    a_.bind(over);
  }

  x86::Assembler& a_;
  bool write_, user_;
  Label slow_, evict_, room_, large_, walked_;
};

}  // namespace

FillThunks emit_fill_thunks(x86::Assembler& a) {
  FillThunks places;
  for (const bool write : {false, true}) {
    for (const bool user : {false, true}) {
      places.fill[write][user] = a.offset();
      places.label[write][user] = a.newLabel();
      a.bind(places.label[write][user]);
      FillThunk(a, write, user).emit();
    }
  }
  return places;
}

}  // namespace relic86::jit::x64
