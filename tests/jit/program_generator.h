// Random guest programs from the instruction table: every row may occur, with random operands and prefixes.
#pragma once

#include <functional>
#include <random>
#include <span>
#include <string_view>
#include <vector>

#include "cpu/instruction_table.h"

namespace relic86 {

class ProgramGenerator {
 public:
  explicit ProgramGenerator(u64 seed, bool code32) : random_(seed), code32_(code32) {}

  // count random instructions, then a jump back to the first.
  // units: half of them x87, MMX and SSE ones.
  // patches: some write over the program, which lies at kOrigin of CS; mostly over the last byte of an instruction.
  static constexpr u32 kOrigin = 0x1000;
  std::vector<u8> loop(unsigned count, bool cold_rows, bool units = false, bool patches = false) {
    units_ = units;
    patches_ = patches;
    std::vector<u8> code;
    std::vector<std::size_t>& starts = starts_;
    starts.clear();
    for (unsigned i = 0; i < count; ++i) {
      starts.push_back(code.size());
      append(code, cold_rows, starts);
    }
    code.push_back(0xE9);
    const std::size_t end = code.size() + (code32_ ? 4 : 2);
    put(code, 0u - static_cast<u32>(end), code32_ ? 4 : 2);
    return code;
  }

  // Where the instructions of the last loop() begin.
  const std::vector<std::size_t>& starts() const { return starts_; }
  // From now on half of the instructions are of these rows, control words are loaded often, indirect branches occur,
  // and so do all prefixes.
  void focus(std::function<bool(const InstructionRow&)> rows) { focus_ = std::move(rows); }
  // From now on one in `rate` instructions is a sequence that this function appends.
  void sequences(u32 rate, std::function<void(std::vector<u8>&)> append) {
    sequence_rate_ = rate;
    sequence_ = std::move(append);
  }
  // From now on some absolute addresses are of the program's own bytes.
  void write_code(u32 begin) { code_begin_ = begin; }

  u32 number() { return static_cast<u32>(random_()); }
  u32 below(u32 n) { return number() % n; }
  bool one_in(u32 n) { return below(n) == 0; }
  // Small, large and boundary values more often than chance.
  u32 value() {
    static constexpr u32 kSpecial[] = {0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, ~0u};
    return one_in(3) ? kSpecial[below(std::size(kSpecial))] : number() >> below(28);
  }

 private:
  static bool excluded(const InstructionRow& row) {
    if ((row.traits & (kTraitCpl0 | kTraitIopl | kTraitOnly64)) != 0) return true;
    if (row.feature >= Feature::Cpuid && row.feature != Feature::Cmov) return true;
    static constexpr std::string_view kNames[] = {"hlt", "int", "int3", "into", "iret", "popf",
                                                  "sti", "cli", "retf", "wait", "bound"};
    for (const auto name : kNames) {
      if (name == row.mnemonic) return true;
    }
    const std::string_view operands(row.operands);
    for (const auto part : {"Ap", "Mp", "Sw", "ES", "SS", "DS", "FS", "GS", "Ms", "Cd", "Dd"}) {
      if (operands.find(part) != operands.npos && std::string_view(row.mnemonic) != "push") return true;
    }
    return !row.hot && std::string_view(row.mnemonic).substr(0, 1) == "l";  // LAR, LSL, LDT and kin
  }

