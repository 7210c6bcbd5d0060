#include "cpu/port_wait.h"

#include <algorithm>
#include <cstring>

#include "cpu/access.h"
#include "cpu/cpu.h"

namespace relic86 {

namespace {

constexpr unsigned kMostInstructions = 16;
constexpr u32 kBreakpointsEnabled = 0xFF;  // of DR7

// How far the window reaches back from the present instruction.
constexpr u32 kBefore = 32;

}  // namespace

std::optional<PortWait> PortWait::at(Cpu& cpu) {
  const CpuState& state = cpu.state();
  const u32 flags = cpu.eflags();
  if (state.mode.code64 || (flags & kTF) != 0 || (state.dr[7] & kBreakpointsEnabled) != 0) return std::nullopt;
  const u32 linear = static_cast<u32>(state.segment[kCs].base + state.eip());
  Mmu::CodePage page;
  if (!cpu.mmu().peek_code(LinAddr(linear), cpu.privilege(), page) || !page.backed) return std::nullopt;
  const u32 here = linear & (kPageSize - 1);
  const u32 first = here - std::min({here, kBefore, state.eip()});
  PortWait wait;
  wait.bytes_ = std::min<u32>(kWindow, kPageSize - first);
  std::memcpy(wait.code_.data(), page.host + first, wait.bytes_);
  wait.code32_ = state.mode.code32;
  wait.edx_ = state.gpr32(kEdx);
  wait.port_ = static_cast<u16>(wait.edx_);
  const Registers now{.al = static_cast<u8>(state.gpr32(kEax)),
                      .zero = (flags & kZF) != 0,
                      .carry = (flags & kCF) != 0,
                      .sign = (flags & kSF) != 0,
                      .known = true};
  const auto read_at = wait.next_read(here - first, now);
  if (!read_at) return std::nullopt;
  wait.read_at_ = *read_at;
  return wait;
}

bool PortWait::goes_on_with(u8 value) const { return next_read(read_at_ + 1, {.al = value}) == read_at_; }

std::optional<bool> PortWait::condition(u8 code, const Registers& registers) const {
  if (!registers.known) return std::nullopt;
  bool holds = false;
  switch (code >> 1) {
    case 1: holds = registers.carry; break;
    case 2: holds = registers.zero; break;
    case 4: holds = registers.sign; break;
    default: return std::nullopt;
  }
  return holds != ((code & 1) != 0);
}

std::optional<u32> PortWait::next_read(u32 at, Registers registers) const {
  const u32 wide = code32_ ? 4 : 2;  // bytes of an operand
  const auto number = [this](u32 from, u32 size) {
    u32 value = 0;
    for (u32 i = 0; i < size; ++i) value |= u32{byte(from + i)} << (8 * i);
    return value;
  };
  // A target before the window lies beyond it as well.
  const auto distance = [&](u32 from, u32 size) {
    const u32 value = number(from, size);
    return size == 1   ? static_cast<u32>(static_cast<i8>(value))
           : size == 2 ? static_cast<u32>(static_cast<i16>(value))
                       : value;
  };
  for (unsigned i = 0; i < kMostInstructions; ++i) {
    const u8 opcode = byte(at), second = byte(at + 1);
    switch (opcode) {
      case 0xEC: return at;
      case 0xA8:  // TEST AL, imm8
        registers.set(registers.al & second);
        at += 2;
        break;
      case 0x24:  // AND AL, imm8
        registers.al &= second;
        registers.set(registers.al);
        at += 2;
        break;
      case 0x3C:  // CMP AL, imm8
        registers.set(static_cast<u8>(registers.al - second), registers.al < second);
        at += 2;
        break;
      case 0x08:  // OR, AND, TEST AL, AL
      case 0x20:
      case 0x84:
        if (second != 0xC0) return std::nullopt;
        registers.set(registers.al);
        at += 2;
        break;
      case 0xBA:  // MOV (E)DX, what it is already
        if (number(at + 1, wide) != (code32_ ? edx_ : edx_ & 0xFFFF)) return std::nullopt;
        at += 1 + wide;
        break;
      case 0x90: ++at; break;
      case 0xF3:  // PAUSE
        if (second != 0x90) return std::nullopt;
        at += 2;
        break;
      case 0xEB: at += 2 + distance(at + 1, 1); break;
      default: {
        const bool near = opcode == 0x0F && (second & 0xF0) == 0x80, close = (opcode & 0xF0) == 0x70;
        if (!near && !close) return std::nullopt;
        const auto taken = condition((near ? second : opcode) & 0xF, registers);
        if (!taken) return std::nullopt;
        const u32 size = close ? 1 : wide, opcodes = close ? 1 : 2;
        at += opcodes + size + (*taken ? distance(at + opcodes, size) : 0);
      }
    }
  }
  return std::nullopt;
}

}  // namespace relic86
