#include "tests/native/input_generator.h"

#include <cstring>

#include "tests/native/code_generator.h"

namespace relic86::native {

namespace {

constexpr u32 kPool = 4096;

u64 special_double(Random& r) {
  static constexpr u64 kSpecial[] = {0,
                                     0x8000000000000000,
                                     0x3FF0000000000000,
                                     0xBFF0000000000000,
                                     0x7FF0000000000000,
                                     0xFFF0000000000000,
                                     0x7FF8000000000000,
                                     0xFFF8000000000000,
                                     0x7FF0000000000001,
                                     0xFFF4000000000000,
                                     0x0000000000000001,
                                     0x800FFFFFFFFFFFFF,
                                     0x0010000000000000,
                                     0x7FEFFFFFFFFFFFFF,
                                     0x41DFFFFFFFC00000,
                                     0xC1E0000000000000,
                                     0x43E0000000000000,
                                     0x3FE0000000000000,
                                     0x3FF8000000000000,
                                     0x36A0000000000000,
                                     0x47EFFFFFE0000000};
  return r.pick(kSpecial);
}

u32 special_single(Random& r) {
  static constexpr u32 kSpecial[] = {0,          0x80000000, 0x3F800000, 0xBF800000, 0x7F800000, 0xFF800000,
                                     0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFA00000, 0x00000001, 0x807FFFFF,
                                     0x00800000, 0x7F7FFFFF, 0x4F000000, 0xCF000000, 0x3F000000, 0x3FC00000};
  return r.pick(kSpecial);
}

u64 lane_pair(Random& r) {
  switch (r.below(6)) {
    case 0: return special_double(r);
    case 1: return special_single(r) | u64{special_single(r)} << 32;
    case 2: return u64{0x3FF00000 + r.below(0x400000) - 0x200000} << 32 | r.number();  // doubles near 1
    case 3:
      return (0x3F800000 + r.below(0x4000000) - 0x2000000) | u64{0x3F800000 + r.below(0x4000000) - 0x2000000} << 32;
    case 4: return r.value() | u64{r.value()} << 32;
    default: return r.next();
  }
}

FxState::Slot extended(Random& r) {
  FxState::Slot slot{};
  u64 mantissa = r.next() | u64{1} << 63;
  u16 exponent = static_cast<u16>(0x3FFF - 8 + r.below(80));
  switch (r.below(14)) {
    case 0: mantissa = 0, exponent = 0; break;
    case 1: mantissa = u64{1} << 63; break;
    case 2: mantissa = u64{1} << 63, exponent = 0x7FFF; break;                        // infinity
    case 3: mantissa = r.next() | u64{3} << 62, exponent = 0x7FFF; break;             // quiet
    case 4: mantissa = (r.next() >> 2) | u64{1} << 63 | 1, exponent = 0x7FFF; break;  // signaling
    case 5: mantissa = r.next() >> (1 + r.below(63)), exponent = 0; break;            // denormal
    case 6: exponent = 0; break;                                                      // pseudo-denormal
    case 7: mantissa &= ~(u64{1} << 63); break;                                       // unnormal, unsupported
    case 8: exponent = static_cast<u16>(r.number() & 0x7FFF); break;
    case 9: exponent = static_cast<u16>(r.percent(50) ? 1 + r.below(40) : 0x7FFE - r.below(40)); break;
    case 10: mantissa &= ~u64{0x7FF}; break;         // exact in double precision
    case 11: mantissa &= ~u64{0xFFFFFFFFFF}; break;  // in single
    case 12: mantissa = u64{1} << 63 | u64{r.value()} << 32, exponent = static_cast<u16>(0x3FFF + r.below(66)); break;
    default: break;
  }
  if (r.percent(50)) exponent |= 0x8000;
  if (r.percent(4)) exponent = 0xFFFF, mantissa = r.next();  // what MMX leaves
  std::memcpy(slot.bytes, &mantissa, 8);
  std::memcpy(slot.bytes + 8, &exponent, 2);
  return slot;
}

}  // namespace

InputGenerator::InputGenerator(u64 seed) : random_(seed), windows_(kPool * 16), st_(kPool), xmm_(kPool) {
  for (u32 i = 0; i + 8 <= windows_.size(); i += 8) {
    u64 word = random_.percent(50) ? lane_pair(random_) : random_.value() | u64{random_.value()} << 32;
    if (random_.percent(10)) {
      const FxState::Slot slot = extended(random_);
      std::memcpy(&word, slot.bytes + random_.below(3), 8);
    }
    std::memcpy(windows_.data() + i, &word, 8);
  }
  for (auto& slot : st_) slot = extended(random_);
  for (auto& slot : xmm_) {
    const u64 lanes[2] = {lane_pair(random_), lane_pair(random_)};
    std::memcpy(slot.bytes, lanes, 16);
  }
  // Whole numbers of the x87 in memory as well.
  for (u32 i = 0; i + 16 <= windows_.size(); i += 16) {
    if (random_.percent(12)) std::memcpy(windows_.data() + i, st_[random_.below(kPool)].bytes, 10);
  }
}

u32 InputGenerator::pointer(const GuestCode& code, SegmentSlot slot, u32 alignment) {
  const u32 offset = interesting_address(random_, alignment) - segment_base(code.segment[slot]);
  if (!code.code16 || random_.percent(5)) return offset;
  return (offset & 0xFFFF) | (random_.percent(50) ? random_.number() & 0xFFFF0000 : 0);
}

void InputGenerator::general(const GuestCode& code, CaseInput& input) {
  for (u32& r : input.gpr) r = random_.value();
  for (const unsigned r : {kEax, kEcx, kEdx}) {
    if (random_.percent(30)) input.gpr[r] = random_.below(64);
  }
  const u32 alignment = code.units && random_.percent(70) ? 16 : 4;
  if (random_.percent(88)) input.gpr[kEbx] = pointer(code, kSlotDs, alignment);
  if (random_.percent(88)) input.gpr[kEsi] = pointer(code, kSlotDs, alignment);
  if (random_.percent(88)) input.gpr[kEdi] = pointer(code, random_.percent(50) ? kSlotDs : kSlotEs, alignment);
  if (random_.percent(88)) input.gpr[kEbp] = pointer(code, kSlotSs, alignment);
  if (random_.percent(96)) input.gpr[kEsp] = pointer(code, kSlotSs, 4);
  constexpr u32 kArithmetic = 0x8D5, kDirection = 0x400, kAlign = 0x40000, kId = 0x200000;
  input.eflags = 0x202 | (random_.number() & kArithmetic);
  if (random_.percent(20)) input.eflags |= kDirection;
  if (random_.percent(3)) input.eflags |= kAlign;
  if (random_.percent(5)) input.eflags |= kId;
}

void InputGenerator::units(CaseInput& input) {
  FxState& fx = input.fx;
  std::memset(static_cast<void*>(&fx), 0, sizeof fx);
  const u16 masks = static_cast<u16>(random_.percent(80) ? 0x3F : random_.below(64));
  fx.control = static_cast<u16>(0x40 | masks | random_.below(16) << 8 | (random_.percent(10) ? 0x1000 : 0));
  fx.status = static_cast<u16>(random_.below(8) << 11 | (random_.number() & 0x4700));
  if (random_.percent(15)) fx.status |= static_cast<u16>(random_.below(128));
  if ((fx.status & ~fx.control & 0x3F) != 0) {
    // Mostly nothing is pending, or no instruction would run.
    if (random_.percent(80)) {
      fx.status &= static_cast<u16>(~0x3F | fx.control);
    } else {
      fx.status |= 0x8080;
    }
  }
  fx.tags = static_cast<u8>(random_.percent(60) ? 0xFF : random_.number());
  for (auto& slot : fx.st) slot = st_[random_.below(kPool)];
  for (unsigned i = 0; i < 8; ++i) fx.xmm[i] = xmm_[random_.below(kPool)];
  const u32 simd_masks = random_.percent(75) ? 0x1F80 : random_.number() & 0x1F80;
  fx.mxcsr = simd_masks | random_.below(4) << 13 | (random_.percent(25) ? random_.number() & 0x8040 : 0) |
             (random_.percent(20) ? random_.number() & 0x3F : 0);
}

// Return addresses and vectors of indirect branches: half of what they may read leads to a place within the slot.
void InputGenerator::plant_targets(const GuestCode& code, CaseInput& input) {
  const auto goal = [&] { return random_.percent(40) ? code.end - 1 : code.fill + random_.below(24); };
  for (u32& r : input.gpr) {
    if (&r != &input.gpr[kEsp] && random_.percent(25)) r = goal();
  }
  const u32 selector = code.segment[kSlotCs];
  const u32 step = code.code16 ? 2 : 4;
  const u32 period = 1 + random_.below(3);
  for (u32 at = 0, i = 0; at + 4 <= kWindowSize; at += step, ++i) {
    u32 word = goal();
    if (i % period == 1) word = random_.percent(85) ? selector : random_.value();
    if (i % period == 2) word = random_.number() & 0x3F0CD5;
    if (random_.percent(90)) std::memcpy(input.window + at, &word, step);
  }
}

void InputGenerator::plant_selectors(CaseInput& input) {
  static constexpr u16 kSelectors[] = {
      0,    1,    3,    kFlat, kCode32, kCode16, kData16, kSmall, kExpandDown, kReadOnlyFlat, kAbsent,
      0x3F, 0x07, 0x10, 0x18,  0x28,    0x2A,    0x40,    0x50,   0x83,        0xFFFF};
  for (u32& r : input.gpr) {
    if (&r != &input.gpr[kEsp] && random_.percent(25)) r = (r & 0xFFFF0000) | random_.pick(kSelectors);
  }
  for (u32 at = 0; at + 2 <= kWindowSize; at += 2) {
    const u16 word = random_.pick(kSelectors);
    if (random_.percent(90)) std::memcpy(input.window + at, &word, 2);
  }
}

// Linux has a descriptor at 78h that depends on the processor it runs on, and 64-bit code at 30h.
void InputGenerator::avoid_host_selectors(CaseInput& input) {
  const auto avoided = [](u32 low, u32 high) { return high == 0 && ((low & 0xFC) == 0x78 || (low & 0xFC) == 0x30); };
  for (u32& r : input.gpr) {
    if (avoided(r & 0xFF, r >> 8 & 0xFF)) r ^= 0x80;
  }
  for (u32 at = 0; at + 2 <= kWindowSize; ++at) {
    if (avoided(input.window[at], input.window[at + 1])) input.window[at] ^= 0x80;
  }
}

void InputGenerator::make(const GuestCode& code, u64 seed, CaseInput& input) {
  random_ = Random(seed);
  input.eip = code.start();
  std::memcpy(input.segment, code.segment, sizeof input.segment);
  input.units = code.units;
  std::memcpy(input.window, windows_.data() + (random_.below(static_cast<u32>(windows_.size() - kWindowSize)) & ~3u),
              kWindowSize);
  general(code, input);
  if (code.units) units(input);
  input.vectors = code.vectors;
  for (auto& slot : input.ymm_high) slot = code.vectors ? xmm_[random_.below(kPool)] : FxState::Slot{};
  bool flow = false, selectors = false, string = false;
  for (const Piece& piece : code.pieces) {
    const InstructionRow& row = instruction_table()[piece.row];
    flow = flow || is_flow(row);
    selectors = selectors || loads_segment(row);
    string = string || (row.traits & kTraitString) != 0;
  }
  if (flow) plant_targets(code, input);
  if (selectors && random_.percent(85)) plant_selectors(input);
  if (selectors || flow) avoid_host_selectors(input);
  if (string && random_.percent(90)) input.gpr[kEcx] = random_.below(random_.percent(90) ? 24 : 3000);
}

}  // namespace relic86::native
