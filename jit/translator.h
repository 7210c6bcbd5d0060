// The translator: runs hot blocks as host code, everything else through the interpreter below it.
//
//   recorders.h        instruction -> IR (the semantics texts, compiled for IrBuilder)
//   flag_analysis.h    who looks at flags
//   x64/emitter.h      IR -> host code
//   translator.cpp     dispatcher; translator_blocks.cpp translating, linking, dying; translator_regions.cpp regions;
//                      translator_helpers.cpp and translator_transfers.cpp what translated code calls
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cpu/interpreter.h"
#include "jit/region/path.h"
#include "jit/region/region_table.h"
#include "jit/runtime/code_cache.h"
#include "jit/runtime/descriptor_cache.h"
#include "jit/runtime/exit_state.h"
#include "jit/runtime/flag_records.h"
#include "jit/runtime/host_traps.h"
#include "jit/runtime/link_patience.h"
#include "jit/runtime/lookup_table.h"
#include "jit/runtime/mode_numbers.h"
#include "jit/runtime/translation.h"
#include "jit/x64/thunks.h"

namespace relic86::jit {

#ifdef RELIC86_VERIFY_IR  // debug builds
inline constexpr bool kVerifies = true;
#else
inline constexpr bool kVerifies = false;
#endif

struct TranslatorOptions {
  ProcessorThread* thread = nullptr;    // of the processor, if each has a host thread of its own
  i64 (*host_nanoseconds)() = nullptr;  // times translation for --jit-stats; null: not timed
  u32 threshold = 24;                   // entries after which a block is translated
  u64 code_limit = u64{128} << 20;      // bytes of host code, with records of twice that; above, all is forgotten
  bool link = true;                     // patched jumps between blocks
  bool indirect = true;                 // inline lookup of indirect branches
  bool share = true;                    // neighbouring accesses share one check of their page
  bool loops = true;                    // checks of places that stay stand before the loop
  bool lazy_flags = true;               // flags stay a record where the next block soon sets all of them
  bool returns = true;                  // calls and returns of the guest use the host's
  bool direct = true;                   // helpers that end a block go on with the next one
  bool cross_page = true;               // patched jumps to other pages, and blocks that straddle two
  bool one_mapping = false;             // host code is not W^X but survives fork (tests/lockstep)
  bool late_links = false;              // branches are linked when they have been taken a few times (LinkPatience)
  bool perf_map = false;                // names every translation in /tmp/perf-PID.map, for `perf report`
  bool patches = true;                  // instructions that the guest writes over are changed where they stand
  bool strings = true;                  // string instructions without a repeat prefix, MOVS and STOS are translated
  bool segments = true;                 // loads of known segments, VERW, SYSENTER and SYSEXIT are translated
  bool system = true;                   // flags', tables' and real mode's far instructions are translated
  bool units = true;                    // x87, MMX and SSE on the host's units
  bool vex = true;                      // instructions with a VEX prefix on the host's AVX unit
  bool bits = true;                     // counts of bits, BMI1 and BMI2 by the host's instructions
  bool unmasked = true;                 // with unmasked exceptions, too
  bool compound = true;                 // PUSHA, POPA, ENTER, XLAT, BOUND, INTO, decimal arithmetic are translated
  bool clock = true;                    // RDTSC in real time is the host's, scaled
  bool fill = true;                     // page tables are walked, and the TLB is filled, without C++
  bool aside = true;        // accesses beside what data breakpoints watch, and stores that nobody takes, without C++
  bool watched = true;      // stores to pages with code are made without C++ if they hit none
  bool registers = true;    // planes of video memory are accessed without leaving translated code
  bool verify = kVerifies;  // every block's IR is checked (jit/ir/verifier.h): a broken rule is a bug, and ends the run
  bool long_mode = true;    // code of long mode is translated
  bool quick = true;        // slots of the inline table are filled without C++ for 64-bit code
  bool jumps = true;        // indirect branches look their target up by its linear address first
  bool copies = true;       // blocks of 64-bit code keep copies of R8 to R15 in host registers
  bool fusion = true;       // records of flags are left before the comparison, not between it and its branch
  bool regions = true;      // hot loops over several blocks become one translation
  bool far_regions = true;  // regions go over pages, calls and returns
  u32 region_threshold = 20'000;  // times a branch is taken before its target may become a region's head; 0: any branch
  bool exchange16 = true;         // CMPXCHG16B is the host's
  bool atomics = true;            // with threads, locked instructions are the host's
  bool denormals = true;          // x87 loads of denormal numbers do without the host's microcode, once one was met
  bool ports = true;              // IN and OUT call their device without their handlers' way through CpuState
};

struct TranslatorStatistics {
  u64 translated = 0, translated_instructions = 0, refused = 0, died = 0, flushes = 0;
  u64 host_bytes = 0;
  u64 regions = 0, far_regions = 0, region_instructions = 0, region_bytes = 0, regions_refused = 0, regions_died = 0;
  u64 entries = 0, continued = 0, links = 0;
  u64 exits[6] = {};  // by ExitKind
  u64 loads = 0, stores = 0, probes = 0, touches = 0, cold_calls = 0, ports = 0, flattens = 0, transfers = 0;
  u64 interpreted_blocks = 0, interpreted_instructions = 0;
  u64 translation_nanoseconds = 0;
  std::vector<u64> cold_by_row{};     // calls by row of the instruction table
  std::vector<u64> flatten_by_row{};  // by the instruction that asked
};

class Translator final : public Executor {
 public:
  Translator(Cpu& cpu, PhysicalBus& bus, const TranslatorOptions& options = {});
  ~Translator();

