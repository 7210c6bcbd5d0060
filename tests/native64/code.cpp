#include "tests/native64/code.h"

#include <fmt/format.h>

#include <algorithm>

#include "cpu/disassembler.h"
#include "tests/native/groups.h"
#include "tests/native/vex_encoding.h"
#include "tests/native64/stub.h"

namespace relic86::native64 {

namespace {

using native::Random;

void put(std::vector<u8>& bytes, u64 value, unsigned count) {
  for (unsigned i = 0; i < count; ++i) bytes.push_back(static_cast<u8>(value >> (8 * i)));
}
bool is(const InstructionRow& row, std::string_view name) { return name == row.mnemonic; }
bool operand_is(const InstructionRow& row, std::string_view part) {
  return std::string_view(row.operands).find(part) != std::string_view::npos;
}
bool wants_alignment(const InstructionRow& row) {
  return operand_is(row, "Wx") || operand_is(row, "Vx") || row.feature == Feature::Fxsr || is(row, "cmpxchg8b");
}
// Later processors gave the F3 and F2 forms of these opcodes another meaning.
bool repeat_is_taken(const InstructionRow& row) {
  if (row.opcode == 0xE0 || row.opcode == 0xE1) return true;
  return row.map != OpcodeMap::OneByte || (row.match & kMatchPrefixes) != 0 || row.opcode == 0x90;
}
bool saves_state(const InstructionRow& row) { return is(row, "fnsave") || is(row, "fxsave") || is(row, "fnstenv"); }

// What only the kernel of the host, or its segments, could answer.
bool excluded(const InstructionRow& row) {
  static constexpr std::string_view kNames[] = {"syscall", "sysret", "sysenter", "int",  "int1", "callf", "jmpf",
                                                "retf",    "iret",   "lar",      "lsl",  "verr", "verw",  "lss",
                                                "lfs",     "lgs",    "sgdt",     "sidt", "sldt", "str",   "smsw"};
  const std::string_view name = row.mnemonic;
  if (std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames)) return true;
  if (std::string_view(row.meaning) == "pop_segment" || operand_is(row, "(Sw")) return true;
  return (row.traits & kTraitNot64) != 0 || !native::not_comparable(row).empty();
}

}  // namespace

u64 wide_value(Random& random) {
  static constexpr u64 kSpecial[] = {0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFF00000000,
                                     0x0000000100000000, 0x8080808080808080, 0xFFFFFFFFFFFFFFFE, 0x00000000FFFFFFFF};
  const u64 bits = random.next();
  if (bits % 4 == 0) return kSpecial[(bits >> 8) % std::size(kSpecial)];
  if (bits % 4 == 1) return random.value();
  if (bits % 4 == 2) return static_cast<u64>(static_cast<i64>(static_cast<i32>(random.value())));
  return random.next() >> (bits >> 8 & 63);
}

u64 interesting_address(Random& random, u32 alignment) {
  const u32 kind = random.below(100);
  u64 address = 0;
  if (kind < 78) {
    address = kWindow + 0x80 + random.below(kWindowSize - 0x100);
  } else if (kind < 86) {
    address = kData + 0x1000 - 20 + random.below(40);  // over the border within the window
  } else if (kind < 93) {
    static constexpr u32 kBorders[] = {kData, kReadOnly, kReadOnly + 0x1000};
    address = random.pick(kBorders) - 16 + random.below(32);
  } else if (kind < 95) {
    address = kReadOnly + random.below(0x1000);
  } else {
    static constexpr u64 kEdges[] = {0x800000000000, 0xFFFF800000000000, 0, 0x8000000000000000, 0x0001000000000000};
    return random.pick(kEdges) - 24 + random.below(48);
  }
  if (random.percent(40)) address += kHigh;
  return random.percent(85) ? address & ~u64{alignment - 1} : address;
}

std::vector<u16> rows_of_group(std::string_view group) {
  std::vector<u16> rows;
  const auto table = instruction_table();
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (!excluded(table[i]) && (group == "all" || native::group_of(table[i]) == group))
      rows.push_back(static_cast<u16>(i));
  }
  return rows;
}

