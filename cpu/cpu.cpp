#include "cpu/cpu.h"

#include <sys/mman.h>

#include <new>

#include "base/log.h"
#include "cpu/access.h"
#include "cpu/canonical.h"
#include "cpu/control_bits.h"
#include "cpu/cpu_dump.h"
#include "cpu/cpuid.h"
#include "cpu/debug_registers.h"
#include "cpu/long_mode.h"
#include "cpu/nmi_latch.h"
#include "cpu/segmentation.h"
#include "cpu/vendor_behaviour.h"
#include "cpu/vex_unit.h"

namespace relic86 {

namespace {
constexpr u64 kCr0Pe = 1u << 0, kCr0Et = 1u << 4, kCr0Wp = 1u << 16, kCr0Am = 1u << 18, kCr0Nw = 1u << 29,
              kCr0Cd = 1u << 30, kCr0Pg = 1u << 31;
}  // namespace

Cpu::Cpu(const Wiring& wiring)
    : wiring_(wiring),
      system_flags_(wiring.model->system_flags()),
      vendor_(&vendor_behaviour(*wiring.model)),
      random_(wiring.random_seed) {
  void* memory =
      mmap(nullptr, sizeof(VcpuMemory), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  // The tables stay as the host gives them, zero: only the state is constructed, so that no page is touched in vain.
  memory_ = static_cast<VcpuMemory*>(memory);
  new (&memory_->state) CpuState;
  mmu_ = std::make_unique<Mmu>(memory_->tlb, *wiring_.bus);
  mmu_->tlb().execute_at(&memory_->state.rip, &memory_->state.segment[kCs].base);
  reset();
}

VexUnit& Cpu::vex_unit() {
  if (vex_unit_ == nullptr) vex_unit_ = std::make_unique<VexUnit>();
  return *vex_unit_;
}

Cpu::~Cpu() {
  mmu_.reset();
  munmap(memory_, sizeof(VcpuMemory));
}

// Register values after RESET# (SDM 3A table 9-1).
void Cpu::reset() {
  CpuState& s = state();
  const u64 count = instruction_count();
  const u32 intr = s.pending & kPendingIntr;
  s = CpuState{};
  s.retired = count;
  s.pending = intr;
  s.cr0 = kCr0Et | kCr0Nw | kCr0Cd;
  s.fx.control = 0x40;  // RESET leaves 0040h, FNINIT makes it 037Fh
  s.fx.tags = 0xFF;     // all registers hold +0 after RESET
  init();
  if (log::enabled(log::Channel::Reset))
    log::write(log::Channel::Reset, "CPU Reset\n" + describe_registers(*this, false));
}

void Cpu::init() {
  CpuState& s = state();
  const CpuModel& cpu_model = model();
  for (auto& value : s.gpr) value = 0;
  s.gpr[kEdx] = cpu_model.signature();
  s.rip = 0xFFF0;
  s.flags.set_eflags(0);
  s.system_flags = 0;
  s.shadow = 0;
  s.repeat_flags = 0;
  s.halted = s.monitor_armed = s.shutdown = false;
  s.pending &= kPendingIntr;
  s.debug_status = 0;
  s.nmi_blocked = false;
  s.cr0 = (s.cr0 & (kCr0Nw | kCr0Cd)) | kCr0Et;
  s.cr2 = s.cr3 = s.cr4 = 0;
  s.efer = 0;
  s.dr = {0, 0, 0, 0, 0, 0, 0xFFFF0FF0, 0x400};
  s.gdtr = s.idtr = {0, 0xFFFF};
  s.mode = CpuMode{};
  for (unsigned i = 0; i < kSegmentCount; i++) {
    Segment& segment = s.segment[i];
    segment = Segment{};
    segment.limit = 0xFFFF;
    segment.attributes = i == kCs ? 0x9B : i == kLdtr ? 0x82 : i == kTr ? 0x8B : 0x93;
  }
  s.segment[kCs].selector = Selector(0xF000);
  s.segment[kCs].base = 0xFFFF0000;
  s.segment[kCs].attributes = 0x93;
  mmu_->flush_all();
  update_mode();
  update_access_checks();
  mmu_->load_cr3(0);
}

void Cpu::start_up(u8 vector) {
  CpuState& s = state();
  s.segment[kCs].selector = Selector(static_cast<u16>(vector << 8));
  s.segment[kCs].base = u64{vector} << 12;
  s.rip = 0;
  update_mode();
  update_access_checks();
}

void Cpu::update_mode() {
  CpuState& s = state();
  CpuMode& mode = s.mode;
  const u8 old_cpl = mode.cpl;
  const bool old_code64 = mode.code64;
  mode.protected_mode = (s.cr0 & kCr0Pe) != 0;
  mode.long_mode = (s.efer & kEferLma) != 0;
  mode.code64 = mode.long_mode && s.segment[kCs].long_code();
  mode.v86 = mode.protected_mode && (s.system_flags & kVM) != 0 && !mode.long_mode;
  mode.code32 = s.segment[kCs].big() || mode.code64;
  mode.stack32 = s.segment[kSs].big() || mode.code64;
  mode.paging = (s.cr0 & kCr0Pg) != 0;
  mode.cpl = !mode.protected_mode ? u8{0} : mode.v86 ? u8{3} : static_cast<u8>(s.segment[kSs].dpl());
  PagingMode paging;
  paging.enabled = mode.paging;
  paging.write_protect = (s.cr0 & kCr0Wp) != 0;
  paging.page_size = (s.cr4 & kCr4Pse) != 0;
  paging.pae = (s.cr4 & kCr4Pae) != 0;
  paging.global_pages = (s.cr4 & kCr4Pge) != 0;
  paging.no_execute = (s.efer & kEferNxe) != 0;
  paging.smep = (s.cr4 & kCr4Smep) != 0;
  paging.smap = (s.cr4 & kCr4Smap) != 0;
  paging.long_mode = mode.long_mode;
  paging.five_levels = mode.long_mode && (s.cr4 & kCr4La57) != 0;
  s.linear = LinearWidth(paging.five_levels ? kWideLinearBits : kLinearBits);
  paging.giant_pages = model().has_giant_pages();
  paging.physical_bits = static_cast<u8>(model().physical_bits());
  mmu_->set_mode(paging);
  mmu_->set_code64(mode.code64);
  // 32-bit code does not see the upper halves, and they do not outlive it (SDM 1 3.4.1.1).
  for (unsigned i = 0; old_code64 && !mode.code64 && i < 8; i++) s.set_gpr32(i, s.gpr32(i));
  if (old_cpl != mode.cpl && (s.cr0 & kCr0Am) != 0 && (s.system_flags & kAC) != 0) update_access_checks();
}

void Cpu::update_access_checks() {
  CpuState& s = state();
  for (unsigned i = 0; i < kSegmentRegisters; i++) derive_limits(s, s.segment[i]);
  mmu_->set_smap_override((s.system_flags & kAC) != 0);
  update_breakpoints();
}

void Cpu::update_breakpoints() {
  CpuState& s = state();
  constexpr u64 kEnablesAndConditions = 0xFFFF00FF;
  const std::array<u64, 5> now{s.dr[0], s.dr[1], s.dr[2], s.dr[3], s.dr[7] & kEnablesAndConditions};
  if (now == breakpoints_) return;
  breakpoints_ = now;
  mmu_->set_breakpoint_pages(pages_with_data_breakpoints(s));
  s.pending |= kPendingBreakpoints;
}

void Cpu::set_eflags(u32 value) {
  CpuState& s = state();
  const u32 changed = (s.system_flags ^ value) & (kVM | kAC | kTF);
  s.flags.set_eflags(value);
  s.system_flags = value & system_flags_;
  if ((changed & kVM) != 0) update_mode();
  if ((changed & kAC) != 0) update_access_checks();
}

// --- Segmented access, the slow side ---

namespace {
// What #AC asks of an operand; one of 10 bytes wants a multiple of 8 (SDM 3A table 6-7), one of 32 a multiple of 16
// (seen on an AMD part).
u32 alignment_of(const VendorBehaviour& vendor, u32 size) {
  const u32 widest = vendor.checks_alignment_of_16_bytes ? 16 : 8;
  if (size == 32) return vendor.checks_alignment_of_16_bytes ? 16 : 1;
  return size == 10 ? 8 : size <= widest && (size & (size - 1)) == 0 ? size : 1;
}
}  // namespace

bool Cpu::check_access(SegmentName name, u32 offset, u32 size, MemoryAccess access) {
  CpuState& s = state();
  const Segment& segment = s.segment[name];
  const auto refuse = [&] {
    raise(name == kSs ? Vector::StackFault : Vector::GeneralProtection, 0);
    return false;
  };
  const bool write = access == MemoryAccess::Write;
  const u32 last = offset + size - 1;
  if (!s.mode.real_or_v86()) {
    if (!segment.present() || !segment.is_code_or_data()) {
      raise(name == kSs ? Vector::StackFault : Vector::GeneralProtection, 0);
      return false;
    }
    const bool code = segment.is_code();
    if (write ? code || (segment.type() & 2) == 0 : code && (segment.type() & 2) == 0) {
      raise(Vector::GeneralProtection, 0);
      return false;
    }
  }
  if (!segment.is_code() && (segment.type() & 4) != 0) {  // expand-down: valid offsets are above the limit
    const u32 top = segment.big() ? 0xFFFFFFFFu : 0xFFFFu;
    if (offset <= segment.limit || last > top || last < offset) return refuse();
  } else if (segment.limit == 0xFFFFFFFF) {
    if (last < offset && !vendor_->wraps_at_4g) return refuse();
  } else if (last < offset || last > segment.limit) {
    return refuse();
  }
  const LinAddr linear(static_cast<u32>(segment.base + offset));
  const u32 alignment = alignment_of(*vendor_, size);
  if (checks_alignment(s) && (linear.raw & (alignment - 1)) != 0) {
    raise(Vector::AlignmentCheck, 0);
    return false;
  }
  return true;
}

void Cpu::note_data(const Segment& segment, u32 offset, u32 size, MemoryAccess access) {
  check_data_breakpoints(*this, LinAddr(static_cast<u32>(segment.base + offset)), size, access == MemoryAccess::Write);
}

void Cpu::note_data(LinAddr linear, u32 size, MemoryAccess access) {
  check_data_breakpoints(*this, linear, size, access == MemoryAccess::Write);
}

bool Cpu::check_access_long(SegmentName name, u64 offset, u32 size) {
  CpuState& s = state();
  const LinAddr linear = long_address(name, offset);
  const bool checks_offset = name >= kFs && vendor_->checks_canonical_offsets;
  const bool misaligned = checks_alignment(s) && (linear.raw & (alignment_of(*vendor_, size) - 1)) != 0;
  const bool canonical = s.linear.canonical(linear.raw, size) && (!checks_offset || s.linear.canonical(offset));
  if (canonical && !misaligned) return true;
  const bool begins_well = vendor_->checks_alignment_before_end && s.linear.canonical(linear.raw);
  if (misaligned && (canonical || begins_well)) {
    raise(Vector::AlignmentCheck, 0);
  } else {
    raise(name == kSs ? Vector::StackFault : Vector::GeneralProtection, 0);
  }
  return false;
}

bool Cpu::read_bytes(SegmentName name, u64 offset, void* into, unsigned size) {
  if (!state().mode.code64) return read_bytes(name, static_cast<u32>(offset), into, size);
  const LinAddr linear = linear_address(name, offset);
  if (!check_access_long(name, offset, size)) return false;
  if (watches_data(state())) note_data(linear, size, MemoryAccess::Read);
  if (mmu_->read_bytes(linear, into, size, privilege())) return true;
  raise_page_fault(mmu_->fault());
  return false;
}

bool Cpu::write_bytes(SegmentName name, u64 offset, const void* from, unsigned size) {
  if (!state().mode.code64) return write_bytes(name, static_cast<u32>(offset), from, size);
  const LinAddr linear = linear_address(name, offset);
  if (!check_access_long(name, offset, size)) return false;
  if (watches_data(state())) note_data(linear, size, MemoryAccess::Write);
  if (mmu_->write_bytes(linear, from, size, privilege())) return true;
  raise_page_fault(mmu_->fault());
  return false;
}

bool Cpu::probe_write(SegmentName name, u64 offset, unsigned size) {
  if (!state().mode.code64) return probe_write(name, static_cast<u32>(offset), size);
  const LinAddr linear = linear_address(name, offset);
  if (!check_access_long(name, offset, size)) return false;
  if (watches_data(state())) note_data(linear, size, MemoryAccess::Write);
  if (mmu_->probe_write(linear, size, privilege())) return true;
  raise_page_fault(mmu_->fault());
  return false;
}

bool Cpu::read_bytes(SegmentName name, u32 offset, void* into, unsigned size) {
  const Segment& segment = state().segment[name];
  if (u64{offset} + size > segment.read_end && !check_access(name, offset, size, MemoryAccess::Read)) return false;
  if (watches_data(state())) note_data(segment, offset, size, MemoryAccess::Read);
  if (mmu_->read_bytes(LinAddr(static_cast<u32>(segment.base + offset)), into, size, privilege())) return true;
  raise_page_fault(mmu_->fault());
  return false;
}

bool Cpu::write_bytes(SegmentName name, u32 offset, const void* from, unsigned size) {
  const Segment& segment = state().segment[name];
  if (u64{offset} + size > segment.write_end && !check_access(name, offset, size, MemoryAccess::Write)) return false;
  if (watches_data(state())) note_data(segment, offset, size, MemoryAccess::Write);
  if (mmu_->write_bytes(LinAddr(static_cast<u32>(segment.base + offset)), from, size, privilege())) return true;
  raise_page_fault(mmu_->fault());
  return false;
}

bool Cpu::probe_write(SegmentName name, u32 offset, unsigned size) {
  const Segment& segment = state().segment[name];
  if (u64{offset} + size > segment.write_end && !check_access(name, offset, size, MemoryAccess::Write)) return false;
  if (watches_data(state())) note_data(segment, offset, size, MemoryAccess::Write);
  if (mmu_->probe_write(LinAddr(static_cast<u32>(segment.base + offset)), size, privilege())) return true;
  raise_page_fault(mmu_->fault());
  return false;
}

namespace {

template <class T>
bool push(Cpu& cpu, T value) {
  CpuState& s = cpu.state();
  const u32 mask = cpu.stack_mask();
  const u32 top = (s.gpr32(kEsp) - static_cast<u32>(sizeof(T))) & mask;
  if (!cpu.write(kSs, top, value)) return false;
  s.set_gpr32(kEsp, (s.gpr32(kEsp) & ~mask) | top);
  return true;
}

template <class T>
bool pop(Cpu& cpu, T& value) {
  CpuState& s = cpu.state();
  const u32 mask = cpu.stack_mask();
  const u32 top = s.gpr32(kEsp) & mask;
  if (!cpu.read(kSs, top, value)) return false;
  s.set_gpr32(kEsp, (s.gpr32(kEsp) & ~mask) | ((top + static_cast<u32>(sizeof(T))) & mask));
  return true;
}

}  // namespace

bool Cpu::push16(u16 value) { return push(*this, value); }
bool Cpu::push32(u32 value) { return push(*this, value); }
bool Cpu::pop16(u16& value) { return pop(*this, value); }
bool Cpu::pop32(u32& value) { return pop(*this, value); }
bool Cpu::pop_operand(bool operand32, u32& value) {
  if (operand32) return pop32(value);
  u16 low = 0;
  if (!pop16(low)) return false;
  value = low;
  return true;
}

bool Cpu::push_operand(const Insn& insn, u64 value) {
  if (insn.operand64()) return push_long(value);
  if (insn.code64()) return push_long(static_cast<u16>(value));
  return push_operand(insn.operand32(), static_cast<u32>(value));
}

bool Cpu::pop_operand(const Insn& insn, u64& value) {
  u32 half = 0;
  u16 word = 0;
  if (insn.operand64()) return pop_long(value);
  if (!(insn.code64() ? pop_long(word) : pop_operand(insn.operand32(), half))) return false;
  value = insn.code64() ? word : half;
  return true;
}

// FERR# follows the status word's summary bit: it is asserted when a waiting instruction meets the error, and goes
// inactive, with IGNNE#, when an instruction ends it (SDM 1 D.2.1).
bool Cpu::signal_x87_error(Flow& flow) {
  constexpr u16 kSummary = 1u << 7;
  const bool pending = (state().fx.status & kSummary) != 0;
  if (wiring_.ferr) wiring_.ferr(pending);
  if (!pending) return false;
  // The processor waits for IRQ 13 if it can come; else it goes on as the AT's port F0h (IGNNE#) would let it.
  if ((state().pending & kPendingIntr) == 0 || (state().system_flags & kIF) == 0) return false;
  flow = Flow::Again;
  shorten_slice(0);
  return true;
}

// --- Pending work and budget ---

void Cpu::request(u32 pending_bits) {
  state().pending |= pending_bits;
  shorten_slice(0);
}

void Cpu::set_intr(bool level) {
  CpuState& s = state();
  if (!level) {
    s.pending &= ~u32{kPendingIntr};
  } else if ((s.pending & kPendingIntr) == 0) {
    s.pending |= kPendingIntr;
    if ((s.system_flags & kIF) != 0) shorten_slice(0);
  }
}

void Cpu::request_nmi() { request(nmi_to_keep(state())); }

bool Cpu::work_pending() const {
  const CpuState& s = state();
  return s.pending != 0 && (s.pending != kPendingIntr || (s.system_flags & kIF) != 0);
}

void Cpu::begin_slice(u64 budget) {
  CpuState& s = state();
  s.retired = instruction_count();
  s.slice = s.remaining = static_cast<i64>(budget);
}

void Cpu::shorten_slice(u64 count) {
  CpuState& s = state();
  const i64 keep = static_cast<i64>(count);
  if (s.remaining <= keep) return;
  s.slice -= s.remaining - keep;
  s.remaining = keep;
}

// --- State ---

// SplitMix64 (Steele, Lea, Flood 2014).
u64 Cpu::random() {
  random_ += 0x9E3779B97F4A7C15;
  u64 mixed = random_;
  mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9;
  mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB;
  return mixed ^ mixed >> 31;
}

void Cpu::state_archive(StateArchive& archive) {
  CpuState& s = state();
  u64 count = instruction_count();
  u32 arithmetic = s.flags.eflags();
  // The slice's bookkeeping is not state: only the count is.
  archive.bytes("gpr", s.gpr);
  archive.field("rip", s.rip);
  archive.field("arithmetic_flags", arithmetic);
  archive.field("system_flags", s.system_flags);
  u32 pending = s.pending & ~u32{kPendingStop};  // the host's wish to stop is not the guest's state
  archive.field("pending", pending);
  archive.field("debug_status", s.debug_status);
  archive.field("shadow", s.shadow);
  archive.field("halted", s.halted);
  archive.field("monitor_armed", s.monitor_armed);
  archive.field("shutdown", s.shutdown);
  archive.field("instruction_count", count);
  for (unsigned i = 0; i < kSegmentCount; i++) {
    static constexpr const char* kNames[] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};
    archive.group(kNames[i], [&] {
      Segment& segment = s.segment[i];
      archive.field("selector", segment.selector);
      archive.field("base", segment.base);
      archive.field("limit", segment.limit);
      archive.field("attributes", segment.attributes);
    });
  }
  archive.field("gdtr_base", s.gdtr.base);
  archive.field("gdtr_limit", s.gdtr.limit);
  archive.field("idtr_base", s.idtr.base);
  archive.field("idtr_limit", s.idtr.limit);
  archive.field("cr0", s.cr0);
  archive.field("cr2", s.cr2);
  archive.field("cr3", s.cr3);
  archive.field("cr4", s.cr4);
  archive.bytes("pdptes", mmu_->pdptes());
  archive.bytes("dr", s.dr);
  archive.bytes("fx", std::span(&s.fx, 1));
  if (model().xcr0_bits() != 0) {
    archive.field("xcr0", s.xcr0);
    archive.bytes("ymm_high", s.ymm_high);
  }
  archive.field("efer", s.efer);
  archive.field("star", s.star);
  archive.field("lstar", s.lstar);
  archive.field("cstar", s.cstar);
  archive.field("fmask", s.fmask);
  archive.field("kernel_gs_base", s.kernel_gs_base);
  archive.field("sysenter_cs", s.sysenter_cs);
  archive.field("sysenter_esp", s.sysenter_esp);
  archive.field("sysenter_eip", s.sysenter_eip);
  archive.field("tsc_offset", s.tsc_offset);
  archive.field("pat", s.pat);
  archive.field("mtrr_def_type", s.mtrr_def_type);
  archive.bytes("mtrr_variable", s.mtrr_variable);
  archive.bytes("mtrr_fixed", s.mtrr_fixed);
  archive.field("misc_enable", s.misc_enable);
  archive.field("mcg_status", s.mcg_status);
  archive.field("tsc_adjust", s.tsc_adjust);
  archive.field("tsc_aux", s.tsc_aux);
  archive.field("random", random_);
  archive.bytes("mc_control", s.mc_control);
  archive.bytes("mc_address", s.mc_address);
  archive.bytes("mc_misc", s.mc_misc);
  archive.bytes("performance_select", s.performance_select);
  archive.bytes("performance_counter", s.performance_counter);
  archive.field("smbase", s.smbase);
  archive.field("in_smm", s.in_smm);
  archive.field("nmi_blocked", s.nmi_blocked);
  archive.field("nmi_blocked_before_smm", s.nmi_blocked_before_smm);
  archive.field("repeat_flags", s.repeat_flags);
  if (!archive.loading()) return;
  s.pending = pending;
  s.flags.set_eflags(arithmetic);
  s.retired = count;
  s.slice = s.remaining = 0;
  sanitize_loaded_state();
  const std::array<u64, 4> pdptes = mmu_->pdptes();
  update_mode();
  update_access_checks();
  mmu_->load_cr3(s.cr3);
  mmu_->pdptes() = pdptes;
  mmu_->flush_all();
}

// What no processor can hold is cut to what it can (base/state_archive.h). Nothing changes in a file of our own.
void Cpu::sanitize_loaded_state() {
  CpuState& s = state();
  constexpr u64 kLow = 0xFFFFFFFFu;
  const u64 efer_bits = model().efer_bits();
  s.efer &= efer_bits;
  s.cr4 &= model().cr4_bits();
  // Long mode is what PG, PAE and LME make of it.
  constexpr u64 kLongPaging = kCr0Pg | kCr0Pe;
  const bool long_mode = (s.efer & kEferLme) != 0 && (s.cr0 & kLongPaging) == kLongPaging && (s.cr4 & kCr4Pae) != 0;
  s.efer = long_mode ? s.efer | kEferLma : s.efer & ~kEferLma;
  const bool wide = (efer_bits & kEferLme) != 0;
  const LinearWidth linear = model().widest_linear();
  const auto cut = [&](u64& value) { value = long_mode && linear.canonical(value) ? value : value & kLow; };
  if (!wide) {
    for (auto& value : s.gpr) value &= kLow;
  }
  s.gpr[kNoRegister] = 0;
  s.cr0 &= kLow;
  for (u64* value : {&s.rip, &s.cr2, &s.gdtr.base, &s.idtr.base}) cut(*value);
  for (u64* value : {&s.lstar, &s.cstar, &s.kernel_gs_base})
    *value = wide && linear.canonical(*value) ? *value : *value & kLow;
  if (!wide) s.cr3 &= kLow;
  s.cr3 &= (u64{1} << model().physical_bits()) - 1;
  s.gdtr.limit &= 0xFFFF;
  s.idtr.limit &= 0xFFFF;
  for (auto& value : s.dr) value = wide ? value : value & kLow;
  for (unsigned i = 4; i < 8; i++) s.dr[i] &= kLow;
  s.dr[6] = (s.dr[6] & 0xE00F) | 0xFFFF0FF0;
  s.dr[7] = (s.dr[7] & 0xFFFF2FFF) | 0x400;
  s.debug_status &= 0x800F;
  s.shadow &= kShadowSti | kShadowMovSs;
  s.system_flags &= system_flags_;
  s.pending &= kPendingIntr | kPendingNmi | kPendingSecondNmi | kPendingSmi | kPendingSingleStep | kPendingDataBreak;
  s.cr0 |= kCr0Et;
  if ((s.cr0 & kCr0Pe) == 0) s.cr0 &= ~kCr0Pg;
  for (Segment& segment : s.segment) {
    cut(segment.base);
    segment.attributes &= 0xF0FF;
  }
  if ((s.cr0 & kCr0Pe) == 0 || long_mode) s.system_flags &= ~u32{kVM};
  if (long_mode && s.segment[kCs].long_code()) {
    s.segment[kCs].base = 0;
    s.segment[kCs].limit = 0xFFFFFFFF;
  } else {
    s.rip &= kLow;
    for (unsigned i = 0; i < 8; i++) s.gpr[i] &= kLow;
  }
  s.retired &= ~u64{0} >> 2;  // further than any run gets; counts to come are computed from it
  s.fx.control = static_cast<u16>((s.fx.control & 0x1F3F) | 0x40);
  // ES and B follow from the exceptions and their masks (SDM 1 8.1.3.3): an exception that is pending without ES would
  // trap on the host when its instructions work on these registers.
  const bool pending = (s.fx.status & ~s.fx.control & 0x3F) != 0;
  s.fx.status = static_cast<u16>((s.fx.status & 0x7F7F) | (pending ? 0x8080 : 0));
  s.fx.mxcsr &= 0xFFFF;
  s.xcr0 = (s.xcr0 & model().xcr0_bits()) | 1;
  s.repeat_flags &= kArithmeticFlags | CpuState::kRepeatRuns;
  s.fx.mxcsr_mask = FxState{}.mxcsr_mask;
  s.fx.reserved = 0;
}

}  // namespace relic86
