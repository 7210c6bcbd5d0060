#include "cpu/decoder.h"

#include <Zydis/Zydis.h>

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "cpu/cpu.h"
#include "cpu/locked_access.h"
#include "cpu/vendor_behaviour.h"

namespace relic86 {

namespace {

Flow raise_undefined(Cpu& cpu, const Insn&) { return cpu.raise(Vector::InvalidOpcode); }
Flow raise_too_long(Cpu& cpu, const Insn&) { return cpu.raise(Vector::GeneralProtection, 0); }

struct Prefixes {
  unsigned count = 0;
  bool operand_size = false;
  bool address_size = false;
  bool lock = false;
  u8 repeat = 0;      // F3, F2 (the last one), or 0
  u8 segment = 0xFF;  // SegmentName of the last override
  u8 rex = 0;         // 40h to 4Fh right before the opcode, or 0; a VEX prefix has the same four bits
  bool vex = false;

  enum RexBits : u8 { kRexB = 1, kRexX = 2, kRexR = 4, kRexW = 8 };
  // The fourth bit of a register's number.
  u8 extension(RexBits bit) const { return (rex & bit) != 0 ? 8 : 0; }
};

// False when the byte is no prefix.
bool take_prefix(u8 byte, CodeSize size, Prefixes& prefixes) {
  if (size == CodeSize::Bits64) {
    // Counts only right before the opcode (SDM 2 2.2.1): any later prefix drops it.
    prefixes.rex = (byte & 0xF0) == 0x40 ? byte : 0;
    if (prefixes.rex != 0) return ++prefixes.count, true;
  }
  switch (byte) {
    case 0x66: prefixes.operand_size = true; break;
    case 0x67: prefixes.address_size = true; break;
    case 0xF0: prefixes.lock = true; break;
    case 0xF2:
    case 0xF3: prefixes.repeat = byte; break;
    // ES, CS, SS and DS are no overrides in 64-bit mode (SDM 1 3.4.2.1).
    case 0x26:
    case 0x2E:
    case 0x36:
    case 0x3E:
      if (size != CodeSize::Bits64) prefixes.segment = byte >> 3 & 3;
      break;
    case 0x64: prefixes.segment = kFs; break;
    case 0x65: prefixes.segment = kGs; break;
    default: return false;
  }
  ++prefixes.count;
  return true;
}

enum class Outcome : u8 { Found, Undefined, TooLong, NeedMore };

// Reads prefixes, opcode and ModRM, no byte more than a processor needs to know that a form does not exist (0F FF and
// 62 C0 are #UD even at the end of the last mapped page).
class Front {
 public:
  Front(std::span<const u8> window, CodeSize size, FeatureSet features, const VendorDecoding& vendor)
      : window_(window), size_(size), features_(features), vendor_(vendor) {}

  Outcome run() {
    u8 byte = 0;
    u8 rex = 0;
    do {
      rex = prefixes.rex;
      if (!next(byte)) return short_outcome();
    } while (take_prefix(byte, size_, prefixes));
    prefixes.rex = rex;
    if (is_vex(byte)) return run_vex(byte);
    if (byte == 0x0F) {
      encoding.map = OpcodeMap::TwoByte;
      if (!next(byte)) return short_outcome();
      if (byte == 0x38 || byte == 0x3A) {
        encoding.map = byte == 0x38 ? OpcodeMap::Escape38 : OpcodeMap::Escape3A;
        if (!next(byte)) return short_outcome();
      }
    }
    encoding.prefix66 = prefixes.operand_size;
    encoding.prefix_f3 = prefixes.repeat == 0xF3;
    encoding.prefix_f2 = prefixes.repeat == 0xF2;
    // Rows that look at it are those of 90h alone: NOP and PAUSE, and XCHG with R8.
    const bool ignored = encoding.prefix_f3 && vendor_.pause_ignores_rex_b;
    encoding.rex_b = (prefixes.rex & Prefixes::kRexB) != 0 && !ignored;
    return run_opcode(byte);
  }

  Prefixes prefixes;
  Encoding encoding;
  u16 row = kNoRow;
  u8 modrm = 0;
  bool has_modrm = false;
  std::size_t used = 0;

