#include "cpu/exact_functions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "cpu/x87_unit.h"

namespace relic86 {
namespace {

constexpr u8 kFsin = 0xFE, kFcos = 0xFF, kFptan = 0xF2, kFpatan = 0xF3, kFyl2x = 0xF1, kFyl2xp1 = 0xF9, kF2xm1 = 0xF0,
             kFsincos = 0xFB;

FxState::Slot slot_of(long double value) {
  FxState::Slot slot{};
  std::memcpy(slot.bytes, &value, 10);
  return slot;
}
long double value_of(const FxState::Slot& slot) {
  long double value = 0;
  std::memcpy(&value, slot.bytes, 10);
  return value;
}

FxState unit(long double st0, long double st1, u16 control = 0x37F) {
  FxState fx;
  fx.control = control;
  fx.status = 6u << 11;  // TOP
  fx.tags = 0xC0;
  fx.st[0] = slot_of(st0);
  fx.st[1] = slot_of(st1);
  return fx;
}

class ExactFunctions : public testing::Test {
 protected:
  void SetUp() override {
    if (!exact_functions::available()) GTEST_SKIP() << "built without MPFR";
  }
};

// The host is within an ulp or two of the exact value, so both are near each other; everything but the last bits and
// C1 is the same.
TEST_F(ExactFunctions, AreNearTheHosts) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> unit_interval(-0.29, 0.29), wide(-1000, 1000), positive(0.001, 1000);
  for (const u8 function : {kFsin, kFcos, kFptan, kFpatan, kFyl2x, kFyl2xp1, kF2xm1, kFsincos}) {
    const bool small = function == kF2xm1 || function == kFyl2xp1;
    for (int i = 0; i < 500; ++i) {
      const bool angle = function == kFsin || function == kFcos || function == kFptan || function == kFsincos;
      const long double st0 = small ? unit_interval(random) : angle ? wide(random) / 1000 : positive(random);
      FxState exact = unit(st0, wide(random)), host = exact;
      ASSERT_TRUE(exact_functions::execute(exact, function));
      x87_unit::execute_register_whole(host, 0xD9, function, 0);
      constexpr u16 kC1 = 1u << 9;
      ASSERT_EQ(exact.status & ~kC1, host.status & ~kC1) << std::hex << int{function} << " of " << double(st0);
      ASSERT_EQ(exact.tags, host.tags);
      for (int r = 0; r < 2; ++r) {
        const long double a = value_of(exact.st[r]), b = value_of(host.st[r]);
        ASSERT_LE(std::fabs(a - b), std::fabs(a) * 0x1p-61L) << std::hex << int{function} << " of " << double(st0);
      }
    }
  }
}

TEST_F(ExactFunctions, RoundAsTold) {
  constexpr u16 kDown = 0x77F, kUp = 0xB7F, kC1 = 1u << 9, kPrecision = 1u << 5;
  FxState down = unit(1, 0, kDown), up = unit(1, 0, kUp);
  ASSERT_TRUE(exact_functions::execute(down, kFsin));
  ASSERT_TRUE(exact_functions::execute(up, kFsin));
  // sin 1 = 0.D76AA478 48677020 C6E9...h
  EXPECT_EQ(value_of(down.st[0]), 0xD76AA47848677020p-64L);
  EXPECT_EQ(value_of(up.st[0]), 0xD76AA47848677021p-64L);
  EXPECT_EQ(down.status & (kC1 | kPrecision), kPrecision);
  EXPECT_EQ(up.status & (kC1 | kPrecision), kC1 | kPrecision);
}

TEST_F(ExactFunctions, ExactResultsRaiseNothing) {
  FxState log = unit(8, 3), power = unit(-1, 0);
  ASSERT_TRUE(exact_functions::execute(log, kFyl2x));
  EXPECT_EQ(value_of(log.st[0]), 9.0L);
  EXPECT_EQ(log.status & 0x3F, 0);
  ASSERT_TRUE(exact_functions::execute(power, kF2xm1));
  EXPECT_EQ(value_of(power.st[0]), -0.5L);
  EXPECT_EQ(power.status & 0x3F, 0);
}

TEST_F(ExactFunctions, DenormalResultsUnderflow) {
  constexpr u16 kUnderflow = 1u << 4, kPrecision = 1u << 5;
  FxState fx = unit(0x1p-16400L, 0);
  ASSERT_TRUE(exact_functions::execute(fx, kF2xm1));  // x * ln 2: denormal, rounded
  EXPECT_EQ(fx.status & (kUnderflow | kPrecision), kUnderflow | kPrecision);
  EXPECT_NEAR(static_cast<double>(std::ldexp(value_of(fx.st[0]), 16400)), 0.6931, 0.001);
}

TEST_F(ExactFunctions, LeaveTheTabledCasesToTheHost) {
  for (const long double x : {0.0L, -0.0L, HUGE_VALL, std::nanl(""), 0x1p64L}) {
    FxState fx = unit(x, 1);
    EXPECT_FALSE(exact_functions::execute(fx, kFsin));
  }
  FxState empty = unit(1, 1);
  empty.tags = 0;
  EXPECT_FALSE(exact_functions::execute(empty, kFsin));
}

}  // namespace
}  // namespace relic86
