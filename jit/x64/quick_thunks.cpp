#include "jit/x64/quick_thunks.h"

#include <bit>

#include "jit/x64/answer.h"

namespace relic86::jit::x64 {

namespace {

using asmjit::Label;

constexpr std::size_t kTlb = offsetof(VcpuMemory, tlb);
constexpr std::size_t kHighFields[3] = {offsetof(HighTlbSlot, read), offsetof(HighTlbSlot, write),
                                        offsetof(HighTlbSlot, code)};
constexpr std::size_t kTables[3] = {offsetof(TlbTables, read), offsetof(TlbTables, write), offsetof(TlbTables, code)};

class QuickThunk {
 public:
  QuickThunk(x86::Assembler& a, QuickKind kind, bool user) : a_(a), kind_(kind), user_(user), slow_(a.newLabel()) {}

  void emit() {
    const Label high = a_.newLabel(), done = a_.newLabel();
    keep(a_, kKept);
    a_.mov(kPlace, kAddress);
    a_.shr(kPlace, kPageShift);
    a_.mov(kSlot.r32(), kPlace.r32());
    a_.and_(kSlot.r32(), InlineTlbTable::kSlots - 1);
    a_.shl(kSlot.r32(), std::countr_zero(sizeof(InlineTlbSlot)));
    a_.cmp(kPlace, static_cast<i32>(kLinearPages));
    a_.jae(high);
    fill([this](unsigned kind) {
      const std::size_t table = kTables[kind] + (user_ ? sizeof(u64) * kLinearPages : 0);
      return x86::Mem(kState, kPlace, 3, static_cast<i32>(kTlb + table), 8);
    });
    a_.jmp(done);
    a_.bind(high);
    find_home();
    fill([](unsigned kind) { return high_field(kHighFields[kind]); });
    a_.bind(done);
    answer(a_, slow_, kKept);
  }

 private:
  static inline const x86::Gp kKept[] = {x86::rax, x86::rcx, x86::rdx, x86::rsi, x86::rdi};
  // The page, or where its slot of the table of high pages is; the wanted entry; the slot; the page's address.
  static inline const x86::Gp kPlace = x86::rax, kEntry = x86::rcx, kSlot = x86::rdx, kScratch = x86::rsi,
                              kPage = x86::rdi;

  static x86::Mem high_field(std::size_t field) {
    constexpr std::size_t kSlots = offsetof(TlbTables, high) + offsetof(HighTlbTable, slots);
    return x86::Mem(kState, kPlace, 0, static_cast<i32>(kTlb + kSlots + field), 8);
  }

  // An entry that stands elsewhere is C++'s to bring home.
  void find_home() {
    a_.lea(kScratch, x86::ptr(kPlace, kPlace, 0, user_ ? 1 : 0));
    emit_high_home(a_, kPlace, kScratch, kEntry);
    a_.cmp(kScratch, high_field(offsetof(HighTlbSlot, tag)));
    a_.jne(slow_);
  }

  // Tlb::bring_inline.
  template <class Entry>
  void fill(const Entry& entry) {
    const auto field = [this](std::size_t offset) { return quick_slot(kSlot, user_, offset); };
    a_.mov(kEntry, entry(kind_));
    a_.test(kEntry.r8(), static_cast<i32>(kTlbFast));
    a_.jz(slow_);
    a_.mov(kPage, kAddress);
    a_.and_(kPage, -static_cast<i32>(kPageSize));
    for (unsigned kind = 0; kind < 3; ++kind) {
      a_.mov(kScratch, kPage);
      a_.xor_(kScratch, static_cast<i32>(kPageSize));  // InlineTlbSlot::no_page
      a_.cmp(kEntry, entry(kind));
      a_.cmove(kScratch, kPage);
      a_.mov(field(kQuickFields[kind]), kScratch);
    }
    a_.lea(kEntry, x86::ptr(kEntry, kPage, 0, -static_cast<i32>(kTlbFast)));
    a_.mov(field(offsetof(InlineTlbSlot, host)), kEntry);
  }

  x86::Assembler& a_;
  QuickKind kind_;
  bool user_;
  Label slow_;
};

}  // namespace

void emit_high_home(x86::Assembler& a, const x86::Gp& at, const x86::Gp& tag, const x86::Gp& scratch) {
  a.mov(at, tag);
  for (const unsigned shift : {15u, 23u}) {
    a.mov(scratch, tag);
    a.shr(scratch, shift);
    a.xor_(at, scratch);
  }
  a.and_(at.r32(), HighTlbTable::kMask);
  a.shl(at.r32(), std::countr_zero(sizeof(HighTlbSlot)));
}

x86::Mem quick_slot(const x86::Gp& slot, bool user, std::size_t field) {
  constexpr std::size_t kSlots = kTlb + offsetof(TlbTables, quick) + offsetof(InlineTlbTable, slots);
  const std::size_t table = user ? sizeof(InlineTlbTable::slots[0]) : 0;
  return x86::Mem(kState, slot, 0, static_cast<i32>(kSlots + table + field), 8);
}

QuickThunks emit_quick_thunks(x86::Assembler& a) {
  QuickThunks places;
  for (const QuickKind kind : {kQuickRead, kQuickWrite, kQuickCode}) {
    for (const bool user : {false, true}) {
      places.bring[kind][user] = a.offset();
      places.label[kind][user] = a.newLabel();
      a.bind(places.label[kind][user]);
      QuickThunk(a, kind, user).emit();
    }
  }
  return places;
}

}  // namespace relic86::jit::x64
