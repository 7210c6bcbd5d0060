// Every encoding that the host's disassembler library knows for the instruction sets that the models have must be in
// the instruction table: a row that was never written is missed by all tests that go through the table.
#include <Zydis/Zydis.h>
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "cpu/decoder.h"

namespace relic86 {
namespace {

// What the models have. Sets of later processors, of other makers and of 64 bits are not listed.
bool is_offered(ZydisISASet set) {
  switch (set) {
    case ZYDIS_ISA_SET_CLFSH:
    case ZYDIS_ISA_SET_CMOV:
    case ZYDIS_ISA_SET_FAT_NOP:
    case ZYDIS_ISA_SET_FCMOV:
    case ZYDIS_ISA_SET_FXSAVE:
    case ZYDIS_ISA_SET_I186:
    case ZYDIS_ISA_SET_I286PROTECTED:
    case ZYDIS_ISA_SET_I286REAL:
    case ZYDIS_ISA_SET_I386:
    case ZYDIS_ISA_SET_I486:
    case ZYDIS_ISA_SET_I486REAL:
    case ZYDIS_ISA_SET_I86:
    case ZYDIS_ISA_SET_LAHF:
    case ZYDIS_ISA_SET_MONITOR:
    case ZYDIS_ISA_SET_PAUSE:
    case ZYDIS_ISA_SET_PENTIUMMMX:
    case ZYDIS_ISA_SET_PENTIUMREAL:
    case ZYDIS_ISA_SET_POPCNT:
    case ZYDIS_ISA_SET_RDPMC:
    case ZYDIS_ISA_SET_RDTSCP:
    case ZYDIS_ISA_SET_SMAP:
    case ZYDIS_ISA_SET_SSE:
    case ZYDIS_ISA_SET_SSE2:
    case ZYDIS_ISA_SET_SSE2MMX:
    case ZYDIS_ISA_SET_SSE3:
    case ZYDIS_ISA_SET_SSE3X87:
    case ZYDIS_ISA_SET_SSEMXCSR:
    case ZYDIS_ISA_SET_SSE_PREFETCH:
    case ZYDIS_ISA_SET_SSSE3:
    case ZYDIS_ISA_SET_SSSE3MMX:
    case ZYDIS_ISA_SET_X87:
    case ZYDIS_ISA_SET_CMPXCHG16B:
    case ZYDIS_ISA_SET_LONGMODE:
    case ZYDIS_ISA_SET_AES:
    case ZYDIS_ISA_SET_PCLMULQDQ:
    case ZYDIS_ISA_SET_SHA:
    case ZYDIS_ISA_SET_SSE4A:
    case ZYDIS_ISA_SET_BMI1:
    case ZYDIS_ISA_SET_BMI2: return true;
    default: return false;
  }
}

bool same(const Insn& a, const Insn& b) {
  const auto fields = [](const Insn& i) {
    return std::tuple(i.handler, i.displacement, i.address_mask, i.immediate, i.row, i.length, i.flags, i.reg, i.rm,
                      i.base, i.index, i.scale, i.segment, i.vex_register);
  };
  return fields(a) == fields(b);
}

class EveryEncoding {
 public:
  explicit EveryEncoding(CodeSize size) : size_(size) {
    const bool wide = size == CodeSize::Bits64;
    ZydisDecoderInit(&known_, wide ? ZYDIS_MACHINE_MODE_LONG_64 : ZYDIS_MACHINE_MODE_LEGACY_32,
                     wide ? ZYDIS_STACK_WIDTH_64 : ZYDIS_STACK_WIDTH_32);
  }

  // The first bytes of an encoding; the rest are zeros.
  void look(std::string bytes) {
    bytes.resize(kMaxInstructionLength);
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    const auto status = ZydisDecoderDecodeFull(&known_, bytes.data(), bytes.size(), &instruction, operands);
    if (!ZYAN_SUCCESS(status) || (instruction.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
                                  instruction.encoding != ZYDIS_INSTRUCTION_ENCODING_VEX))
      return;
    if (!is_offered(instruction.meta.isa_set)) return;
    ++looked;
    Insn ours;
    const auto* const window = reinterpret_cast<const u8*>(bytes.data());
    ASSERT_TRUE(decoder_.decode({window, bytes.size()}, size_, ours));
    if (ours.row == kNoRow || ours.length != instruction.length) {
      missing.insert(ZydisMnemonicGetString(instruction.mnemonic));
    }
  }

  unsigned looked = 0;
  std::set<std::string> missing;

