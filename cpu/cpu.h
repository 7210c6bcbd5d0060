// One processor: state, memory access through segments and paging, faults, interrupts. Instructions are functions on
// it.
//
//   cpu/cpu.cpp            construction, reset, mode derivation, pending work, budget
//   cpu/segmentation.h     descriptor loading, limit and type checks
//   cpu/access.h           read<T>/write<T> through segment and page (inline fast path)
//   cpu/interrupt_delivery.cpp, task_switch.cpp, far_transfer.cpp, control_registers.cpp, msr.cpp, cpuid.cpp ... by
//   topic
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "base/guest_clock.h"
#include "base/result.h"
#include "base/state_archive.h"
#include "cpu/entry_watch.h"
#include "cpu/fault.h"
#include "cpu/host_units.h"
#include "cpu/insn.h"
#include "cpu/interrupts.h"
#include "cpu/state.h"
#include "memory/io_space.h"
#include "memory/mmu.h"

namespace relic86 {

struct CpuModel;         // cpu/cpuid.h
struct VendorBehaviour;  // cpu/vendor_behaviour.h
class VexUnit;           // cpu/vex_unit.h

enum class MemoryAccess : u8 { Read, Write, Execute };

class Cpu {
 public:
  // The bus, ports, clock and acknowledge must outlive the Cpu.
  struct Wiring {
    PhysicalBus* bus = nullptr;
    IoSpace* io = nullptr;
    const GuestClock* clock = nullptr;
    InterruptAcknowledge* interrupts = nullptr;
    const CpuModel* model = nullptr;
    std::function<void(bool)> smiact{};  // SMIACT#: the processor enters (true) or leaves SMM; SMRAM shows or hides
    std::function<void(bool)> ferr{};    // FERR#: x87 errors with CR0.NE clear go to IRQ 13
    ApicRegisters* apic = nullptr;       // null: the processor has no local APIC
    HostUnits host_units{};
    u64 random_seed = 0;  // of what RDRAND and RDSEED give
  };
  explicit Cpu(const Wiring& wiring);
  ~Cpu();
  Cpu(const Cpu&) = delete;
  Cpu& operator=(const Cpu&) = delete;

  void reset();  // RESET#: SDM 3A 9.1.1
  void init();   // INIT#: as reset, but FPU/SSE, MTRRs, caches (and CR0.CD/NW) survive
  // The start-up message (SDM 3A 8.4.4.1): the code begins at vector * 1000h.
  void start_up(u8 vector);
  void state_archive(StateArchive& archive);

  CpuState& state() { return memory_->state; }
  const CpuState& state() const { return memory_->state; }
  Mmu& mmu() { return *mmu_; }
  IoSpace& io() { return *wiring_.io; }
  const CpuModel& model() const { return *wiring_.model; }
  const VendorBehaviour& vendor() const { return *vendor_; }
  const HostUnits& host_units() const { return wiring_.host_units; }
  // Carries out instructions with a VEX prefix; made when the first one comes.
  VexUnit& vex_unit();
  // The next number of RDRAND's sequence, which saved machines go on with.
  u64 random();
  const GuestClock& clock() const { return *wiring_.clock; }
  InterruptAcknowledge& interrupts() { return *wiring_.interrupts; }
  ApicRegisters* apic() const { return wiring_.apic; }

  // --- Faults. raise() records and returns Flow::Fault, so handlers write `return cpu.raise(...)`. ---
  Flow raise(Vector vector, u32 error_code = 0) {
    fault_ = Fault{vector, error_code, LinAddr(0)};
    return Flow::Fault;
  }
  Flow raise_page_fault(const PageFault& fault) {
    fault_ = Fault{Vector::PageFault, fault.error_code, fault.address};
    return Flow::Fault;
  }
  const Fault& fault() const { return fault_; }

