// RDMSR, WRMSR, RDTSC, RDPMC (SDM 4; SDM 3B 17.17).
#include <algorithm>
#include <span>

#include "base/log.h"
#include "cpu/access.h"
#include "cpu/control_bits.h"
#include "cpu/cpuid.h"
#include "cpu/long_mode.h"
#include "cpu/segmentation.h"
#include "cpu/system_instructions.h"

namespace relic86 {

namespace {

// The TSC counts nanoseconds of guest time: 1 GHz.
u64 tsc_now(const Cpu& cpu) { return static_cast<u64>(cpu.clock().now()); }

bool privileged(Cpu& cpu) {
  if (cpu.state().mode.cpl == 0) return true;
  cpu.raise(Vector::GeneralProtection, 0);
  return false;
}

enum MsrNumber : u32 {
  kMcAddress = 0x00,
  kMcType = 0x01,
  kTsc = 0x10,
  kPlatformId = 0x17,
  kApicBase = 0x1B,
  kTscAdjust = 0x3B,
  kMicrocode = 0x8B,
  kMtrrCap = 0xFE,
  kArchCapabilities = 0x10A,
  kSysenterCs = 0x174,
  kSysenterEsp = 0x175,
  kSysenterEip = 0x176,
  kTscDeadline = 0x6E0,
  kX2apicFirst = 0x800,
  kX2apicLast = 0x8FF,
  kMcgCap = 0x179,
  kMcgStatus = 0x17A,
  kMcgControl = 0x17B,
  kMiscEnable = 0x1A0,
  kDebugControl = 0x1D9,
  kMtrrPhysBase0 = 0x200,
  kMtrrPhysLast = 0x20F,
  kMtrrFix64 = 0x250,
  kMtrrFix16a = 0x258,
  kMtrrFix16b = 0x259,
  kMtrrFix4First = 0x268,
  kMtrrFix4Last = 0x26F,
  kPat = 0x277,
  kMtrrDefType = 0x2FF,
  kMc0First = 0x400,
  kMc0Last = 0x40F,
  kEfer = 0xC0000080u,
  kStar = 0xC0000081u,
  kLstar = 0xC0000082u,
  kCstar = 0xC0000083u,
  kFmask = 0xC0000084u,
  kFsBase = 0xC0000100u,
  kGsBase = 0xC0000101u,
  kKernelGsBase = 0xC0000102u,
  kTscAux = 0xC0000103u,
  kHardwareConfiguration = 0xC0010015u,
};

constexpr u64 kMtrrCapValue = 0x508;  // eight variable ranges, fixed ranges, write combining

bool mtrr_type_valid(u64 type) { return type == 0 || type == 1 || type == 4 || type == 5 || type == 6; }

// Where a fixed-range MTRR is kept; null: none of that number.
u64* fixed_mtrr(CpuState& state, u32 number) {
  if (number == kMtrrFix64) return &state.mtrr_fixed[0];
  if (number == kMtrrFix16a || number == kMtrrFix16b) return &state.mtrr_fixed[1 + number - kMtrrFix16a];
  if (number >= kMtrrFix4First && number <= kMtrrFix4Last) return &state.mtrr_fixed[3 + number - kMtrrFix4First];
  return nullptr;
}

// The deadline as a moment of guest time: the TSC runs at 1 GHz from its offset on.
void arm_deadline(Cpu& cpu, u64 value) {
  const GuestTime now = cpu.clock().now();
  const u64 ahead = value - (tsc_now(cpu) + cpu.state().tsc_offset);
  const bool past = value <= tsc_now(cpu) + cpu.state().tsc_offset;
  constexpr u64 kLongest = u64{1} << 61;  // some 70 years
  cpu.apic()->set_deadline(value, past ? now : now + static_cast<GuestTime>(std::min(ahead, kLongest)));
}

void rearm_deadline(Cpu& cpu) {
  if (cpu.apic() != nullptr && cpu.apic()->deadline() != 0) arm_deadline(cpu, cpu.apic()->deadline());
}

// Where registers that only keep what was written stand: performance counters, which count nothing here, and the
// address and miscellaneous registers of machine-check banks. Null: none of that number.
u64* kept_register(CpuState& state, const CpuModel& model, u32 number) {
  const bool intel = model.vendor[0] == 'G';
  const auto within = [number](u32 first, u32 count) { return number >= first && number < first + count; };
  if (intel && model.family == 6) {
    if (within(0xC1, 2)) return &state.performance_counter[number - 0xC1];
    if (within(0x186, 2)) return &state.performance_select[number - 0x186];
  }
  if (!intel && model.family >= 6) {
    if (within(0xC0010000, 4)) return &state.performance_select[number - 0xC0010000];
    if (within(0xC0010004, 4)) return &state.performance_counter[number - 0xC0010004];
  }
  if ((model.features_edx & kCpuidMca) != 0 && number >= kMc0First && number <= kMc0Last) {
    const u32 bank = (number - kMc0First) / 4;
    if ((number & 3) == 0) return &state.mc_control[bank];
    if ((number & 3) == 2) return &state.mc_address[bank];
    if ((number & 3) == 3) return &state.mc_misc[bank];
  }
  return nullptr;
}

// Registers that came with SYSCALL and long mode, of 64 bits each; null: the model has none of that number. Bases and
// entry points must be canonical.
struct LongRegister {
  u64* value = nullptr;
  bool address = false;
};
LongRegister long_register(CpuState& state, const CpuModel& model, u32 number) {
  if (number == kStar) return {(model.efer_bits() & kEferSce) != 0 ? &state.star : nullptr, false};
  if (!model.has_long_mode()) return {};
  switch (number) {
    case kLstar: return {&state.lstar, true};
    case kCstar: return {&state.cstar, true};
    case kFmask: return {&state.fmask, false};
    case kFsBase: return {&state.segment[kFs].base, true};
    case kGsBase: return {&state.segment[kGs].base, true};
    case kKernelGsBase: return {&state.kernel_gs_base, true};
    default: return {};
  }
}

bool write_long_register(CpuState& state, const CpuModel& model, LongRegister target, u64 value) {
  constexpr u64 kFlags = 0xFFFFFFFF;  // bits 63:32 of FMASK are reserved
  if (target.address ? !model.widest_linear().canonical(value) : target.value == &state.fmask && (value & ~kFlags) != 0)
    return false;
  *target.value = value;
  for (const SegmentName name : {kFs, kGs}) {
    if (target.value == &state.segment[name].base) derive_limits(state, state.segment[name]);
  }
  return true;
}

// LMA is not writable, and LME stays while paging is on (SDM 3A 2.2.1).
bool write_efer(Cpu& cpu, u64 value) {
  CpuState& state = cpu.state();
  value = (value & ~kEferLma) | (state.efer & kEferLma);
  const u64 known = cpu.model().efer_bits();
  if (known == 0 || (value & ~known) != 0) return false;
  if (((value ^ state.efer) & kEferLme) != 0 && state.mode.paging) return false;
  state.efer = value;
  cpu.update_mode();
  return true;
}

// Registers of real parts that systems probe and that do nothing here: they read 0 and swallow writes (SDM 4, P6 family
// and Pentium 4 tables; BIOS and Kernel Developer's Guide for AMD family 0Fh).
bool inert_register(const CpuModel& model, u32 number) {
  struct Range {
    u32 first, last;
  };
  static constexpr Range kP6[] = {{0x2A, 0x2A},   {0x33, 0x33},   {0x79, 0x79},   {0x88, 0x8A},  {0x116, 0x116},
                                  {0x118, 0x11B}, {0x11E, 0x11E}, {0x1DB, 0x1DE}, {0x1E0, 0x1E0}};
  static constexpr Range kPentium4[] = {{0x2A, 0x2C},   {0x79, 0x79},   {0x9B, 0x9B},  {0x198, 0x19D},
                                        {0x1D7, 0x1DE}, {0x300, 0x371}, {0x3A0, 0x3F2}};
  static constexpr Range kAmd[] = {{0xC0010010, 0xC0010010}, {0xC001001F, 0xC001001F}, {0xC0010055, 0xC0010055}};
  const auto in = [number](std::span<const Range> ranges) {
    return std::any_of(ranges.begin(), ranges.end(),
                       [number](const Range& range) { return number >= range.first && number <= range.last; });
  };
  if (model.vendor[0] != 'G') return model.family >= 6 && in(kAmd);
  return (model.family == 6 && in(kP6)) || (model.family == 15 && in(kPentium4));
}

bool read_msr(Cpu& cpu, u32 number, u64& value) {
  CpuState& state = cpu.state();
  const CpuModel& model = cpu.model();
  value = 0;
  if (const u64* kept = kept_register(state, model, number)) return value = *kept, true;
  if (const u64* kept = long_register(state, model, number).value) return value = *kept, true;
  if (inert_register(model, number)) return true;
  if (number >= kMc0First && number <= kMc0Last) return (model.features_edx & kCpuidMca) != 0;
  if (number >= kX2apicFirst && number <= kX2apicLast) return cpu.apic() != nullptr && cpu.apic()->read(number, value);
  if ((model.features_edx & kCpuidMtrr) != 0) {
    if (number >= kMtrrPhysBase0 && number <= kMtrrPhysLast)
      return value = state.mtrr_variable[number - kMtrrPhysBase0], true;
    if (const u64* fixed = fixed_mtrr(state, number)) return value = *fixed, true;
    if (number == kMtrrCap) return value = kMtrrCapValue, true;
    if (number == kMtrrDefType) return value = state.mtrr_def_type, true;
  }
  switch (number) {
    case kMcAddress:
    case kMcType: return true;
    case kTsc: return value = tsc_now(cpu) + state.tsc_offset, true;
    case kApicBase:
      if (cpu.apic() == nullptr || model.family < 6) return false;
      return value = cpu.apic()->base(), true;
    case kTscDeadline:
      if (cpu.apic() == nullptr || (model.features_ecx & kCpuidTscDeadline) == 0) return false;
      return value = cpu.apic()->deadline(), true;
    case kPlatformId:
    case kMicrocode:
    case kDebugControl: return model.family >= 6;
    case kArchCapabilities: return value = model.immunities, (model.structured_edx & kCpuidArchCapabilities) != 0;
    case kTscAdjust: return value = state.tsc_adjust, (model.structured_ebx & kCpuidTscAdjust) != 0;
    case kTscAux: return value = state.tsc_aux, (model.extended_edx & kCpuidRdtscp) != 0;
    case kSysenterCs: return value = state.sysenter_cs, (model.features_edx & kCpuidSep) != 0;
    case kSysenterEsp: return value = state.sysenter_esp, (model.features_edx & kCpuidSep) != 0;
    case kSysenterEip: return value = state.sysenter_eip, (model.features_edx & kCpuidSep) != 0;
    case kMcgCap: return value = 0x104, (model.features_edx & kCpuidMca) != 0;  // four banks, MCG_CTL
    case kMcgStatus: return value = state.mcg_status, (model.features_edx & kCpuidMca) != 0;
    case kMcgControl: return value = ~u64{0}, (model.features_edx & kCpuidMca) != 0;
    case kMiscEnable: return value = state.misc_enable | 1, model.family >= 6;
    case kPat: return value = state.pat, (model.features_edx & kCpuidPat) != 0;
    case kEfer: return value = state.efer, model.efer_bits() != 0;
    case kHardwareConfiguration: return true;
    default: return false;
  }
}

bool write_msr(Cpu& cpu, u32 number, u64 value) {
  u64 present = 0;
  if (number >= kX2apicFirst && number <= kX2apicLast) return cpu.apic() != nullptr && cpu.apic()->write(number, value);
  if (!read_msr(cpu, number, present)) return false;  // the model has no such register
  CpuState& state = cpu.state();
  const CpuModel& model = cpu.model();
  if (number >= kMc0First && number <= kMc0Last) {
    // Controls are all on or all off, the status can only be cleared (SDM 3B 15.3.2).
    if ((number & 3) == 0 && value != 0 && value != ~u64{0}) return false;
    if ((number & 3) == 1) return value == 0;
  }
  if (u64* kept = kept_register(state, model, number)) return *kept = value, true;
  if (const LongRegister target = long_register(state, model, number); target.value != nullptr)
    return write_long_register(state, model, target, value);
  if (inert_register(model, number)) return true;
  if ((model.features_edx & kCpuidMtrr) != 0) {
    if (number >= kMtrrPhysBase0 && number <= kMtrrPhysLast) {
      const bool mask = (number & 1) != 0;
      if (!mask && !mtrr_type_valid(value & 0xFF)) return false;
      if ((value & (mask ? 0x7FF : 0xF00)) != 0) return false;
      if ((value >> model.physical_bits()) != 0) return false;
      state.mtrr_variable[number - kMtrrPhysBase0] = value;
      return true;
    }
    if (u64* fixed = fixed_mtrr(state, number)) {
      for (unsigned i = 0; i < 8; i++) {
        if (!mtrr_type_valid(value >> (i * 8) & 0xFF)) return false;
      }
      *fixed = value;
      return true;
    }
    if (number == kMtrrDefType) {
      if (!mtrr_type_valid(value & 0xFF) || (value & ~u64{0xCFF}) != 0) return false;
      state.mtrr_def_type = value;
      return true;
    }
  }
  switch (number) {
    case kMcAddress:
    case kMcType:
    case kMicrocode:
    case kDebugControl:
    case kHardwareConfiguration: return true;
    case kTsc:  // the adjustment follows (SDM 3B 17.17.3)
      state.tsc_adjust += value - (tsc_now(cpu) + state.tsc_offset);
      state.tsc_offset = value - tsc_now(cpu);
      rearm_deadline(cpu);
      return true;
    case kApicBase: return cpu.apic()->set_base(value);
    case kTscDeadline: arm_deadline(cpu, value); return true;
    case kTscAdjust:
      state.tsc_offset += value - state.tsc_adjust;
      state.tsc_adjust = value;
      rearm_deadline(cpu);
      return true;
    case kTscAux: return state.tsc_aux = value & 0xFFFFFFFF, value <= 0xFFFFFFFF;
    case kSysenterCs: state.sysenter_cs = value & 0xFFFFFFFFu; return true;
    case kSysenterEsp:
    case kSysenterEip:
      if (!model.has_long_mode()) value &= 0xFFFFFFFFu;
      if (!model.widest_linear().canonical(value)) return false;
      (number == kSysenterEsp ? state.sysenter_esp : state.sysenter_eip) = value;
      return true;
    case kMcgStatus: state.mcg_status = value; return true;
    case kMcgControl: return true;
    case kMiscEnable: state.misc_enable = value; return true;
    case kPat:
      for (unsigned i = 0; i < 8; i++) {
        const u64 type = value >> (i * 8) & 0xFF;
        if (type == 2 || type == 3 || type > 7) return false;
      }
      state.pat = value;
      return true;
    case kEfer: return write_efer(cpu, value);
    default: return false;
  }
}

}  // namespace

Flow rdmsr(Cpu& cpu, const Insn&) {
  if (!privileged(cpu)) return Flow::Fault;
  CpuState& state = cpu.state();
  u64 value = 0;
  if (!read_msr(cpu, state.gpr32(kEcx), value)) {
    log::once(log::Channel::Unimplemented, "cpu: read of unknown MSR {:#x}", state.gpr32(kEcx));
    return cpu.raise(Vector::GeneralProtection, 0);
  }
  state.set_gpr32(kEax, static_cast<u32>(value));
  state.set_gpr32(kEdx, static_cast<u32>(value >> 32));
  return Flow::Next;
}

Flow wrmsr(Cpu& cpu, const Insn&) {
  if (!privileged(cpu)) return Flow::Fault;
  const CpuState& state = cpu.state();
  if (!write_msr(cpu, state.gpr32(kEcx), u64{state.gpr32(kEdx)} << 32 | state.gpr32(kEax))) {
    log::once(log::Channel::Unimplemented, "cpu: refused write to MSR {:#x}", state.gpr32(kEcx));
    return cpu.raise(Vector::GeneralProtection, 0);
  }
  return Flow::Stop;
}

Flow rdtsc(Cpu& cpu, const Insn&) {
  CpuState& state = cpu.state();
  if ((state.cr4 & kCr4Tsd) != 0 && state.mode.cpl != 0) return cpu.raise(Vector::GeneralProtection, 0);
  const u64 value = tsc_now(cpu) + state.tsc_offset;
  state.set_gpr32(kEax, static_cast<u32>(value));
  state.set_gpr32(kEdx, static_cast<u32>(value >> 32));
  return Flow::Next;
}

Flow rdpmc(Cpu& cpu, const Insn&) {
  CpuState& state = cpu.state();
  if ((state.cr4 & kCr4Pce) == 0 && state.mode.cpl != 0) return cpu.raise(Vector::GeneralProtection, 0);
  if (state.gpr32(kEcx) > 1) return cpu.raise(Vector::GeneralProtection, 0);
  state.set_gpr32(kEax, 0);  // two counters that count nothing
  state.set_gpr32(kEdx, 0);
  return Flow::Next;
}

}  // namespace relic86
