#include "tests/native/groups.h"

#include <cpuid.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cpu/host_units.h"
#include "cpu/state.h"

namespace relic86::native {

namespace {

constexpr std::array<std::string_view, 24> kNames = {
    "alu",  "shift", "bcd",  "muldiv", "string", "bit", "stack", "flow", "x87",   "mmx",  "sse",    "sse2",
    "sse3", "ssse3", "sse4", "crypto", "bmi",    "avx", "avx2",  "fma",  "later", "misc", "system", "all"};

template <std::size_t n>
bool one_of(std::string_view word, const std::array<std::string_view, n>& list) {
  return std::find(list.begin(), list.end(), word) != list.end();
}
bool has(const char* text, std::string_view part) {
  return std::string_view(text).find(part) != std::string_view::npos;
}

constexpr std::array<std::string_view, 12> kShifts = {"rol", "ror", "rcl", "rcr", "shl", "shr", "sar", "shld", "shrd"};
constexpr std::array<std::string_view, 8> kBits = {"bt", "bts", "btr", "btc", "bsf", "bsr", "bswap", "popcnt"};
constexpr std::array<std::string_view, 6> kBcd = {"daa", "das", "aaa", "aas", "aam", "aad"};
constexpr std::array<std::string_view, 4> kMulDiv = {"mul", "imul", "div", "idiv"};
constexpr std::array<std::string_view, 15> kAlu = {"add", "or",  "adc",  "sbb", "and", "sub",  "xor",    "cmp",
                                                   "inc", "dec", "test", "not", "neg", "xadd", "cmpxchg"};
constexpr std::array<std::string_view, 9> kFlow = {"int",   "int3", "int1", "into", "iret",
                                                   "callf", "jmpf", "retf", "bound"};

// Of the instructions that came after SSSE3, those that a program can compare.
bool host_has(Feature feature) {
  constexpr unsigned kExtended = 0x80000001, kStructured = 7;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  const auto structured = [&] { return __get_cpuid_count(kStructured, 0, &eax, &ebx, &ecx, &edx) != 0; };
  switch (feature) {
    case Feature::Lzcnt: return __get_cpuid(kExtended, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_LZCNT) != 0;
    case Feature::Movbe: return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_MOVBE) != 0;
    case Feature::Sse41: return present_host_units().sse41;
    case Feature::Sse42: return present_host_units().sse42;
    case Feature::Aes: return present_host_units().aes;
    case Feature::Pclmulqdq: return present_host_units().pclmulqdq;
    case Feature::Sha: return present_host_units().sha;
    case Feature::Sse4a: return __get_cpuid(kExtended, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_SSE4a) != 0;
    case Feature::Avx: return present_host_units().avx;
    case Feature::Avx2: return present_host_units().avx2;
    case Feature::F16c: return present_host_units().f16c;
    case Feature::Fma: return present_host_units().fma;
    case Feature::AvxAes: return present_host_units().avx && present_host_units().aes;
    case Feature::AvxPclmulqdq: return present_host_units().avx && present_host_units().pclmulqdq;
    case Feature::Bmi1: return structured() && (ebx & bit_BMI) != 0;
    case Feature::Bmi2: return structured() && (ebx & bit_BMI2) != 0;
    case Feature::Adx: return structured() && (ebx & bit_ADX) != 0;
    default: return false;
  }
}

}  // namespace

std::span<const std::string_view> group_names() { return kNames; }

bool uses_mmx(const InstructionRow& row) {
  return has(row.operands, "Pq") || has(row.operands, "Qq") || std::string_view(row.mnemonic) == "emms";
}
bool uses_units(const InstructionRow& row) {
  if (row.feature >= Feature::Fpu && row.feature <= Feature::AvxPclmulqdq) return true;
  return row.feature == Feature::Cmov && has(row.operands, "STi");
}
bool uses_vectors(const InstructionRow& row) {
  return row.feature >= Feature::Avx && row.feature <= Feature::AvxPclmulqdq;
}
bool loads_segment(const InstructionRow& row) {
  static constexpr std::array<std::string_view, 7> kLoads = {"les", "lds", "lss", "lfs", "lgs", "verr", "verw"};
  const std::string_view name = row.mnemonic;
  return one_of(name, kLoads) || (name == "mov" && has(row.operands, "(Sw")) ||
         std::string_view(row.meaning) == "pop_segment" || name == "lar" || name == "lsl" || name == "arpl";
}
bool is_flow(const InstructionRow& row) { return group_of(row) == "flow"; }

