#include "tests/lockstep/random/sequences.h"

namespace relic86 {

namespace {

constexpr u8 kPrefixes[] = {0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65};  // ES to GS

}  // namespace

void Sequences::number(u32 value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; ++i) code_->push_back(static_cast<u8>(value >> (8 * i)));
}

// MOV r16 or r32, immediate.
void Sequences::move_immediate(u8 reg, u32 value, unsigned bytes) {
  if (bytes != (code32_ ? 4u : 2u)) raw({0x66});
  raw({static_cast<u8>(0xB8 | reg)});
  number(value, bytes);
}

Sequences::Base Sequences::any_base() {
  static constexpr Base kNarrow[] = {{7, kEbx, kDs}, {4, kEsi, kDs}, {5, kEdi, kDs}, {6, kEbp, kSs}, {0, kEbx, kDs}};
  static constexpr Base kWide[] = {{kEbx, kEbx, kDs}, {kEsi, kEsi, kDs}, {kEdi, kEdi, kDs},
                                   {kEbp, kEbp, kSs}, {kEdx, kEdx, kDs}, {kEcx, kEcx, kDs}};
  return code32_ ? kWide[g_.below(std::size(kWide))] : kNarrow[g_.below(std::size(kNarrow))];
}

// An offset for a base register: in the data, around a page's end, around the end of 64 KiB or of everything.
u32 Sequences::place() {
  switch (g_.below(8)) {
    case 0:
    case 1: return 0xFFF0 + g_.below(0x20);
    case 2:
    case 3: return (0x2FF0 + g_.below(5) * 0x1000) + g_.below(0x20);
    case 4: return code32_ ? 0xFFFFFFF0 + g_.below(0x20) : g_.below(0x20);
    default: return 0x2000 + g_.below(0x2000);
  }
}

u8 Sequences::spare(const Base& base) {
  static constexpr u8 kSpare[] = {kEax, kEcx, kEdx, kEax};
  for (;;) {
    const u8 reg = kSpare[g_.below(4)];
    if (reg != base.reg) return reg;
  }
}

void Sequences::access(const Base& base) {
  static constexpr u8 kOpcodes[] = {0x8B, 0x8B, 0x89, 0x89, 0x8A, 0x88, 0x03, 0x01, 0x3B, 0x30, 0xFF, 0x87, 0x86};
  const u8 opcode = kOpcodes[g_.below(std::size(kOpcodes))];
  const u8 other = opcode == 0xFF ? 0 : spare(base);  // FF /0: INC
  if (prefix_ != 0 && !g_.one_in(6)) raw({prefix_});
  if (g_.one_in(5)) raw({0x66});
  const u32 distance = g_.one_in(4) ? g_.below(0x100) : (g_.below(16) - 6u);
  raw({opcode});
  if (!g_.one_in(6) && distance + 0x80 < 0x100) {
    raw({static_cast<u8>(0x40 | other << 3 | base.rm), static_cast<u8>(distance)});
  } else {
    raw({static_cast<u8>(0x80 | other << 3 | base.rm)});
    number(distance, code32_ ? 4 : 2);
  }
}

void Sequences::accesses(const Base& base) {
  for (u32 left = 1 + g_.below(3); left != 0; --left) {
    access(base);
    if (g_.one_in(6)) raw({static_cast<u8>((g_.one_in(2) ? 0x40 : 0x48) | base.reg)});  // INC, DEC
  }
}

// LDS, LES, LFS, LGS from the table in CS, or MOV from it.
void Sequences::load_far(u8 segment, u8 reg) {
  const u32 at = choices_.far_pointers + g_.below(SegmentChoices::kFarPointers) * SegmentChoices::kFarPointerBytes;
  const u8 rm = code32_ ? 5 : 6;
  raw({0x2E});
  if (g_.one_in(3)) {
    raw({0x8E, static_cast<u8>(segment << 3 | rm)});
    number(at + 4, code32_ ? 4 : 2);
    return;
  }
  const u8 modrm = static_cast<u8>(reg << 3 | rm);
  const bool other_size = g_.one_in(5);
  if (other_size) raw({0x66});
  switch (segment) {
    case kEs: raw({0xC4, modrm}); break;
    case kDs: raw({0xC5, modrm}); break;
    case kFs: raw({0x0F, 0xB4, modrm}); break;
    default: raw({0x0F, 0xB5, modrm}); break;
  }
  number(code32_ != other_size ? at : at + 8, code32_ ? 4 : 2);
}

