// The x64 back end: one pass over a block's IR. Guest registers stay in their host registers throughout; values of an
// instruction that are not guest registers take temporaries. Code that is seldom needed (slow accesses, side exits)
// stands behind the block.
//
//   emitter.cpp             driver, values and temporaries
//   emitter_registers.cpp   R8 to R15
//   emitter_memory.cpp      loads, stores, stack
//   emitter_arithmetic.cpp  operations
//   emitter_bits.cpp        counts of bits, BMI1 and BMI2
//   emitter_flags.cpp       flag steps, conditions, the home
//   emitter_flag_chains.cpp steps that become one
//   emitter_branches.cpp    jumps, links, the indirect lookup
//   emitter_limits.cpp      code whose page may reach over CS's limit
//   emitter_canonical.cpp   targets and addresses of 64-bit code that may not be canonical
//   emitter_units.cpp       x87, MMX, SSE, AVX
//   emitter_strings.cpp     string instructions without a repeat prefix, short runs of MOVS and STOS
//   emitter_system.cpp      CLI, STI, PUSHF, POPF, descriptor tables' registers, reads of control registers
//   emitter_unit_flags.cpp  CLTS, LMSW, MOV to CR0
//   emitter_transfers.cpp   far transfers, INT and IRET
//   emitter_compound.cpp    PUSHA, POPA, ENTER, XLAT, BOUND, INTO, decimal arithmetic
//   emitter_segments.cpp    MOV and POP of segment registers, VERR, VERW, SYSENTER, SYSEXIT
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "jit/analyse/flag_analysis.h"
#include "jit/runtime/engine_area.h"
#include "jit/runtime/flag_records.h"
#include "jit/runtime/translation.h"
#include "jit/x64/registers.h"
#include "jit/x64/thunks.h"

namespace relic86::jit::x64 {

// What a mode adds to the keys of the indirect lookup (jit/runtime/lookup_table.h).
using ModeTag = std::function<u64(const Mode&)>;

// Which direct branches count how often they are taken (jit/region/path.h).
enum class Counted : u8 { Nothing, Backward, Everything };

// Optimisations that can be switched off.
struct EmitterOptions {
  bool share = true;       // neighbouring accesses share one check of their page
  bool lazy_flags = true;  // flags are left as a record where the target allows it
  bool returns = true;     // calls and returns use the host's
  bool cross_page = true;  // direct branches to other pages are patched jumps behind a check of the page
  bool fill = true;        // page tables are walked by fixed code
  bool aside = true;       // so are pages without plain accesses looked at
  bool watched = true;     // and stores to pages with code are made by such code
  bool quick = true;       // fixed code fills slots of the inline table for 64-bit code
  bool copies = true;      // a block keeps copies of R8 to R15 in temporaries
  Counted counted = Counted::Nothing;
  i32 heat = 0;  // how often such a branch goes to its target before that may become a region's head
};

class Emitter {
 public:
  Emitter(asmjit::CodeHolder& code, const BlockIr& ir, const Mode& mode, Translation& translation, const Thunks& thunks,
          const ModeTag& tag_of, FlagRecords& records, const EmitterOptions& options);

  // False: something could not be encoded; the block stays with the interpreter.
  bool run();
  std::size_t failed_at() const { return failed_at_; }  // index of the instruction

 private:
  using Gp = x86::Gp;
  using Label = asmjit::Label;
  using Mem = x86::Mem;

  // Where a value is.
  struct Value {
    // Stored: a guest register that has no host register now.
    enum Kind : u8 { Nothing, Guest, High, Stored, Temporary, Constant, Address } kind = Nothing;
    u8 reg = 0;  // guest register (High: 0 to 3), or host number of the temporary
    u64 constant = 0;
    u8 host_pointer = 0;  // Address: temporary that holds the host address of the access, 0 if none
    bool shared = false;  // Address: shared_place is where the access is
    Mem shared_place{};
    u16 last_use = 0;

    bool in_guest() const { return kind == Guest || kind == High || kind == Stored; }
  };