 private:
  // C4 and C5 are LES and LDS outside of 64-bit mode, unless what would be their ModRM byte names a register (SDM 2
  // 2.3.5.4). The handlers refuse VEX in real-address and virtual-8086 mode: both forms are #UD there.
  bool is_vex(u8 byte) const {
    constexpr FeatureSet kWithVex = feature_bit(Feature::Avx) | feature_bit(Feature::Bmi1) | feature_bit(Feature::Bmi2);
    if ((byte != 0xC4 && byte != 0xC5) || (features_ & kWithVex) == 0) return false;
    return size_ == CodeSize::Bits64 || (used < window_.size() && window_[used] >= 0xC0);
  }

  // VPEXTRD and VPINSRD, which with VEX.W are VPEXTRQ and VPINSRQ.
  static bool is_dword_extract(OpcodeMap map, u8 opcode) {
    constexpr u8 kExtract = 0x16, kInsert = 0x22;
    return map == OpcodeMap::Vex3A && (opcode == kExtract || opcode == kInsert);
  }

  // SDM 2 2.3.5: R, X, B and vvvv are stored inverted. Without 64-bit registers B and vvvv's highest bit are ignored.
  Outcome run_vex(u8 first) {
    // #UD behind 66, F2, F3, LOCK and REX (SDM 2 2.3.2 to 2.3.4).
    if (prefixes.operand_size || prefixes.repeat != 0 || prefixes.lock || prefixes.rex != 0) return Outcome::Undefined;
    constexpr u8 kTwoByteMap = 1, kLastMap = 3, kMapMask = 0x1F, kInvertedR = 0x80;
    u8 map = kTwoByteMap, registers = 0, last = 0;
    if (first == 0xC4) {
      u8 byte = 0;
      if (!next(byte)) return short_outcome();
      map = byte & kMapMask;
      if (map < kTwoByteMap || map > kLastMap) return Outcome::Undefined;
      registers = static_cast<u8>(~byte >> 5 & 7);  // R, X, B: the places of REX's
      if (!next(last)) return short_outcome();
      encoding.vex_w = (last & 0x80) != 0;
    } else {
      if (!next(last)) return short_outcome();
      if ((last & kInvertedR) == 0) registers = Prefixes::kRexR;
    }
    prefixes.vex = true;
    encoding.vex_l = (last & 4) != 0;
    encoding.vex_register = static_cast<u8>(~last >> 3 & 15);
    if (size_ == CodeSize::Bits64) {
      constexpr u8 kPresent = 0x40;
      prefixes.rex = static_cast<u8>(kPresent | registers | (encoding.vex_w ? u8{Prefixes::kRexW} : u8{0}));
    } else {
      encoding.vex_register &= 7;
    }
    encoding.map = static_cast<OpcodeMap>(static_cast<u8>(OpcodeMap::VexTwoByte) + map - kTwoByteMap);
    const u8 implied = last & 3;  // pp
    encoding.prefix66 = implied == 1;
    encoding.prefix_f3 = implied == 2;
    encoding.prefix_f2 = implied == 3;
    u8 opcode = 0;
    if (!next(opcode)) return short_outcome();
    if (size_ != CodeSize::Bits64 && vendor_.extract_ignores_w && is_dword_extract(encoding.map, opcode))
      encoding.vex_w = false;
    return run_opcode(opcode);
  }

  Outcome run_opcode(u8 opcode) {
    encoding.opcode = opcode;
    const OpcodeShape shape = opcode_shape(size_, encoding.map, encoding.opcode, features_);
    if (!shape.exists) return Outcome::Undefined;
    if (shape.modrm) {
      if (!next(modrm)) return short_outcome();
      encoding.reg = (modrm >> 3) & 7;
      encoding.rm = modrm & 7;
      encoding.memory = modrm < 0xC0;
    }
    has_modrm = shape.modrm;
    row = find_row(size_, encoding, features_);
    return row == kNoRow ? Outcome::Undefined : Outcome::Found;
  }

  bool next(u8& byte) {
    if (used >= window_.size()) return false;
    byte = window_[used++];
    return true;
  }
  Outcome short_outcome() const {
    return window_.size() >= kMaxInstructionLength ? Outcome::TooLong : Outcome::NeedMore;
  }

