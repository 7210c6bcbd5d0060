// The interpreter: runs decoded blocks (cpu/code_blocks.h) one handler call per instruction.
//
// Between two instructions of a block nothing is looked at but the budget: whoever makes work (an interrupt, a stop, an
// earlier event) cuts the budget, and instructions that change what may be acted on (STI, POPF, MOV CR) end in
// Flow::Stop. With TF, RF or an interrupt shadow in force, and at breakpoints, instructions run one by one in
// step().
//
// A debugger's breakpoints and those of DR0 to DR3 cut blocks: every page has block borders at the breakpoints' offsets
// within their pages, so that borders hold under any paging, and blocks that begin there are guarded: whoever runs them
// asks first. All other code runs as ever.
#pragma once

#include <bitset>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "cpu/code_blocks.h"
#include "cpu/cpu.h"
#include "cpu/decoder.h"
#include "cpu/executor.h"
#include "cpu/instruction_memo.h"
#include "memory/code_watch.h"
#include "memory/physical_bus.h"

namespace relic86 {

class ProcessorThread;  // cpu/processor_thread.h

class Interpreter final : public Executor, public CodeWatch {
 public:
  // Decodes what cpu.model() has. Registers itself as a code watch of the backing store. Both must outlive it.
  // thread: of the processor, if each has a host thread of its own.
  Interpreter(Cpu& cpu, PhysicalBus& bus, ProcessorThread* thread = nullptr);
  ~Interpreter();

  ExitReason run(u64 budget) override;
  void flush_code() override;
  std::string describe() const override;
  CodeListing listing(BackingOffset, CodeSize, u64) override { return {}; }
  void code_written(BackingOffset first, u64 length) override;
  // With threads: what others have written over code of this engine is taken notice of. Between two instructions, or
  // while an instruction that ends in a look at the dead is carried out.
  void notice_foreign_writes() {
    if (!foreign_writes_.empty() || !doubtful_.empty()) [[unlikely]]
      take_foreign_writes();
  }
  u64 code_held(BackingOffset page, u64 granules) const override { return blocks_.held(page, granules); }

  void set_breakpoints(const std::vector<LinAddr>& addresses) override;
  void pass_breakpoint() override { passed_ = {linear_rip(), cpu_.instruction_count()}; }
  ExitReason single_step() override;

  // Whether small writes over decoded instructions change them where they stand (code_patches.h).
  void patch_in_place(bool wanted);

  // --- The pieces of run(), for a translator on top ---
  // -d exec and cpu: the interpreter does all the work, showing each block.
  ExitReason run_traced(u64 budget) { return run_blocks<true>(budget); }
  void begin(u64 budget);
  std::optional<ExitReason> boundary();
  // The next instruction, which is about to begin, is a matter of step(). RF alone makes it one only while a breakpoint
  // on instructions is enabled: it is for those to pass (SDM 3B 17.3.1.1). Else it ends here, as it would with that
  // instruction; should that one fault, RF is pushed set all the same.
  bool must_step() {
    constexpr u64 kBreakpointEnables = 0xFF;
    if (state_.shadow == 0 && (state_.system_flags & (kTF | kRF)) == 0) [[likely]]
      return false;
    if (state_.shadow != 0 || (state_.system_flags & kTF) != 0 || (state_.dr[7] & kBreakpointEnables) != 0) return true;
    state_.system_flags &= ~u32{kRF};
    return false;
  }
  // One instruction. A reason: a breakpoint was met before it.
  std::optional<ExitReason> step_checked();
  // A debugger's breakpoint at CS:EIP is to be reported now. Ask before a guarded block.
  bool meets_breakpoint();
  // One of DR0 to DR3 is at CS:EIP: step_checked() there. Ask before a guarded block.
  bool meets_instruction_breakpoint() const;
  // The block at CS:EIP; null: a fault was raised (deliver() it), or, if uncached(), the code must be stepped.
  CodeBlock* current_block();
  bool uncached() const { return uncached_; }
  // Of uncached code: run_unkept() runs it as well, and faster than steps.
  bool unkept() const { return unkept_; }
  Flow run_unkept();
  // Blocks that follow each other, up to one that ends in more than a plain branch or to the end of the budget; what
  // cannot be a block is stepped. A reason: the run ends.
  std::optional<ExitReason> run_interpreted() { return run_chain<false>(); }
  // Runs from insn to the block's end, a stop or the end of the budget.
  Flow run_block(const Insn* insn);
  void step();
  void complete(Flow flow, const Insn& insn);
  void deliver();  // cpu.fault()
  // Where the page of the last current_block() lies.
  BackingOffset code_page() const { return fetch_.code.backing; }
  CodeBlocks& blocks() { return blocks_; }

