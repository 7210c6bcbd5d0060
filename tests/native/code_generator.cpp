#include "tests/native/code_generator.h"

#include <algorithm>
#include <cstring>

#include "cpu/cpuid.h"
#include "tests/native/groups.h"
#include "tests/native/vex_encoding.h"

namespace relic86::native {

namespace {

void put(std::vector<u8>& bytes, u64 value, unsigned count) {
  for (unsigned i = 0; i < count; ++i) bytes.push_back(static_cast<u8>(value >> (8 * i)));
}
bool is(const InstructionRow& row, std::string_view name) { return name == row.mnemonic; }
bool operand_is(const InstructionRow& row, std::string_view part) {
  return std::string_view(row.operands).find(part) != std::string_view::npos;
}
// Its memory operand must lie at a multiple of 16.
bool wants_alignment(const InstructionRow& row) {
  return operand_is(row, "Wx") || operand_is(row, "Vx") || row.feature == Feature::Fxsr;
}
// Later processors gave the F3 and F2 forms of these opcodes another meaning; AMD's turn LOOPE and LOOPNE into each
// other.
bool repeat_is_taken(const InstructionRow& row) {
  if (row.opcode == 0xE0 || row.opcode == 0xE1) return true;
  return row.map != OpcodeMap::OneByte || (row.match & kMatchPrefixes) != 0 || row.opcode == 0x90;
}

}  // namespace

u32 interesting_address(Random& random, u32 alignment) {
  const u32 kind = random.below(100);
  u32 address = 0;
  if (kind < 76) {
    address = kWindow + 0x80 + random.below(kWindowSize - 0x100);
  } else if (kind < 86) {
    address = kData + 0x1000 - 12 + random.below(24);  // over the border within the window
  } else if (kind < 96) {
    static constexpr u32 kBorders[] = {kData, kReadOnly, kReadOnly + 0x1000};
    address = random.pick(kBorders) - 16 + random.below(32);
  } else if (kind < 98) {
    return random.number();
  } else {
    address = kReadOnly + random.below(0x1000);
  }
  return random.percent(85) ? address & ~(alignment - 1) : address;
}

CodeGenerator::CodeGenerator(std::vector<u16> rows, u64 seed)
    : rows_(std::move(rows)), random_(seed), decoder_(find_cpu_model("max")->instructions) {}

GuestCode CodeGenerator::make(u32 slot, u64 seed) {
  random_ = Random(seed);
  GuestCode code;
  code.slot = slot;
  code.lead = random_.below(64);
  code.code16 = random_.percent(20);
  choose_segments(code);
  const u32 wanted = random_.percent(55) ? 1 : 2 + random_.below(3);
  u32 undefined = 0;
  for (u32 tries = 0; code.pieces.size() < wanted && tries < 40; ++tries) append(code, undefined);
  code.lay_out();
  return code;
}

void CodeGenerator::choose_segments(GuestCode& code) {
  u16* const s = code.segment;
  static constexpr u16 kExtra[] = {kData16, kSmall, kExpandDown, kReadOnlyFlat, kFlat, kFlat, 0};
  s[kSlotFs] = random_.pick(kExtra);
  s[kSlotGs] = random_.pick(kExtra);
  s[kSlotCs] = code.code16 ? kCode16 : kCode32;
  const u16 usual = code.code16 ? kData16 : kFlat;
  static constexpr u16 kStacks[] = {kFlat, kData16, kData16, kSmall, kExpandDown};
  s[kSlotEs] = random_.percent(94) ? usual : random_.pick(kExtra);
  s[kSlotDs] = random_.percent(94) ? usual : random_.pick(kExtra);
  s[kSlotSs] = random_.percent(88) ? usual : random_.pick(kStacks);
}

bool CodeGenerator::append(GuestCode& code, u32& undefined) {
  // Nothing may read an image with masked bytes.
  if (!code.pieces.empty() && (!code.pieces.back().masked.empty() || code.pieces.back().masked_registers != 0)) {
    return false;
  }
  const u16 wanted = random_.pick(rows_);
  if (wanted == kNoRow) return false;
  const InstructionRow& row = instruction_table()[wanted];
  if ((row.flags_read & undefined) != 0) return false;
  Piece piece = encode(code, row);
  Insn insn;
  std::vector<u8> window = piece.bytes;
  window.resize(kMaxInstructionLength, 0x90);
  if (!decoder_.decode(window, code.code_size(), insn)) return false;
  // #UD and too long ones end at the same byte for all.
  if (insn.row != kNoRow && insn.length != piece.bytes.size()) return false;
  if (insn.row != kNoRow && !not_comparable(instruction_table()[insn.row]).empty()) return false;
  piece.row = insn.row == kNoRow ? wanted : insn.row;
  piece.decoded = insn.row != kNoRow;
  piece.insn_flags = insn.flags;
  const InstructionRow& found = instruction_table()[piece.row];
  if ((found.flags_read & undefined) != 0) return false;
  if ((found.traits & kTraitMaybeFlags) == 0) undefined &= ~found.flags_written;
  undefined |= found.undefined.flags;
  if (piece.decoded) piece.masked_registers = static_cast<u8>(masked_registers(found));
  code.units = code.units || uses_units(found);
  code.vectors = code.vectors || uses_vectors(found);
  code.pieces.push_back(std::move(piece));
  return true;
}

Piece CodeGenerator::encode(const GuestCode& code, const InstructionRow& row) {
  Piece piece;
  prefixes(code, row, piece);
  auto& bytes = piece.bytes;
  if (has_vex(row)) {
    put_vex(bytes, random_, row, code.code_size());
  } else if (row.map != OpcodeMap::OneByte) {
    bytes.push_back(0x0F);
  }
  if (row.map == OpcodeMap::Escape38) bytes.push_back(0x38);
  if (row.map == OpcodeMap::Escape3A) bytes.push_back(0x3A);
  bytes.push_back(static_cast<u8>(row.opcode + (row.opcode_register ? random_.below(8) : 0)));
  if (row.modrm) modrm(code, row, piece);
  immediate(code, row, piece);
  return piece;
}

void CodeGenerator::prefixes(const GuestCode& code, const InstructionRow& row, Piece& piece) {
  auto& bytes = piece.bytes;
  operand66_ = address67_ = false;
  override_ = 0xFF;
  const bool string = (row.traits & kTraitString) != 0;
  const bool memory = row.modrm || string || row.immediate == ImmediateKind::Offset || is(row, "xlat");
  const bool counts = is(row, "loop") || is(row, "loope") || is(row, "loopne") || is(row, "jcxz");
  if ((memory || counts) && random_.percent(code.code16 ? 20 : 8)) {
    address67_ = true;
    bytes.push_back(0x67);
  }
  const bool wide = code.code16 == address67_;
  u32 chance = 6;
  if (!wide && !code.code16 && random_.percent(80)) {
    // 16-bit addresses reach the data only through a segment with a base.
    for (const u8 slot : {kSlotFs, kSlotGs}) {
      if (code.segment[slot] == kData16) override_ = slot;
    }
    chance = 0;
  }
  if (memory && random_.percent(chance)) override_ = static_cast<u8>(random_.below(kSlotCount));
  // Behind the code lies the selector of 64-bit code, which only the host has. Whether a number of an x87 image that
  // wraps at the end of 64 KiB faults differs from run to run on an AMD part; of what wraps, only code is mapped.
  if ((loads_segment(row) || is(row, "frstor")) && override_ == kSlotCs) override_ = kSlotDs;
  static constexpr u8 kOverrides[] = {0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65};
  if (override_ != 0xFF) bytes.push_back(kOverrides[override_]);
  // On AMD's parts LOCK MOV CR0 is MOV CR8.
  const bool control = row.map == OpcodeMap::TwoByte && row.opcode >= 0x20 && row.opcode <= 0x23;
  if (random_.percent(3) && (row.match & kMatchPrefixes) == 0 && !control) bytes.push_back(0xF0);
  if (string ? random_.percent(60) : random_.percent(1) && !repeat_is_taken(row)) {
    bytes.push_back(random_.percent(50) ? 0xF2 : 0xF3);
  }
  const bool mandatory = (row.match & kMatchPrefixes) != 0 || (row.traits & kTraitNoOperandPrefix) != 0;
  constexpr u32 kRefused = 2;  // percent: #UD before VEX
  if (has_vex(row) ? random_.percent(kRefused) : !mandatory && random_.percent(18)) {
    operand66_ = true;
    bytes.push_back(0x66);
  }
  if (has_vex(row)) return;
  if ((row.match & kMatch66) != 0) bytes.push_back(0x66);
  if ((row.match & kMatchF3) != 0) bytes.push_back(0xF3);
  if ((row.match & kMatchF2) != 0) bytes.push_back(0xF2);
}

u16 CodeGenerator::segment_of(const GuestCode& code, bool stack_register) const {
  if (override_ != 0xFF) return code.segment[override_];
  return code.segment[stack_register ? kSlotSs : kSlotDs];
}

void CodeGenerator::modrm(const GuestCode& code, const InstructionRow& row, Piece& piece) {
  u8 reg = static_cast<u8>(random_.below(8)), rm = static_cast<u8>(random_.below(8));
  bool memory = random_.percent(50);
  if ((row.match & kMatchReg) != 0) reg = row.match & 7;
  if ((row.match & kMatchRegister) != 0) memory = false;
  if ((row.match & kMatchMemory) != 0) memory = true;
  if ((row.match & kMatchRm) != 0) rm = row.match >> 4 & 7;
  if (!memory) {
    piece.bytes.push_back(static_cast<u8>(0xC0 | reg << 3 | rm));
    return;
  }
  const bool saves = is(row, "fnsave") || is(row, "fxsave") || is(row, "fnstenv");
  u32 linear = interesting_address(random_, wants_alignment(row) ? 16 : 4);
  if (saves) linear = kWindow + (random_.below(kWindowSize - 512) & ~15u);
  const bool wide = code.code16 == address67_;
  // Where the pointers of a state image go must be known: no base register.
  const bool absolute = saves || random_.percent(45);
  if (absolute) {
    const u32 offset = linear - segment_base(segment_of(code, false));
    piece.bytes.push_back(static_cast<u8>(reg << 3 | (wide ? 5 : 6)));
    put(piece.bytes, offset, wide ? 4 : 2);
    if (saves) {
      mask_pointers(row, piece, code.code16 == operand66_);
      piece.masked_at = (wide ? offset : offset & 0xFFFF) + segment_base(segment_of(code, false));
    }
    return;
  }
  if (wide) {
    address32(reg, linear, piece.bytes);
  } else {
    address16(reg, linear, piece.bytes);
  }
}

void CodeGenerator::address32(u8 reg, u32 offset, std::vector<u8>& bytes) {
  static constexpr u8 kPointers[] = {kEbx, kEsi, kEdi, kEbp, kEsp};
  const u8 base = random_.percent(92) ? random_.pick(kPointers) : static_cast<u8>(random_.below(8));
  const u8 mod = random_.percent(80) ? 1 : random_.percent(70) ? 0 : 2;
  const bool indexed = base == kEsp || random_.percent(25);
  bytes.push_back(static_cast<u8>(mod << 6 | reg << 3 | (indexed ? 4 : base)));
  u8 low = base;
  if (indexed) {
    static constexpr u8 kIndexes[] = {kEax, kEcx, kEdx, 4, 4, 4};
    const u8 index = random_.percent(90) ? random_.pick(kIndexes) : static_cast<u8>(random_.below(8));
    bytes.push_back(static_cast<u8>(random_.below(4) << 6 | index << 3 | low));
  }
  if (mod == 1) put(bytes, random_.percent(50) ? random_.number() & 0xFC : random_.number(), 1);
  if (mod == 2) put(bytes, random_.percent(70) ? random_.below(64) : offset, 4);
  if (mod == 0 && low == 5) put(bytes, offset, 4);
}

void CodeGenerator::address16(u8 reg, u32 offset, std::vector<u8>& bytes) {
  const u8 mod = random_.percent(80) ? 1 : random_.percent(70) ? 0 : 2;
  const u8 rm = random_.percent(85) ? static_cast<u8>(4 + random_.below(4)) : static_cast<u8>(random_.below(4));
  bytes.push_back(static_cast<u8>(mod << 6 | reg << 3 | rm));
  if (mod == 1) put(bytes, random_.number(), 1);
  if (mod == 2) put(bytes, random_.percent(70) ? random_.below(64) : offset, 2);
  if (mod == 0 && rm == 6) put(bytes, offset - kData16Base, 2);
}

void CodeGenerator::immediate(const GuestCode& code, const InstructionRow& row, Piece& piece) {
  auto& bytes = piece.bytes;
  const bool wide = code.code16 == operand66_;
  const auto target = [&](u8 size, bool far = false) {
    piece.target_bytes = size;
    piece.far = far;
    piece.target = random_.percent(45) ? Target::Next : Target::Fill;
    piece.fill_distance = static_cast<u8>(random_.below(kFillTargets));
    // A far pointer may lead anywhere; so may a wide branch, to where nothing is mapped.
    if (size >= 4 && random_.percent(6) && !code.code16) piece.target = Target::Wild;
    if (piece.target == Target::Wild) {
      put(bytes, 0x1000000u + random_.below(0x1000000), far ? size - 2u : size);
      if (far) put(bytes, random_.percent(50) ? u32{kCode32} : u32{kAbsent}, 2);
    } else {
      put(bytes, 0, size);
    }
  };
  switch (row.immediate) {
    case ImmediateKind::None: break;
    case ImmediateKind::Byte: {
      u32 value = random_.value();
      if (is(row, "int")) {
        value &= 0xFF;
        if (value == 0x80) value = 3;  // Linux's system call
      }
      put(bytes, value, 1);
      break;
    }
    case ImmediateKind::SignedByte: put(bytes, random_.value(), 1); break;
    case ImmediateKind::Word: put(bytes, random_.percent(80) ? random_.below(64) & ~1u : random_.value(), 2); break;
    case ImmediateKind::OperandSize:
    case ImmediateKind::OperandFull: put(bytes, random_.value(), wide ? 4 : 2); break;
    case ImmediateKind::RelativeByte: target(1); break;
    case ImmediateKind::RelativeFull: target(wide ? 4 : 2); break;
    case ImmediateKind::FarPointer: target(wide ? 6 : 4, true); break;
    case ImmediateKind::Offset:
      put(bytes, interesting_address(random_, 4) - segment_base(segment_of(code, false)),
          code.code16 == address67_ ? 4 : 2);
      break;
    case ImmediateKind::BytePair: put(bytes, random_.next(), 2); break;
    case ImmediateKind::WordByte:
      put(bytes, random_.percent(85) ? random_.below(128) : random_.value(), 2);
      put(bytes, random_.percent(60) ? random_.below(4) : random_.value(), 1);
      break;
  }
}

// FOP, FIP, FCS, FDP, FDS in images: AMD's parts leave them out while no exception is pending.
void CodeGenerator::mask_pointers(const InstructionRow& row, Piece& piece, bool operand32) {
  if (is(row, "fxsave")) {
    piece.masked = {{6, 23}, {28, 31}};
  } else if (operand32) {
    piece.masked = {{12, 27}};
  } else {
    piece.masked = {{6, 13}};
  }
}

}  // namespace relic86::native