  ExitReason run(u64 budget) override;
  void flush_code() override;
  u64 decoded_instructions() const override { return interpreter_.decoded_instructions(); }
  std::string describe() const override;
  void on_decoded(DecodeListener listener) override {
    interpreter_.on_decoded(std::move(listener));
    flush_code();
  }
  void set_breakpoints(const std::vector<LinAddr>& addresses) override { interpreter_.set_breakpoints(addresses); }
  void pass_breakpoint() override { interpreter_.pass_breakpoint(); }
  ExitReason single_step() override;

  CodeListing listing(BackingOffset first, CodeSize size, u64 rip) override;
  // What was made of the block, from its entry on; empty: nothing.
  std::span<const u8> host_code(BackingOffset first, CodeSize size);

  Interpreter& interpreter() { return interpreter_; }
  const TranslatorStatistics& statistics() const { return statistics_; }
  u64 code_bytes() const { return cache_.used(); }  // of host code now
  // A host that gives no executable memory leaves everything to the interpreter.
  bool usable() const { return thunks_.enter != nullptr; }

 private:
  // --- translator.cpp ---
  const u8* known_entry();
  u64 code_linear() const {
    if (state_.mode.code64) [[unlikely]]
      return state_.rip;
    return static_cast<u32>(state_.segment[kCs].base + state_.rip);
  }
  u64 rip_of(i32 place) const { return jit::rip_of(state_, place); }
  // Where the code page lies in CS.
  void settle_page() {
    if (state_.mode.code64) [[unlikely]] {
      area_.page_eip = static_cast<i64>(state_.rip & ~u64{kPageSize - 1});
      return;
    }
    const Segment& code = state_.segment[kCs];
    constexpr u32 kHighest16 = 0xFFFF;
    const u32 last = state_.mode.code32 || code.limit < kHighest16 ? code.limit : kHighest16;
    area_.page_eip = i64{state_.eip()} - static_cast<i64>((code.base + state_.rip) & (kPageSize - 1));
    area_.page_end = i64{last} + 1 - area_.page_eip;
  }
  // With threads (cpu/processor_thread.h): a helper that translated code calls without the machine's lock.
  template <x64::Helper kHelper>
  static u64 with_lock(void* context, void* exit_point);
  template <x64::Helper kHelper>
  static u64 lightly_with_lock(void* context, void* exit_point);
  static u64 line_helper(void* context, void* exit_point);
  void come_out();
  bool is_asked() const;
  x64::Helpers helpers();
  void leave_out_what_threads_disturb();
  // Something is to be looked at before the next block.
  bool due() {
    return state_.pending != 0 || state_.halted || state_.shutdown || state_.remaining <= 0 || !dead_.empty() ||
           interpreter_.must_step();
  }
  Flow run_one(CodeBlock& block);
  Flow run_unkept();
  // In real time a slice is as long as the guest's speed so far says, but new code is decoded, interpreted and
  // translated at a hundredth of it: such a slice ends early, so that devices and time are not kept waiting.
  static constexpr u64 kTranslation = 30'000;  // ns of a slice that a block's translation is taken for
  void spend(u64 nanoseconds);
  Flow enter(const u8* entry);
  Flow execute(Translation& translation);
  Flow leave(ExitPoint& exit);
  Flow left_canonical(const ExitPoint& exit);
  // From a helper: the instruction is over. The next block's entry if nothing else is due, else 1 (x64/thunks.h).
  u64 go_on(Flow flow);
  u64 proceed(Flow flow);  // the same with the flags at home
  u64 depart(ExitPoint& exit);
  void settle_flags(const ExitPoint& exit) { jit::settle_flags(cpu_, records_, exit); }
  void settle_entry() { jit::settle_entry(cpu_, records_); }
  void settle_x87(const ExitPoint& exit);
  u32 mode_number();
  // Of a mode that is met, its units' instructions translated or not.
  u32 number_of(Mode::Key key) {
    constexpr Mode::Key kUnits = Mode::kX87 | Mode::kSse | Mode::kTraps | Mode::kAvx;
    if (!options_.vex) key &= ~Mode::kAvx;
    if (!options_.units || ((key & Mode::kTraps) != 0 && !options_.unmasked)) key &= ~kUnits;
    return modes_.number_of(key);
  }
  bool nothing_requested() const;
  bool undisturbed(const ExitPoint& exit);
  bool mode_stays(const ExitPoint& exit);