  // --- Driver, values (emitter.cpp) ---
  void instruction();
  void node(u16 id);
  void patched_immediate(u16 id);
  const Node& at(u16 id) const { return insn().nodes[id]; }
  const InsnIr& insn() const { return ir_.insns[index_]; }
  void count_uses();
  u16 uses(u16 id) const { return uses_[id]; }
  u8 take();              // a free temporary's host number
  void give(u8 host);     // back
  void release(u16 now);  // temporaries whose last use is over
  void set_temporary(u16 id, u8 host);
  Gp in_register(u16 id, unsigned bytes);          // as it is: a guest register or temporary
  u8 in_temporary(u16 id, unsigned bytes);         // a temporary that may be changed; becomes the value's
  asmjit::Operand source(u16 id, unsigned bytes);  // register or immediate
  // Register, immediate, or the place of a guest register in CpuState.
  asmjit::Operand operand(u16 id, unsigned bytes);
  void move_to(const Gp& to, u16 id, unsigned bytes);
  // Older values of a guest register that are used later move away before it is written.
  void before_write(u8 guest_register, u16 now);
  // The one SetRegister that takes value id, if it is a plain register of the same width and nothing is in the way.
  bool destination(u16 id, u8& guest_register);
  // Whether that register has a host register or not.
  bool only_setter(u16 id, u8& guest_register) const;
  // Of a result that is in no guest register: the one in CpuState to which it goes at once, else -1.
  i32 stored_in(u16 id) const;
  void set_register(u16 id);
  void set_register_if(u16 id);
  void load_constant(const Gp& to, u64 value);
  // A guest register where it stands.
  Mem gpr(unsigned guest_register, unsigned bytes) const;
  void write_high(u8 guest_register, const Gp& low_byte);
  void lea_address(const Gp& to, u16 address, i32 extra = 0);  // of an Address
  void lea_long_address(const Gp& to, const Node& n, i32 extra);
  void lea_long(const Gp& to, const Gp* base, const Gp* index, u8 scale, i64 displacement);

  // --- R8 to R15 (emitter_registers.cpp) ---
  static constexpr u8 kNoHost = 0xFF;
  void note_registers();
  std::size_t next_read(u8 reg) const;
  bool has_host(u32 reg) const { return hosts_[reg] != kNoHost; }
  bool in_host(const FlagOperand& operand) const {
    return operand.kind == FlagOperand::Register && has_host(operand.value);
  }
  Gp guest(unsigned reg, unsigned bytes);  // of one that has a host register, and keeps it for the present node
  void hold_for_reads(u8 reg);
  void hold(u8 reg, u8 host);
  void drop(u8 reg);
  void drop_copies();
  bool drop_copy(std::size_t before);
  void set_stored_register(u16 id);

  // --- Memory ---
  void load(u16 id);
  void load_for_write(u16 id);
  void store(u16 id);
  void compare_exchange8(u16 id);
  void push(u16 id);
  void pop(u16 id);
  void peek(u16 id);
  void set_stack_pointer(u16 id);
  // A page without an entry: C++ sees to the access, or the page tables are walked here, which the guest may notice (A
  // and D, and which entries are replaced): only by an access that nothing can prevent any more.
  // Store: as Walk, of an access that only writes.
  enum class Missing : u8 { Slow, Walk, Store };
  // Host address of an access whose offset is in kAddress: [kAddress + returned temporary - 1]. Jumps to slow, or to
  // split with a linear address in kAddress if 2 or 4 bytes lie over two pages, or to missed, with one too, if there is
  // no fast entry.
  x86::Mem translate(unsigned bytes, bool write, unsigned segment, const Label& slow, u8& temporary,
                     bool aligned = false, const Label* split = nullptr, Missing missing = Missing::Slow,
                     const Label* missed = nullptr);
  AddressForm operand_address(u16 address);
  void add_bit_unit(const Node& n);
  // The segment of the operand that an access names.
  unsigned segment_of(const Node& access) const {
    const Node& address = at(access.a);
    return address.op == Op::BitAddress ? at(address.a).segment : address.segment;
  }
  bool check_limit(unsigned segment, unsigned bytes, bool write, bool words, const Gp& scratch, const Label& slow);
  void check_top(unsigned segment, unsigned bytes, const Gp& scratch, const Label& slow);
  void check_unaligned(unsigned segment, unsigned bytes, bool narrow, const Gp& scratch, const Label& slow);
  ExitPoint* access_exit(AddressForm form, unsigned bytes, unsigned segment);
  void stack_address(i32 displacement);
  void move_stack_pointer(i32 by);
  void finish_load(u16 id, unsigned bytes, const Mem& from, u8 temporary, const Label& slow, const Label& split,
                   ExitPoint* exit);
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
  void tlb_entry(const Gp& entry, const Gp& linear, bool write, const Label& miss);
  void find_page(const Gp& entry, bool write, bool writable, const Label& slow, u64 aside = 0);
  void compare_with_page_end(const Gp& scratch, u32 bytes);

