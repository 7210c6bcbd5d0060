#include "tests/native64/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "cpu/canonical.h"

namespace relic86::native64 {

namespace {

constexpr u32 kComparedFlags = 0x003F7FD5;
constexpr const char* kNames[kRegisters] = {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
                                            "R8",  "R9",  "R10", "R11", "R12", "R13", "R14", "R15"};

// As in tests/native: PE behind an unmasked overflow or underflow is not computed.
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
  return std::memcmp(a.xmm, b.xmm, sizeof a.xmm) == 0;
}

// Bytes of the window that hold an x87 image's pointers.
bool masked_byte(const GuestCode& code, u32 at) {
  for (const Piece& piece : code.pieces) {
    for (const auto& [first, last] : piece.masked) {
      const u64 offset = piece.masked_place - kWindow;
      if (at >= offset + first && at <= offset + last) return true;
    }
  }
  return false;
}

Verdict compare_windows(const GuestCode& code, const CaseResult& a, const CaseResult& b) {
  Verdict verdict = Verdict::Equal;
  for (u32 i = 0; i < kWindowSize; ++i) {
    if (a.window[i] == b.window[i]) continue;
    if (!masked_byte(code, i)) return Verdict::Different;
    verdict = Verdict::Masked;
  }
  return verdict;
}

u32 masked_of(const GuestCode& code) {
  u32 masked = 0;
  for (const Piece& piece : code.pieces) masked |= piece.masked_registers;
  return masked;
}

// Of the upper half the host's kernel tells a program that every page is protected.
u32 error_of(const CaseResult& result) {
  return result.vector == 14 && result.cr2 >= LinearWidth().lower_half_end() ? result.error_code & ~1u
                                                                             : result.error_code;
}

// A repeated MOVS between two addresses of the same memory. Fast-string operation moves many bytes at a time where it
// sees no overlap (SDM 1 7.3.9.3), and it looks for one in the addresses: what then comes of it is the host's own affair.
bool moves_between_aliases(const GuestCode& code, const CaseInput& input, const CaseResult& host) {
  const auto apart = [](const auto& gpr) { return ((gpr[kEsi] ^ gpr[kEdi]) & kHigh) != 0; };
  if (!apart(input.gpr) && !apart(host.gpr)) return false;
  return std::ranges::any_of(code.pieces, [](const Piece& piece) {
    const std::string_view name = instruction_table()[piece.row].mnemonic;
    const bool repeats = std::ranges::any_of(piece.bytes, [](u8 byte) { return byte == 0xF2 || byte == 0xF3; });
    return repeats && (name == "movsb" || name == "movs");
  });
}

bool same_memory(const CaseResult& a, const CaseResult& b) {
  return a.stray == b.stray && std::memcmp(a.window, b.window, sizeof a.window) == 0;
}

bool skipped(const GuestCode& code, const CaseInput& input, const CaseResult& host, const CaseResult& emulated) {
  const u64 place = emulated.cr2;
  const bool fault = emulated.vector == 14;
  if (fault && place >= kStub && place < kStub + kStubSize) return true;
  // Where the host's program, libraries and stack are.
  if (fault && place >= 0x500000000000 && place < LinearWidth().lower_half_end()) return true;
  const auto left = [&](const CaseResult& result) {
    if (result.vector == kCompleted || result.vector == kHung) return false;
    const u64 offset = result.rip - kCode;
    return offset < kCodeSize && (offset / kSlotSize != code.slot || result.rip >= code.fill + kSlotSize / 8 + 16);
  };
  if (left(host) || left(emulated)) return true;
  if (!same_memory(host, emulated) && moves_between_aliases(code, input, host)) return true;
  // MXCSR bit 17 of AMD's parts.
  if (!code.units) return false;
  if (host.fx.mxcsr > 0xFFFF) return true;
  if (emulated.vector != 13 || (host.vector == 13 && host.rip == emulated.rip)) return false;
  for (std::size_t i = 0; i < code.pieces.size(); ++i) {
    const std::string_view name = instruction_table()[code.pieces[i].row].mnemonic;
    if (code.starts[i] == emulated.rip && (name == "ldmxcsr" || name == "fxrstor")) return true;
  }
  return false;
}

std::string bytes_text(const u8* bytes, unsigned count) {
  std::string text;
  for (unsigned i = count; i-- > 0;) text += fmt::format("{:02X}", bytes[i]);
  return text;
}

std::string stop_text(const CaseResult& r) {
  if (r.vector == kCompleted) return "ran to its end";
  if (r.vector == kChildDied) return "the child died";
  if (r.vector == kHung) return fmt::format("did not end, RIP {:X}", r.rip);
  return fmt::format("vector {} error {:04X} RIP {:X}{}", r.vector, error_of(r), r.rip,
                     r.vector == 14 ? fmt::format(" CR2 {:X}", r.cr2) : "");
}

}  // namespace

