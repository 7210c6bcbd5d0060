#include "cpu/decoder.h"

#include <Zydis/Zydis.h>

#include <algorithm>

#include "base/assert.h"
#include "cpu/cpu.h"

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
};

// False when the byte is no prefix.
bool take_prefix(u8 byte, Prefixes& prefixes) {
  switch (byte) {
    case 0x66: prefixes.operand_size = true; break;
    case 0x67: prefixes.address_size = true; break;
    case 0xF0: prefixes.lock = true; break;
    case 0xF2:
    case 0xF3: prefixes.repeat = byte; break;
    case 0x26: prefixes.segment = kEs; break;
    case 0x2E: prefixes.segment = kCs; break;
    case 0x36: prefixes.segment = kSs; break;
    case 0x3E: prefixes.segment = kDs; break;
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
  Front(std::span<const u8> window, FeatureSet features) : window_(window), features_(features) {}

  Outcome run() {
    u8 byte = 0;
    do {
      if (!next(byte)) return short_outcome();
    } while (take_prefix(byte, prefixes));
    if (byte == 0x0F) {
      encoding.map = OpcodeMap::TwoByte;
      if (!next(byte)) return short_outcome();
      if (byte == 0x38 || byte == 0x3A) {
        encoding.map = byte == 0x38 ? OpcodeMap::Escape38 : OpcodeMap::Escape3A;
        if (!next(byte)) return short_outcome();
      }
    }
    encoding.opcode = byte;
    encoding.prefix66 = prefixes.operand_size;
    encoding.prefix_f3 = prefixes.repeat == 0xF3;
    encoding.prefix_f2 = prefixes.repeat == 0xF2;
    const OpcodeShape shape = opcode_shape(encoding.map, encoding.opcode, features_);
    if (!shape.exists) return Outcome::Undefined;
    if (shape.modrm) {
      if (!next(modrm)) return short_outcome();
      encoding.reg = (modrm >> 3) & 7;
      encoding.rm = modrm & 7;
      encoding.memory = modrm < 0xC0;
    }
    has_modrm = shape.modrm;
    row = find_row(encoding, features_);
    return row == kNoRow ? Outcome::Undefined : Outcome::Found;
  }

  Prefixes prefixes;
  Encoding encoding;
  u16 row = kNoRow;
  u8 modrm = 0;
  bool has_modrm = false;
  std::size_t used = 0;

 private:
  bool next(u8& byte) {
    if (used >= window_.size()) return false;
    byte = window_[used++];
    return true;
  }
  Outcome short_outcome() const {
    return window_.size() >= kMaxInstructionLength ? Outcome::TooLong : Outcome::NeedMore;
  }

  std::span<const u8> window_;
  FeatureSet features_;
};

// What follows the ModRM byte.
struct Tail {
  u8 length = 0;                      // of the whole instruction
  u8 scale = 0, index = 0, base = 0;  // of the SIB byte
  i64 displacement = 0;
  u64 immediate[2] = {};
};

bool operand_is_32(const Front& front, const InstructionRow& row, bool code32) {
  const bool toggle = front.prefixes.operand_size && (row.traits & kTraitNoOperandPrefix) == 0;
  return code32 != toggle;
}

// Forms that have one shape on every processor: integer instructions without LOCK and repeat prefix.
bool is_common(const Front& front) {
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
         opcode == 0xC9 || within(0xD0, 0xD3) || within(0xE0, 0xE3) || within(0xE8, 0xE9) || opcode == 0xEB ||
         within(0xF6, 0xF7);
}

// The tail of a common form. False: it is none, or the window ends before it does.
class TailReader {
 public:
  TailReader(std::span<const u8> window, std::size_t at) : window_(window), at_(at) {}

  bool run(const Front& front, const InstructionRow& row, bool code32, Tail& tail) {
    if (!is_common(front)) return false;
    const bool address32 = code32 != front.prefixes.address_size;
    if (front.has_modrm && front.encoding.memory) {
      const u8 mod = front.modrm >> 6;
      unsigned bytes = mod == 1 ? 1 : mod == 2 ? (address32 ? 4 : 2) : 0;
      if (address32) {
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
    const unsigned full = operand_is_32(front, row, code32) ? 4 : 2;
    switch (row.immediate) {
      case ImmediateKind::None: break;
      case ImmediateKind::Offset: tail.displacement = static_cast<i64>(take(address32 ? 4 : 2)); break;
      case ImmediateKind::Byte:
      case ImmediateKind::SignedByte:
      case ImmediateKind::RelativeByte: tail.immediate[0] = take(1); break;
      case ImmediateKind::Word: tail.immediate[0] = take(2); break;
      case ImmediateKind::OperandSize:
      case ImmediateKind::RelativeFull: tail.immediate[0] = take(full); break;
      case ImmediateKind::FarPointer:
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

void set_address32(Insn& insn, u8 mod, u8 rm, const Tail& tail) {
  if (rm != 4) {
    if (mod == 0 && rm == 5) return;  // disp32 alone
    insn.base = rm;
    return;
  }
  if (!(mod == 0 && tail.base == 5)) insn.base = tail.base;
  if (tail.index != 4) {
    insn.index = tail.index;
    insn.scale = tail.scale;
  }
}

void set_immediate(Insn& insn, ImmediateKind kind, const Tail& tail) {
  const auto [first, second] = tail.immediate;
  const auto from_byte = static_cast<u32>(static_cast<i32>(static_cast<i8>(first)));
  const auto from_word = static_cast<u32>(static_cast<i32>(static_cast<i16>(first)));
  switch (kind) {
    case ImmediateKind::None:
    case ImmediateKind::Offset: break;
    case ImmediateKind::Byte: insn.immediate = static_cast<u8>(first); break;
    case ImmediateKind::SignedByte:
    case ImmediateKind::RelativeByte: insn.immediate = from_byte; break;
    case ImmediateKind::Word: insn.immediate = static_cast<u16>(first); break;
    case ImmediateKind::OperandSize:
      insn.immediate = insn.operand32() ? static_cast<u32>(first) : static_cast<u16>(first);
      break;
    case ImmediateKind::RelativeFull: insn.immediate = insn.operand32() ? static_cast<u32>(first) : from_word; break;
    case ImmediateKind::FarPointer:
      insn.immediate = insn.operand32() ? static_cast<u32>(first) : static_cast<u16>(first);
      insn.immediate2 = static_cast<u16>(second);
      break;
    case ImmediateKind::WordByte:
      insn.immediate = static_cast<u16>(first);
      insn.immediate2 = static_cast<u8>(second);
      break;
  }
}

void fill(Insn& insn, const Front& front, const InstructionRow& row, const Tail& tail) {
  insn.reg = front.has_modrm       ? front.encoding.reg
             : row.opcode_register ? front.encoding.opcode & 7
                                   : (front.encoding.opcode >> 3) & 7;
  insn.rm = front.encoding.rm;
  insn.segment = kDs;
  if (front.has_modrm && front.encoding.memory) {
    insn.flags |= kInsnMemory;
    const u8 mod = front.modrm >> 6;
    if (insn.address32()) {
      set_address32(insn, mod, front.encoding.rm, tail);
    } else {
      set_address16(insn, mod, front.encoding.rm);
    }
    insn.displacement = static_cast<u32>(tail.displacement);
    if (insn.base == kEsp || insn.base == kEbp) insn.segment = kSs;
  } else if (row.immediate == ImmediateKind::Offset) {
    insn.flags |= kInsnMemory;
    insn.displacement = static_cast<u32>(tail.displacement) & insn.address_mask;
  }
  if (front.prefixes.segment != 0xFF) insn.segment = front.prefixes.segment;
  set_immediate(insn, row.immediate, tail);
  if (row.map == OpcodeMap::OneByte && (row.opcode & 0xF8) == 0xD8) insn.immediate2 = front.modrm;
}

}  // namespace

struct Decoder::Engine {
  ZydisDecoder code16;
  ZydisDecoder code32;

  Outcome read(std::span<const u8> window, bool wide, Tail& tail) const {
    ZydisDecodedInstruction decoded{};
    const ZyanStatus status =
        ZydisDecoderDecodeInstruction(wide ? &code32 : &code16, nullptr, window.data(), window.size(), &decoded);
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

Decoder::Decoder(FeatureSet features, Reading reading)
    : features_(features), reading_(reading), engine_(std::make_unique<Engine>()) {
  for (const bool wide : {false, true}) {
    ZydisDecoder& decoder = wide ? engine_->code32 : engine_->code16;
    const bool good =
        ZYAN_SUCCESS(ZydisDecoderInit(&decoder, wide ? ZYDIS_MACHINE_MODE_LEGACY_32 : ZYDIS_MACHINE_MODE_LEGACY_16,
                                      wide ? ZYDIS_STACK_WIDTH_32 : ZYDIS_STACK_WIDTH_16));
    RELIC86_ASSERT(good);
    // Later extensions that give old encodings (hint NOPs, BSF with F3, WBINVD with F3) another shape.
    for (const auto mode : {ZYDIS_DECODER_MODE_MPX, ZYDIS_DECODER_MODE_CET, ZYDIS_DECODER_MODE_LZCNT,
                            ZYDIS_DECODER_MODE_TZCNT, ZYDIS_DECODER_MODE_WBNOINVD, ZYDIS_DECODER_MODE_CLDEMOTE,
                            ZYDIS_DECODER_MODE_KNC, ZYDIS_DECODER_MODE_AMD_BRANCHES}) {
      ZydisDecoderEnableMode(&decoder, mode, ZYAN_FALSE);
    }
  }
}

Decoder::~Decoder() = default;

bool Decoder::decode(std::span<const u8> window, bool code32, Insn& insn) const {
  if (window.size() > kMaxInstructionLength) window = window.first(kMaxInstructionLength);
  insn = Insn{};
  insn.row = kNoRow;
  Front front(window, features_);
  Outcome outcome = front.run();
  Tail tail;
  if (outcome == Outcome::Found &&
      !(reading_ == Reading::CommonHere &&
        TailReader(window, front.used).run(front, instruction_table()[front.row], code32, tail))) {
    outcome = engine_->read(window, code32, tail);
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
  if (operand_is_32(front, row, code32)) insn.flags |= kInsnOperand32;
  if (code32 != front.prefixes.address_size) insn.flags |= kInsnAddress32;
  if (!insn.address32()) insn.address_mask = 0xFFFF;
  if (front.prefixes.repeat == 0xF3) insn.flags |= kInsnRep;
  if (front.prefixes.repeat == 0xF2) insn.flags |= kInsnRepne;
  fill(insn, front, row, tail);
  if (front.prefixes.lock) {
    insn.flags |= kInsnLock;
    if (!insn.memory() || (row.traits & kTraitLockable) == 0) {
      insn.handler = raise_undefined;
      return true;
    }
  }
  insn.row = front.row;
  const HandlerSet& handlers = handlers_of(front.row);
  insn.handler = insn.operand32() ? (insn.memory() ? handlers.memory32 : handlers.register32)
                                  : (insn.memory() ? handlers.memory16 : handlers.register16);
  return true;
}

bool ends_block(const Insn& insn) {
  return insn.row == kNoRow || (instruction_table()[insn.row].traits & kTraitEndsBlock) != 0;
}

}  // namespace relic86