void GuestCode::lay_out() {
  const u64 origin = kCode + slot * kSlotSize;
  bytes.assign(kSlotSize, 0xF4);
  starts.clear();
  undefined.assign(1, 0);
  u32 at = lead;
  bool branches = false;
  for (const Piece& piece : pieces) {
    starts.push_back(origin + at);
    std::copy(piece.bytes.begin(), piece.bytes.end(), bytes.begin() + at);
    at += static_cast<u32>(piece.bytes.size());
    u32 flags = undefined.back();
    if (piece.row != kNoRow) {
      const InstructionRow& row = instruction_table()[piece.row];
      branches = branches || (row.traits & (kTraitBranch | kTraitEndsBlock)) != 0;
      if ((row.traits & kTraitMaybeFlags) == 0 && !branches) flags &= ~row.flags_written;
      flags |= row.undefined.flags;
    }
    undefined.push_back(flags);
  }
  bytes[at++] = 0x90;
  end = origin + at;
  std::vector<u8> leave = {0xFF, 0x24, 0x25};  // JMP [address], aligned
  put(leave, kLeavePointer, 4);
  std::copy(leave.begin(), leave.end(), bytes.begin() + at);
  at += static_cast<u32>(leave.size());
  fill = origin + at;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const Piece& piece = pieces[i];
    const u64 next = starts[i] + piece.bytes.size();
    const auto settle = [&](u64 place, u64 offset, unsigned size) {
      std::vector<u8> field;
      put(field, place - next, size);
      std::copy(field.begin(), field.end(), bytes.begin() + static_cast<std::ptrdiff_t>(starts[i] - origin + offset));
    };
    if (piece.relative_at != 0) settle(piece.relative_place, piece.relative_at, 4);
    if (piece.goal == Goal::Next || piece.goal == Goal::Fill)
      settle(piece.goal == Goal::Next ? next : fill + piece.fill_distance, piece.bytes.size() - piece.target_bytes,
             piece.target_bytes);
  }
}

u32 GuestCode::undefined_at(u64 rip) const {
  for (std::size_t i = 0; i < starts.size(); ++i) {
    if (rip == starts[i]) return undefined[i];
  }
  return undefined.back();
}

std::string GuestCode::listing() const {
  std::string text;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const u64 offset = starts[i] - starts[0] + lead;
    const std::span<const u8> window(bytes.data() + offset, pieces[i].bytes.size());
    std::string hex;
    for (const u8 byte : window) hex += fmt::format("{:02X} ", byte);
    text += fmt::format("  {:08X}  {:<46}{:<40} ; {}\n", starts[i], hex,
                        disassemble(window, starts[i], CodeSize::Bits64, AssemblerSyntax::Intel).text,
                        native::row_name(pieces[i].row));
  }
  return text;
}

CodeGenerator::CodeGenerator(std::vector<u16> rows, FeatureSet features, const VendorDecoding& vendor)
    : rows_(std::move(rows)), decoder_(features, Decoder::Reading::CommonHere, vendor) {}

GuestCode CodeGenerator::make(u32 slot, u64 seed) {
  random_ = Random(seed);
  GuestCode code;
  code.slot = slot;
  code.lead = random_.below(64);
  const u32 wanted = random_.percent(55) ? 1 : 2 + random_.below(3);
  u32 undefined = 0;
  for (u32 tries = 0; code.pieces.size() < wanted && tries < 60; ++tries) append(code, undefined);
  code.lay_out();
  return code;
}

bool CodeGenerator::append(GuestCode& code, u32& undefined) {
  // Nothing may read an image with masked bytes.
  if (!code.pieces.empty() && (!code.pieces.back().masked.empty() || code.pieces.back().masked_registers != 0))
    return false;
  const u16 wanted = random_.pick(rows_);
  if (wanted == kNoRow) return false;
  const InstructionRow& row = instruction_table()[wanted];
  if ((row.flags_read & undefined) != 0) return false;
  Piece piece = encode(row);
  Insn insn;
  std::vector<u8> window = piece.bytes;
  window.resize(kMaxInstructionLength, 0x90);
  if (!decoder_.decode(window, CodeSize::Bits64, insn)) return false;
  // #UD and too long ones end at the same byte for all.
  if (insn.row != kNoRow && (insn.length != piece.bytes.size() || excluded(instruction_table()[insn.row])))
    return false;
  piece.row = insn.row == kNoRow ? wanted : insn.row;
  piece.decoded = insn.row != kNoRow;
  const InstructionRow& found = instruction_table()[piece.row];
  if ((found.flags_read & undefined) != 0) return false;
  if ((found.traits & kTraitMaybeFlags) == 0) undefined &= ~found.flags_written;
  undefined |= found.undefined.flags;
  if (piece.decoded) piece.masked_registers = native::masked_registers(found);
  code.units = code.units || native::uses_units(found);
  code.vectors = code.vectors || native::uses_vectors(found);
  code.pieces.push_back(std::move(piece));
  return true;
}