  // --- Shared page checks (emitter_pages.cpp) ---
  struct SharedPage {
    u16 group = kNoGroup;
    u8 host = 0;  // temporary that holds the host address of the group's lowest byte; 0: none
    bool writable = false;
    bool fixed = false;  // for the whole loop
  };
  SharedPage* shared_page(u16 group);
  u8 held_addresses() const;  // ExitPoint::held
  bool evict_page();
  // Gives the place of an access whose group is checked, or worth checking.
  bool shared_place(const Node& n, bool write, AddressForm form, i32 displacement, unsigned segment, Mem& place);
  void check_offsets(unsigned segment, u32 span, bool write, const Gp& scratch, const Label& over);
  void hoist();
  void hoist_group(u16 group);
  SharedPage& share(const Node& n, bool write, AddressForm form, i32 displacement, unsigned segment);

  // --- Operations ---
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
  bool rebuild_bits(const FlagStep& step);
  void extend(u16 id);
  void select(u16 id);
  void truth(u16 id);
  void plain(u16 id);
  void sign_copies(u16 id);
  void set_direction(u16 id);
  void set_carry(u16 id);

  // --- Flags ---
  FlagOperand capture(u16 id, unsigned bytes, u32 clobbered);
  FlagOperand capture_register(const Gp& reg, i32 guest_register, u32 clobbered);
  FlagOperand new_slot(unsigned bytes = 4);
  FlagNeed need(u32 defined) const { return flag_need(ir_, index_, defined); }
  void add_step(const FlagStep& step, bool full);
  void host_flags(u32 valid) { host_flags_ = valid; }
  // The host's flags hold what `condition` reads; gives the code to use.
  x86::CondCode condition_code(u32 condition);
  bool rebuild(u32 mask);
  bool rebuild(const FlagStep& step, u32 mask);
  void fetch_operand(const FlagOperand& operand, unsigned bytes);
  asmjit::Operand right_operand(const FlagOperand& operand, unsigned bytes);
  i32 table(bool write) const;  // of the TLB, by privilege
  i32 code_table() const;
  // A field of the inline table's slot at this offset, of 64-bit code.
  Mem inline_slot(const Gp& slot, std::size_t field) const;
  void take_inline_slot(const Gp& slot, QuickKind kind, unsigned bytes, const Label& miss);
  // Whether a page without an entry gets one, and by what access (as enum Missing says).
  enum class Walk : u8 { No, Read, Write };
  // What kAddress holds before a segment's base is added: an offset of 16 bits, one of 32 or 64, or a displacement
  // alone, which is canonical.
  enum class Offset : u8 { Full, Narrow, Constant };
  static Offset width_of_offset(unsigned address_size) { return address_size == 2 ? Offset::Narrow : Offset::Full; }
  bool narrow() const { return offset_ == Offset::Narrow; }
  static constexpr Walk walk_of(bool write) { return write ? Walk::Write : Walk::Read; }
  void find_long_page(const Gp& host, bool writable, unsigned bytes, Walk walk, const Label& slow, const Label& over);
  void add_long_base(unsigned segment, const Gp& scratch, const Label& slow);
  Mem translate_long(unsigned bytes, bool write, unsigned segment, const Label& slow, u8& temporary, bool aligned,
                     Walk walk);
  Mem translate_aligned16(unsigned segment, const Label& slow, u8& temporary);
  x86::Mem slot(u32 number, u32 bytes = 4) const;
  x86::Mem area(std::size_t offset, u32 bytes = 4) const;
  x86::Mem state(std::size_t offset, u32 bytes = 8) const;
  x86::Mem segment_field(unsigned segment, std::size_t offset, u32 bytes) const;
  void flatten();
  // Chains of steps (emitter_flag_chains.cpp)
  bool join_steps();
  bool begin_image(const Mem& image, std::size_t& next);
  void append_to_image(const Mem& image, const FlagStep& step);
  void put_in_image(const Mem& image, u32 flag);
  void carry_in();
  void write_home();
  bool leave_record();
  u16 registers_of_steps() const;
  // The chain of steps as it stands, to go on with it in deferred code.
  struct Chain {
    std::size_t index = 0;
    std::vector<FlagStep> steps;
    bool from_home = true, home_current = true, entry_home = true;
    std::size_t x87 = 0;
  };
  Chain chain() const;
  void restore(const Chain& chain);
  void home_operand(std::size_t offset, const FlagOperand& operand, unsigned bytes = 4);
  asmjit::Operand step_operand(const FlagOperand& operand, const Gp& scratch, unsigned bytes, bool& good);

