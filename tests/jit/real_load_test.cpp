// FLD of numbers of four and eight bytes, denormal ones above all: the same number of 80 bits, and the same status word,
// by the interpreter and by translated code.
#include <gtest/gtest.h>

#include <cstring>
#include <optional>

#include "jit/translator.h"
#include "tests/cpu/cpu_test_machine.h"
#include "tests/jit/eager_options.h"

namespace relic86 {
namespace {

constexpr u32 kNumbers = 0x4000, kResults = 0x6000, kResultBytes = 16;
// The first ones are denormal, so that the loop is translated for such numbers.
constexpr u64 kSingles[] = {0x00000001, 0x80000001, 0x007FFFFF, 0x807FFFFF, 0x00400000, 0x00012340, 0x00000000,
                            0x80000000, 0x00800000, 0x3F800000, 0x7F800000, 0xFFC00001, 0x7F800001};
constexpr u64 kDoubles[] = {0x0000000000000001, 0x8000000000000001, 0x000FFFFFFFFFFFFF, 0x800FFFFFFFFFFFFF,
                            0x0008000000000000, 0x0000000012345600, 0x0000000000000000, 0x8000000000000000,
                            0x0010000000000000, 0x3FF0000000000000, 0x7FF0000000000000, 0xFFF8000000000001,
                            0x7FF0000000000001, 0x0000000080000000};
constexpr u32 kRounds = 60;

struct Case {
  unsigned bytes;
  bool clears;  // FNCLEX before each load: no DE is left of the one before
  u16 control;
};

class RealLoad : public testing::TestWithParam<Case> {
 protected:
  static std::span<const u64> numbers() { return GetParam().bytes == 4 ? std::span<const u64>(kSingles) : kDoubles; }

  // Each number is loaded and stored with its status word, kRounds times over.
  void run(bool translated) {
    CpuTestMachine m;
    m.flat32(0x1000, 0x8000);
    m.state().cr4 |= 1u << 9;
    m.cpu().update_mode();
    const auto all = numbers();
    for (u32 i = 0; i < all.size(); ++i) {
      if (GetParam().bytes == 4) {
        m.poke<u32>(kNumbers + i * 8, static_cast<u32>(all[i]));
      } else {
        m.poke<u64>(kNumbers + i * 8, all[i]);
      }
    }
    m.poke<u16>(0x3000, GetParam().control);
    std::vector<u8> code{0xD9, 0x2D, 0x00, 0x30, 0, 0, 0xBD, kRounds, 0, 0, 0};  // fldcw; mov ebp, rounds
    const auto put = [&](std::initializer_list<u8> bytes) { code.insert(code.end(), bytes); };
    const std::size_t top = code.size();
    put({0xBE, 0x00, 0x40, 0, 0, 0xBF, 0x00, 0x60, 0, 0, 0xB9, static_cast<u8>(all.size()), 0, 0, 0});
    const std::size_t each = code.size();
    if (GetParam().clears) put({0xDB, 0xE2});                  // fnclex
    put({GetParam().bytes == 4 ? u8{0xD9} : u8{0xDD}, 0x06});  // fld [esi]
    put({0xDF, 0xE0, 0x66, 0x89, 0x47, 0x0A, 0xDB, 0x3F});     // fnstsw ax; mov [edi+10], ax; fstp m80 [edi]
    put({0x83, 0xC6, 0x08, 0x83, 0xC7, kResultBytes, 0x49});   // add esi, 8; add edi, 16; dec ecx
    put({0x75, static_cast<u8>(each - code.size() - 2)});      // jnz
    put({0x4D, 0x0F, 0x85});                                   // dec ebp; jnz
    const u32 back = static_cast<u32>(top - code.size() - 4);
    for (unsigned i = 0; i < 4; ++i) code.push_back(static_cast<u8>(back >> (i * 8)));
    put({0xF4});
    m.write(0x1000, code);
    if (translated) {
      jit::Translator translator(m.cpu(), m.bus(), jit::eager_options());
      ASSERT_EQ(translator.run(1'000'000), ExitReason::Halted);
      ASSERT_GT(translator.statistics().translated, 0u);
    } else {
      ASSERT_EQ(m.run(1'000'000), ExitReason::Halted);
    }
    std::vector<u8>& results = results_[translated ? 1 : 0];
    results.resize(all.size() * kResultBytes);
    m.bus().read_block(PhysAddr(kResults), results);
    status_[translated ? 1 : 0] = m.state().fx.status;
  }

  std::vector<u8> results_[2];
  u16 status_[2] = {};
};

TEST_P(RealLoad, IsTheSameByBothEngines) {
  run(false);
  run(true);
  for (std::size_t i = 0; i < numbers().size(); ++i) {
    EXPECT_EQ(std::memcmp(&results_[0][i * kResultBytes], &results_[1][i * kResultBytes], 12), 0)
        << std::hex << numbers()[i];
  }
  EXPECT_EQ(status_[0], status_[1]);
}

constexpr u16 kMasked = 0x37F, kDenormalUnmasked = 0x37D;
INSTANTIATE_TEST_SUITE_P(Switch, RealLoad,
                         testing::Values(Case{4, false, kMasked}, Case{4, true, kMasked}, Case{8, false, kMasked},
                                         Case{8, true, kMasked}, Case{4, true, kDenormalUnmasked},
                                         Case{8, false, kDenormalUnmasked}));

}  // namespace
}  // namespace relic86