  std::span<const u8> window_;
  CodeSize size_;
  FeatureSet features_;
  const VendorDecoding& vendor_;
};

// What follows the ModRM byte.
struct Tail {
  u8 length = 0;                      // of the whole instruction
  u8 scale = 0, index = 0, base = 0;  // of the SIB byte
  i64 displacement = 0;
  u64 immediate[2] = {};
};

// Effective operand size in bytes.
unsigned operand_size(const Front& front, const InstructionRow& row, CodeSize size, const VendorDecoding& vendor) {
  const bool prefix = front.prefixes.operand_size && (row.traits & kTraitNoOperandPrefix) == 0;
  if (size != CodeSize::Bits64) return (size == CodeSize::Bits32) != prefix ? 4 : 2;
  if ((front.prefixes.rex & Prefixes::kRexW) != 0) return 8;
  if ((row.traits & kTraitNear64) != 0) return prefix && vendor.narrows_near_branches ? 2 : 8;
  if (prefix) return 2;
  return (row.traits & kTraitDefault64) != 0 ? 8 : 4;
}
// Effective address size in bytes.
unsigned address_size(const Front& front, CodeSize size) {
  if (size == CodeSize::Bits64) return front.prefixes.address_size ? 4 : 8;
  return (size == CodeSize::Bits32) != front.prefixes.address_size ? 4 : 2;
}

// Forms that have one shape on every processor: integer instructions without LOCK and repeat prefix, and those with a
// VEX prefix.
bool is_common(const Front& front, CodeSize size) {
  if (front.prefixes.vex) return true;
  if (front.prefixes.lock || front.prefixes.repeat != 0) return false;
  const u8 opcode = front.encoding.opcode, reg = front.encoding.reg;
  const auto within = [opcode](u8 first, u8 last) { return opcode >= first && opcode <= last; };
  if (front.encoding.map == OpcodeMap::TwoByte) {
    return within(0x40, 0x4F) || within(0x80, 0x9F) || opcode == 0xAF || within(0xB6, 0xB7) || within(0xBE, 0xBF);
  }
  if (front.encoding.map != OpcodeMap::OneByte) return false;
  switch (opcode) {
    case 0x8D:
    case 0xC4:
    case 0xC5: return opcode == 0x8D && front.encoding.memory;
    case 0xC6:
    case 0xC7: return reg == 0;
    case 0xFE: return reg < 2;
    case 0xFF: return reg < 7 && reg != 3 && reg != 5;
    default: break;
  }
  return (opcode < 0x40 && (opcode & 7) < 6) || within(0x40, 0x5F) || within(0x68, 0x6B) || within(0x70, 0x81) ||
         within(0x83, 0x8B) || within(0x90, 0x99) || within(0xA0, 0xA3) || within(0xA8, 0xA9) || within(0xB0, 0xC3) ||
         (opcode == 0x63 && size == CodeSize::Bits64) || opcode == 0xC9 || within(0xD0, 0xD3) || within(0xE0, 0xE3) ||
         within(0xE8, 0xE9) || opcode == 0xEB || within(0xF6, 0xF7);
}

// The tail of a common form. False: it is none, or the window ends before it does.
class TailReader {
 public:
  TailReader(std::span<const u8> window, std::size_t at) : window_(window), at_(at) {}

  bool run(const Front& front, const InstructionRow& row, CodeSize size, unsigned operand, Tail& tail) {
    if (!is_common(front, size)) return false;
    const unsigned address = address_size(front, size);
    if (front.has_modrm && front.encoding.memory) {
      const u8 mod = front.modrm >> 6;
      const bool wide = address != 2;
      unsigned bytes = mod == 1 ? 1 : mod == 2 ? (wide ? 4 : 2) : 0;
      if (wide) {
        u8 base = front.encoding.rm;
        if (base == 4) {
          const u8 sib = static_cast<u8>(take(1));
          tail.scale = sib >> 6;
          tail.index = sib >> 3 & 7;
          tail.base = base = sib & 7;
        }
        if (mod == 0 && base == 5) bytes = 4;
      } else if (mod == 0 && front.encoding.rm == 6) {
        bytes = 2;
      }
      const u64 raw = take(bytes);
      tail.displacement = bytes == 1   ? static_cast<i8>(raw)
                          : bytes == 2 ? static_cast<i16>(raw)
                                       : static_cast<i32>(raw);
    }
    const unsigned full = std::min(operand, 4u);
    switch (row.immediate) {
      case ImmediateKind::None: break;
      case ImmediateKind::Offset: tail.displacement = static_cast<i64>(take(address)); break;
      case ImmediateKind::Byte:
      case ImmediateKind::SignedByte:
      case ImmediateKind::RelativeByte: tail.immediate[0] = take(1); break;
      case ImmediateKind::Word: tail.immediate[0] = take(2); break;
      case ImmediateKind::OperandSize:
      case ImmediateKind::RelativeFull: tail.immediate[0] = take(full); break;
      case ImmediateKind::OperandFull: tail.immediate[0] = take(operand); break;
      case ImmediateKind::FarPointer:
      case ImmediateKind::BytePair:
      case ImmediateKind::WordByte: return false;
    }
    tail.length = static_cast<u8>(at_);
    return at_ <= window_.size();
  }

