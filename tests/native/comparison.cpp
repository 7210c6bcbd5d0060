#include "tests/native/comparison.h"

#include <fmt/format.h>

#include <cstring>

#include "cpu/lazy_flags.h"
#include "tests/native/host_extras.h"

namespace relic86::native {

namespace {

constexpr u32 kResume = 0x10000;
constexpr u32 kComparedFlags = 0x003F7FD5;

// Whether a result that raised an unmasked overflow or underflow would have been exact in an unbounded range is not
// computed: PE is masked then.
u32 masked_simd_flags(const CaseResult& host) {
  constexpr u32 kRange = 0x18, kPrecision = 0x20;
  const u32 unmasked = host.fx.mxcsr & ~(host.fx.mxcsr >> 7);
  return host.vector == 19 && (unmasked & kRange) != 0 ? kPrecision : 0;
}

bool same_numbers(const FxState& a, const FxState& b, u32 simd_masked) {
  if (a.control != b.control || a.status != b.status || a.tags != b.tags) return false;
  if (((a.mxcsr ^ b.mxcsr) & ~simd_masked) != 0) return false;
  for (unsigned i = 0; i < 8; ++i) {
    if (std::memcmp(a.st[i].bytes, b.st[i].bytes, 10) != 0) return false;
  }
  return std::memcmp(a.xmm, b.xmm, sizeof a.xmm[0] * 8) == 0;
}

// A null selector's RPL does not outlive IRET to ring 3, which ends an interrupt on the host.
bool same_selectors(const CaseResult& a, const CaseResult& b) {
  for (unsigned i = 0; i < kSlotCount; ++i) {
    if (a.segment[i] != b.segment[i] && (a.segment[i] > 3 || b.segment[i] > 3)) return false;
  }
  return true;
}

// Bytes of the window that hold an x87 image's pointers.
bool masked_byte(const GuestCode& code, u32 at) {
  for (const Piece& piece : code.pieces) {
    for (const auto& [first, last] : piece.masked) {
      const u32 offset = piece.masked_at - kWindow;
      if (at >= offset + first && at <= offset + last) return true;
    }
  }
  return false;
}

bool has_masked_bytes(const GuestCode& code) {
  for (const Piece& piece : code.pieces) {
    if (!piece.masked.empty()) return true;
  }
  return false;
}

// Equal, Masked or Different.
Verdict compare_windows(const GuestCode& code, const CaseResult& a, const CaseResult& b) {
  if (std::memcmp(a.window, b.window, kWindowSize) == 0) return Verdict::Equal;
  if (!has_masked_bytes(code)) return Verdict::Different;
  for (u32 i = 0; i < kWindowSize; ++i) {
    if (a.window[i] != b.window[i] && !masked_byte(code, i)) return Verdict::Different;
  }
  return Verdict::Masked;
}

std::string bytes_text(const u8* bytes, unsigned count) {
  std::string text;
  for (unsigned i = count; i-- > 0;) text += fmt::format("{:02X}", bytes[i]);
  return text;
}

std::string stop_text(const CaseResult& r) {
  if (r.vector == kCompleted) return "ran to its end";
  if (r.vector == kChildDied) return "the child died";
  if (r.vector == kHung) return fmt::format("did not end, EIP {:08X}", r.eip);
  return fmt::format("vector {} error {:04X} EIP {:08X}{}", r.vector, r.error_code, r.eip,
                     r.vector == 14 ? fmt::format(" CR2 {:08X}", r.cr2) : "");
}

std::string flags_text(u32 flags) {
  std::string text;
  static constexpr std::pair<u32, const char*> kNames[] = {{1, "C"},       {4, "P"},       {0x10, "A"},    {0x40, "Z"},
                                                           {0x80, "S"},    {0x100, "T"},   {0x400, "D"},   {0x800, "O"},
                                                           {0x4000, "NT"}, {kResume, "R"}, {0x40000, "AC"}};
  for (const auto& [bit, name] : kNames) {
    if ((flags & bit) != 0) text += std::string(" ") + name;
  }
  return text;
}

constexpr const char* kRegisters[] = {"EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI"};
constexpr const char* kSegments[] = {"ES", "CS", "SS", "DS", "FS", "GS"};

std::string unit_differences(const FxState& h, const FxState& e) {
  std::string text;
  const auto line = [&](const std::string& name, const std::string& expected, const std::string& actual) {
    if (expected != actual) text += fmt::format("  {:<8} expected {} actual {}\n", name, expected, actual);
  };
  line("FCW", fmt::format("{:04X}", h.control), fmt::format("{:04X}", e.control));
  line("FSW", fmt::format("{:04X}", h.status), fmt::format("{:04X}", e.status));
  line("FTW", fmt::format("{:02X}", h.tags), fmt::format("{:02X}", e.tags));
  line("MXCSR", fmt::format("{:04X}", h.mxcsr), fmt::format("{:04X}", e.mxcsr));
  for (unsigned i = 0; i < 8; ++i) {
    line(fmt::format("ST({})", i), bytes_text(h.st[i].bytes, 10), bytes_text(e.st[i].bytes, 10));
    line(fmt::format("XMM{}", i), bytes_text(h.xmm[i].bytes, 16), bytes_text(e.xmm[i].bytes, 16));
  }
  return text;
}

}  // namespace

void settle_end(const GuestCode& code, const CaseInput& input, CaseResult& emulated) {
  if (emulated.vector != 13 || emulated.eip != code.end || emulated.error_code != (kCode64 & ~3u)) return;
  emulated.vector = kCompleted;
  emulated.eip = emulated.error_code = 0;
  emulated.eflags &= ~kResume;
  emulated.segment[kSlotCs] = input.segment[kSlotCs];
}

namespace {

// Equal, Masked or Different.
Verdict compare_registers(const GuestCode& code, const CaseResult& a, const CaseResult& b) {
  if (std::memcmp(a.gpr, b.gpr, sizeof a.gpr) == 0) return Verdict::Equal;
  const u32 masked = code.pieces.back().masked_registers;
  for (unsigned i = 0; i < 8; ++i) {
    if (a.gpr[i] != b.gpr[i] && (masked >> i & 1) == 0) return Verdict::Different;
  }
  return Verdict::Masked;
}

}  // namespace

Verdict compare(const GuestCode& code, const CaseInput& input, const CaseResult& host, const CaseResult& emulated,
                bool undefined) {
  if (skip_reason(code, host, emulated) != Skip::None) return Verdict::Skipped;
  const u32 flags = (host.eflags ^ emulated.eflags) & kComparedFlags;
  const u32 masked = undefined ? 0 : code.undefined_at(host.vector == kCompleted ? code.end : host.eip);
  const Verdict registers = compare_registers(code, host, emulated);
  if (registers == Verdict::Different || (flags & ~masked) != 0 || host.eip != emulated.eip ||
      host.vector != emulated.vector || host.error_code != emulated.error_code || host.cr2 != emulated.cr2 ||
      host.stray != emulated.stray || !same_selectors(host, emulated) ||
      (input.units && !same_numbers(host.fx, emulated.fx, masked_simd_flags(host))) ||
      (input.vectors && std::memcmp(host.ymm_high, emulated.ymm_high, sizeof host.ymm_high) != 0)) {
    return Verdict::Different;
  }
  const Verdict memory = compare_windows(code, host, emulated);
  const bool masked_bits =
      registers == Verdict::Masked || flags != 0 || (input.units && host.fx.mxcsr != emulated.fx.mxcsr);
  return memory == Verdict::Equal && masked_bits ? Verdict::Masked : memory;
}

std::string differences(const GuestCode& code, const CaseInput& input, const CaseResult& host,
                        const CaseResult& emulated) {
  std::string text;
  if (stop_text(host) != stop_text(emulated)) {
    text += fmt::format("  {:<8} expected {}; actual {}\n", "end", stop_text(host), stop_text(emulated));
  }
  for (unsigned i = 0; i < 8; ++i) {
    if (host.gpr[i] != emulated.gpr[i]) {
      text += fmt::format("  {:<8} expected {:08X} actual {:08X}\n", kRegisters[i], host.gpr[i], emulated.gpr[i]);
    }
  }
  if (((host.eflags ^ emulated.eflags) & kComparedFlags) != 0) {
    text += fmt::format("  {:<8} expected {:08X}{} actual {:08X}{} (undefined: {:X})\n", "EFLAGS", host.eflags,
                        flags_text(host.eflags), emulated.eflags, flags_text(emulated.eflags),
                        code.undefined_at(host.vector == kCompleted ? code.end : host.eip));
  }
  for (unsigned i = 0; i < kSlotCount; ++i) {
    if (host.segment[i] != emulated.segment[i]) {
      text +=
          fmt::format("  {:<8} expected {:04X} actual {:04X}\n", kSegments[i], host.segment[i], emulated.segment[i]);
    }
  }
  if (input.units) text += unit_differences(host.fx, emulated.fx);
  for (unsigned i = 0; input.vectors && i < std::size(host.ymm_high); ++i) {
    const u8 *const expected = host.ymm_high[i].bytes, *const actual = emulated.ymm_high[i].bytes;
    if (std::memcmp(expected, actual, sizeof host.ymm_high[i]) == 0) continue;
    text += fmt::format("  YMM{} high expected {} actual {}\n", i, bytes_text(expected, 16), bytes_text(actual, 16));
  }
  unsigned shown = 0;
  for (u32 i = 0; i < kWindowSize && shown < 32; ++i) {
    if (host.window[i] == emulated.window[i] || masked_byte(code, i)) continue;
    ++shown;
    text += fmt::format("  {:08X} was {:02X} expected {:02X} actual {:02X}\n", kWindow + i, input.window[i],
                        host.window[i], emulated.window[i]);
  }
  if (host.stray != emulated.stray) text += "  memory outside the window differs\n";
  return text;
}

std::string input_text(const GuestCode& code, const CaseInput& input) {
  std::string text = "  before  ";
  for (unsigned i = 0; i < 8; ++i) text += fmt::format(" {}={:08X}", kRegisters[i], input.gpr[i]);
  text += fmt::format("\n           EFLAGS={:08X}{}", input.eflags, flags_text(input.eflags));
  for (unsigned i = 0; i < kSlotCount; ++i) text += fmt::format(" {}={:04X}", kSegments[i], input.segment[i]);
  text += fmt::format(" {}-bit\n", code.code16 ? 16 : 32);
  constexpr u32 kShownWords = 16;
  u32 shown = 0;
  for (u32 i = 0; i < kWindowSize && shown < kShownWords; i += 4) {
    u32 word = 0;
    std::memcpy(&word, input.window + i, sizeof word);
    if (word != 0) text += fmt::format("           [{:08X}]={:08X}\n", kWindow + i, word), ++shown;
  }
  if (!input.units) return text;
  text += fmt::format("           FCW={:04X} FSW={:04X} FTW={:02X} MXCSR={:04X}\n", input.fx.control, input.fx.status,
                      input.fx.tags, input.fx.mxcsr);
  for (unsigned i = 0; i < 8; ++i) {
    text += fmt::format("           ST({})={} XMM{}={}\n", i, bytes_text(input.fx.st[i].bytes, 10), i,
                        bytes_text(input.fx.xmm[i].bytes, 16));
  }
  return text;
}

}  // namespace relic86::native