  // --- listing.cpp ---
  std::string listing_of(const Translation& translation, CodeSize size, u64 rip) const;

  // --- translator_blocks.cpp ---
  bool within_limit(const Translation& translation);
  bool straddling_entry(const CodeBlock& block, u32 mode) const;
  Translation* translation_of(CodeBlock& block, bool unshared);
  bool met_denormal() const;
  Translation* translate(CodeBlock& block, u32 mode, bool unshared);
  static BlockIr empty_ir(const CodeBlock& first, const Mode& mode);
  void record_instruction(BlockIr& ir, const Insn& insn, u32 offset, bool cold, const Mode& mode) const;
  BlockIr block_ir(const CodeBlock& block, const std::vector<bool>& cold, const Mode& mode) const;
  bool shares_checks(const Translation& translation) const;
  bool compile(Translation& translation);
  bool emit(Translation& translation, std::vector<bool>& cold, const Mode& mode);
  static u64 lookup_key(const Translation& translation) {
    return translation.code_address + kTlbFast + LookupTable::tag_of(translation.mode);
  }
  void enter_in_lookups(const Translation& translation);
  JumpCache& jumps() { return reinterpret_cast<VcpuMemory&>(state_).tlb.jumps; }
  void link(ExitPoint& exit, Translation& target);
  void unlink(ExitPoint& exit);
  void block_died(CodeBlock& block);
  void bury(Translation* translation);
  void drop_records(Translation& translation);
  void collect();
  void name_for_profilers(const Translation& translation);

  // --- translator_regions.cpp ---
  static bool may_become_head(const Translation& translation);
  void begin_path(const ExitPoint& branch, Translation& head);
  void give_back_key(Translation& region);
  void record_path(const Translation& head);
  bool may_go_far(u32 mode_number) const;
  const u8* code_at(const BlockIr& ir, u32 offset) const;
  bool add_page(BlockIr& region, const PathStep& step) const;
  void sample(Translation& next);
  void begin_wanted_path(Translation& head);
  std::optional<Flow> walk(CodeBlock& block);
  void end_path();
  bool make_region(Translation& head, const std::vector<PathStep>& path);
  BlockIr region_ir(std::vector<PathStep>& path, const std::vector<bool>& cold, const Mode& mode) const;
  void detach_incoming(Translation& translation);
  void detach(ExitPoint& exit);

  // --- translator_transfers.cpp ---
  static u64 transfer_helper(void* context, void* exit);
  bool transfer(const ExitPoint& exit);
  u64 enter_next(const ExitPoint& exit);

