#include "tests/native64/inputs.h"

#include <cstring>

#include "tests/native/groups.h"

namespace relic86::native64 {

namespace {

using native::Random;
constexpr u32 kPool = 4096;

u64 number_of_a_kind(Random& r) {
  static constexpr u64 kDoubles[] = {0,
                                     0x8000000000000000,
                                     0x3FF0000000000000,
                                     0x7FF0000000000000,
                                     0xFFF8000000000000,
                                     0x7FF0000000000001,
                                     0x0000000000000001,
                                     0x0010000000000000,
                                     0x7FEFFFFFFFFFFFFF,
                                     0x41DFFFFFFFC00000,
                                     0x43E0000000000000,
                                     0xC3E0000000000000,
                                     0x43DFFFFFFFFFFFFF,
                                     0x36A0000000000000};
  static constexpr u32 kSingles[] = {0,          0x80000000, 0x3F800000, 0x7F800000, 0xFFC00000,
                                     0x7F800001, 0x00000001, 0x00800000, 0x7F7FFFFF, 0x4F000000,
                                     0xCF000000, 0x5F000000, 0xDF000000, 0x3FC00000};
  switch (r.below(6)) {
    case 0: return r.pick(kDoubles);
    case 1: return r.pick(kSingles) | u64{r.pick(kSingles)} << 32;
    case 2: return u64{0x3FF00000 + r.below(0x800000) - 0x400000} << 32 | r.number();
    case 3:
      return (0x3F800000 + r.below(0x8000000) - 0x4000000) | u64{0x3F800000 + r.below(0x8000000) - 0x4000000} << 32;
    case 4: return wide_value(r);
    default: return r.next();
  }
}

FxState::Slot extended(Random& r) {
  FxState::Slot slot{};
  u64 mantissa = r.next() | u64{1} << 63;
  u16 exponent = static_cast<u16>(0x3FFF - 8 + r.below(80));
  switch (r.below(10)) {
    case 0: mantissa = 0, exponent = 0; break;
    case 1: mantissa = u64{1} << 63; break;
    case 2: mantissa = u64{1} << 63, exponent = 0x7FFF; break;              // infinity
    case 3: mantissa = r.next() | u64{3} << 62, exponent = 0x7FFF; break;   // quiet
    case 4: mantissa = r.next() >> (1 + r.below(63)), exponent = 0; break;  // denormal
    case 5: exponent = static_cast<u16>(r.number() & 0x7FFF); break;
    default: break;
  }
  if (r.percent(50)) exponent |= 0x8000;
  std::memcpy(slot.bytes, &mantissa, 8);
  std::memcpy(slot.bytes + 8, &exponent, 2);
  return slot;
}

}  // namespace

InputGenerator::InputGenerator(u64 seed) : random_(seed), windows_(kPool * 16), st_(kPool), xmm_(kPool) {
  for (u32 i = 0; i + 8 <= windows_.size(); i += 8) {
    const u64 word = random_.percent(50) ? number_of_a_kind(random_) : wide_value(random_);
    std::memcpy(windows_.data() + i, &word, 8);
  }
  for (auto& slot : st_) slot = extended(random_);
  for (auto& slot : xmm_) {
    const u64 lanes[2] = {number_of_a_kind(random_), number_of_a_kind(random_)};
    std::memcpy(slot.bytes, lanes, 16);
  }
}

void InputGenerator::general(const GuestCode& code, CaseInput& input) {
  // R8 to R15 take turns with the eight of old: as bases they come as often.
  constexpr bool kPointer[kRegisters] = {false, false, false, true, true, true, true,  true,
                                         false, false, true,  true, true, true, false, true};
  const u32 alignment = code.units && random_.percent(70) ? 16 : 8;
  for (unsigned i = 0; i < kRegisters; ++i) {
    u64& r = input.gpr[i];
    r = wide_value(random_);
    if (kPointer[i] && random_.percent(i == kEsp ? 96 : 85)) r = interesting_address(random_, alignment);
    if (!kPointer[i] && random_.percent(35)) r = random_.below(64);
  }
  constexpr u32 kArithmetic = 0x8D5, kDirection = 0x400, kAlign = 0x40000, kId = 0x200000;
  input.rflags = 0x202 | (random_.number() & kArithmetic);
  if (random_.percent(20)) input.rflags |= kDirection;
  if (random_.percent(3)) input.rflags |= kAlign;
  if (random_.percent(5)) input.rflags |= kId;
}

void InputGenerator::units(CaseInput& input) {
  FxState& fx = input.fx;
  std::memset(static_cast<void*>(&fx), 0, sizeof fx);
  const u16 masks = static_cast<u16>(random_.percent(80) ? 0x3F : random_.below(64));
  fx.control = static_cast<u16>(0x40 | masks | random_.below(16) << 8);
  fx.status = static_cast<u16>(random_.below(8) << 11 | (random_.number() & 0x4700));
  if ((fx.status & ~fx.control & 0x3F) != 0) fx.status &= static_cast<u16>(~0x3F | fx.control);
  fx.tags = static_cast<u8>(random_.percent(60) ? 0xFF : random_.number());
  for (auto& slot : fx.st) slot = st_[random_.below(kPool)];
  for (auto& slot : fx.xmm) slot = xmm_[random_.below(kPool)];
  const u32 simd_masks = random_.percent(75) ? 0x1F80 : random_.number() & 0x1F80;
  fx.mxcsr = simd_masks | random_.below(4) << 13 | (random_.percent(25) ? random_.number() & 0x8040 : 0) |
             (random_.percent(20) ? random_.number() & 0x3F : 0);
}

void InputGenerator::make(const GuestCode& code, u64 seed, CaseInput& input) {
  random_ = Random(seed);
  input.rip = code.start();
  input.units = code.units;
  std::memcpy(input.window, windows_.data() + (random_.below(static_cast<u32>(windows_.size() - kWindowSize)) & ~3u),
              kWindowSize);
  general(code, input);
  if (code.units) units(input);
  input.vectors = code.vectors;
  for (auto& slot : input.ymm_high) slot = code.vectors ? xmm_[random_.below(kPool)] : FxState::Slot{};
  bool flow = false, string = false;
  for (const Piece& piece : code.pieces) {
    const InstructionRow& row = instruction_table()[piece.row];
    flow = flow || native::is_flow(row);
    string = string || (row.traits & kTraitString) != 0;
  }
  // Targets of indirect branches, in registers and memory: half of them lead to a place within the slot.
  const auto goal = [&] {
    const u32 kind = random_.below(100);
    if (kind < 40) return code.end - 1;
    if (kind < 90) return code.fill + random_.below(24);
    return interesting_address(random_, 1);
  };
  for (unsigned i = 0; flow && i < kRegisters; ++i) {
    if (i != kEsp && random_.percent(25)) input.gpr[i] = goal();
  }
  for (u32 at = 0; flow && at + 8 <= kWindowSize; at += 8) {
    const u64 word = goal();
    if (random_.percent(90)) std::memcpy(input.window + at, &word, 8);
  }
  if (string && random_.percent(92)) input.gpr[kEcx] = random_.below(random_.percent(90) ? 24 : 3000);
  if (string && random_.percent(10)) input.gpr[kEcx] |= random_.next() << 32;
}

}  // namespace relic86::native64
