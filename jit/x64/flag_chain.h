// The guest's flags while a block is compiled: the chain of steps since the home (jit/runtime/flags.h), what of them
// the host's EFLAGS hold, and how they get back home.
//
//   flag_chain.cpp    operands and steps, conditions, the home
//   flag_rebuild.cpp  a step repeated for its flags
//   flag_images.cpp   several steps that become one image
#pragma once

#include <vector>

#include "jit/runtime/flag_records.h"
#include "jit/x64/register_allocator.h"

namespace relic86::jit::x64 {

class Exits;

class FlagChain : BlockPart {
 public:
  FlagChain(BlockCode& block, RegisterAllocator& registers, Exits& exits, FlagRecords& records)
      : BlockPart(block), registers_(registers), exits_(exits), records_(records) {}

  void begin_block();

  // --- The host's EFLAGS ---
  u32 host() const { return host_; }  // guest flags that they hold
  void host_holds(u32 flags) { host_ = flags; }
  void host_lost() { host_ = 0; }
  // The host's instruction from `begin` to here set them. It is one that hosts fuse with a branch behind it.
  void set_from(std::size_t begin) { setter_begin_ = begin, setter_end_ = a_.offset(); }

  // --- Steps ---
  FlagNeed need(u32 defined) const { return flag_need(ir_, index_, defined); }
  // An operand as it is now, for a step; clobbered: guest registers that change while the step is in force.
  FlagOperand capture(u16 id, unsigned bytes, u32 clobbered);
  FlagOperand capture_register(const Gp& reg, i32 guest_register, u32 clobbered);
  FlagOperand new_slot(unsigned bytes = 4);
  Mem slot(u32 number, u32 bytes = 4) const;
  void add_step(const FlagStep& step, bool full);  // full: the step defines all arithmetic flags

  // --- Who asks ---
  // The host's flags hold what `condition` reads; gives the code to use.
  x86::CondCode condition_code(u32 condition);
  void carry_in();  // the host's CF is the guest's
  // The host's flags are the guest's, or can be made so.
  bool at_hand();
  void load_image(const Gp& image);  // image := the arithmetic flags

  // --- The home ---
  void write_home();
  bool leave_record();
  void flatten();
  void settle();  // something else has written the home
  bool from_home() const { return from_home_; }
  bool recorded() const { return record_ != 0; }
  bool home_current() const { return home_current_; }
  // Nothing has changed the flags since the block's entry: they go on as they are.
  bool passes() const { return entry_home_ && from_home_ && home_current_; }
  u16 registers_of_steps() const;

  // --- Exits ---
  void describe(ExitPoint& exit);
  void note_passing();  // here an exit leaves the entry's flags to its target
  bool lazy_entry() const { return options_.lazy_flags && !entry_exposed_; }
  u16 entry_clobbers() const { return static_cast<u16>(entry_clobbers_); }

  // The chain as it stands, to go on with it in deferred code.
  struct Snapshot {
    std::vector<FlagStep> steps;
    bool from_home = true, home_current = true, entry_home = true;
  };
  Snapshot snapshot() const;
  void restore(const Snapshot& snapshot);

 private:
  void note_look(ExitKind kind);
  bool in_host_register(const FlagOperand& operand) const {
    return operand.kind == FlagOperand::Register && registers_.has_host(operand.value);
  }
  bool is_home() const;

  bool rebuild(u32 mask);
  bool rebuild(const FlagStep& step, u32 mask);
  bool rebuild_shift(const FlagStep& step, u32 mask);
  bool rebuild_bits(const FlagStep& step);
  void fetch_operand(const FlagOperand& operand, unsigned bytes);
  asmjit::Operand right_operand(const FlagOperand& operand, unsigned bytes);
  asmjit::Operand step_operand(const FlagOperand& operand, const Gp& scratch, unsigned bytes, bool& good);
  void home_operand(std::size_t offset, const FlagOperand& operand, unsigned bytes = 4);

  void move_before_setter(std::size_t begin);
  bool logic_left_flags() const;
  bool join_steps();
  bool begin_image(const Mem& image, std::size_t& next);
  void append_to_image(const Mem& image, const FlagStep& step);
  void put_in_image(const Mem& image, u32 flag);

  RegisterAllocator& registers_;
  Exits& exits_;
  FlagRecords& records_;
  u32 host_ = 0;
  std::size_t setter_begin_ = 0, setter_end_ = 0;  // in the host's code
  bool from_home_ = true;
  u16 first_step_ = 0;
  u32 next_slot_ = 0;
  bool home_current_ = true;  // the home holds everything
  u32 record_ = 0;            // 1 + number of the record that the home names, for the present steps
  // The block may be entered with a record in the home as long as nobody but exits asks for those flags: what the
  // block has changed by then must not be part of the record.
  bool entry_home_ = true;      // from_home_ means the flags at the block's entry
  bool entry_exposed_ = false;  // they are needed in the home itself
  u32 entry_clobbers_ = 0;      // guest registers
  bool slot_taken_ = false;
  std::vector<u32> written_before_;  // guest registers, by instruction
};

}  // namespace relic86::jit::x64
