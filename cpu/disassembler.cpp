#include "cpu/disassembler.h"

#include <Zydis/Zydis.h>

namespace relic86 {

Disassembly disassemble(std::span<const u8> bytes, u64 address, CodeSize size, AssemblerSyntax syntax) {
  const Disassembly bad{1, "(bad)"};
  ZydisDecoder decoder;
  const bool wide = size == CodeSize::Bits64, narrow = size == CodeSize::Bits16;
  const auto mode = wide     ? ZYDIS_MACHINE_MODE_LONG_64
                    : narrow ? ZYDIS_MACHINE_MODE_LEGACY_16
                             : ZYDIS_MACHINE_MODE_LEGACY_32;
  const auto stack = wide ? ZYDIS_STACK_WIDTH_64 : narrow ? ZYDIS_STACK_WIDTH_16 : ZYDIS_STACK_WIDTH_32;
  if (!ZYAN_SUCCESS(ZydisDecoderInit(&decoder, mode, stack))) return bad;
  ZydisDecodedInstruction instruction;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
  if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes.data(), bytes.size(), &instruction, operands))) {
    return bad;
  }
  ZydisFormatter formatter;
  if (!ZYAN_SUCCESS(ZydisFormatterInit(
          &formatter, syntax == AssemblerSyntax::Att ? ZYDIS_FORMATTER_STYLE_ATT : ZYDIS_FORMATTER_STYLE_INTEL))) {
    return bad;
  }
  // Immediates as bit patterns in lower case, as debuggers show them.
  ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_IMM_SIGNEDNESS, ZYDIS_SIGNEDNESS_UNSIGNED);
  ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, ZYAN_FALSE);
  char text[192];
  if (!ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&formatter, &instruction, operands,
                                                    instruction.operand_count_visible, text, sizeof text, address,
                                                    nullptr))) {
    return bad;
  }
  return {instruction.length, text};
}

Disassembly disassemble_host(std::span<const u8> bytes, u64 address) {
  ZydisDecoder decoder;
  ZydisDecodedInstruction instruction;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
  ZydisFormatter formatter;
  char text[192];
  if (!ZYAN_SUCCESS(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)) ||
      !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes.data(), bytes.size(), &instruction, operands)) ||
      !ZYAN_SUCCESS(ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL))) {
    return {1, "(bad)"};
  }
  ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, ZYAN_FALSE);
  if (!ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&formatter, &instruction, operands,
                                                    instruction.operand_count_visible, text, sizeof text, address,
                                                    nullptr))) {
    return {1, "(bad)"};
  }
  return {instruction.length, text};
}

}  // namespace relic86