 private:
  // Beyond the window there are zeros: run() says so at the end.
  u64 take(unsigned bytes) {
    u64 value = 0;
    for (unsigned i = 0; i < bytes; ++i, ++at_) {
      if (at_ < window_.size()) value |= u64{window_[at_]} << (8 * i);
    }
    return value;
  }

  std::span<const u8> window_;
  std::size_t at_;
};

void set_address16(Insn& insn, u8 mod, u8 rm) {
  constexpr u8 kBase[8] = {kEbx, kEbx, kEbp, kEbp, kEsi, kEdi, kEbp, kEbx};
  constexpr u8 kIndex[8] = {kEsi, kEdi, kEsi, kEdi, kNoRegister, kNoRegister, kNoRegister, kNoRegister};
  if (mod == 0 && rm == 6) return;  // disp16 alone
  insn.base = kBase[rm];
  insn.index = kIndex[rm];
}

// What selects a form (SIB, disp32) are the three bits of ModRM and SIB, REX or not; only an index of 4 is one with
// REX.X (SDM 2 2.2.1.2).
void set_address32(Insn& insn, u8 mod, u8 rm, const Tail& tail, const Prefixes& prefixes, bool vector_index) {
  const u8 b = prefixes.extension(Prefixes::kRexB);
  if (rm != 4) {
    if (mod == 0 && rm == 5) {  // disp32 alone, in 64-bit mode from RIP
      if (insn.code64()) insn.base = kRipRegister;
      return;
    }
    insn.base = rm | b;
    return;
  }
  if (!(mod == 0 && tail.base == 5)) insn.base = tail.base | b;
  const u8 index = tail.index | prefixes.extension(Prefixes::kRexX);
  if (index != 4 || vector_index) {
    insn.index = index;
    insn.scale = tail.scale;
  }
}

// Gathers: destination, indices and mask are three registers, and the address has no 16-bit form (SDM 2, VPGATHERDD).
bool is_gather_undefined(const Front& front, const Tail& tail, unsigned address) {
  const u8 index = tail.index | front.prefixes.extension(Prefixes::kRexX);
  const u8 reg = front.encoding.reg | front.prefixes.extension(Prefixes::kRexR), mask = front.encoding.vex_register;
  return address == 2 || reg == index || reg == mask || index == mask;
}

// The low `bytes` of value, sign-extended to 64 bits in 64-bit code, else to 32.
u64 sign_extended(const Insn& insn, u64 value, unsigned bytes) {
  const unsigned shift = 64 - 8 * bytes;
  const u64 wide = static_cast<u64>(static_cast<i64>(value << shift) >> shift);
  return insn.code64() ? wide : static_cast<u32>(wide);
}

void set_immediate(Insn& insn, ImmediateKind kind, const Tail& tail) {
  const auto [first, second] = tail.immediate;
  const unsigned full = insn.operand32() ? 4 : 2;
  constexpr unsigned kSecondShift = 32;
  switch (kind) {
    case ImmediateKind::None:
    case ImmediateKind::Offset: break;
    case ImmediateKind::Byte: insn.immediate = static_cast<u8>(first); break;
    case ImmediateKind::SignedByte:
    case ImmediateKind::RelativeByte: insn.immediate = sign_extended(insn, first, 1); break;
    case ImmediateKind::Word: insn.immediate = static_cast<u16>(first); break;
    case ImmediateKind::OperandSize:
      insn.immediate = insn.operand32() ? sign_extended(insn, first, 4) : static_cast<u16>(first);
      break;
    case ImmediateKind::OperandFull:
      insn.immediate = insn.operand64() ? first : insn.operand32() ? static_cast<u32>(first) : static_cast<u16>(first);
      break;
    case ImmediateKind::RelativeFull: insn.immediate = sign_extended(insn, first, full); break;
    case ImmediateKind::FarPointer:
      insn.immediate = (insn.operand32() ? static_cast<u32>(first) : static_cast<u16>(first)) |
                       u64{static_cast<u16>(second)} << kSecondShift;
      break;
    case ImmediateKind::WordByte:
      insn.immediate = static_cast<u16>(first) | u64{static_cast<u8>(second)} << kSecondShift;
      break;
    case ImmediateKind::BytePair:
      insn.immediate = static_cast<u8>(first) | u64{static_cast<u8>(second)} << kSecondShift;
      break;
  }
}

void fill(Insn& insn, const Front& front, const InstructionRow& row, const Tail& tail) {
  const Prefixes& prefixes = front.prefixes;
  insn.reg = front.has_modrm       ? front.encoding.reg
             : row.opcode_register ? front.encoding.opcode & 7
                                   : (front.encoding.opcode >> 3) & 7;
  insn.rm = front.encoding.rm;
  insn.vex_register = front.encoding.vex_register;
  if (prefixes.rex != 0) {
    if (front.has_modrm && !row.eight_by_reg) insn.reg |= prefixes.extension(Prefixes::kRexR);
    if (row.opcode_register) insn.reg |= prefixes.extension(Prefixes::kRexB);
    if (!row.eight_by_rm) insn.rm |= prefixes.extension(Prefixes::kRexB);
  }
  insn.segment = kDs;
  if (front.has_modrm && front.encoding.memory) {
    insn.flags |= kInsnMemory;
    const u8 mod = front.modrm >> 6;
    if (insn.address32()) {
      set_address32(insn, mod, front.encoding.rm, tail, prefixes, (row.shape & kShapeVsib) != 0);
    } else {
      set_address16(insn, mod, front.encoding.rm);
    }
    insn.displacement = sign_extended(insn, static_cast<u64>(tail.displacement), 4);
    if (insn.base == kRipRegister) insn.displacement += insn.length;
    if (insn.base == kEsp || insn.base == kEbp) insn.segment = kSs;
  } else if (row.immediate == ImmediateKind::Offset) {
    insn.flags |= kInsnMemory;
    const u64 offset = static_cast<u64>(tail.displacement);
    insn.displacement = insn.address64() ? offset : offset & insn.address_mask;
  }
  if (prefixes.segment != 0xFF) insn.segment = prefixes.segment;
  set_immediate(insn, row.immediate, tail);
  if (row.map == OpcodeMap::OneByte && (row.opcode & 0xF8) == 0xD8) insn.immediate = u64{front.modrm} << 32;
}

}  // namespace

struct Decoder::Engine {
  std::array<ZydisDecoder, 3> by_size;

