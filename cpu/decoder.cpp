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

void set_address16(Insn& insn, u8 mod, u8 rm) {
  constexpr u8 kBase[8] = {kEbx, kEbx, kEbp, kEbp, kEsi, kEdi, kEbp, kEbx};
  constexpr u8 kIndex[8] = {kEsi, kEdi, kEsi, kEdi, kNoRegister, kNoRegister, kNoRegister, kNoRegister};
  if (mod == 0 && rm == 6) return;  // disp16 alone
  insn.base = kBase[rm];
  insn.index = kIndex[rm];
}

void set_address32(Insn& insn, u8 mod, u8 rm, const ZydisDecodedInstruction& decoded) {
  if (rm != 4) {
    if (mod == 0 && rm == 5) return;  // disp32 alone
    insn.base = rm;
    return;
  }
  const auto& sib = decoded.raw.sib;
  if (!(mod == 0 && sib.base == 5)) insn.base = sib.base;
  if (sib.index != 4) {
    insn.index = sib.index;
    insn.scale = sib.scale;
  }
}

void set_immediate(Insn& insn, ImmediateKind kind, const ZydisDecodedInstruction& decoded) {
  const u64 first = decoded.raw.imm[0].value.u;
  const u64 second = decoded.raw.imm[1].value.u;
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

void fill(Insn& insn, const Front& front, const InstructionRow& row, const ZydisDecodedInstruction& decoded) {
  insn.reg = front.has_modrm       ? front.encoding.reg
             : row.opcode_register ? front.encoding.opcode & 7
                                   : (front.encoding.opcode >> 3) & 7;
  insn.rm = front.encoding.rm;
  insn.segment = kDs;
  if (front.has_modrm && front.encoding.memory) {
    insn.flags |= kInsnMemory;
    const u8 mod = front.modrm >> 6;
    if (insn.address32()) {
      set_address32(insn, mod, front.encoding.rm, decoded);
    } else {
      set_address16(insn, mod, front.encoding.rm);
    }
    insn.displacement = static_cast<u32>(decoded.raw.disp.value);
    if (insn.base == kEsp || insn.base == kEbp) insn.segment = kSs;
  } else if (row.immediate == ImmediateKind::Offset) {
    insn.flags |= kInsnMemory;
    insn.displacement = static_cast<u32>(decoded.raw.disp.value) & insn.address_mask;
  }
  if (front.prefixes.segment != 0xFF) insn.segment = front.prefixes.segment;
  set_immediate(insn, row.immediate, decoded);
  if (row.map == OpcodeMap::OneByte && (row.opcode & 0xF8) == 0xD8) insn.immediate2 = front.modrm;
}

}  // namespace

struct Decoder::Engine {
  ZydisDecoder code16;
  ZydisDecoder code32;
};

Decoder::Decoder(FeatureSet features) : features_(features), engine_(std::make_unique<Engine>()) {
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
  ZydisDecodedInstruction decoded{};
  if (outcome == Outcome::Found) {
    const ZyanStatus status = ZydisDecoderDecodeInstruction(code32 ? &engine_->code32 : &engine_->code16, nullptr,
                                                            window.data(), window.size(), &decoded);
    if (status == ZYDIS_STATUS_NO_MORE_DATA) {
      outcome = window.size() >= kMaxInstructionLength ? Outcome::TooLong : Outcome::NeedMore;
    } else if (status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG) {
      outcome = Outcome::TooLong;
    } else if (!ZYAN_SUCCESS(status)) {
      outcome = Outcome::Undefined;
    }
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
  insn.length = decoded.length;
  const bool operand_toggle = front.prefixes.operand_size && (row.traits & kTraitNoOperandPrefix) == 0;
  if (code32 != operand_toggle) insn.flags |= kInsnOperand32;
  if (code32 != front.prefixes.address_size) insn.flags |= kInsnAddress32;
  if (!insn.address32()) insn.address_mask = 0xFFFF;
  if (front.prefixes.repeat == 0xF3) insn.flags |= kInsnRep;
  if (front.prefixes.repeat == 0xF2) insn.flags |= kInsnRepne;
  fill(insn, front, row, decoded);
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