  // --- Branches ---
  struct Truth {
    bool ready = false;
    x86::CondCode code{};
  };
  Truth truth_of(u16 id);
  // CS's limit (emitter_limits.cpp)
  void check_block();
  void check_second_page(const Label& other);
  void check_target(u16 id);
  void check_taken(i32 target, unsigned bytes);
  void compare_with_code_limit(const Label& beyond);
  void store_page(const Gp& page_eip, const Gp& scratch);
  void limited_exit(i32 target, u32 mask);
  // Canonical addresses (emitter_canonical.cpp)
  void check_canonical(const Gp& address, const Label& beyond);
  void leave_unless_canonical();
  void leave_unless_returning();
  void check_canonical_target(const Node& n);
  void check_canonical_place(i32 target, unsigned bytes);
  void jump_to(u16 id);
  void jump_if(u16 id);
  void counting_jump(u16 id);
  void load_eip(const Gp& to, i32 place);
  void store_page_eip(const Gp& page_eip);
  void find_long_code(const Gp& rip, const Label& other);
  void look_up_entry(ExitPoint* exit, const Gp& page_eip, const Label& miss, bool call);
  // Of branch targets in this code.
  Gp code_register(const Gp& of) const { return sized(of.id(), mode_.pointer_bytes()); }
  unsigned code_bytes() const { return mode_.code64 ? 8 : mode_.code32 ? 4 : 2; }
  u32 check_page(i32 pages, u64 expected, const Label& other);  // gives where `expected` stands in the code
  // How control comes to a place: the code runs on to it, or a branch names it.
  enum class Way : u8 { RunsOn, Branches };
  void cross_page_exit(i32 target, Way way);
  void direct_exit(i32 target, unsigned bytes, unsigned undone, Way way);
  void indirect_exit(const Gp& eip, unsigned undone, bool call = false);
  // Calls (emitter_calls.cpp)
  bool frames_apply(unsigned bytes) const;
  void push_frame(const Gp& scratch);
  void after_call();
  void direct_call(i32 target);
  void return_jump();
  void fall_through_exit();
  bool linkable(i32 target, unsigned bytes) const;
  void cold();
  void read_time(ExitPoint* exit);

  // --- x87, MMX, SSE, AVX (emitter_units.cpp) ---
  void native();
  void hold_units();
  void native_memory();
  void load_unit_control(u32 masks, u32 reserved, bool mxcsr);
  void initialise_x87();
  // The instruction again, its register operands as they are (general ones by their host number).
  void encode_register();
  void encode_memory(const Mem& operand);
  unsigned unit_operand(u8 number, bool general) const;
  u8 general_operand() const;
  void load_general();
  void store_general();
  void encode_opcode(unsigned rex);
  void encode_vex(unsigned rex);
  void note_upper(Upper upper);
  void zero_upper();
  void capture_comparison();
  void point_x87_here();
  void point_data_here(unsigned segment);
  void store_x87_pointers();
  bool units_used_from(std::size_t index) const;
  void expect_trap();
  void trap_here();
  bool may_wait() const;  // for an exception of the x87 that the present instruction has to deliver
  void wait_here();

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
  bool flags_at_hand();
  void arithmetic_image(const Gp& image);
  bool logic_left_flags() const;
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
  void enter_next_in(const Mode& mode, unsigned undone = 0);
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
  bool knows_transfer(FarKind kind) const;
  void interrupt();
  ExitPoint* transfer_exit(FarKind kind);
  void leave_to_transfer(ExitPoint* exit);
  void system_register(u16 id);
  void cold_aside(const Label& slow, const Label& done);