  Outcome read(std::span<const u8> window, CodeSize size, Tail& tail) const {
    ZydisDecodedInstruction decoded{};
    const ZydisDecoder& decoder = by_size[static_cast<std::size_t>(size)];
    const ZyanStatus status = ZydisDecoderDecodeInstruction(&decoder, nullptr, window.data(), window.size(), &decoded);
    if (status == ZYDIS_STATUS_NO_MORE_DATA)
      return window.size() >= kMaxInstructionLength ? Outcome::TooLong : Outcome::NeedMore;
    if (status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG) return Outcome::TooLong;
    if (!ZYAN_SUCCESS(status)) return Outcome::Undefined;
    const auto& raw = decoded.raw;
    tail = {decoded.length, raw.sib.scale, raw.sib.index, raw.sib.base, raw.disp.value, {}};
    tail.immediate[0] = raw.imm[0].value.u;
    tail.immediate[1] = raw.imm[1].value.u;
    return Outcome::Found;
  }
};

VendorDecoding VendorDecoding::of(const VendorBehaviour& vendor) {
  return {.narrows_near_branches = vendor.narrows_near_branches,
          .pause_ignores_rex_b = vendor.pause_ignores_rex_b,
          .extract_ignores_w = vendor.extract_ignores_w};
}

Decoder::Decoder(FeatureSet features, Reading reading, const VendorDecoding& vendor)
    : features_(features), reading_(reading), vendor_(vendor), engine_(std::make_unique<Engine>()) {
  struct Shape {
    ZydisMachineMode mode;
    ZydisStackWidth stack;
  };
  constexpr Shape kShapes[] = {{ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16},
                               {ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32},
                               {ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64}};
  for (std::size_t i = 0; i < engine_->by_size.size(); ++i) {
    ZydisDecoder& decoder = engine_->by_size[i];
    const bool good = ZYAN_SUCCESS(ZydisDecoderInit(&decoder, kShapes[i].mode, kShapes[i].stack));
    RELIC86_ASSERT(good);
    // Later extensions that give old encodings (hint NOPs, BSF with F3, WBINVD with F3) another shape.
    for (const auto mode : {ZYDIS_DECODER_MODE_MPX, ZYDIS_DECODER_MODE_CET, ZYDIS_DECODER_MODE_LZCNT,
                            ZYDIS_DECODER_MODE_TZCNT, ZYDIS_DECODER_MODE_WBNOINVD, ZYDIS_DECODER_MODE_CLDEMOTE,
                            ZYDIS_DECODER_MODE_KNC, ZYDIS_DECODER_MODE_AMD_BRANCHES}) {
      ZydisDecoderEnableMode(&decoder, mode, ZYAN_FALSE);
    }
    if (vendor.narrows_near_branches) ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_AMD_BRANCHES, ZYAN_TRUE);
  }
}

