// Bytes to Insn. The one user of Zydis beside the disassembler: Zydis finds length and fields, the instruction table
// says what exists and what it means. Length and fields of the common integer instructions are read here, in a tenth
// of the time: code that a guest makes all the time is decoded as often as it is run.
#pragma once

#include <memory>
#include <span>

#include "base/types.h"
#include "cpu/code_size.h"
#include "cpu/insn.h"
#include "cpu/instruction_table.h"

namespace relic86 {

struct VendorBehaviour;

inline constexpr unsigned kMaxInstructionLength = 15;

// How the vendor reads code (cpu/vendor_behaviour.h).
struct VendorDecoding {
  bool narrows_near_branches = false;
  bool pause_ignores_rex_b = false;
  bool extract_ignores_w = false;
  static VendorDecoding of(const VendorBehaviour& vendor);
};

class Decoder {
 public:
  enum class Reading : u8 { CommonHere, AllByZydis };  // the second for comparison
  explicit Decoder(FeatureSet features, Reading reading = Reading::CommonHere, const VendorDecoding& vendor = {});
  ~Decoder();
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  // Decodes the instruction at the front of window (up to 15 bytes of it are looked at). Always gives an Insn: forms
  // that the processor does not have get a handler that raises #UD, too long ones #GP(0); their row is kNoRow. false:
  // the instruction goes on behind the window, which is shorter than 15 bytes.
  bool decode(std::span<const u8> window, CodeSize size, Insn& insn) const;
  // From now on locked instructions, XCHG with memory among them, get a handler that other threads cannot come between
  // (cpu/locked_access.h).
  void make_locks_atomic() { atomic_locks_ = true; }

 private:
  struct Engine;  // keeps Zydis out of this header
  FeatureSet features_;
  Reading reading_;
  VendorDecoding vendor_;
  bool atomic_locks_ = false;
  std::unique_ptr<Engine> engine_;
};

// Whether no instruction follows within a block.
bool ends_block(const Insn& insn);

}  // namespace relic86
