#include "tests/vectors/exclusions.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

namespace relic86::vectors {

namespace {

// Interrupt number that the capture shows, or -1.
int expected(const Outcome& outcome) {
  return outcome.test.contains("exception") ? outcome.test.at("exception").value("number", -1) : -1;
}

// The instruction's bytes without the HLT behind them.
std::vector<u8> bytes(const Outcome& outcome) {
  const std::string hex = outcome.test.value("bytes", "");
  std::vector<u8> result;
  for (std::size_t i = 0; i + 2 < hex.size(); i += 2) {
    result.push_back(static_cast<u8>(std::stoul(hex.substr(i, 2), nullptr, 16)));
  }
  return result;
}

std::size_t prefixes(const std::vector<u8>& code) {
  constexpr u8 kPrefixes[] = {0x26, 0x2E, 0x36, 0x3E, 0xF0, 0xF2, 0xF3};
  const auto other = std::find_if(code.begin(), code.end(), [&](u8 byte) {
    return std::find(std::begin(kPrefixes), std::end(kPrefixes), byte) == std::end(kPrefixes);
  });
  return static_cast<std::size_t>(other - code.begin());
}

bool name_has(const Outcome& outcome, std::string_view part) {
  return outcome.test.value("name", "").find(part) != std::string::npos;
}

u32 initial(const Outcome& outcome, const char* name) { return outcome.test.at("initial").at("regs").value(name, 0u); }

bool is_lock(const Outcome& outcome) {
  const std::vector<u8> code = bytes(outcome);
  const auto end = code.begin() + static_cast<std::ptrdiff_t>(prefixes(code));
  return outcome.fault.vector == Vector::InvalidOpcode && std::find(code.begin(), end, 0xF0) != end;
}

// Five prefixes before opcode, ModRM, displacement and immediate words exceed it where the bytes were not told whole.
bool is_too_long(const Outcome& outcome) {
  const std::vector<u8> code = bytes(outcome);
  return expected(outcome) == 13 && (code.size() > 10 || (name_has(outcome, "(bad)") && prefixes(code) >= 5));
}

bool is_string_overrun(const Outcome& outcome) {
  constexpr std::string_view kStrings[] = {"6D", "6F", "A5", "A7", "AB", "AD", "AF"};
  return expected(outcome) == 13 && outcome.fault.vector == Vector::GeneralProtection &&
         std::find(std::begin(kStrings), std::end(kStrings), outcome.opcode) != std::end(kStrings);
}

bool is_fs_or_gs(const Outcome& outcome) {
  return (outcome.opcode == "8C" || outcome.opcode == "8E") && expected(outcome) == 6 &&
         (name_has(outcome, "fs") || name_has(outcome, "gs"));
}

// The frame's second word, where CS belongs, holds SS; what differs is nothing else.
bool is_stack_for_code_segment(const Outcome& outcome) {
  if (expected(outcome) < 0) return false;
  const u32 address = outcome.test.at("exception").value("flag_address", 2u) - 2;
  u32 word = 0, found = 0;
  for (const auto& cell : outcome.test.at("final").at("ram")) {
    const u32 at = cell[0].get<u32>();
    if (at != address && at != address + 1) continue;
    word |= cell[1].get<u32>() << (at == address ? 0 : 8);
    ++found;
  }
  return found == 2 && word == initial(outcome, "ss") && word != initial(outcome, "cs");
}

constexpr Exclusion kExclusions[] = {
    {"stack-segment overrun",
     [](const Outcome& outcome) { return expected(outcome) == 13 && outcome.fault.vector == Vector::StackFault; },
     "the 80286 raises interrupt 13 for a word at offset FFFFh of any segment; SDM 2, real-address mode exceptions: "
     "\"#SS If a memory operand effective address is outside the SS segment limit.\""},
    {"string operand overrun", is_string_overrun,
     "the 80286 had moved SI, DI or CX when it raised interrupt 13; SDM 3A 6.5: \"the processor restores the machine "
     "state to the state prior to the beginning of execution of the faulting instruction\""},
    {"POP operand overrun",
     [](const Outcome& outcome) {
       return outcome.opcode == "8F" && expected(outcome) == 13 && outcome.fault.vector == Vector::GeneralProtection;
     },
     "the 80286 had moved SP when it raised interrupt 13; SDM 3A 6.5, as for string operands"},
    {"AAM by 0",
     [](const Outcome& outcome) {
       return outcome.opcode == "D4" && expected(outcome) == 0 && outcome.fault.vector == Vector::DivideError;
     },
     "the 80286 had changed SF, ZF and PF when it raised interrupt 0; SDM 3A 6.5, as for string operands"},
    {"IDIV without overflow",
     [](const Outcome& outcome) {
       return outcome.opcode == "F6.7" && expected(outcome) < 0 && outcome.fault.vector == Vector::DivideError;
     },
     "the 80286 lets some quotients below -128 pass and leaves 80h in AL; SDM 2, IDIV: \"#DE The signed result "
     "(quotient) is too large for the destination.\""},
    {"FS and GS", is_fs_or_gs,
     "the 80286 has no FS and GS: #UD; SDM 2, MOV Sreg: \"#UD If attempt is made to load the CS register.\" is the "
     "only register that later processors refuse besides encodings 6 and 7"},
    {"LOCK", is_lock,
     "the 80286 takes the prefix before any instruction; SDM 2, LOCK: \"#UD If the LOCK prefix is used with an "
     "instruction not listed in the 'Description' section above.\""},
    {"more than 10 bytes", is_too_long,
     "the 80286 raises interrupt 13; SDM 3A 6.15, interrupt 13: \"Exceeding the instruction length limit of 15 bytes "
     "(only can occur when redundant prefixes are placed before an instruction).\""},
    {"escape operand overrun",
     [](const Outcome& outcome) {
       return outcome.opcode.size() >= 2 && outcome.opcode[0] == 'D' && outcome.opcode[1] >= '8' &&
              expected(outcome) < 0 &&
              (outcome.fault.vector == Vector::GeneralProtection || outcome.fault.vector == Vector::StackFault);
     },
     "the 80286's escapes go to a coprocessor that was not there; SDM 2, FADD, real-address mode exceptions: \"#GP If "
     "a memory operand effective address is outside the CS, DS, ES, FS, or GS segment limit.\""},
    {"SS in place of CS", is_stack_for_code_segment,
     "the capture shows SS in the interrupt's frame where CS belongs, in about one of 500,000 tests; SDM 2, INT n: "
     "\"Push(CS)\""},
};

}  // namespace

const Exclusion* find_exclusion(const Outcome& outcome) {
  const auto found = std::find_if(std::begin(kExclusions), std::end(kExclusions),
                                  [&](const Exclusion& exclusion) { return exclusion.applies(outcome); });
  return found == std::end(kExclusions) ? nullptr : found;
}

}  // namespace relic86::vectors