Decoder::~Decoder() = default;

bool Decoder::decode(std::span<const u8> window, CodeSize size, Insn& insn) const {
  if (window.size() > kMaxInstructionLength) window = window.first(kMaxInstructionLength);
  insn = Insn{};
  insn.row = kNoRow;
  Front front(window, size, features_, vendor_);
  Outcome outcome = front.run();
  Tail tail;
  unsigned operand = 0;
  if (outcome == Outcome::Found) {
    const InstructionRow& row = instruction_table()[front.row];
    operand = operand_size(front, row, size, vendor_);
    if (!(reading_ == Reading::CommonHere && TailReader(window, front.used).run(front, row, size, operand, tail)))
      outcome = engine_->read(window, size, tail);
    if (outcome == Outcome::Found && (row.shape & kShapeVsib) != 0 &&
        is_gather_undefined(front, tail, address_size(front, size)))
      outcome = Outcome::Undefined;
  }
  switch (outcome) {
    case Outcome::NeedMore: return false;
    case Outcome::TooLong:
      insn.handler = raise_too_long;
      insn.length = kMaxInstructionLength;
      return true;
    case Outcome::Undefined:
      insn.handler = raise_undefined;
      insn.length = static_cast<u8>(std::max<std::size_t>(front.used, 1));
      return true;
    case Outcome::Found: break;
  }

  const InstructionRow& row = instruction_table()[front.row];
  insn.length = tail.length;
  const unsigned address = address_size(front, size);
  if (operand >= 4) insn.flags |= kInsnOperand32;
  if (address >= 4)
    insn.flags |= kInsnAddress32;
  else
    insn.address_mask = 0xFFFF;
  if (size == CodeSize::Bits64) {
    insn.flags |= kInsnCode64;
    if (operand == 8) insn.flags |= kInsnOperand64;
    if (address == 8) insn.flags |= kInsnAddress64;
    if (front.prefixes.rex != 0 && !front.prefixes.vex) insn.flags |= kInsnRex;
  }
  if (front.prefixes.repeat == 0xF3) insn.flags |= kInsnRep;
  if (front.prefixes.repeat == 0xF2) insn.flags |= kInsnRepne;
  if (front.prefixes.vex) insn.flags |= kInsnVex;
  if (front.encoding.vex_l) insn.flags |= kInsnVector256;
  fill(insn, front, row, tail);
  if (front.prefixes.lock) {
    insn.flags |= kInsnLock;
    if (!insn.memory() || (row.traits & kTraitLockable) == 0) {
      insn.handler = raise_undefined;
      return true;
    }
  }
  insn.row = front.row;
  insn.handler = handlers_of(front.row).of(insn);
  if (atomic_locks_ && locks_memory(insn)) insn.handler = carry_out_locked;
  return true;
}

bool ends_block(const Insn& insn) {
  return insn.row == kNoRow || (instruction_table()[insn.row].traits & kTraitEndsBlock) != 0;
}

}  // namespace relic86