Verdict compare(const GuestCode& code, const CaseInput& input, const CaseResult& host, const CaseResult& emulated) {
  if (skipped(code, input, host, emulated)) return Verdict::Skipped;
  const u32 flags = static_cast<u32>(host.rflags ^ emulated.rflags) & kComparedFlags;
  const u32 masked = code.undefined_at(host.vector == kCompleted ? code.end : host.rip);
  const u32 masked_registers = masked_of(code);
  bool masked_bits = flags != 0;
  for (unsigned i = 0; i < kRegisters; ++i) {
    if (host.gpr[i] == emulated.gpr[i]) continue;
    if ((masked_registers >> i & 1) == 0) return Verdict::Different;
    masked_bits = true;
  }
  if ((flags & ~masked) != 0 || host.rip != emulated.rip || host.vector != emulated.vector ||
      error_of(host) != error_of(emulated) || host.cr2 != emulated.cr2 || host.stray != emulated.stray ||
      (input.units && !same_numbers(host.fx, emulated.fx, masked_simd_flags(host))) ||
      (input.vectors && std::memcmp(host.ymm_high, emulated.ymm_high, sizeof host.ymm_high) != 0)) {
    return Verdict::Different;
  }
  const Verdict memory = compare_windows(code, host, emulated);
  return memory == Verdict::Equal && masked_bits ? Verdict::Masked : memory;
}

std::string differences(const GuestCode& code, const CaseInput& input, const CaseResult& host,
                        const CaseResult& emulated) {
  std::string text;
  const auto line = [&](const std::string& name, const std::string& expected, const std::string& actual) {
    if (expected != actual) text += fmt::format("  {:<8} expected {} actual {}\n", name, expected, actual);
  };
  line("end", stop_text(host), stop_text(emulated));
  for (unsigned i = 0; i < kRegisters; ++i)
    line(kNames[i], fmt::format("{:016X}", host.gpr[i]), fmt::format("{:016X}", emulated.gpr[i]));
  if (((host.rflags ^ emulated.rflags) & kComparedFlags) != 0) {
    const u32 undefined = code.undefined_at(host.vector == kCompleted ? code.end : host.rip);
    line("RFLAGS", fmt::format("{:X}", host.rflags & kComparedFlags),
         fmt::format("{:X} (undefined {:X})", emulated.rflags & kComparedFlags, undefined));
  }
  if (input.units) {
    const FxState &h = host.fx, &e = emulated.fx;
    line("FCW", fmt::format("{:04X}", h.control), fmt::format("{:04X}", e.control));
    line("FSW", fmt::format("{:04X}", h.status), fmt::format("{:04X}", e.status));
    line("FTW", fmt::format("{:02X}", h.tags), fmt::format("{:02X}", e.tags));
    line("MXCSR", fmt::format("{:04X}", h.mxcsr), fmt::format("{:04X}", e.mxcsr));
    for (unsigned i = 0; i < 8; ++i)
      line(fmt::format("ST({})", i), bytes_text(h.st[i].bytes, 10), bytes_text(e.st[i].bytes, 10));
    for (unsigned i = 0; i < 16; ++i)
      line(fmt::format("XMM{}", i), bytes_text(h.xmm[i].bytes, 16), bytes_text(e.xmm[i].bytes, 16));
  }
  for (unsigned i = 0; input.vectors && i < std::size(host.ymm_high); ++i)
    line(fmt::format("YMM{} high", i), bytes_text(host.ymm_high[i].bytes, 16),
         bytes_text(emulated.ymm_high[i].bytes, 16));
  unsigned shown = 0;
  for (u32 i = 0; i < kWindowSize && shown < 24; ++i) {
    if (host.window[i] == emulated.window[i] || masked_byte(code, i)) continue;
    ++shown;
    text += fmt::format("  {:08X} was {:02X} expected {:02X} actual {:02X}\n", kWindow + i, input.window[i],
                        host.window[i], emulated.window[i]);
  }
  if (host.stray != emulated.stray) text += "  memory outside the window differs\n";
  return text;
}

std::string input_text(const CaseInput& input) {
  std::string text = "  before  ";
  for (unsigned i = 0; i < kRegisters; ++i) {
    if (input.gpr[i] != 0) text += fmt::format(" {}={:X}", kNames[i], input.gpr[i]);
  }
  text += fmt::format(" RFLAGS={:X}\n", input.rflags);
  unsigned shown = 0;
  for (u32 i = 0; i < kWindowSize && shown < 12; i += 8) {
    u64 word = 0;
    std::memcpy(&word, input.window + i, sizeof word);
    if (word != 0) text += fmt::format("           [{:08X}]={:016X}\n", kWindow + i, word), ++shown;
  }
  if (!input.units) return text;
  text += fmt::format("           FCW={:04X} FSW={:04X} FTW={:02X} MXCSR={:04X}\n", input.fx.control, input.fx.status,
                      input.fx.tags, input.fx.mxcsr);
  return text;
}

}  // namespace relic86::native64