  std::size_t cached_blocks() const { return blocks_.live(); }
  u64 decoded_instructions() const override { return decoded_; }
  void on_decoded(DecodeListener listener) override;

 private:
  template <bool traced>
  ExitReason run_blocks(u64 budget);
  template <bool traced>
  std::optional<ExitReason> run_chain();
  // Where the code at one linear page lies.
  struct FetchPage {
    u64 linear_page = ~u64{0};  // page_of(); ~0: none
    u64 flushes = 0;            // of the TLB when this was looked up: a flush ends it
    Mmu::CodePage code{};       // code that is not backed (MMIO, nothing) is executed uncached
  };

  // Linear address >> 12, and who fetches: translated code changes the privilege without a word (SYSENTER).
  u64 page_of(u64 linear) const { return linear >> kPageShift | (state_.mode.cpl == 3 ? u64{1} << 63 : 0); }
  bool translate(u64 linear, FetchPage& page);
  // current_block(), of 64-bit code or of 16- and 32-bit code.
  template <bool long_code>
  CodeBlock* block_at_rip();
  CodeBlock* decode_block(BackingOffset first, CodeSize size);
  CodeBlock* decode_straddling(BackingOffset first, CodeSize size);
  bool second_page_matches(CodeBlock& block);
  bool may_run_unkept() const;
  void take_foreign_writes();
  void doubt(BackingOffset first, std::span<const u8> bytes, const std::vector<u64>& passages);
  // One instruction outside any block: unbacked code, or one that the segment limit cuts.
  bool fetch_uncached(Insn& insn);

  void tell_decoded(u32 bytes) const {
    if (decode_listener_) decode_listener_({LinAddr(linear_rip()), bytes});
  }
  u64 linear_rip() const { return linear_after(0); }
  u64 linear_after(u32 bytes) const;  // the linear address so many bytes after CS:RIP
  u64 code_limit() const;             // the last RIP that code may be fetched from
  std::bitset<kPageSize> wanted_cuts() const;
  void cut_blocks();
  void forget_fetch_page() { fetch_.linear_page = ~u64{0}; }

  Cpu& cpu_;
  CpuState& state_;
  PhysicalBus& bus_;
  BackingStore& store_;
  Decoder decoder_;
  CodeBlocks blocks_;
  FetchPage fetch_;
  InstructionMemo memo_;
  std::vector<Insn> decoding_;  // of the block that is being decoded
  bool uncached_ = false, unkept_ = false;
  bool keeps_next_ = false;  // the next block is to be one, whatever passes_unkept() says
  // Where and when a breakpoint was passed or reported last: it is not met again at that very moment.
  struct Passage {
    u64 linear = ~u64{0};
    u64 count = 0;
    bool operator==(const Passage&) const = default;
  };
  Passage passed_;
  std::vector<LinAddr> breakpoints_;
  DecodeListener decode_listener_;
  std::bitset<kPageSize> cuts_;  // offsets in a page at which blocks end
  u64 decoded_ = 0;
  ProcessorThread* const thread_;  // null: all processors share one
  struct ForeignWrite {
    BackingOffset first{};
    u64 length = 0;
  };
  std::vector<ForeignWrite> foreign_writes_;
  // Bytes that were decoded while another thread may have been storing to them without a look at the code watch.
  struct Doubtful {
    BackingOffset first{};
    std::vector<u8> bytes;
    std::vector<u64> passages;  // ProcessorThread::Passages
  };
  std::vector<Doubtful> doubtful_;
  u64 last_delivery_ = ~u64{0};  // instruction count at the last fault
  unsigned deliveries_ = 0;      // since an instruction completed, that one not counted
};

}  // namespace relic86
