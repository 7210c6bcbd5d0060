#include "cpu/instruction_table.h"

#include <array>
#include <vector>

#include "cpu/dispatch/part.h"
#include "cpu/semantics/condition.h"
#undef HOT
#undef COLD
#undef UNIT

namespace relic86 {

namespace {

// The vocabulary of the rows' columns (explained on top of insn.def).
namespace columns {
constexpr u32 ANY = 0;
constexpr u32 MEMORY = kMatchMemory;
constexpr u32 REGISTER = kMatchRegister;
constexpr u32 NP = kMatchNoPrefix;
constexpr u32 P66 = kMatch66;
constexpr u32 PF3 = kMatchF3;
constexpr u32 PF2 = kMatchF2;
constexpr u32 CONTROL = 0;
constexpr u32 NO_REX_B = kMatchNoRexB;
constexpr u32 L0 = kMatchL0, L1 = kMatchL1, W0 = kMatchW0, W1 = kMatchW1;
constexpr u32 REG(unsigned n) { return kMatchReg | n; }
constexpr u32 RM(unsigned n) { return kMatchRm | (n << 4); }

constexpr u32 CF = kCF, PF = kPF, AF = kAF, ZF = kZF, SF = kSF, OF = kOF;
constexpr u32 OSZAPC = kArithmeticFlags;
constexpr u32 OSZPC = OSZAPC & ~AF;
constexpr u32 OSZAP = OSZAPC & ~CF;
constexpr UndefinedFlags NONE{};
constexpr UndefinedFlags ZERO(u32 flags) { return {flags, UndefinedValue::Zero}; }
constexpr UndefinedFlags KEEP(u32 flags) { return {flags, UndefinedValue::Keep}; }
constexpr UndefinedFlags FORMULA(u32 flags) { return {flags, UndefinedValue::Formula}; }

constexpr u16 LOCKABLE = kTraitLockable, FAULTS = kTraitFaults, ENDS_BLOCK = kTraitEndsBlock, BRANCH = kTraitBranch,
              CPL0 = kTraitCpl0, IOPL = kTraitIopl, STACK = kTraitStack, STRING = kTraitString,
              MAYBE_FLAGS = kTraitMaybeFlags, PLAIN66 = kTraitNoOperandPrefix, NOT64 = kTraitNot64,
              ONLY64 = kTraitOnly64, DEFAULT64 = kTraitDefault64, NEAR64 = kTraitNear64;

constexpr UnitShape HANDLER = 0;
constexpr UnitShape X87(unsigned bytes) { return kShapeX87 | bytes; }
constexpr UnitShape MMX(unsigned bytes) { return kShapeMmx | bytes; }
constexpr UnitShape SSE(unsigned bytes) { return kShapeSse | bytes; }
constexpr UnitShape ALIGNED = kShapeAligned, STORE = kShapeStore, GENERAL_RM = kShapeGeneralRm,
                    GENERAL_REG = kShapeGeneralReg, IMMEDIATE = kShapeImmediate, COMPARES = kShapeCompares,
                    STATUS_TO_AX = kShapeStatusToAx, TRAPS = kShapeTraps, MASKS = kShapeMasks, NOTHING = kShapeNothing,
                    WAIT = kShapeWait, LOAD_CONTROL = kShapeLoadControl, LOAD_MXCSR = kShapeLoadMxcsr,
                    INITIALISE = kShapeInitialise, EMPTY_MMX = kShapeEmptyMmx;
constexpr UnitShape XMM = SSE(16) | ALIGNED;
constexpr UnitShape VEX(unsigned bytes) { return kShapeAvx | bytes; }
constexpr UnitShape WIDENS(unsigned bytes) { return VEX(bytes) | kShapeLength; }
constexpr UnitShape VECTOR(unsigned bytes) { return WIDENS(bytes) | kShapeDoubles; }
constexpr UnitShape YMM = VECTOR(16), COUNT = WIDENS(16), TO_VEX = kShapeVexDestination, VSIB = kShapeVsib,
                    BY_W = kShapeByW, ZERO_UPPER = VEX(0) | kShapeZeroUpper;
constexpr UnitShape X87_REGISTER = kShapeX87 | kShapeTracked | TRAPS, X87_COMPARE = X87_REGISTER | COMPARES;
constexpr UnitShape X87_LOAD(unsigned bytes) { return X87_REGISTER | bytes; }
constexpr UnitShape X87_STORE(unsigned bytes) { return X87_REGISTER | STORE | bytes; }
}  // namespace columns

#define RELIC86_ROW(is_hot, map, opcode, match, mnemonic, operands, meaning, read, written, undefined, traits, \
                    feature, shape)                                                                            \
  InstructionRow{OpcodeMap::map,                                                                               \
                 opcode,                                                                                       \
                 (match) | ((RELIC86_NOTATION operands::kVexRegister) ? u32{kMatchVexRegister} : 0u),          \
                 mnemonic,                                                                                     \
                 #operands,                                                                                    \
                 #meaning,                                                                                     \
                 is_hot,                                                                                       \
                 ((RELIC86_NOTATION operands::kModRm) || ((match)&kMatchModRm) != 0),                          \
                 RELIC86_NOTATION operands::kOpcodeRegister,                                                   \
                 ((RELIC86_NOTATION operands::kEightByReg) || ((match)&kMatchReg) != 0),                       \
                 RELIC86_NOTATION operands::kEightByRm,                                                        \
                 static_cast<ImmediateKind>(RELIC86_NOTATION operands::kImmediate),                            \
                 read,                                                                                         \
                 written,                                                                                      \
                 undefined,                                                                                    \
                 static_cast<u16>(traits),                                                                     \
                 Feature::feature,                                                                             \
                 shape},
#define HOT(...) RELIC86_ROW(true, __VA_ARGS__, HANDLER)
#define COLD(...) RELIC86_ROW(false, __VA_ARGS__, HANDLER)
#define UNIT(...) RELIC86_ROW(false, __VA_ARGS__)

// One static of constants: the rows in the order of insn.def.
std::span<const InstructionRow> rows() {
  using namespace columns;
  using namespace notation;
  static constexpr InstructionRow kRows[] = {
#include "cpu/insn.def"
  };
  return kRows;
}

// Which rows to try for an opcode of a map.
class RowIndex {
 public:
  // absent: the trait of rows that do not exist here.
  explicit RowIndex(TraitBits absent) {
    const auto all = rows();
    for (std::size_t i = 0; i < all.size(); ++i) {
      const InstructionRow& row = all[i];
      if ((row.traits & absent) != 0) continue;
      for (unsigned k = 0; k < (row.opcode_register ? 8u : 1u); ++k) {
        candidates_[slot(row.map, static_cast<u8>(row.opcode + k))].push_back(static_cast<u16>(i));
      }
    }
  }
  std::span<const u16> candidates(OpcodeMap map, u8 opcode) const { return candidates_[slot(map, opcode)]; }