void Sequences::load_segment(const Base& base) {
  static constexpr u8 kData[] = {kEs, kDs, kDs, kFs, kGs};
  u8 segment = kData[g_.below(std::size(kData))];
  for (u8 name = kEs; name < kSegmentRegisters; ++name) {
    if (prefix_ == kPrefixes[name] && name != kCs && name != kSs && g_.one_in(2)) segment = name;
  }
  const u16 selector = choices_.selectors[g_.below(static_cast<u32>(choices_.selectors.size()))];
  const u8 reg = spare(base);
  switch (g_.below(3)) {
    case 0:
      move_immediate(reg, selector, 2);
      if (g_.one_in(3)) access(base);
      if (g_.one_in(4)) {  // LAR or LSL first
        raw({0x0F, static_cast<u8>(0x02 + g_.below(2)), static_cast<u8>(0xC0 | spare(base) << 3 | reg)});
        move_immediate(reg, selector, 2);
      }
      raw({0x8E, static_cast<u8>(0xC0 | segment << 3 | reg)});
      break;
    case 1:
      raw({0x68});
      number(selector, code32_ ? 4 : 2);
      if (g_.one_in(3)) access(base);
      switch (segment) {
        case kEs: raw({0x07}); break;
        case kDs: raw({0x1F}); break;
        case kFs: raw({0x0F, 0xA1}); break;
        default: raw({0x0F, 0xA9}); break;
      }
      break;
    default: load_far(segment, g_.one_in(3) ? base.reg : reg); break;
  }
}

void Sequences::load_stack() {
  const u16 selector = choices_.stacks[g_.below(static_cast<u32>(choices_.stacks.size()))];
  move_immediate(kEax, selector, 2);
  raw({0x8E, 0xD0});
  move_immediate(kEsp, 0x7E00 + g_.below(0x100), 4);
  for (u32 left = g_.below(4); left != 0; --left) raw({static_cast<u8>(g_.one_in(2) ? 0x50 : 0x58)});
}

// CLD, STD, or DF by POPF.
void Sequences::direction() {
  switch (g_.below(3)) {
    case 0: raw({0xFC}); break;
    case 1: raw({0xFD}); break;
    default: raw({0x9C, 0x58, 0x80, 0xF4, 0x04, 0x50, 0x9D}); break;  // pushf; pop eax; xor ah, 4; push eax; popf
  }
}

// MOV [place], a control word or MXCSR that unmasks some exceptions; FLDCW or LDMXCSR.
void Sequences::masks() {
  static constexpr u32 kUsual[] = {0x3F, 0x32, 0x32, 0x37, 0x1F, 0x00};  // masked: all, as Pascal has it, all but OE...
  const u32 exceptions = g_.one_in(3) ? g_.below(0x40) : kUsual[g_.below(std::size(kUsual))];
  const bool mxcsr = g_.one_in(2);
  const u32 word =
      mxcsr ? exceptions << 7 | g_.below(4) << 13 | (g_.one_in(4) ? 0x8040u : 0u) : exceptions | g_.below(16) << 8;
  const u32 at = 0x2000 + g_.below(0x400) * 4;
  const u8 rm = code32_ ? 5 : 6;
  const unsigned address = code32_ ? 4 : 2;
  if (!code32_) raw({0x66});
  raw({0xC7, rm});
  number(at, address);
  number(word, 4);
  if (mxcsr) {
    raw({0x0F, 0xAE, static_cast<u8>(2 << 3 | rm)});
  } else {
    raw({0xD9, static_cast<u8>(5 << 3 | rm)});
  }
  number(at, address);
}

// CALL and JMP far by the table of code pointers.
void Sequences::indirect_transfer() {
  const u32 at = choices_.code_pointers + g_.below(SegmentChoices::kFarPointers) * SegmentChoices::kFarPointerBytes;
  const u8 operation = g_.one_in(3) ? 5 : 3;
  const bool other_size = g_.one_in(6);
  raw({0x2E});
  if (other_size) raw({0x66});
  raw({0xFF, static_cast<u8>(operation << 3 | (code32_ ? 5 : 6))});
  number(code32_ != other_size ? at : at + 8, code32_ ? 4 : 2);
}

// CR0.TS, now and then another of its flags, set or cleared by MOV or LMSW; then who asks for them.
void Sequences::unit_flags() {
  if (g_.one_in(6)) {  // NE, WP or AM
    constexpr u32 kOthers[] = {1u << 5, 1u << 16, 1u << 18, 1u << 16 | 8};
    raw({0x0F, 0x20, 0xC0});
    if (!code32_) raw({0x66});
    raw({0x35}), number(kOthers[g_.below(4)], 4);
    raw({0x0F, 0x22, 0xC0});
    return;
  }
  const u8 bits = g_.one_in(6) ? static_cast<u8>(g_.below(8) * 2) : u8{8};
  if (g_.one_in(2)) {
    raw({0x0F, 0x20, 0xC0, 0x34, bits, 0x0F, 0x22, 0xC0});  // mov eax, cr0; xor al, bits; mov cr0, eax
  } else {
    raw({0x0F, 0x01, 0xE0, 0x34, bits, 0x0F, 0x01, 0xF0});  // smsw, xor al, bits; lmsw
  }
  switch (g_.below(5)) {
    case 0: raw({0xD9, 0xD0}); break;        // fnop
    case 1: raw({0xD9, 0xE8}); break;        // fld1
    case 2: raw({0x0F, 0x57, 0xC1}); break;  // xorps xmm0, xmm1
    case 3: raw({0x9B}); break;              // fwait
    default: break;
  }
}

