// Which rows of the instruction table belong to which group, and which of them cannot be compared in user mode.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "cpu/instruction_table.h"

namespace relic86::native {

// "alu", "shift", ... and "all".
std::span<const std::string_view> group_names();
// Rows by index. Empty: there is no such group.
std::vector<u16> rows_of_group(std::string_view group);
// The one group that a row belongs to.
std::string_view group_of(const InstructionRow& row);
// Why a row is not compared; empty: it is.
std::string_view not_comparable(const InstructionRow& row);
// Registers (bit n: Gpr n) that hold the time or the processor's model afterwards.
unsigned masked_registers(const InstructionRow& row);
// "0F AF imul (Gv, Ev)": names a row.
std::string row_name(u16 row);

bool uses_mmx(const InstructionRow& row);
bool uses_units(const InstructionRow& row);
bool uses_vectors(const InstructionRow& row);  // the upper halves of YMM registers  // x87, MMX, XMM
bool loads_segment(const InstructionRow& row);
bool is_flow(const InstructionRow& row);

}  // namespace relic86::native
