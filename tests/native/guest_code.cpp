#include "tests/native/guest_code.h"

#include <fmt/format.h>

#include <cstring>

#include "cpu/disassembler.h"
#include "tests/native/host_stub.h"

namespace relic86::native {

namespace {

void put(std::vector<u8>& bytes, u64 value, unsigned count) {
  for (unsigned i = 0; i < count; ++i) bytes.push_back(static_cast<u8>(value >> (8 * i)));
}

}  // namespace

u32 segment_base(u16 selector) {
  for (const LdtEntry& entry : kLdtEntries) {
    if (selector == entry.index * 8 + 7) return entry.base;
  }
  return 0;
}

CaseInput idle_input(const GuestCode& code) {
  CaseInput input{};
  input.eflags = 0x202;
  input.eip = code.end;
  std::memcpy(input.segment, code.segment, sizeof input.segment);
  return input;
}

void GuestCode::lay_out() {
  const u32 origin = (code16 ? 0 : kCode) + slot * kSlotSize;
  bytes.assign(kSlotSize, 0xF4);
  starts.clear();
  undefined.assign(1, 0);
  u32 at = lead;
  bool branches = false;
  for (const Piece& piece : pieces) {
    starts.push_back(origin + at);
    std::copy(piece.bytes.begin(), piece.bytes.end(), bytes.begin() + at);
    at += static_cast<u32>(piece.bytes.size());
    u32 flags = undefined.back();
    if (piece.row != kNoRow) {
      const InstructionRow& row = instruction_table()[piece.row];
      branches = branches || (row.traits & (kTraitBranch | kTraitEndsBlock)) != 0;
      if ((row.traits & kTraitMaybeFlags) == 0 && !branches) flags &= ~row.flags_written;
      flags |= row.undefined.flags;
    }
    undefined.push_back(flags);
  }
  bytes[at++] = 0x90;
  end = origin + at;
  std::vector<u8> leave;
  if (code16) leave.push_back(0x66);
  leave.push_back(0xEA);
  put(leave, stub_address(relic86_native_stub_leave), 4);
  put(leave, kCode64, 2);
  std::copy(leave.begin(), leave.end(), bytes.begin() + at);
  at += static_cast<u32>(leave.size());
  fill = origin + at;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const Piece& piece = pieces[i];
    if (piece.target == Target::None || piece.target == Target::Wild) continue;
    const u32 next = starts[i] + static_cast<u32>(piece.bytes.size());
    const u32 goal = piece.target == Target::Next ? next : fill + piece.fill_distance;
    std::vector<u8> field;
    if (piece.far) {
      put(field, goal, piece.target_bytes - 2u);
      put(field, code16 ? kCode16 : kCode32, 2);
    } else {
      put(field, goal - next, piece.target_bytes);
    }
    std::copy(field.begin(), field.end(), bytes.begin() + (next - origin) - static_cast<u32>(field.size()));
  }
}

u32 GuestCode::undefined_at(u32 eip) const {
  for (std::size_t i = 0; i < starts.size(); ++i) {
    if (eip == starts[i]) return undefined[i];
  }
  return undefined.back();
}

std::string GuestCode::listing() const {
  std::string text;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const u32 offset = starts[i] - starts[0] + lead;
    const std::span<const u8> window(bytes.data() + offset, pieces[i].bytes.size());
    std::string hex;
    for (const u8 byte : window) hex += fmt::format("{:02X} ", byte);
    text += fmt::format("  {:08X}  {:<36}{:<40} ; {}\n", starts[i], hex,
                        disassemble(window, starts[i], code_size(), AssemblerSyntax::Intel).text,
                        pieces[i].row == kNoRow ? "no row" : instruction_table()[pieces[i].row].operands);
  }
  return text;
}

}  // namespace relic86::native
