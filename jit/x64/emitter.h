// The x64 back end: one pass over a block's IR, which makes host code of each operation. What must be known of the block
// in between has parts of its own:
//
//   block_part.h            the block itself, and names for what lies in the host's memory
//   register_allocator.h    where guest registers and values are
//   addresses.h             offsets of operands
//   flag_chain.h            the guest's flags
//   memory_access.h         the TLB; shared_pages.h: pages that are checked already
//   host_units.h            x87, MMX, SSE, AVX
//   branches.h              the way to the next block
//   exits.h                 ways out, and jumps to other translations
//   deferred_code.h         code that is seldom needed (slow accesses, side exits), which stands after the block's
//
// The operations:
//
//   emitter.cpp             driver, cold instructions
//   emitter_registers.cpp   writes of guest registers
//   emitter_memory.cpp      loads, stores, stack
//   emitter_atomic.cpp      locked instructions
//   emitter_arithmetic.cpp  arithmetic
//   emitter_bits.cpp        counts of bits, BMI1 and BMI2
//   emitter_branches.cpp    jumps and conditions
//   emitter_units.cpp       x87, MMX, SSE, AVX
//   emitter_strings.cpp     string instructions without a repeat prefix, short runs of MOVS and STOS
//   emitter_system.cpp      CLI, STI, PUSHF, POPF, descriptor tables' registers, reads of control registers
//   emitter_unit_flags.cpp  CLTS, LMSW, MOV to CR0
//   emitter_long_system.cpp SYSCALL, SYSRET, SWAPGS, STAC, CLAC
//   emitter_transfers.cpp   far transfers, INT and IRET
//   emitter_compound.cpp    PUSHA, POPA, ENTER, XLAT, BOUND, INTO, decimal arithmetic
//   emitter_segments.cpp    MOV and POP of segment registers, VERR, VERW, SYSENTER, SYSEXIT
#pragma once

#include "base/assert.h"
#include "jit/x64/branches.h"

namespace relic86::jit::x64 {

// Before BlockPart, which refers to it.
struct BlockHolder {
  BlockCode block;
};

class Emitter : BlockHolder, BlockPart {
 public:
  Emitter(asmjit::CodeHolder& code, const BlockIr& ir, const Mode& mode, Translation& translation, const Thunks& thunks,
          const ModeTag& tag_of, FlagRecords& records, const EmitterOptions& options);

  // False: something could not be encoded; the block stays with the interpreter.
  bool run();
  std::size_t failed_at() const { return failed_at_; }  // index of the instruction

 private:
  // --- Driver (emitter.cpp) ---
  void instruction();
  void node(u16 id);
  void cold();
  void read_time(ExitPoint* exit);
  void leave_mode();
  template <class Code>
  void defer(Code code) {
    deferred_.add(std::move(code));
  }
  // From there the instruction is its handler's, and then goes on at done.
  void defer_to_handler(const Label& from, ExitPoint* exit, const Label& done) {
    RELIC86_ASSERT(exit->settles_flags || insn().writes_registers == 0 || leaves_after_writing(insn()));
    defer([=, this] {
      a_.bind(from);
      exits_.call_thunk(thunks_.cold, exit);
      a_.jmp(done);
    });
  }

  // --- Guest registers (emitter_registers.cpp) ---
  void patched_immediate(u16 id);
  void set_register(u16 id);
  void set_stored_register(u16 id);
  void set_register_if(u16 id);
  void write_high(u8 guest_register, const Gp& low_byte);

  // --- Memory (emitter_memory.cpp) ---
  void load(u16 id);
  void load_for_write(u16 id);
  void store(u16 id);
  void compare_exchange8(u16 id);
  void note_equal();
  // Locked instructions (emitter_atomic.cpp)
  void atomic(u16 id);
  Mem atomic_place(const Node& n, u8& temporary);
  void push(u16 id);
  void pop(u16 id);
  void peek(u16 id);
  void set_stack_pointer(u16 id);
  void move_stack_pointer(i32 by);
  // Where an access goes on that is none of one page with a fast entry: missed if it lies within a page.
  struct LoadLabels {
    Label slow, split, missed;
  };
  LoadLabels load_labels();
  void finish_load(u16 id, unsigned bytes, const Mem& from, u8 temporary, const LoadLabels& labels, ExitPoint* exit);
  struct StoreLabels {
    Label slow, split, missed, done;
  };
  StoreLabels store_labels();
  void finish_store(unsigned bytes, const asmjit::Operand& value, const StoreLabels& labels, ExitPoint* exit);

  // extended: the move that widens, if the value goes to its only user's register at once.
  void load_into(u16 id, unsigned bytes, const Mem& from, Gp& to, x86::Inst::Id& extended);

  // --- String instructions (emitter_strings.cpp) ---
  void string_address(const Node& n);
  void string_load(u16 id);
  void string_store(u16 id);
  void advance(u16 id);
  void repeat_string(u16 id);
  void repeat_long_string(const Node& n, ExitPoint* exit, const Label& slow, const Label& done);
  u8 run_distance(const Node& n, u8 index, const Label& slow);