 private:
  static std::size_t slot(OpcodeMap map, u8 opcode) { return static_cast<std::size_t>(map) * 256 + opcode; }
  std::array<std::vector<u16>, kOpcodeMaps * 256> candidates_;
};

const RowIndex& index(CodeSize size) {
  static const RowIndex kLegacy(kTraitOnly64), kCode64(kTraitNot64);
  return size == CodeSize::Bits64 ? kCode64 : kLegacy;
}

bool matches_vex(u32 match, const Encoding& encoding) {
  if ((match & kMatchL0) != 0 && encoding.vex_l) return false;
  if ((match & kMatchL1) != 0 && !encoding.vex_l) return false;
  if ((match & kMatchW0) != 0 && encoding.vex_w) return false;
  if ((match & kMatchW1) != 0 && !encoding.vex_w) return false;
  return (match & kMatchVexRegister) != 0 || encoding.vex_register == 0;
}

bool matches(u32 match, const Encoding& encoding) {
  if (!matches_vex(match, encoding)) return false;
  if ((match & kMatchReg) != 0 && (match & 7u) != encoding.reg) return false;
  if ((match & kMatchRm) != 0 && ((match >> 4) & 7u) != encoding.rm) return false;
  if ((match & kMatchMemory) != 0 && !encoding.memory) return false;
  if ((match & kMatchRegister) != 0 && encoding.memory) return false;
  if ((match & kMatchNoRexB) != 0 && encoding.rex_b) return false;
  if ((match & kMatchPrefixes) != 0) {
    // F3 and F2 take precedence over 66 (SDM 2 2.1.2 and the opcode maps).
    const u32 found = encoding.prefix_f3   ? kMatchF3
                      : encoding.prefix_f2 ? kMatchF2
                      : encoding.prefix66  ? kMatch66
                                           : kMatchNoPrefix;
    if ((match & found) == 0) return false;
  }
  return true;
}

}  // namespace

std::span<const InstructionRow> instruction_table() { return rows(); }

const HandlerSet& handlers_of(unsigned row) {
  static const std::vector<HandlerSet> kAll = [] {
    std::vector<HandlerSet> all;
    // The order of insn.def.
    for (const auto part : {dispatch::arithmetic_handlers(), dispatch::shifts_handlers(), dispatch::moves_handlers(),
                            dispatch::branches_handlers(), dispatch::system_handlers(), dispatch::x87_handlers(),
                            dispatch::simd_handlers(), dispatch::long_handlers(), dispatch::vex_handlers()}) {
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }();
  return kAll[row];
}

OpcodeShape opcode_shape(CodeSize size, OpcodeMap map, u8 opcode, FeatureSet features) {
  OpcodeShape shape;
  for (const u16 row : index(size).candidates(map, opcode)) {
    if ((features & feature_bit(rows()[row].feature)) == 0) continue;
    shape.exists = true;
    shape.modrm = shape.modrm || rows()[row].modrm;
  }
  return shape;
}

u16 find_row(CodeSize size, const Encoding& encoding, FeatureSet features) {
  const auto all = rows();
  for (const u16 row : index(size).candidates(encoding.map, encoding.opcode)) {
    if (matches(all[row].match, encoding) && (features & feature_bit(all[row].feature)) != 0) return row;
  }
  return kNoRow;
}

}  // namespace relic86