  // --- translator_helpers.cpp ---
  static u64 load_helper(void* context, void* exit);
  static u64 store_helper(void* context, void* exit);
  static u64 probe_helper(void* context, void* exit);
  // A block that has met registers so often shares no checks of pages any more.
  static constexpr u32 kTouchesOfRegisters = 32;
  static u64 touch_helper(void* context, void* exit);
  static u64 cold_helper(void* context, void* exit);
  static u64 depart_helper(void* context, void* exit);
  static u64 flatten_helper(void* context, void* exit);
  static u64 time_helper(void* context, void* exit);
  static u64 identify_helper(void* context, void* exit);
  static u64 port_helper(void* context, void* exit);
  static u64 ported_helper(void* context, void* exit);
  bool allowed(SegmentName name, u64 place, u32 size, bool write) const;
  // The linear address so many bytes on.
  u64 after(u64 linear, u32 bytes) const {
    return state_.mode.code64 ? linear + bytes : static_cast<u32>(linear + bytes);
  }
  // The linear address of the access, its pages all present; false: leave as outcome_ says.
  bool prepare_access(const ExitPoint& exit, bool write, u64& linear);
  bool locate(const ExitPoint& exit, bool write, u64& linear);
  // An access to registers that concern nobody but their device (RegionHandler's runs), between area_.value and a page
  // that has an entry. False: nothing was done.
  const PageTarget* registers_at(u64 entry, bool write);
  bool access_registers(ExitPoint& exit, bool write);
  void note_planes(const PageTarget& target, PhysAddr page);
  BackingOffset backing_of(u64 entry, u64 linear) const;
  bool plain_store(u64 linear, u32 size) const;
  bool nobody(u64 entry, bool write) const;
  bool immediate_store(u64 linear, u32 size);
  bool others_store(const ExitPoint& exit, u64 linear) const;
  bool rewrite_store(u64 linear, u32 size) const;
  bool lost_a_page(const ExitPoint& exit) const;
  bool may_replace_what_is_used(const ExitPoint& exit, u64 linear, bool write) const;

  Cpu& cpu_;
  CpuState& state_;
  const PhysicalBus& bus_;
  BackingStore& store_;
  EngineArea& area_;
  TranslatorOptions options_;
  Interpreter interpreter_;
  ProcessorThread* const thread_;  // null: nobody else runs meanwhile
  CodeCache cache_;
  CodeScratch scratch_;
  DescriptorCache descriptors_;
  struct RegisterPage {
    u64 entry = 0, flushes = 0;
    const PageTarget* target = nullptr;
  };
  std::array<RegisterPage, 16> register_pages_;     // reads and writes by turns, by a hash of the entry
  const RegionHandler* last_registers_ = nullptr;   // who has been asked for planes
  std::optional<Selector> loaded_;                  // named by the last far transfer
  ExitPoint no_frame_{.kind = ExitKind::Indirect};  // how a RET leaves that finds the frames' end
  x64::Thunks thunks_;
  LookupTable lookups_;
  ModeNumbers modes_;
  FlagRecords records_;
  LinkPatience link_patience_;
  HostTraps traps_;
  std::vector<Translation*> dead_;
  // How translated code was left, if not as its exit point says.
  ExitKind outcome_ = ExitKind::Before;
  Flow outcome_flow_ = Flow::Next;
  bool outcome_set_ = false;
  bool code_died_ = false;  // since the last cold call began
  bool present_ = false;    // the access that prepare_access() refused is allowed, and its pages are there
  ExitPoint* pending_link_ = nullptr;
  ExitPoint* hot_ = nullptr;  // the branch that translated code was left by, if its count has run out
  PathRecorder recorder_;
  u32 path_mode_ = 0;  // of the path that is being recorded
  u64 path_rip_ = 0;   // where it begins
  std::vector<u32> free_region_keys_;
  RegionTable regions_;
  bool cut_ = false;       // the budget does not reach to the end of the next block
  bool unshared_ = false;  // the next block is wanted in its unshared variant
  u64 spent_ = 0;          // nanoseconds of this slice on new code, by rule of thumb
  TranslatorStatistics statistics_;
  i64 started_ = 0;  // nanoseconds of the host
};

}  // namespace relic86::jit