Piece CodeGenerator::encode(const InstructionRow& row) {
  Piece piece;
  prefixes(row, piece);
  auto& bytes = piece.bytes;
  if (native::has_vex(row)) {
    rex_ = native::put_vex(bytes, random_, row, CodeSize::Bits64);
  } else if (row.map != OpcodeMap::OneByte) {
    bytes.push_back(0x0F);
  }
  if (row.map == OpcodeMap::Escape38) bytes.push_back(0x38);
  if (row.map == OpcodeMap::Escape3A) bytes.push_back(0x3A);
  bytes.push_back(static_cast<u8>(row.opcode + (row.opcode_register ? random_.below(8) : 0)));
  if (row.modrm) modrm(row, piece);
  immediate(row, piece);
  return piece;
}

void CodeGenerator::prefixes(const InstructionRow& row, Piece& piece) {
  auto& bytes = piece.bytes;
  operand66_ = address67_ = false;
  base_ = 0;
  const bool string = (row.traits & kTraitString) != 0;
  if (random_.percent(8)) {
    address67_ = true;
    bytes.push_back(0x67);
  }
  if (random_.percent(8)) {
    static constexpr u8 kOverrides[] = {0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65};
    const u8 override = random_.pick(kOverrides);
    if (override >= 0x64 && !saves_state(row)) base_ = override == 0x64 ? kFsBase : kGsBase;
    if (override < 0x64 || base_ != 0) bytes.push_back(override);
  }
  // On AMD's parts LOCK MOV CR0 is MOV CR8.
  const bool control = row.map == OpcodeMap::TwoByte && row.opcode >= 0x20 && row.opcode <= 0x23;
  if (random_.percent(3) && (row.match & kMatchPrefixes) == 0 && !control) bytes.push_back(0xF0);
  if (string ? random_.percent(60) : random_.percent(1) && !repeat_is_taken(row))
    bytes.push_back(random_.percent(50) ? 0xF2 : 0xF3);
  const bool mandatory = (row.match & kMatchPrefixes) != 0 || (row.traits & kTraitNoOperandPrefix) != 0;
  const bool vex = native::has_vex(row);
  constexpr u32 kRefused = 2;  // percent: #UD before VEX
  if (vex ? random_.percent(kRefused) : !mandatory && random_.percent(14)) {
    operand66_ = true;
    bytes.push_back(0x66);
  }
  // A REX that another prefix follows is none.
  if (random_.percent(vex ? 1 : 3)) bytes.push_back(static_cast<u8>(0x40 | random_.below(16)));
  if (vex) return;
  if ((row.match & kMatch66) != 0) bytes.push_back(0x66);
  if ((row.match & kMatchF3) != 0) bytes.push_back(0xF3);
  if ((row.match & kMatchF2) != 0) bytes.push_back(0xF2);
  rex_ = 0;
  if (random_.percent(75)) {
    rex_ = static_cast<u8>(0x40 | random_.below(16));
    if (random_.percent(40)) rex_ |= 8;
    // The address of a state image must be known: no R12 as index where there is none.
    if (saves_state(row)) rex_ &= 0xFD;
    bytes.push_back(rex_);
  }
}