  // --- Data accesses through a segment and the MMU (cpu/access.h). T: u8, u16, u32, u64, and wider by bytes. false:
  // fault() says why (#GP/#SS by limit or type, #PF, #AC) and nothing was written. ---
  template <class T>
  bool read(SegmentName segment, u32 offset, T& value);
  template <class T>
  bool write(SegmentName segment, u32 offset, T value);
  // Read now, be sure that the write will not fault: the first half of a read-modify-write.
  template <class T>
  bool read_for_write(SegmentName segment, u32 offset, T& value);
  bool read_bytes(SegmentName segment, u32 offset, void* into, unsigned size);         // size up to 512
  bool write_bytes(SegmentName segment, u32 offset, const void* from, unsigned size);  // probes all pages first
  bool probe_write(SegmentName segment, u32 offset, unsigned size);

  // The same in 64-bit mode: no limits and rights, bases of FS and GS alone, canonical addresses (#GP(0), of the stack
  // segment #SS(0): SDM 3A 5.3.1).
  template <class T>
  bool read_long(SegmentName segment, u64 offset, T& value);
  template <class T>
  bool write_long(SegmentName segment, u64 offset, T value);
  template <class T>
  bool read_for_write_long(SegmentName segment, u64 offset, T& value);
  // The same in the present mode, whichever it is: an offset of 64 bits asks for that (effective_address()).
  template <class T>
  bool read(SegmentName segment, u64 offset, T& value) {
    return state().mode.code64 ? read_long(segment, offset, value) : read(segment, static_cast<u32>(offset), value);
  }
  template <class T>
  bool write(SegmentName segment, u64 offset, T value) {
    return state().mode.code64 ? write_long(segment, offset, value) : write(segment, static_cast<u32>(offset), value);
  }
  template <class T>
  bool read_for_write(SegmentName segment, u64 offset, T& value) {
    return state().mode.code64 ? read_for_write_long(segment, offset, value)
                               : read_for_write(segment, static_cast<u32>(offset), value);
  }
  bool read_bytes(SegmentName segment, u64 offset, void* into, unsigned size);
  bool write_bytes(SegmentName segment, u64 offset, const void* from, unsigned size);
  bool probe_write(SegmentName segment, u64 offset, unsigned size);
  // The linear address of an offset in the present mode.
  LinAddr linear_address(SegmentName segment, u64 offset) const {
    if (state().mode.code64) return long_address(segment, offset);
    return LinAddr(static_cast<u32>(state().segment[segment].base + offset));
  }

  // The privilege that data accesses and fetches have by CPL.
  Privilege privilege() const;
  // Full segment check of an access (limit, type, null, expand-down): false: #GP or #SS is raised.
  bool check_access(SegmentName segment, u32 offset, u32 size, MemoryAccess access);
  bool check_access(SegmentName segment, u64 offset, u32 size, MemoryAccess access) {
    return state().mode.code64 ? check_access_long(segment, offset, size)
                               : check_access(segment, static_cast<u32>(offset), size, access);
  }
  // Of 64-bit mode: canonical, and aligned if EFLAGS.AC asks for it.
  bool check_access_long(SegmentName segment, u64 offset, u32 size);
  LinAddr long_address(SegmentName segment, u64 offset) const {
    return LinAddr(segment >= kFs ? state().segment[segment].base + offset : offset);
  }
  // The same, quickly where there is nothing to say; linear: of the offset.
  bool admits_long(SegmentName segment, u64 offset, LinAddr linear, u32 size);
  // The access is made: a data breakpoint may match it. Asked only while one may be enabled.
  [[gnu::cold]] void note_data(const Segment& segment, u32 offset, u32 size, MemoryAccess access);
  [[gnu::cold]] void note_data(LinAddr linear, u32 size, MemoryAccess access);

  // An unmasked x87 exception meets a waiting instruction while CR0.NE is clear: FERR# is asserted. True: the
  // instruction must wait for the interrupt, `flow` says how; false: it goes on as with IGNNE# asserted.
  bool signal_x87_error(Flow& flow);
  // SMIACT#: the board shows or hides SMRAM. Only SMI delivery and RSM call it.
  void signal_smm(bool active) {
    if (wiring_.smiact) wiring_.smiact(active);
  }
  // After EFLAGS.AC, CR0.AM, CR4.SMAP or CPL changed: the inline limits of all segments and the SMAP override. Also
  // update_breakpoints().
  void update_access_checks();
  // After DR0-DR3 or DR7 changed: which pages data breakpoints watch, and kPendingBreakpoints.
  void update_breakpoints();