  // May end in an exception, which the surroundings of focused programs handle.
  static bool checks(const InstructionRow& row) {
    const std::string_view name(row.mnemonic);
    return name == "bound" || name == "into" || name == "popf";
  }
  static bool relative(const InstructionRow& row) {
    return row.immediate == ImmediateKind::RelativeByte || row.immediate == ImmediateKind::RelativeFull;
  }
  static bool of_units(const InstructionRow& row) {
    return row.feature >= Feature::Fpu && row.feature <= Feature::Ssse3 && row.feature != Feature::Fxsr;
  }
  // What the host's AVX unit has, counts of bits and BMI.
  static bool latest(const InstructionRow& row) {
    const Feature feature = row.feature;
    const bool bits =
        feature == Feature::Popcnt || feature == Feature::Lzcnt || feature == Feature::Bmi1 || feature == Feature::Bmi2;
    return (bits || (row.shape & kShapeAvx) != 0) && (row.traits & kTraitOnly64) == 0;
  }
  // State from memory mostly unmasks exceptions, which ends a program early.
  bool loads_masks(const InstructionRow& row) {
    for (const auto name : {"fldcw", "fldenv", "frstor", "ldmxcsr", "vldmxcsr"}) {
      if (name == std::string_view(row.mnemonic)) return !one_in(focus_ ? 6 : 16);
    }
    return false;
  }

  // Flags saved and restored, interrupts off and on, data segments loaded with what they hold: as kernels do it.
  void system(std::vector<u8>& code) {
    static constexpr std::string_view kSequences[] = {
        "\x9C\x9D",         "\x9C\xFA\x9D",    "\x9C", "\xFA", "\xFB\x90", "\x1E\x1F", "\x06\x07", "\x0F\xA0\x0F\xA1",
        "\x9C\xFB\x40\x9D", "\x1E\x06\x07\x1F"};
    const std::string_view sequence = kSequences[below(std::size(kSequences))];
    const bool prefix = one_in(6) && sequence.size() == 2 && sequence[0] == '\x9C';
    for (const char byte : sequence) {
      if (prefix) code.push_back(0x66);
      code.push_back(static_cast<u8>(byte));
    }
  }

  // A string instruction near the data, mostly one of those that move or compare memory.
  void string(std::vector<u8>& code) {
    static constexpr u8 kOpcodes[] = {0xA4, 0xA5, 0xA6, 0xA7, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xAF};
    for (const u8 load : {u8{0xBE}, u8{0xBF}}) {  // MOV ESI, EDI
      if (one_in(3)) continue;
      code.push_back(load);
      put(code, (one_in(4) ? 0x2FF0 : 0x2000) + below(one_in(4) ? 0x40 : 0x1000), code32_ ? 4 : 2);
    }
    if (one_in(8)) code.push_back(one_in(2) ? 0xFC : 0xFD);  // CLD, STD
    if (one_in(4)) {
      code.push_back(0xB9);  // MOV ECX
      put(code, below(one_in(2) ? 5 : 90), code32_ ? 4 : 2);
      code.push_back(one_in(2) ? 0xF3 : 0xF2);
    }
    if (one_in(6)) code.push_back(0x66);
    if (one_in(12)) code.push_back(0x67);
    if (one_in(12)) code.push_back(0x26);
    code.push_back(kOpcodes[below(std::size(kOpcodes))]);
  }

  void patch(std::vector<u8>& code, const std::vector<std::size_t>& starts) {
    const u32 which = below(static_cast<u32>(starts.size()));
    const u32 last =
        which + 1 < starts.size() ? static_cast<u32>(starts[which + 1]) - 1 : static_cast<u32>(starts[which]);
    const u32 at = kOrigin + (one_in(8) ? below(static_cast<u32>(code.size()) + 8) : last);
    const u32 width = one_in(4) ? 2 : 1;
    if (!code32_) code.push_back(0x2E);  // CS:, writable in real mode
    if (one_in(2)) {
      code.push_back(width == 1 ? 0x88 : 0x89);  // MOV from a register
      code.push_back(static_cast<u8>(below(8) << 3 | (code32_ ? 5 : 6)));
      put(code, at - (width - 1), code32_ ? 4 : 2);
    } else {
      static constexpr u8 kUsual[] = {0x00, 0x01, 0x40, 0x41, 0x43, 0x90, 0xC0, 0xD3};
      code.push_back(one_in(4) ? 0x80 : 0xC6);  // ADD or MOV
      code.push_back(code32_ ? 0x05 : 0x06);
      put(code, at, code32_ ? 4 : 2);
      put(code, one_in(3) ? kUsual[below(std::size(kUsual))] : value(), 1);
    }
  }