void CodeGenerator::modrm(const InstructionRow& row, Piece& piece) {
  u8 reg = static_cast<u8>(random_.below(8)), rm = static_cast<u8>(random_.below(8));
  bool memory = random_.percent(50);
  if ((row.match & kMatchReg) != 0) reg = row.match & 7;
  if ((row.match & kMatchRegister) != 0) memory = false;
  if ((row.match & kMatchMemory) != 0) memory = true;
  if ((row.match & kMatchRm) != 0) rm = row.match >> 4 & 7;
  auto& bytes = piece.bytes;
  if (!memory) {
    bytes.push_back(static_cast<u8>(0xC0 | reg << 3 | rm));
    return;
  }
  u64 linear = interesting_address(random_, wants_alignment(row) ? 16 : 4);
  // Where the pointers of a state image go must be known: no base register.
  const bool saves = saves_state(row);
  if (saves) {
    linear = kWindow + (random_.below(kWindowSize - 512) & ~15u);
    piece.masked_place = linear;
    if (is(row, "fxsave"))
      piece.masked = {{6, 23}, {28, 31}};
    else
      piece.masked = {{6, 27}};
  }
  const u32 kind = random_.below(base_ != 0 ? 40 : 100);
  // Of a segment with a base: the offset in it.
  const u64 offset = base_ != 0 ? static_cast<u32>(linear) - static_cast<u32>(base_) : linear;
  if (kind < 20 || (saves && kind < 50)) {  // RIP-relative
    bytes.push_back(static_cast<u8>(reg << 3 | 5));
    piece.relative_at = static_cast<u8>(bytes.size());
    piece.relative_place = static_cast<u32>(offset);
    put(bytes, 0, 4);
    return;
  }
  if (saves || kind < 35) {  // absolute: SIB without base and index
    bytes.push_back(static_cast<u8>(reg << 3 | 4));
    bytes.push_back(0x25);
    put(bytes, offset, 4);
    return;
  }
  const u8 mod = random_.percent(80) ? 1 : random_.percent(70) ? 0 : 2;
  const bool indexed = random_.percent(30);
  bytes.push_back(static_cast<u8>(mod << 6 | reg << 3 | (indexed ? 4 : rm)));
  u8 low = rm;
  if (indexed || rm == 4) {
    static constexpr u8 kIndexes[] = {kEax, kEcx, kEdx, 4, 4, 4, 6};
    bytes.push_back(static_cast<u8>(random_.below(4) << 6 | random_.pick(kIndexes) << 3 | low));
  }
  if (mod == 1) put(bytes, random_.percent(50) ? random_.number() & 0x7C : random_.number(), 1);
  if (mod == 2) put(bytes, random_.percent(70) ? random_.below(64) : linear, 4);
  if (mod == 0 && low == 5) put(bytes, linear, 4);
}

void CodeGenerator::immediate(const InstructionRow& row, Piece& piece) {
  auto& bytes = piece.bytes;
  const bool wide = !operand66_ || (rex_ & 8) != 0;
  const auto target = [&](u8 size) {
    piece.target_bytes = size;
    piece.goal = random_.percent(45) ? Goal::Next : Goal::Fill;
    piece.fill_distance = static_cast<u8>(random_.below(native::kSlotSize / 8));
    if (size >= 4 && random_.percent(6)) piece.goal = Goal::Wild;
    put(bytes, piece.goal == Goal::Wild ? 0x1000000u + random_.below(0x1000000) : 0, size);
  };
  switch (row.immediate) {
    case ImmediateKind::None:
    case ImmediateKind::FarPointer: break;
    case ImmediateKind::Byte:
    case ImmediateKind::SignedByte: put(bytes, random_.value(), 1); break;
    case ImmediateKind::Word: put(bytes, random_.percent(80) ? random_.below(64) & ~1u : random_.value(), 2); break;
    case ImmediateKind::OperandSize: put(bytes, random_.value(), wide ? 4 : 2); break;
    case ImmediateKind::OperandFull: put(bytes, wide_value(random_), (rex_ & 8) != 0 ? 8 : wide ? 4 : 2); break;
    case ImmediateKind::RelativeByte: target(1); break;
    // Some parts take 66 for an operand size of 16: the decoder says which length is right.
    case ImmediateKind::RelativeFull: target(!wide && random_.percent(50) ? 2 : 4); break;
    case ImmediateKind::Offset: put(bytes, interesting_address(random_, 4), address67_ ? 4 : 8); break;
    case ImmediateKind::BytePair: put(bytes, random_.next(), 2); break;
    case ImmediateKind::WordByte:
      put(bytes, random_.percent(85) ? random_.below(128) : random_.value(), 2);
      put(bytes, random_.percent(60) ? random_.below(4) : random_.value(), 1);
      break;
  }
}

}  // namespace relic86::native64
