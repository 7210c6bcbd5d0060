#include "jit/x64/string_thunks.h"

#include "jit/x64/thunks.h"

namespace relic86::jit::x64 {

namespace {

using asmjit::Label;

constexpr std::size_t kSlots = offsetof(VcpuMemory, tlb) + offsetof(TlbTables, quick) + offsetof(InlineTlbTable, slots);

// One side of a run: the guest's register, the slot's field of its pages, and what fills the slot.
struct Side {
  x86::Gp index;
  std::size_t field;
  Label bring;
  Label look, miss;
};

// Called with RCX, RSI, RDI and RAX in their registers and a count other than 0. Each iteration counts as an
// instruction: the last one is the guest's instruction itself, which the block has counted.
class StringThunk {
 public:
  StringThunk(x86::Assembler& a, bool moves, unsigned shift, bool user, const Label& bring_read,
              const Label& bring_write)
      : a_(a),
        moves_(moves),
        shift_(shift),
        user_(user),
        slow_(a.newLabel()),
        source_{x86::rsi, offsetof(InlineTlbSlot, read), bring_read, a.newLabel(), a.newLabel()},
        destination_{x86::rdi, offsetof(InlineTlbSlot, write), bring_write, a.newLabel(), a.newLabel()} {}

  void emit() {
    const Label next_run = a_.newLabel(), out = a_.newLabel();
    for (const unsigned each : kTemporaries) a_.push(sized(each, 8));
    a_.bind(next_run);
    a_.mov(kCount, x86::rcx);
    if (moves_) find(source_, kFrom);
    find(destination_, kTo);
    a_.cmp(kRemaining, kCount);
    a_.jl(slow_);
    a_.sub(kRemaining, kCount);
    a_.lea(kNextTo, x86::ptr(x86::rdi, kCount, shift_));
    if (moves_) a_.lea(kScratch, x86::ptr(x86::rsi, kCount, shift_));
    a_.sub(x86::rcx, kCount);
    a_.xchg(x86::rcx, kCount);
    a_.mov(x86::rdi, kTo);
    if (moves_) a_.mov(x86::rsi, kFrom);
    a_.rep();
    const x86::Mem to(x86::rdi, 0, bytes());
    if (moves_) {
      a_.movs(to, x86::Mem(x86::rsi, 0, bytes()));
      a_.mov(x86::rsi, kScratch);
    } else {
      a_.stos(to, sized(x86::rax.id(), bytes()));
    }
    a_.mov(x86::rdi, kNextTo);
    a_.mov(x86::rcx, kCount);
    a_.test(x86::rcx, x86::rcx);
    a_.jnz(next_run);
    a_.lea(kRemaining, x86::ptr(kRemaining, 1));
    a_.bind(out);
    for (std::size_t i = std::size(kTemporaries); i-- > 0;) a_.pop(sized(kTemporaries[i], 8));
    a_.ret();
    if (moves_) miss(source_);
    miss(destination_);
    a_.bind(slow_);
    a_.or_(kAddress.r32(), 1);
    a_.jmp(out);
  }

 private:
  static inline const x86::Gp kTo = x86::r10, kCount = x86::r11, kFrom = x86::r12, kScratch = x86::r13,
                              kNextTo = kAddress;

  // host := where the side's next element lies; kCount := no more than lie in its page from there on.
  void find(const Side& side, const x86::Gp& host) {
    a_.bind(side.look);
    a_.mov(kAddress, side.index);
    a_.mov(host, kAddress);
    a_.shr(host, InlineTlbTable::kSlotShift);
    a_.and_(host.r32(), InlineTlbTable::kSlotMask);
    a_.xor_(kAddress, field(host, side.field));
    a_.cmp(kAddress, static_cast<i32>(kPageSize - bytes()));
    a_.ja(side.miss);
    a_.mov(host, field(host, offsetof(InlineTlbSlot, host)));
    a_.add(host, kAddress);
    a_.mov(kScratch.r32(), kPageSize);
    a_.sub(kScratch.r32(), kAddress.r32());
    if (shift_ != 0) a_.shr(kScratch.r32(), shift_);
    a_.cmp(kScratch, kCount);
    a_.cmovb(kCount, kScratch);
  }

  // The slot is another page's, or the element lies over two pages.
  void miss(const Side& side) {
    a_.bind(side.miss);
    a_.mov(kAddress, side.index);
    a_.mov(kScratch.r32(), kAddress.r32());
    a_.and_(kScratch.r32(), kPageSize - 1);
    a_.cmp(kScratch.r32(), static_cast<i32>(kPageSize - bytes()));
    a_.ja(slow_);
    a_.call(side.bring);
    a_.jz(side.look);
    a_.jmp(slow_);
  }

  x86::Mem field(const x86::Gp& slot, std::size_t offset) const {
    const std::size_t slots = kSlots + (user_ ? sizeof(InlineTlbTable::slots[0]) : 0);
    return x86::Mem(kState, slot, 0, static_cast<i32>(slots + offset), 8);
  }
  u32 bytes() const { return 1u << shift_; }

  x86::Assembler& a_;
  bool moves_;
  unsigned shift_;
  bool user_;
  Label slow_;
  Side source_, destination_;
};

}  // namespace

StringThunks emit_string_thunks(x86::Assembler& a, const WalkThunks& walk) {
  StringThunks places;
  for (const bool user : {false, true}) {
    const Label &read = walk.keeping[false][user], &write = walk.keeping[true][user];
    for (const bool moves : {false, true}) {
      for (unsigned shift = 0; shift < std::size(places.repeat[0]); ++shift) {
        places.repeat[moves][shift][user] = a.offset();
        StringThunk(a, moves, shift, user, read, write).emit();
      }
    }
  }
  return places;
}

}  // namespace relic86::jit::x64
