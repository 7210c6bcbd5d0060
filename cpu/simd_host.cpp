// simd_unit on x86-64 hosts: the guest's own opcode bytes between two fixed registers.
#include <array>
#include <utility>

#include "cpu/lazy_flags.h"
#include "cpu/simd_rounding.h"
#include "cpu/simd_unit.h"

namespace relic86::simd_unit {
namespace {

// Two-byte opcodes that are plain `xmm = xmm OP xmm` forms, by prefix (SDM 2 table A-3). Anything else must not be run.
constexpr bool in(u8 opcode, std::initializer_list<std::pair<u8, u8>> ranges) {
  for (const auto& [low, high] : ranges) {
    if (opcode >= low && opcode <= high) return true;
  }
  return false;
}
constexpr bool plain_xmm(Map map, Prefix prefix, u8 opcode) {
  if (map == Map::Escape38) {
    if (prefix == Prefix::None) return in(opcode, {{0xC8, 0xCA}, {0xCC, 0xCD}});
    return prefix == Prefix::P66 && in(opcode, {{0x00, 0x0B},
                                                {0x1C, 0x1E},
                                                {0x20, 0x25},
                                                {0x28, 0x29},
                                                {0x2B, 0x2B},
                                                {0x30, 0x35},
                                                {0x37, 0x41},
                                                {0xDB, 0xDF}});
  }
  switch (prefix) {
    case Prefix::None: return in(opcode, {{0x14, 0x15}, {0x51, 0x5F}});
    case Prefix::P66:
      return in(opcode, {{0x14, 0x15},
                         {0x51, 0x5F},
                         {0x60, 0x6D},
                         {0x74, 0x76},
                         {0x7C, 0x7D},
                         {0xD0, 0xD5},
                         {0xD8, 0xE6},
                         {0xE8, 0xEF},
                         {0xF1, 0xF6},
                         {0xF8, 0xFE}});
    case Prefix::PF3: return in(opcode, {{0x12, 0x12}, {0x16, 0x16}, {0x51, 0x53}, {0x58, 0x5F}, {0xE6, 0xE6}});
    case Prefix::PF2:
      return in(opcode,
                {{0x12, 0x12}, {0x51, 0x51}, {0x58, 0x5A}, {0x5C, 0x5F}, {0x7C, 0x7D}, {0xD0, 0xD0}, {0xE6, 0xE6}});
  }
  return false;
}
constexpr bool plain_mmx(Map map, u8 opcode) {
  if (map == Map::Escape38) return in(opcode, {{0x00, 0x0B}, {0x1C, 0x1E}});
  return in(opcode, {{0x60, 0x6B}, {0x74, 0x76}, {0xD1, 0xD5}, {0xD8, 0xE5}, {0xE8, 0xEF}, {0xF1, 0xF6}, {0xF8, 0xFE}});
}

template <Map map, Prefix prefix, u8 opcode>
void run_xmm(FxState::Slot& destination, const FxState::Slot& source) {
  if constexpr (plain_xmm(map, prefix, opcode)) {
#define RELIC86_XMM(BYTES)                                                                            \
  asm volatile("movaps %[d], %%xmm0\n\tmovaps %[s], %%xmm1\n\t.byte " BYTES "\n\tmovaps %%xmm0, %[d]" \
               : [d] "+m"(destination)                                                                \
               : [s] "m"(source), [p] "i"(static_cast<u8>(prefix)), [o] "i"(opcode)                   \
               : "xmm0", "xmm1")
    if constexpr (map == Map::Escape38 && prefix == Prefix::None)
      RELIC86_XMM("0x0F, 0x38, %c[o], 0xC1");
    else if constexpr (map == Map::Escape38)
      RELIC86_XMM("%c[p], 0x0F, 0x38, %c[o], 0xC1");
    else if constexpr (prefix == Prefix::None)
      RELIC86_XMM("0x0F, %c[o], 0xC1");
    else
      RELIC86_XMM("%c[p], 0x0F, %c[o], 0xC1");
#undef RELIC86_XMM
  }
}

template <Map map, u8 opcode>
void run_mmx(u64& destination, u64 source) {
  if constexpr (plain_mmx(map, opcode)) {
#define RELIC86_MMX(BYTES)                                                                           \
  asm volatile("movq %[d], %%mm0\n\tmovq %[s], %%mm1\n\t.byte " BYTES "\n\tmovq %%mm0, %[d]\n\temms" \
               : [d] "+m"(destination)                                                               \
               : [s] "m"(source), [o] "i"(opcode)                                                    \
               : "mm0", "mm1", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)")
    if constexpr (map == Map::Escape38)
      RELIC86_MMX("0x0F, 0x38, %c[o], 0xC1");
    else
      RELIC86_MMX("0x0F, %c[o], 0xC1");
#undef RELIC86_MMX
  }
}

template <Map map, Prefix prefix, std::size_t... opcode>
constexpr std::array<XmmOperation, 256> xmm_table(std::index_sequence<opcode...>) {
  return {
      (plain_xmm(map, prefix, static_cast<u8>(opcode)) ? &run_xmm<map, prefix, static_cast<u8>(opcode)> : nullptr)...};
}
template <Map map, std::size_t... opcode>
constexpr std::array<MmxOperation, 256> mmx_table(std::index_sequence<opcode...>) {
  return {(plain_mmx(map, static_cast<u8>(opcode)) ? &run_mmx<map, static_cast<u8>(opcode)> : nullptr)...};
}
constexpr auto kAll = std::make_index_sequence<256>{};
constexpr auto kXmmNone = xmm_table<Map::TwoByte, Prefix::None>(kAll);
constexpr auto kXmm66 = xmm_table<Map::TwoByte, Prefix::P66>(kAll);
constexpr auto kXmmF3 = xmm_table<Map::TwoByte, Prefix::PF3>(kAll);
constexpr auto kXmmF2 = xmm_table<Map::TwoByte, Prefix::PF2>(kAll);
constexpr auto kXmm38None = xmm_table<Map::Escape38, Prefix::None>(kAll);
constexpr auto kXmm38 = xmm_table<Map::Escape38, Prefix::P66>(kAll);
constexpr auto kMmx = mmx_table<Map::TwoByte>(kAll);
constexpr auto kMmx38 = mmx_table<Map::Escape38>(kAll);

}  // namespace

XmmOperation xmm_operation(Map map, Prefix prefix, u8 opcode) {
  if (map == Map::Escape38) {
    if (prefix == Prefix::None) return kXmm38None[opcode];
    return prefix == Prefix::P66 ? kXmm38[opcode] : nullptr;
  }
  switch (prefix) {
    case Prefix::None: return kXmmNone[opcode];
    case Prefix::P66: return kXmm66[opcode];
    case Prefix::PF3: return kXmmF3[opcode];
    case Prefix::PF2: return kXmmF2[opcode];
  }
  return nullptr;
}

MmxOperation mmx_operation(Map map, u8 opcode) { return map == Map::Escape38 ? kMmx38[opcode] : kMmx[opcode]; }

namespace {

template <Prefix prefix, u8 predicate>
void run_compare(FxState::Slot& destination, const FxState::Slot& source) {
#define RELIC86_XMM(BYTES)                                                                            \
  asm volatile("movaps %[d], %%xmm0\n\tmovaps %[s], %%xmm1\n\t.byte " BYTES "\n\tmovaps %%xmm0, %[d]" \
               : [d] "+m"(destination)                                                                \
               : [s] "m"(source), [p] "i"(static_cast<u8>(prefix)), [i] "i"(predicate)                \
               : "xmm0", "xmm1")
  if constexpr (prefix == Prefix::None)
    RELIC86_XMM("0x0F, 0xC2, 0xC1, %c[i]");
  else
    RELIC86_XMM("%c[p], 0x0F, 0xC2, 0xC1, %c[i]");
#undef RELIC86_XMM
}

template <Prefix prefix, std::size_t... predicate>
constexpr std::array<XmmOperation, 8> compare_table(std::index_sequence<predicate...>) {
  return {&run_compare<prefix, static_cast<u8>(predicate)>...};
}
constexpr auto kEight = std::make_index_sequence<8>{};
constexpr auto kCompareNone = compare_table<Prefix::None>(kEight);
constexpr auto kCompare66 = compare_table<Prefix::P66>(kEight);
constexpr auto kCompareF3 = compare_table<Prefix::PF3>(kEight);
constexpr auto kCompareF2 = compare_table<Prefix::PF2>(kEight);

// Operations of map 0F 3A, whose immediate selects one of so many instructions.
template <u8 opcode, u8 immediate>
void run_3a(FxState::Slot& destination, const FxState::Slot& source) {
  asm volatile(
      "movaps %[d], %%xmm0\n\tmovaps %[s], %%xmm1\n\t.byte 0x66, 0x0F, 0x3A, %c[o], 0xC1, %c[i]\n\tmovaps %%xmm0, %[d]"
      : [d] "+m"(destination)
      : [s] "m"(source), [o] "i"(opcode), [i] "i"(immediate)
      : "xmm0", "xmm1");
}
template <u8 opcode, std::size_t... immediate>
constexpr std::array<XmmOperation, sizeof...(immediate)> table_3a(std::index_sequence<immediate...>) {
  return {&run_3a<opcode, static_cast<u8>(immediate)>...};
}
constexpr auto kSixteen = std::make_index_sequence<16>{};
constexpr std::array<XmmOperation, 16> kRound[] = {table_3a<0x08>(kSixteen), table_3a<0x09>(kSixteen),
                                                   table_3a<0x0A>(kSixteen), table_3a<0x0B>(kSixteen)};
constexpr auto kDotSingle = table_3a<0x40>(kAll);
constexpr auto kDotDouble = table_3a<0x41>(kAll);
constexpr auto kRoundKey = table_3a<0xDF>(kAll);
// Bits 0 and 4 choose the halves that PCLMULQDQ multiplies.
constexpr XmmOperation kCarryless[] = {&run_3a<0x44, 0x00>, &run_3a<0x44, 0x01>, &run_3a<0x44, 0x10>,
                                       &run_3a<0x44, 0x11>};

template <u8 function>
void run_sha1_rounds(FxState::Slot& destination, const FxState::Slot& source) {
  asm volatile("movaps %[d], %%xmm0\n\tmovaps %[s], %%xmm1\n\tsha1rnds4 %[f], %%xmm1, %%xmm0\n\tmovaps %%xmm0, %[d]"
               : [d] "+m"(destination)
               : [s] "m"(source), [f] "i"(function)
               : "xmm0", "xmm1");
}
constexpr XmmOperation kShaRounds[] = {&run_sha1_rounds<0>, &run_sha1_rounds<1>, &run_sha1_rounds<2>,
                                       &run_sha1_rounds<3>};

}  // namespace

XmmOperation round_operation(u8 opcode, unsigned immediate) { return kRound[opcode & 3][immediate & 15]; }
XmmOperation dot_operation(u8 opcode, unsigned immediate) {
  return ((opcode & 1) == 0 ? kDotSingle : kDotDouble)[immediate & 0xFF];
}

XmmOperation carryless_operation(unsigned immediate) { return kCarryless[(immediate & 1) | (immediate >> 3 & 2)]; }
XmmOperation round_key_operation(unsigned immediate) { return kRoundKey[immediate & 0xFF]; }
XmmOperation sha1_rounds_operation(unsigned immediate) { return kShaRounds[immediate & 3]; }

void sha256_rounds(FxState::Slot& destination, const FxState::Slot& source, const FxState::Slot& xmm0) {
  asm volatile(
      "movaps %[w], %%xmm0\n\tmovaps %[d], %%xmm1\n\tmovaps %[s], %%xmm2\n\t"
      "sha256rnds2 %%xmm0, %%xmm2, %%xmm1\n\tmovaps %%xmm1, %[d]"
      : [d] "+m"(destination)
      : [s] "m"(source), [w] "m"(xmm0)
      : "xmm0", "xmm1", "xmm2");
}

XmmOperation compare_operation(Prefix prefix, unsigned predicate) {
  switch (prefix) {
    case Prefix::None: return kCompareNone[predicate & 7];
    case Prefix::P66: return kCompare66[predicate & 7];
    case Prefix::PF3: return kCompareF3[predicate & 7];
    case Prefix::PF2: return kCompareF2[predicate & 7];
  }
  return nullptr;
}

bool run_floating(XmmOperation operation, u32& mxcsr, FxState::Slot& destination, const FxState::Slot& source) {
  return run_rounded([&](FxState::Slot& result) { operation(result, source); }, mxcsr, destination);
}

bool compare(Prefix prefix, bool ordered, u32& mxcsr, const FxState::Slot& first, const FxState::Slot& second,
             u32& eflags) {
  u8 zero = 0, parity = 0, carry = 0;
#define RELIC86_COMPARE(INSTRUCTION)                                        \
  asm volatile("movaps %[a], %%xmm0\n\tmovaps %[b], %%xmm1\n\t" INSTRUCTION \
               " %%xmm1, %%xmm0\n\tsetz %[z]\n\tsetp %[p]\n\tsetc %[c]"     \
               : [z] "=&r"(zero), [p] "=&r"(parity), [c] "=&r"(carry)       \
               : [a] "m"(first), [b] "m"(second)                            \
               : "xmm0", "xmm1", "cc")
  const bool done = with_guest_rounding(mxcsr, [&] {
    if (prefix == Prefix::P66) {
      if (ordered)
        RELIC86_COMPARE("comisd");
      else
        RELIC86_COMPARE("ucomisd");
    } else {
      if (ordered)
        RELIC86_COMPARE("comiss");
      else
        RELIC86_COMPARE("ucomiss");
    }
  });
#undef RELIC86_COMPARE
  eflags = (zero != 0 ? kZF : 0u) | (parity != 0 ? kPF : 0u) | (carry != 0 ? kCF : 0u);
  return done;
}

bool integer_to_scalar(Prefix prefix, IntegerWidth width, u32& mxcsr, FxState::Slot& destination, u64 source) {
  FxState::Slot result = destination;
  const bool wide = width == IntegerWidth::Bits64;
#define RELIC86_CONVERT(INSTRUCTION, VALUE)                                           \
  asm volatile("movaps %0, %%xmm0\n\t" INSTRUCTION " %1, %%xmm0\n\tmovaps %%xmm0, %0" \
               : "+m"(result)                                                         \
               : "r"(VALUE)                                                           \
               : "xmm0")
  const bool done = with_guest_rounding(mxcsr, [&] {
    const u32 half = static_cast<u32>(source);
    if (prefix == Prefix::PF3) {
      if (wide)
        RELIC86_CONVERT("cvtsi2ssq", source);
      else
        RELIC86_CONVERT("cvtsi2ssl", half);
    } else {
      if (wide)
        RELIC86_CONVERT("cvtsi2sdq", source);
      else
        RELIC86_CONVERT("cvtsi2sdl", half);
    }
  });
#undef RELIC86_CONVERT
  if (done) destination = result;
  return done;
}

bool scalar_to_integer(Prefix prefix, IntegerWidth width, bool truncate, u32& mxcsr, const FxState::Slot& source,
                       u64& result) {
  u64 whole = 0;
  u32 half = 0;
  const bool wide = width == IntegerWidth::Bits64;
#define RELIC86_CONVERT(INSTRUCTION)                                                                        \
  do {                                                                                                      \
    if (wide)                                                                                               \
      asm volatile("movaps %1, %%xmm0\n\t" INSTRUCTION " %%xmm0, %0" : "=r"(whole) : "m"(source) : "xmm0"); \
    else                                                                                                    \
      asm volatile("movaps %1, %%xmm0\n\t" INSTRUCTION " %%xmm0, %0" : "=r"(half) : "m"(source) : "xmm0");  \
  } while (false)
  const bool done = with_guest_rounding(mxcsr, [&] {
    if (prefix == Prefix::PF3) {
      if (truncate)
        RELIC86_CONVERT("cvttss2si");
      else
        RELIC86_CONVERT("cvtss2si");
    } else {
      if (truncate)
        RELIC86_CONVERT("cvttsd2si");
      else
        RELIC86_CONVERT("cvtsd2si");
    }
  });
#undef RELIC86_CONVERT
  if (done) result = wide ? whole : half;
  return done;
}

#define RELIC86_X87_REGISTERS "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "mm0"

bool mmx_to_packed(Prefix prefix, u32& mxcsr, FxState::Slot& destination, u64 source) {
  FxState::Slot result = destination;
  const bool done = with_guest_rounding(mxcsr, [&] {
    if (prefix == Prefix::None) {
      asm volatile("movq %1, %%mm0\n\tmovaps %0, %%xmm0\n\tcvtpi2ps %%mm0, %%xmm0\n\tmovaps %%xmm0, %0\n\temms"
                   : "+m"(result)
                   : "m"(source)
                   : "xmm0", RELIC86_X87_REGISTERS);
    } else {
      asm volatile("movq %1, %%mm0\n\tcvtpi2pd %%mm0, %%xmm0\n\tmovaps %%xmm0, %0\n\temms"
                   : "=m"(result)
                   : "m"(source)
                   : "xmm0", RELIC86_X87_REGISTERS);
    }
  });
  if (done) destination = result;
  return done;
}

bool packed_to_mmx(Prefix prefix, bool truncate, u32& mxcsr, const FxState::Slot& source, u64& result) {
  u64 value = 0;
#define RELIC86_CONVERT(INSTRUCTION)                                                          \
  asm volatile("movaps %1, %%xmm0\n\t" INSTRUCTION " %%xmm0, %%mm0\n\tmovq %%mm0, %0\n\temms" \
               : "=m"(value)                                                                  \
               : "m"(source)                                                                  \
               : "xmm0", RELIC86_X87_REGISTERS)
  const bool done = with_guest_rounding(mxcsr, [&] {
    if (prefix == Prefix::None) {
      if (truncate)
        RELIC86_CONVERT("cvttps2pi");
      else
        RELIC86_CONVERT("cvtps2pi");
    } else {
      if (truncate)
        RELIC86_CONVERT("cvttpd2pi");
      else
        RELIC86_CONVERT("cvtpd2pi");
    }
  });
#undef RELIC86_CONVERT
  if (done) result = value;
  return done;
}

}  // namespace relic86::simd_unit