  // --- Arithmetic ---
  bool binary_of_high_byte(u16 id);
  bool writes_high_byte(u16 id, u8 guest_register) const;
  void binary(u16 id);
  void unary(u16 id);
  void shift(u16 id);
  void double_shift(u16 id);
  void multiply(u16 id);
  void divide(u16 id);
  void bit_test(u16 id);
  void bit_scan(u16 id);
  // Counts of bits, BMI (emitter_bits.cpp)
  void bit_operation(u16 id);
  void rotate_without_flags(u16 id);
  void multiply_without_flags(u16 id);
  void extend(u16 id);
  void select(u16 id);
  void truth(u16 id);
  void plain(u16 id);
  void sign_copies(u16 id);
  void set_direction(u16 id);
  void set_carry(u16 id);

  // --- Branches ---
  // The host's condition under which value id is true; its flags are ready for it.
  x86::CondCode condition_of(u16 id);
  void check_target(u16 id);
  void compare_with_frame(u16 id);
  void expect(u16 id);
  void go_elsewhere(u16 id, ExitPoint* before, const std::function<void()>& jump);
  void jump_to(u16 id);
  void jump_if(u16 id);
  void counting_jump(u16 id);

  // --- x87, MMX, SSE, AVX (emitter_units.cpp) ---
  void native();
  void native_memory();
  bool loads_real() const;
  void load_native(const Mem& operand);
  void load_unit_control(u32 masks, u32 reserved, bool mxcsr);
  void initialise_x87();
  // The instruction again, its register operands as they are (general ones by their host number).
  void encode_register();
  void encode_memory(const Mem& operand);
  void load_tiny(const Mem& operand, const Label& plain);
  unsigned unit_operand(u8 number, bool general) const;
  u8 general_operand() const;
  void load_general();
  void store_general();
  void encode_opcode(unsigned rex);
  void encode_vex(unsigned rex);
  void zero_upper();
  void capture_comparison();

  // --- Several steps in one instruction (emitter_compound.cpp) ---
  Mem piece(unsigned bytes, unsigned unit, bool write, unsigned segment);
  void push_all(u16 id);
  void pop_all(u16 id);
  void enter(u16 id);
  void table_load(u16 id);
  void check_bounds(u16 id);
  void check_overflow();
  void decimal_adjust(u16 id);
  void divide_digits(u16 id);
  void multiply_digits(u16 id);

  // --- The system's instructions (emitter_system.cpp) ---
  void selector(u16 id);
  void flags_image(u16 id);
  void check_trusted(const Label& other);
  void check_not_v86(const Label& other);
  void check_v86_trusted();
  void set_flags(u16 id);
  void set_flags_byte();
  void clear_interrupts();
  void set_interrupts();
  void selector_operand(u16 id, const Label& slow);
  void take_selector(unsigned bytes, unsigned segment, const Label& slow);
  void pop_segment(u16 id);
  void load_selected(u16 id, ExitPoint* exit, const Label& slow, i32 popped);
  void load_segment(u16 id);
  void verify_segment(u16 id);
  void load_far(u16 id);
  void describe_segment(u16 id);
  void check_protected();
  void adjust_level(u16 id);
  void fast_transfer(u16 id);
  void system_call(u16 id);
  void system_return(u16 id);
  void swap_gs();
  void set_user_access(u16 id);
  void check_quiet(u32 flags, const Label& slow);
  void set_home_image(const Gp& image);
  void enter_ring(const Gp& rip, u8 cpl);
  void set_fixed_segment(unsigned segment, u32 add, u16 attributes);
  void table_register(u16 id);
  void next_cr0(const Node& n, const Gp& next);
  void unit_flags(u16 id);
  void load_other_kind(u16 id, const Label& slow, i32 popped);
  // Far transfers (emitter_transfers.cpp)
  void check_real_code(const Label& slow);
  void check_wrap(unsigned bytes, const Label& slow);
  void load_pointer(const Gp& to, const Label& slow, unsigned segment);
  void take_pointer(const Gp& to, const Mem& place);
  void push_return_address(const Label& slow);
  void take_flags(const Gp& flags, const Label& slow);
  void take_interrupt_flag(const Gp& flags, u32 fixed, const Label& other);  // emitter_system.cpp
  void far_transfer(u16 id);
  void direct_transfer(u16 id);
  void known_transfer(u16 id, const Label& slow);
  void enter_known_code(u16 id, const Label& slow, const Mode& after);
  bool knows_transfer(FarKind kind) const;
  void interrupt();
  ExitPoint* transfer_exit(FarKind kind);
  void leave_to_transfer(ExitPoint* exit);
  void system_register(u16 id);
  void cold_aside(const Label& slow, const Label& done);

  SharedPages pages_;
  Addresses addresses_;
  RegisterAllocator registers_;
  DeferredCode deferred_;
  FlagChain flags_;
  HostUnits units_;
  Exits exits_;
  RegionExits region_;
  MemoryAccess memory_;
  Branches branches_;
  bool counting_ = false;  // a jump that counts ECX down first
  u8 general_ = 0;         // temporary that stands for the present instruction's general register, 0 if it needs none
  bool ended_ = false;
  bool returns_to_frame_ = false;  // the host's RET leads to where the guest's does
  std::size_t failed_at_ = 0;
};

}  // namespace relic86::jit::x64