  // Linear addresses as the processor itself uses them for tables and TSS: supervisor privilege whatever CPL is.
  template <class T>
  bool read_system(LinAddr address, T& value);
  template <class T>
  bool write_system(LinAddr address, T value);

  // Stack by SS.B; the pushed or popped operand is 2 or 4 bytes. push changes ESP only when the store succeeded.
  bool push16(u16 value);
  bool push32(u32 value);
  bool pop16(u16& value);
  bool pop32(u32& value);
  bool push_operand(bool operand32, u32 value) { return operand32 ? push32(value) : push16(static_cast<u16>(value)); }
  bool pop_operand(bool operand32, u32& value);
  // In 64-bit mode: RSP, 8 bytes (or 2, with operand size 16).
  template <class T>
  bool push_long(T value);
  template <class T>
  bool pop_long(T& value);
  // In the present mode, by the instruction's operand size.
  bool push_operand(const Insn& insn, u64 value);
  bool pop_operand(const Insn& insn, u64& value);
  u64 pointer_mask() const { return state().mode.code64 ? ~u64{0} : stack_mask(); }  // of the stack pointer
  u32 stack_mask() const { return state().mode.stack32 ? 0xFFFFFFFFu : 0xFFFFu; }

  // --- Flags ---
  u32 eflags() const { return state().flags.eflags() | state().system_flags | kFixed1; }
  // All of EFLAGS; no privilege rules (POPF and IRET have theirs). Re-derives the mode when VM changed.
  void set_eflags(u32 value);

  // --- Mode and pending work ---
  void update_mode();  // after CR0, CR4, EFER, EFLAGS.VM, CS or SS changed: CpuMode, PagingMode, fetch window
  void set_intr(bool level);
  void request_nmi();
  void request(
      u32 pending_bits);  // kPendingStop, kPendingReset, kPendingInit, kPendingSmi: seen before the next instruction
  // True when an interrupt, trap or request is to be acted on before the next instruction.
  bool work_pending() const;

  // --- For who looks on. The watch must outlive the processor, or be taken away; the engine's code is flushed by
  // whoever sets it (Executor::flush_code). Null: nobody. ---
  void watch_entries(EntryWatch* watch) { entry_watch_ = watch; }
  EntryWatch* entry_watch() const { return entry_watch_; }
  // Exceptions delivered since power-on; not state.
  u64 faults_taken() const { return faults_taken_; }
  void count_fault() { ++faults_taken_; }
  KernelEntry::From origin() const { return {state().mode.cpl, state().mode.v86, state().mode.code64}; }

  // --- Budget (docs/architecture.md, Time) ---
  void begin_slice(u64 budget);
  u64 instruction_count() const { return state().retired + static_cast<u64>(state().slice - state().remaining); }
  // The engine returns after at most `count` more instructions (0: before the next one).
  void shorten_slice(u64 count);
  void retire(u64 count = 1) { state().remaining -= static_cast<i64>(count); }
  // The guest waits for another processor (PAUSE): this one's turn is over. take_yield(): whether that was so.
  void yield() {
    yielded_ = true;
    shorten_slice(0);
  }
  bool take_yield() { return std::exchange(yielded_, false); }

 private:
  friend class Interpreter;
  void sanitize_loaded_state();
  Wiring wiring_;
  const u32 system_flags_;  // those of EFLAGS that the model has
  const VendorBehaviour* const vendor_;
  VcpuMemory* memory_ = nullptr;  // one mmap: state, then TLB tables
  std::unique_ptr<Mmu> mmu_;
  std::unique_ptr<VexUnit> vex_unit_;
  u64 random_;
  Fault fault_{};
  std::array<u64, 5> breakpoints_{};  // DR0-DR3 and DR7's enables and conditions that are provided for
  bool yielded_ = false;
  EntryWatch* entry_watch_ = nullptr;
  u64 faults_taken_ = 0;
};

}  // namespace relic86