  // --- Exits ---
  void leave_mode();
  ExitPoint* new_exit(ExitKind kind, unsigned undone);
  i32 eip_of(std::size_t index) const;
  // Places of the block, in bytes from its page.
  i32 place(u32 offset) const { return page_offset_ + static_cast<i32>(offset); }
  i32 next_eip() const { return place(insn().end); }
  i32 block_end() const { return place(ir_.insns.back().end); }
  unsigned undone_before() const { return static_cast<unsigned>(ir_.insns.size() - index_); }
  unsigned undone_after() const { return undone_before() - 1; }
  void call_thunk(u64 thunk, ExitPoint* exit);
  void leave(ExitPoint* exit);
  bool is_counted(const ExitPoint& exit) const;
  void leave_branch(ExitPoint* exit);
  // Code that stands after the block's, made for the instruction at which it is deferred.
  template <class Code>
  void defer(Code code) {
    deferred_.push_back([this, index = index_, hosts = hosts_, free = free_, code = std::move(code)] {
      index_ = index;
      hosts_ = hosts;
      if (mode_.code64) free_ = free;
      code();
    });
  }
  // From there the instruction is its handler's, and then goes on at done.
  void defer_to_handler(const Label& from, ExitPoint* exit, const Label& done) {
    RELIC86_ASSERT(exit->settles_flags || insn().writes_registers == 0 || leaves_after_writing(insn()));
    defer([=, this] {
      a_.bind(from);
      call_thunk(thunks_.cold, exit);
      a_.jmp(done);
    });
  }
  ExitPoint* branch_exit(i32 target, Way way);
  void patched_jump(ExitPoint* exit);
  void passing_jump(ExitPoint* exit);
  void patched_jump_if(x86::CondCode code, ExitPoint* exit);
  void note_jump(ExitPoint* exit, const Label& stub, const Label& elsewhere);
  void bind_late_jump(ExitPoint* exit, const Label& stub, const Label& elsewhere, const Chain& chain);
  void note_look(ExitKind kind);

  x86::Assembler a_;
  const BlockIr& ir_;
  Mode mode_;
  Translation& translation_;
  const Thunks& thunks_;
  const ModeTag& tag_of_;
  u64 tag_;
  FlagRecords& records_;
  EmitterOptions options_;
  i32 page_offset_ = 0;  // of the block's first byte

  std::size_t index_ = 0;  // of the instruction
  std::vector<Value> values_;
  std::vector<u16> uses_;
  u32 free_ = 0;    // temporaries, by host number
  u32 pinned_ = 0;  // temporaries of shared pages that the present instruction uses
  // Of guest registers: where they are, and which the present node uses (bits).
  std::array<u8, kNoRegister> hosts_{0,       1,       2,       3,       8,       9,       6,       7,
                                     kNoHost, kNoHost, kNoHost, kNoHost, kNoHost, kNoHost, kNoHost, kNoHost};
  u32 busy_ = 0;
  std::vector<u16> registers_read_, registers_replaced_;  // by instruction, bits
  bool deferring_ = false;                                // code behind the block is being made
  std::array<SharedPage, 4> shared_{};
  std::vector<u32> left_;  // accesses to come, by group
  std::vector<std::function<void()>> deferred_;

  bool counting_ = false;  // a jump that counts ECX down first
  Offset offset_ = Offset::Full;
  u32 host_flags_ = 0;  // guest flags that the host's EFLAGS hold
  bool from_home_ = true;
  u16 first_step_ = 0;
  u32 next_slot_ = 0;
  bool home_current_ = true;  // the home holds everything
  u8 general_ = 0;  // temporary that stands for the present instruction's general register, 0 if it needs none
  bool upper_noted_ = false;               // EngineArea::upper says that upper halves are used
  bool units_held_ = false;                // from here on the host's units hold the guest's registers
  std::size_t x87_pending_ = 0;            // 1 + the x87 instruction to which FIP, FCS and FOP do not yet point
  unsigned data_segment_ = kSegmentCount;  // FDS names this one, if any
  std::vector<ExitPoint*> trap_exits_;     // by instruction; null: the host does not trap there
  u32 record_ = 0;                         // 1 + number of the record that the home names, for the present steps
  // The block may be entered with a record in the home as long as nobody but exits asks for those flags: what the
  // block has changed by then must not be part of the record.
  bool entry_home_ = true;      // from_home_ means the flags at the block's entry
  bool entry_exposed_ = false;  // they are needed in the home itself
  u32 entry_clobbers_ = 0;      // guest registers
  bool slot_taken_ = false;
  std::vector<ExitPoint*> passing_;  // exits that leave the entry's flags to the target
  std::vector<u32> written_before_;  // guest registers, by instruction
  bool ended_ = false;
  bool failed_ = false;
  std::size_t failed_at_ = 0;
};

}  // namespace relic86::jit::x64
