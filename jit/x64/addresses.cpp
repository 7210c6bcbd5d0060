#include "jit/x64/addresses.h"

#include "jit/x64/register_allocator.h"

namespace relic86::jit::x64 {

void Addresses::load(const Gp& to, u16 address, i32 extra) {
  const Node& named = at(address);
  const Node& n = named.op == Op::BitAddress ? at(named.a) : named;
  if (mode_.code64) return load_long(to, n, extra);
  set_width(n.address_size);
  const bool base = n.base != kNoRegister, index = n.index != kNoRegister;
  const u32 constant = static_cast<u32>(n.immediate) + static_cast<u32>(extra);
  if (!base && !index) {
    a_.mov(to.r32(), narrow() ? constant & 0xFFFF : constant);
    return;
  }
  const i32 displacement = static_cast<i32>(constant);
  if (!narrow() && n.immediate == 0 && extra == 0 && !index) {
    a_.mov(to.r32(), registers_.guest(n.base, 4));
    return;
  }
  if (narrow() && displacement == 0 && base != index) {
    a_.movzx(to.r32(), registers_.guest(base ? n.base : n.index, 2));
    return;
  }
  // 64-bit address arithmetic, cut to 32 bits by the destination: no 67h prefix needed.
  if (base && index) {
    const Gp first = registers_.guest(n.base, 8);
    a_.lea(to.r32(), x86::ptr(first, registers_.guest(n.index, 8), n.scale, displacement));
  } else if (base) {
    a_.lea(to.r32(), x86::ptr(registers_.guest(n.base, 8), displacement));
  } else {
    a_.lea(to.r32(), x86::ptr(u64{0}, registers_.guest(n.index, 8), n.scale).cloneAdjusted(displacement));
  }
  if (narrow()) a_.movzx(to.r32(), to.r16());
}

// Offsets of 64-bit code, and of 32 bits if the instruction says so. kAddress may be needed besides `to`. No flags
// change.
void Addresses::load_long(const Gp& to, const Node& n, i32 extra) {
  set_offset(Offset::Full);
  const Gp offset = n.address_size == 8 ? to : to.r32();
  i64 displacement = static_cast<i64>(n.immediate) + extra;
  if (n.base == kRipRegister) {
    a_.mov(kAddress, area(offsetof(EngineArea, page_eip), 8));
    add_up(offset, &kAddress, nullptr, 0, displacement + page_offset());
    return;
  }
  const bool based = n.base != kNoRegister, indexed = n.index != kNoRegister;
  if (!based && !indexed && displacement == static_cast<i32>(displacement)) set_offset(Offset::Constant);
  const bool plain = insn().native == nullptr;  // of units the address may be made anew, on one of two ways
  if (based && plain) registers_.hold_for_reads(n.base);
  const bool base_stored = based && !registers_.has_host(n.base);
  const Gp base = based && !base_stored ? registers_.guest(n.base, 8) : kAddress;
  if (indexed && plain) registers_.hold_for_reads(n.index);
  const bool index_stored = indexed && !registers_.has_host(n.index);
  Gp index = indexed && !index_stored ? registers_.guest(n.index, 8) : kAddress;
  u8 temporary = 0;
  if (base_stored) a_.mov(base, gpr(n.base, 8));
  if (index_stored && !(base_stored && n.base == n.index)) {
    if (base_stored) {
      temporary = registers_.take();
      index = sized(temporary, 8);
    }
    a_.mov(index, gpr(n.index, 8));
  }
  add_up(offset, based ? &base : nullptr, indexed ? &index : nullptr, n.scale, displacement);
  if (temporary != 0) registers_.give(temporary);
}

void Addresses::add_up(const Gp& to, const Gp* base, const Gp* index, u8 scale, i64 displacement) {
  if (base == nullptr && index == nullptr) return load_constant(to, static_cast<u64>(displacement));
  const i32 near = static_cast<i32>(displacement);
  const i64 rest = displacement - near;
  if (base != nullptr && index != nullptr) {
    a_.lea(to, x86::ptr(*base, *index, scale, near));
  } else if (index != nullptr) {
    a_.lea(to, x86::ptr(u64{0}, *index, scale).cloneAdjusted(near));
  } else if (near != 0) {
    a_.lea(to, x86::ptr(*base, near));
  } else if (to.id() != base->id() || to.size() != 8) {
    a_.mov(to, sized(base->id(), to.size()));
  }
  if (rest == 0) return;
  const u8 host = registers_.take();
  load_constant(sized(host, 8), static_cast<u64>(rest));
  a_.lea(to, x86::ptr(to.r64(), sized(host, 8)));
  registers_.give(host);
}

void Addresses::load_eip(const Gp& to, i32 place) {
  const Gp eip = code_register(to);
  a_.mov(eip, area(offsetof(EngineArea, page_eip), eip.size()));
  if (place != 0) a_.lea(eip, x86::ptr(to.r64(), place));
}

}  // namespace relic86::jit::x64
