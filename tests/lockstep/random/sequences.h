// What random rows alone seldom make: several accesses through one base register with a segment load, a change of DF or
// a string instruction among them, at places where offsets wrap, pages end and limits lie.
#pragma once

#include <vector>

#include "cpu/state.h"
#include "tests/jit/program_generator.h"

namespace relic86 {

// What a program's segment registers may be loaded with, and from where.
struct SegmentChoices {
  // Each: m16:32 and, from its byte 8 on, m16:16.
  static constexpr u32 kFarPointers = 32, kFarPointerBytes = 16;
  std::vector<u16> selectors{};
  std::vector<u16> stacks{};  // for SS; empty: it is left alone
  u32 far_pointers = 0;       // offset of their table in CS
  bool flushes = false;       // the TLB, in ring 0
  bool masks = false;         // x87 and SSE exceptions are unmasked
  u32 code_pointers = 0;      // offset in CS of a table as the other one, of places in the program; 0: no far transfers
};

class Sequences {
 public:
  Sequences(ProgramGenerator& random, bool code32, SegmentChoices choices)
      : g_(random), code32_(code32), choices_(std::move(choices)) {}

  void append(std::vector<u8>& code);

 private:
  struct Base {
    u8 rm;       // as ModRM names it, 16-bit or 32-bit
    u8 reg;      // that an immediate value goes to
    u8 segment;  // the default one
  };
  Base any_base();
  u32 place();
  void raw(std::initializer_list<u8> bytes) { code_->insert(code_->end(), bytes); }
  void number(u32 value, unsigned bytes);
  void move_immediate(u8 reg, u32 value, unsigned bytes);
  u8 spare(const Base& base);  // a register that is no part of the base
  void accesses(const Base& base);
  void access(const Base& base);
  void load_segment(const Base& base);
  void load_stack();
  void load_far(u8 segment, u8 reg);
  void direction();
  void masks();
  void transfer();
  void indirect_transfer();
  void system_registers();
  void unit_flags();
  void flags();

  ProgramGenerator& g_;
  bool code32_;
  SegmentChoices choices_;
  std::vector<u8>* code_ = nullptr;
  u8 prefix_ = 0;  // this sequence's segment; 0: the default one
};

}  // namespace relic86
