#include "tests/native/host_extras.h"

#include <algorithm>
#include <cstring>

#include "cpu/cpuid.h"
#include "tests/native/groups.h"

namespace relic86::native {

namespace {

constexpr u32 kMisalignedMode = 1u << 17, kMxcsrReserved = 0xFFFF0000;

const Decoder& decoder() {
  static const Decoder instance(find_cpu_model("max")->instructions);
  return instance;
}

// The dword at a linear address as it was when the case stopped; false: not in the data.
bool data_at(const CaseResult& result, u32 linear, u32& value) {
  u8 bytes[4];
  for (u32 i = 0; i < 4; ++i) {
    const u32 at = linear + i;
    if (at < kData || at >= kReadOnly + 0x1000) return false;
    const bool window = at >= kWindow && at < kWindow + kWindowSize;
    bytes[i] = window ? result.window[at - kWindow] : background(at);
  }
  std::memcpy(&value, bytes, sizeof value);
  return true;
}

// The emulated side refused to load an MXCSR whose one reserved bit is the host's.
bool refused_misaligned_mode(const GuestCode& code, const CaseResult& host, const CaseResult& emulated) {
  if (emulated.vector != 13 || (host.vector == 13 && host.eip == emulated.eip)) return false;
  for (std::size_t i = 0; i < code.pieces.size(); ++i) {
    const Piece& piece = code.pieces[i];
    if (code.starts[i] != emulated.eip || piece.row == kNoRow) continue;
    const std::string_view name = instruction_table()[piece.row].mnemonic;
    if (name != "ldmxcsr" && name != "fxrstor") continue;
    std::vector<u8> window = piece.bytes;
    window.resize(kMaxInstructionLength, 0x90);
    Insn insn;
    if (!decoder().decode(window, code.code_size(), insn)) return false;
    const auto part = [&](u8 index) { return index < 8 ? emulated.gpr[index] : 0; };
    const u32 offset = (part(insn.base) + (part(insn.index) << insn.scale) + insn.displacement) & insn.address_mask;
    u32 value = 0;
    return data_at(emulated, segment_base(emulated.segment[insn.segment]) + offset + (name == "fxrstor" ? 24 : 0),
                   value) &&
           (value & kMxcsrReserved) == kMisalignedMode;
  }
  return false;
}

bool left_its_code(const GuestCode& code, const CaseResult& result) {
  if (result.vector == kCompleted || result.vector == kHung) return false;
  const bool code16 = result.segment[kSlotCs] == kCode16;
  if (code16 != code.code16) return true;  // the same bytes mean something else there
  const u32 offset = result.eip - (code16 ? 0 : kCode);
  return offset < kCodeSize && (offset / kSlotSize != code.slot || result.eip >= code.fill + kFillTargets);
}

// 64-bit code, and the entry at 78h in which Linux keeps the processor's number.
bool only_the_hosts(u32 selector) { return (selector & 0xFFFC) == (kCode64 & ~3u) || (selector & 0xFFFC) == 0x78; }

// A fault names such a selector, or a register holds it behind an instruction that looks at one.
bool names_host_descriptor(const GuestCode& code, const CaseResult& host, const CaseResult& emulated) {
  if (emulated.vector == 13 && only_the_hosts(emulated.error_code)) return true;
  const auto loads = [](const Piece& piece) {
    return piece.row != kNoRow && loads_segment(instruction_table()[piece.row]);
  };
  return std::any_of(code.pieces.begin(), code.pieces.end(), loads) &&
         (std::any_of(std::begin(host.gpr), std::end(host.gpr), only_the_hosts) ||
          std::any_of(std::begin(host.segment), std::end(host.segment), only_the_hosts));
}

bool locks_verw(const GuestCode& code) {
  static constexpr u8 kLock = 0xF0;
  return std::any_of(code.pieces.begin(), code.pieces.end(), [](const Piece& piece) {
    return !piece.decoded && piece.row != kNoRow &&
           std::string_view(instruction_table()[piece.row].mnemonic) == "verw" &&
           std::find(piece.bytes.begin(), piece.bytes.end(), kLock) != piece.bytes.end();
  });
}

}  // namespace

std::string_view skip_text(Skip skip) {
  switch (skip) {
    case Skip::ForeignPages: return "met pages that only the host has";
    case Skip::LeftItsCode: return "left their code";
    case Skip::MisalignedMode: return "set MXCSR bit 17, which only AMD's parts have";
    case Skip::HostDescriptor: return "named a descriptor that only the host has";
    case Skip::LockedVerw: return "had a LOCK VERW, which some parts fault on otherwise than by #UD";
    case Skip::NestedTask: return "returned from a nested task, which IA-32e mode has not";
    case Skip::None:
    case Skip::Count: break;
  }
  return {};
}

bool met_foreign_pages(const CaseResult& emulated) {
  return emulated.vector == 14 && emulated.cr2 >= kStub && emulated.cr2 < kStub + kStubSize;
}

Skip skip_reason(const GuestCode& code, const CaseResult& host, const CaseResult& emulated) {
  if (met_foreign_pages(emulated)) return Skip::ForeignPages;
  if (left_its_code(code, host) || left_its_code(code, emulated)) return Skip::LeftItsCode;
  if (code.units && (host.fx.mxcsr > 0xFFFF || refused_misaligned_mode(code, host, emulated))) {
    return Skip::MisalignedMode;
  }
  if (names_host_descriptor(code, host, emulated)) return Skip::HostDescriptor;
  if (emulated.vector == 10 && (emulated.eflags & 0x4000) != 0) return Skip::NestedTask;
  if (locks_verw(code)) return Skip::LockedVerw;
  return Skip::None;
}

}  // namespace relic86::native
