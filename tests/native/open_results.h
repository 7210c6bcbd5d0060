// Results that the host's own unit computes and that the manuals leave open to the last bits: vendors differ in them.
#pragma once

#include <string_view>

#include "cpu/instruction_table.h"
#include "tests/native/processor.h"

namespace relic86::native {

// By the mnemonic: FSIN, RCPPS and their like.
bool has_open_result(std::string_view mnemonic);
// The mnemonic of the code's first instruction that has one; empty: none.
template <typename GuestCode>
std::string_view open_result_in(const GuestCode& code) {
  for (const auto& piece : code.pieces) {
    if (piece.row == kNoRow) continue;
    const std::string_view name = instruction_table()[piece.row].mnemonic;
    if (has_open_result(name)) return name;
  }
  return {};
}
// This host's units are of the vendor and family of the processor.
bool same_units(const Processor& processor);

}  // namespace relic86::native
