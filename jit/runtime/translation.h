// A translated block and the points at which its code may be left.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "cpu/code_blocks.h"
#include "jit/ir/ir.h"
#include "jit/ir/mode.h"
#include "jit/runtime/flags.h"

namespace relic86::jit {

struct Translation;

enum class ExitKind : u8 {
  Budget,    // at the block's entry: fewer instructions left than the block has
  Branch,    // a direct branch or the block's end: may be linked
  Indirect,  // EngineArea::target holds EIP or RIP
  Before,    // before insn, which the interpreter is to carry out
  Fault,     // insn faulted: Cpu::fault() says how
  Done,      // a cold instruction completed and left the state final
};

// What a slow path needs to know of the access.
// PushSelector: the lower half of the next slot of four bytes.
enum class AddressForm : u8 { Operand, Push, PushSelector, StackTop, Frame, Source, Destination, BitString, Table };

// Of a region's path: the block's first instructions, as many as ran before control went on to the next one.
struct PathStep {
  CodeBlock* block = nullptr;
  u32 count = 0;
  u32 place = 0;  // of the block's first byte, from that of the path on, modulo 2^32
};

struct ExitPoint {
  Translation* owner = nullptr;
  const Insn* insn = nullptr;
  ExitKind kind = ExitKind::Before;
  AddressForm address = AddressForm::Operand;
  u8 size = 0;                      // of the access
  u8 segment = kDs;                 // of the access
  bool write : 1 = false;           // touch: the access writes
  bool wants_writable : 1 = false;  // touch: the page is to be one that may be written
  bool unshared : 1 = false;        // a branch to the target's unshared variant
  bool settles_flags : 1 = false;   // cold instructions: flags are brought to CpuState before the call
  bool changes_mode : 1 = false;    // cold instructions: the block goes on only if it has not
  bool met_registers : 1 = false;   // the access has led to a device's registers before
  FarKind far{};                    // of what the transfer helper carries out
  bool flags_in_value = false;      // EngineArea::value holds the flags, else the home does
  bool units = false;               // the host's units hold the guest's registers when the call returns
  u8 held = 0;                      // bit n: EngineArea::saved_temporaries[n] is a host address that is still used
  u16 undone = 0;                   // instructions of the block not executed when leaving here
  i32 eip = 0;                      // relative to EngineArea::page_eip: of insn, or where the branch goes
  u32 eip_mask = 0xFFFFFFFF;        // where the branch goes wraps
  // The last x87 instruction, if FIP, FCS and FOP do not yet point to it; and where it stands, as eip.
  bool x87 = false;
  u16 x87_opcode = 0;
  i32 x87_eip = 0;
  // Flags: the home (unless a full step follows), then these steps of the owner.
  u16 first_step = 0, last_step = 0;
  bool from_home : 1 = true;
  // A branch that leaves its flags as a record, naming these guest registers: targets that allow it are jumped to at
  // once, others from the stub, by the late jump, when the flags have been written home.
  bool lazy : 1 = false;
  u16 lazy_registers = 0;
  u32 late_jump_offset = 0, late_stub_offset = 0;
  // Branch: the jump that is patched.
  u32 jump_offset = 0;    // of the 32-bit displacement, from the code's start
  u32 stub_offset = 0;    // of a trap, too
  bool loop : 1 = false;  // closes the block's loop: its fixed pages are in their registers
  // Leads to a block's own code, not to a region that begins with it: closes a loop that is one block alone, in its own
  // code or on the way through a region; or the region cannot be entered.
  bool self : 1 = false;
  bool taken : 1 = false;  // the instruction names the target
  bool linkable : 1 = false;
  bool crosses : 1 = false;   // to another page: 64 bits of its host address + 1 are patched too
  u32 check_offset = 0;       // where they stand
  const u8* page = nullptr;   // of the code that page_eip names there: the target lies in it, unless the jump crosses
  bool checks_place = false;  // they are those of the target itself, not of its page
  Translation* linked = nullptr;
  // A branch whose way to its target is counted: as long as `heat` is not negative the jump is patched to lead to a stub
  // that counts it down and jumps on. Then the target may become a region's head. late_count: where the late jump leads.
  struct CountStub {
    u32 offset = 0;  // from the code's start
    u32 jump = 0;    // of its jump's displacement
  };
  bool counted = false;
  i32 heat = -1;
  CountStub count{}, late_count{};
};

// An instruction of the host that may trap, and where the guest's exit for it is.
struct TrapSite {
  u32 offset = 0;  // from the code's start
  const ExitPoint* exit = nullptr;
};

struct Translation {
  CodeBlock* block = nullptr;
  u32 mode = 0;           // its number (jit/runtime/mode_numbers.h)
  bool unshared = false;  // the variant in which every access checks its own page
  bool dead = false;      // waits to be collected; may still be running, or be returned to
  u32 count = 0;          // instructions
  const u8* code = nullptr;
  u8* writable = nullptr;  // the same bytes, to be written
  u32 code_size = 0;
  u32 entry_offset = 0;
  bool no_loop = false;
  u32 loop_offset = 0;  // where the branch at the end leads that closes a loop: after the checks before it. 0: none
  // Of limited code: EngineArea::page_eip must be at least -lowest, page_end at least `end`.
  i32 lowest = 0, end = 0;
  bool limited = false;
  u64 second_page = 0;   // host address of the page that holds the rest of a straddling block; 0: none
  u64 code_address = 0;  // host address of the guest's first byte: key of the indirect lookup
  std::vector<std::unique_ptr<ExitPoint>> exits;  // they stay where they are: code names them

  std::vector<TrapSite> trap_sites;  // by rising offset

  std::vector<FlagStep> steps;
  std::vector<u32> flag_records;  // numbers of what this block leaves behind
  // May be entered with a record for flags: unless one of these registers is in it.
  bool lazy_entry = false;
  u16 entry_clobbers = 0;
  std::vector<ExitPoint*> incoming;  // linked jumps of others (and itself)
  Translation* next_mode = nullptr;  // the same block under another mode
  // A region (jit/region/): the blocks of its path, and the translation of the first one alone; and of that one, its
  // region. Links and lookups lead to the region while there is one.
  std::vector<PathStep> path;
  Translation* head = nullptr;
  Translation* region = nullptr;
  bool no_region = false;  // none could be made
  u8 region_tries = 0;
  // Slices have ended before it so often; it is to be a head when it is entered next.
  u8 samples = 0;
  bool wanted_head = false;
  bool over_pages = false;  // of a region, which looks at all but its head's when it is entered
  u32 key_number = kNoKey;  // of such a region: JumpCache::regions
  static constexpr u32 kNoKey = ~u32{0};
  bool is_region() const { return head != nullptr; }
  bool holds(BackingOffset start, u64 length) const {
    if (path.empty()) return block->overlaps(start, length);
    return std::ranges::any_of(path, [&](const PathStep& step) { return step.block->overlaps(start, length); });
  }

  const u8* entry() const { return code + entry_offset; }
};

}  // namespace relic86::jit