// What ring 0 reads and loads of its own; elsewhere a fault.
void Sequences::system_registers() {
  const u8 reg = static_cast<u8>(g_.below(3));
  switch (g_.below(9)) {
    case 0: raw({0x0F, 0x20, static_cast<u8>(0xC0 | reg)}); break;  // mov reg, cr0
    case 1: raw({0x0F, 0x20, static_cast<u8>(0xD0 | reg)}); break;  // mov reg, cr2
    case 2: raw({0x0F, 0x01, static_cast<u8>(0xE0 | reg)}); break;  // smsw
    case 3: raw({0x0F, 0x00, static_cast<u8>(0xC0 | reg)}); break;  // sldt
    case 4: raw({0x0F, 0x00, static_cast<u8>(0xC8 | reg)}); break;  // str
    case 5: raw({0x0F, 0x06}); break;                               // clts
    case 6:
    case 7: unit_flags(); break;
    default: raw({0x0F, 0x20, 0xC0, 0x0C, 0x02, 0x0F, 0x22, 0xC0}); break;  // mov eax, cr0; or al, 2; mov cr0, eax
  }
  if (g_.one_in(2)) return;
  // SGDT, SIDT, then LGDT or LIDT of the same place.
  const u8 table = g_.one_in(2) ? 0 : 1, rm = code32_ ? 5 : 6;
  for (const u8 operation : {table, static_cast<u8>(table + 2)}) {
    raw({0x0F, 0x01, static_cast<u8>(operation << 3 | rm)});
    number(0x3FF8 + g_.below(2) * 4, code32_ ? 4 : 2);
    if (g_.one_in(2)) return;
  }
}

void Sequences::flags() {
  switch (g_.below(5)) {
    case 0: raw({0x9C, 0xFA, 0x9D}); break;        // pushf; cli; popf
    case 1: raw({0xFA, 0x40, 0xFB, 0x42}); break;  // cli; inc eax; sti; inc edx
    case 2: raw({0x9C, 0x58, 0x50, 0x9D}); break;  // pushf; pop eax; push eax; popf
    case 3: raw({0x9C, 0x58, 0x35}), number(1u << g_.below(22), code32_ ? 4 : 2), raw({0x50, 0x9D}); break;
    default: raw({0xFB}); break;
  }
}

void Sequences::transfer() {
  const auto call = [&](u8 instruction) {  // to `instruction`, which goes back to where the call returns to
    raw({0x0E, 0xE8});
    number(2, code32_ ? 4 : 2);
    raw({0xEB, 0x01, instruction});
  };
  switch (g_.below(8)) {
    case 0:
    case 1:
      raw({0x9C});
      call(0xCF);  // IRET
      break;
    case 2: call(0xCB); break;  // RETF
    case 3: raw({0xCD, static_cast<u8>(g_.one_in(2) ? 0x80 : g_.below(256))}); break;
    case 4: system_registers(); break;
    case 5: flags(); break;
    default: indirect_transfer(); break;
  }
}

void Sequences::append(std::vector<u8>& code) {
  static constexpr u8 kStrings[] = {0xA4, 0xA5, 0xAA, 0xAB, 0xAC, 0xAD, 0xA6, 0xA7, 0xAE, 0xAF};
  code_ = &code;
  if (choices_.masks && !g_.one_in(4)) {
    masks();
    return;
  }
  if (choices_.code_pointers != 0 && !g_.one_in(4)) {
    transfer();
    return;
  }
  const Base base = any_base();
  prefix_ = g_.one_in(3) ? kPrefixes[g_.below(6)] : u8{0};
  if (!g_.one_in(3)) move_immediate(base.reg, place(), code32_ || g_.one_in(4) ? 4 : 2);
  // A missing entry shows which pages were looked at: mov eax, cr3; mov cr3, eax.
  if (choices_.flushes && g_.one_in(4)) raw({0x0F, 0x20, 0xD8, 0x0F, 0x22, 0xD8});
  accesses(base);
  switch (g_.below(8)) {
    case 0:
      if (!choices_.stacks.empty()) load_stack();
      break;
    case 1:
    case 2: {
      direction();
      if (g_.one_in(2)) access(base);
      const u8 opcode = kStrings[g_.below(std::size(kStrings))];
      if (g_.one_in(3)) move_immediate(kEcx, g_.below(20), code32_ ? 4 : 2);
      if (g_.one_in(2)) move_immediate(g_.one_in(2) ? kEsi : kEdi, place(), code32_ ? 4 : 2);
      if (g_.one_in(3)) raw({0xF3});
      raw({opcode});
      if (g_.one_in(2)) direction();
      break;
    }
    default: load_segment(base); break;
  }
  accesses(base);
}

}  // namespace relic86