 private:
  CodeSize size_;
  ZydisDecoder known_;
  Decoder decoder_{kAllFeatures};
};

// Every opcode and ModRM byte, with and without prefixes, cut short anywhere: the decoder's own reading and Zydis's.
TEST(DecoderCoverage, CommonInstructionsAreReadAsZydisReadsThem) {
  const Decoder own(kAllFeatures), zydis(kAllFeatures, Decoder::Reading::AllByZydis);
  const VendorDecoding narrow{.narrows_near_branches = true};
  const Decoder own_narrow(kAllFeatures, Decoder::Reading::CommonHere, narrow);
  const Decoder zydis_narrow(kAllFeatures, Decoder::Reading::AllByZydis, narrow);
  const std::vector<std::vector<u8>> prefixes = {{},
                                                 {0x66},
                                                 {0x67},
                                                 {0x66, 0x67},
                                                 {0x2E},
                                                 {0x67, 0x66, 0x65},
                                                 {0xF3},
                                                 {0xF0},
                                                 {0x66, 0xF2},
                                                 {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66},
                                                 {0x48},
                                                 {0x45},
                                                 {0x66, 0x4F},
                                                 {0x48, 0x66},
                                                 {0x67, 0x42},
                                                 {0x66, 0x67, 0x41},
                                                 {0xC5, 0xF8},
                                                 {0xC5, 0xFD},
                                                 {0x65, 0xC5, 0x42},
                                                 {0x66, 0xC5, 0xF8},
                                                 {0xC4, 0xE1, 0x79},
                                                 {0xC4, 0xC2, 0x78},
                                                 {0xC4, 0xE2, 0xFB},
                                                 {0xC4, 0x02, 0xD2},
                                                 {0xC4, 0xE2, 0x6D},
                                                 {0xC4, 0xE3, 0x7B},
                                                 {0x67, 0xC4, 0xE3, 0xFD},
                                                 {0xC4, 0xE4, 0x78}};
  std::minstd_rand random(1);
  for (const CodeSize code : {CodeSize::Bits16, CodeSize::Bits32, CodeSize::Bits64}) {
    for (const auto& prefix : prefixes) {
      for (unsigned opcode = 0; opcode < 512; ++opcode) {
        for (unsigned modrm = 0; modrm < 256; ++modrm) {
          std::vector<u8> bytes = prefix;
          if (opcode >= 256) bytes.push_back(0x0F);
          bytes.push_back(static_cast<u8>(opcode));
          bytes.push_back(static_cast<u8>(modrm));
          while (bytes.size() < kMaxInstructionLength) bytes.push_back(static_cast<u8>(random() >> 8));
          const std::size_t whole = kMaxInstructionLength, cut = 1 + random() % kMaxInstructionLength;
          for (const std::size_t size : {whole, cut}) {
            Insn ours, theirs;
            const bool good = own.decode({bytes.data(), size}, code, ours);
            ASSERT_EQ(good, zydis.decode({bytes.data(), size}, code, theirs));
            if (good) {
              ASSERT_TRUE(same(ours, theirs))
                  << std::hex << opcode << ' ' << modrm << ' ' << static_cast<int>(code) << ' ' << size;
            }
            if (code != CodeSize::Bits64) continue;
            ASSERT_EQ(own_narrow.decode({bytes.data(), size}, code, ours),
                      zydis_narrow.decode({bytes.data(), size}, code, theirs));
            ASSERT_TRUE(same(ours, theirs)) << std::hex << opcode << ' ' << modrm << " narrow " << size;
          }
        }
      }
    }
  }
}

TEST(DecoderCoverage, WhatTheModelsHaveIsInTheTable) {
  EveryEncoding every(CodeSize::Bits32);
  for (const std::string prefix : {"", "\x66", "\xF3", "\xF2"}) {
    for (const std::string map : {"", "\x0F", "\x0F\x38", "\x0F\x3A"}) {
      for (unsigned opcode = 0; opcode < 256; ++opcode) {
        for (unsigned modrm = 0; modrm < 256; ++modrm) {
          every.look(prefix + map + static_cast<char>(opcode) + static_cast<char>(modrm));
        }
      }
    }
  }
  EXPECT_GT(every.looked, 200'000u);
  // Known to the library from 64-bit manuals, on no processor that a model stands for: RDTSCP with a prefix 66.
  every.missing.erase("rdtscp");
  EXPECT_EQ(every.missing, std::set<std::string>{});
}

TEST(DecoderCoverage, WhatTheModelsHaveOf64BitsIsInTheTable) {
  EveryEncoding every(CodeSize::Bits64);
  for (const std::string prefix : {"", "\x66", "\xF3", "\xF2", "\x48", "\x66\x48", "\xF3\x48", "\xF2\x48", "\x45"}) {
    for (const std::string map : {"", "\x0F", "\x0F\x38", "\x0F\x3A"}) {
      for (unsigned opcode = 0; opcode < 256; ++opcode) {
        for (unsigned modrm = 0; modrm < 256; ++modrm) {
          every.look(prefix + map + static_cast<char>(opcode) + static_cast<char>(modrm));
        }
      }
    }
  }
  EXPECT_GT(every.looked, 400'000u);
  every.missing.erase("rdtscp");
  EXPECT_EQ(every.missing, std::set<std::string>{});
}

// Of all maps and of all bits of the prefix but R, X and B.
TEST(DecoderCoverage, WhatTheModelsHaveWithVexIsInTheTable) {
  for (const CodeSize size : {CodeSize::Bits32, CodeSize::Bits64}) {
    EveryEncoding every(size);
    for (const char map : {'\xE1', '\xE2', '\xE3'}) {
      for (unsigned bits = 0; bits < 16; ++bits) {
        for (const unsigned vvvv : {15u, 10u}) {
          const auto last = static_cast<char>((bits >> 3) << 7 | vvvv << 3 | (bits & 7));
          for (unsigned opcode = 0; opcode < 256; ++opcode) {
            for (unsigned modrm = 0; modrm < 256; ++modrm) {
              every.look(std::string{'\xC4', map, last, static_cast<char>(opcode), static_cast<char>(modrm)});
            }
          }
        }
      }
    }
    EXPECT_GT(every.looked, 10'000u);
    EXPECT_EQ(every.missing, std::set<std::string>{});
  }
}

}  // namespace
}  // namespace relic86