std::string_view group_of(const InstructionRow& row) {
  const std::string_view name = row.mnemonic;
  if (row.feature == Feature::Ssse3) return "ssse3";
  if (row.feature == Feature::Sse41 || row.feature == Feature::Sse42) return "sse4";
  if (row.feature == Feature::Sse4a) return "sse4";
  if (row.feature >= Feature::Aes && row.feature <= Feature::Sha) return "crypto";
  if (row.feature == Feature::Fma) return "fma";
  if (uses_vectors(row)) return row.feature == Feature::Avx2 ? "avx2" : "avx";
  if (row.feature == Feature::Bmi1 || row.feature == Feature::Bmi2) return "bmi";
  if (row.feature >= Feature::Lzcnt) return "later";
  if (row.map == OpcodeMap::OneByte && uses_units(row)) return "x87";
  if (row.feature == Feature::Fxsr) return "x87";
  if (uses_mmx(row)) return "mmx";
  if (row.feature == Feature::Sse3) return "sse3";
  if (row.feature == Feature::Sse2 || row.feature == Feature::Clflush) return "sse2";
  if (row.feature == Feature::Sse) return "sse";
  if (one_of(name, kFlow)) return "flow";
  if ((row.traits & kTraitString) != 0) return "string";
  if ((row.traits & (kTraitCpl0 | kTraitIopl)) != 0 && name != "pushf" && name != "popf") return "system";
  if (loads_segment(row)) return "system";
  if ((row.traits & (kTraitBranch | kTraitEndsBlock)) != 0 && row.feature <= Feature::I80386 &&
      row.map == OpcodeMap::OneByte && name != "popf") {
    return "flow";
  }
  if ((row.traits & kTraitBranch) != 0) return "flow";
  if (row.feature == Feature::Cmpxchg8b || one_of(name, kAlu)) return "alu";
  if (one_of(name, kShifts)) return "shift";
  if (one_of(name, kBits)) return "bit";
  if (one_of(name, kBcd)) return "bcd";
  if (one_of(name, kMulDiv)) return "muldiv";
  if ((row.traits & kTraitStack) != 0) return "stack";
  if ((row.traits & (kTraitFaults | kTraitEndsBlock)) != 0) return "system";
  return "misc";
}

std::string_view not_comparable(const InstructionRow& row) {
  static constexpr std::array<std::string_view, 5> kTables = {"sgdt", "sidt", "sldt", "str", "smsw"};
  const std::string_view name = row.mnemonic;
  const bool asks =
      row.feature >= Feature::Lzcnt || (row.feature >= Feature::Sse41 && row.feature <= Feature::AvxPclmulqdq);
  if (asks && !host_has(row.feature)) return "this host does not have it, or draws numbers";
  if (one_of(name, kTables)) return "the host's UMIP hides its tables";
  if (name == "sysenter" || name == "syscall") return "enters the host's kernel";
  if (name == "sysret") return "the emulated processor has it with long mode alone";
  if (name == "int1") return "a hypervisor below may report it as a fault";
  return {};
}

unsigned masked_registers(const InstructionRow& row) {
  const std::string_view name = row.mnemonic;
  constexpr unsigned kA = 1u << kEax, kC = 1u << kEcx, kD = 1u << kEdx, kB = 1u << kEbx;
  if (name == "cpuid") return kA | kB | kC | kD;
  if (name == "rdtsc") return kA | kD;
  if (name == "rdtscp") return kA | kC | kD;
  return 0;
}

std::vector<u16> rows_of_group(std::string_view group) {
  std::vector<u16> rows;
  const auto table = instruction_table();
  for (std::size_t i = 0; i < table.size(); ++i) {
    if ((table[i].traits & kTraitOnly64) != 0) continue;  // tests/native64
    if (not_comparable(table[i]).empty() && (group == "all" || group_of(table[i]) == group)) {
      rows.push_back(static_cast<u16>(i));
    }
  }
  return rows;
}

std::string row_name(u16 row) {
  if (row == kNoRow) return "(no row)";
  const InstructionRow& r = instruction_table()[row];
  std::string text;
  if ((r.match & kMatch66) != 0) text += "66 ";
  if ((r.match & kMatchF3) != 0) text += "F3 ";
  if ((r.match & kMatchF2) != 0) text += "F2 ";
  static constexpr const char* kMaps[] = {"", "0F ", "0F 38 ", "0F 3A ", "VEX 0F ", "VEX 0F 38 ", "VEX 0F 3A "};
  text += fmt::format("{}{:02X}", kMaps[static_cast<unsigned>(r.map)], r.opcode);
  if ((r.match & kMatchL0) != 0) text += ".L0";
  if ((r.match & kMatchL1) != 0) text += ".L1";
  if ((r.match & kMatchW0) != 0) text += ".W0";
  if ((r.match & kMatchW1) != 0) text += ".W1";
  if ((r.match & kMatchReg) != 0) text += fmt::format("/{}", r.match & 7);
  if ((r.match & kMatchRm) != 0) text += fmt::format("/{}", r.match >> 4 & 7);
  if ((r.match & kMatchMemory) != 0) text += "m";
  if ((r.match & kMatchRegister) != 0) text += "r";
  return fmt::format("{} {} {}", text, r.mnemonic, r.operands);
}

}  // namespace relic86::native