  void append(std::vector<u8>& code, bool cold_rows, const std::vector<std::size_t>& starts) {
    const auto rows = instruction_table();
    if (one_in(24)) {
      system(code);
      return;
    }
    if (sequence_ && one_in(sequence_rate_)) {
      sequence_(code);
      return;
    }
    if (patches_ && one_in(6)) {
      patch(code, starts);
      return;
    }
    if (one_in(24)) {
      string(code);
      return;
    }
    const bool units = units_ && one_in(2);
    for (;;) {
      const InstructionRow& row = rows[below(static_cast<u32>(rows.size()))];
      if (focus_ && one_in(2)) {
        const bool wanted =
            focus_(row) && (of_units(row) || latest(row) || checks(row) || !excluded(row)) && !loads_masks(row);
        const bool indirect = (row.traits & kTraitEndsBlock) != 0 && !relative(row);
        if (!wanted || (indirect && !one_in(8))) continue;
        encode(code, row, relative(row), starts);
        return;
      }
      if (units) {
        if (!of_units(row) || loads_masks(row)) continue;
        encode(code, row, false, starts);
        return;
      }
      if ((!row.hot && (!cold_rows || !one_in(4))) || excluded(row)) continue;
      const bool branch = relative(row);
      const bool leaves = (row.traits & kTraitEndsBlock) != 0;
      if (leaves && !branch) continue;
      if (leaves && !one_in(4)) continue;
      encode(code, row, branch, starts);
      return;
    }
  }

  void encode(std::vector<u8>& code, const InstructionRow& row, bool branch, const std::vector<std::size_t>& starts) {
    address32_ = code32_;
    if (focus_) prefixes(code, row, branch);
    const bool prefix66 = !branch && one_in(5) && (row.match & kMatchPrefixes) == 0;
    if (prefix66) code.push_back(0x66);
    const bool wide = code32_ != prefix66;
    if (row.map >= OpcodeMap::VexTwoByte) {
      vex(code, row);
    } else {
      if ((row.match & kMatch66) != 0) code.push_back(0x66);
      if ((row.match & kMatchF3) != 0) code.push_back(0xF3);
      if ((row.match & kMatchF2) != 0) code.push_back(0xF2);
      if (row.map != OpcodeMap::OneByte) code.push_back(0x0F);
    }
    u8 opcode = row.opcode;
    if (row.opcode_register) opcode = static_cast<u8>(opcode + below(8));
    code.push_back(opcode);
    if (row.modrm) modrm(code, row);
    switch (row.immediate) {
      case ImmediateKind::None: break;
      case ImmediateKind::Byte:
      case ImmediateKind::SignedByte: put(code, value(), 1); break;
      case ImmediateKind::BytePair:
      case ImmediateKind::Word: put(code, value() & 0xFF, 2); break;
      case ImmediateKind::OperandSize:
      case ImmediateKind::OperandFull: put(code, value(), wide ? 4 : 2); break;
      case ImmediateKind::RelativeByte: {
        // Back to an earlier instruction, or to the next one.
        const std::size_t next = code.size() + 1;
        const std::size_t target = one_in(2) ? next : starts[below(static_cast<u32>(starts.size()))];
        put(code, next - target <= 128 ? static_cast<u32>(target - next) : 0, 1);
        break;
      }
      case ImmediateKind::RelativeFull: put(code, 0, code32_ ? 4 : 2); break;
      case ImmediateKind::FarPointer: put(code, 0, wide ? 6 : 4); break;
      case ImmediateKind::Offset: put(code, data_address(0x100), address32_ ? 4 : 2); break;
      case ImmediateKind::WordByte: put(code, below(16), 3); break;
    }
  }

  // The long form of the VEX prefix (SDM 2 2.3.5).
  void vex(std::vector<u8>& code, const InstructionRow& row) {
    const auto has = [&row](u32 bit) { return (row.match & bit) != 0; };
    const u32 map = static_cast<u32>(row.map) - static_cast<u32>(OpcodeMap::VexTwoByte) + 1;
    const u32 vvvv = has(kMatchVexRegister) ? below(8) : 0;
    const bool w = has(kMatchW1) || (!has(kMatchW0) && one_in(2)), l = has(kMatchL1) || (!has(kMatchL0) && one_in(2));
    const u32 implied = has(kMatch66) ? 1 : has(kMatchF3) ? 2 : has(kMatchF2) ? 3 : 0;
    code.push_back(0xC4);
    code.push_back(static_cast<u8>(0xE0 | map));
    code.push_back(static_cast<u8>((w ? 0x80u : 0u) | (~vvvv & 15) << 3 | (l ? 4u : 0u) | implied));
  }

  void prefixes(std::vector<u8>& code, const InstructionRow& row, bool branch) {
    static constexpr u8 kSegments[] = {0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65};
    const bool string = (row.traits & kTraitString) != 0;
    if (one_in(8) && !branch) code.push_back(kSegments[below(6)]);
    if (one_in(10) && (row.modrm || string || row.immediate == ImmediateKind::Offset)) {
      code.push_back(0x67);
      address32_ = !code32_;
    }
    if (string && one_in(2)) code.push_back(one_in(3) ? 0xF2 : 0xF3);
    if ((row.traits & kTraitLockable) != 0 && one_in(12)) code.push_back(0xF0);
  }
  u32 data_address(u32 range) {
    return code_begin_ != 0 && one_in(6) ? code_begin_ + below(0x60) : 0x2000 + below(range);
  }

  void modrm(std::vector<u8>& code, const InstructionRow& row) {
    u8 reg = static_cast<u8>(below(8)), rm = static_cast<u8>(below(8)), mod = static_cast<u8>(below(4));
    if ((row.match & kMatchReg) != 0) reg = row.match & 7;
    if ((row.match & kMatchRegister) != 0) mod = 3;
    if ((row.match & kMatchMemory) != 0 && mod == 3) mod = static_cast<u8>(below(3));
    if ((row.match & kMatchRm) != 0) rm = row.match >> 4 & 7;
    // Mostly addresses near the data: absolute ones, or based on EBX and ESI.
    if (mod != 3 && !one_in(8)) {
      if (address32_) {
        if (one_in(2)) {
          code.push_back(static_cast<u8>(reg << 3 | 5));
          put(code, data_address(0x2000), 4);
        } else {
          code.push_back(static_cast<u8>(0x40 | reg << 3 | (one_in(2) ? 3 : 6)));
          put(code, number(), 1);
        }
      } else {
        code.push_back(static_cast<u8>(reg << 3 | 6));
        put(code, data_address(0x2000), 2);
      }
      return;
    }
    code.push_back(static_cast<u8>(mod << 6 | reg << 3 | rm));
    if (mod == 3) return;
    if (address32_) {
      u8 base = rm;
      if (rm == 4) {
        const u8 sib = static_cast<u8>(below(256));
        code.push_back(sib);
        base = sib & 7;
      }
      if (mod == 1) put(code, number(), 1);
      if (mod == 2 || (mod == 0 && base == 5)) put(code, value(), 4);
    } else {
      if (mod == 1) put(code, number(), 1);
      if (mod == 2 || (mod == 0 && rm == 6)) put(code, value(), 2);
    }
  }

  static void put(std::vector<u8>& code, u64 value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i) code.push_back(static_cast<u8>(value >> (8 * i)));
  }

  std::mt19937_64 random_;
  bool code32_;
  bool units_ = false;
  bool patches_ = false;
  bool address32_ = code32_;
  std::function<bool(const InstructionRow&)> focus_;
  std::function<void(std::vector<u8>&)> sequence_;
  u32 sequence_rate_ = 1;
  std::vector<std::size_t> starts_;
  u32 code_begin_ = 0;
};

}  // namespace relic86
