// Instructions on segments, far transfers, interrupts, ports and processor control: the cold functions that
// cpu/insn_system.def names. Their .cpp files are by topic.
#pragma once

#include "cpu/fault.h"
#include "cpu/insn.h"

namespace relic86 {

// Whether SGDT, SIDT, SLDT, STR and SMSW may tell (CR4.UMIP, SDM 3A 2.5); false: #GP(0) is raised.
bool user_may_store(Cpu& cpu);
// Whether IN, OUT, INS, OUTS may touch the port (IOPL, TSS permission map); false: #GP(0) or a page fault is raised.
bool io_permitted(Cpu& cpu, IoPort port, unsigned width);

// CLTS, LMSW from a register and MOV to CR0 that change no more than MP, EM and TS. False: nothing was done.
bool unit_flags_directly(Cpu& cpu, const Insn& insn);

// --- Segment registers ---
Flow mov_from_segment(Cpu& cpu, const Insn& insn);
Flow mov_to_segment(Cpu& cpu, const Insn& insn);
Flow pop_segment(Cpu& cpu, const Insn& insn);
Flow les(Cpu& cpu, const Insn& insn);
Flow lds(Cpu& cpu, const Insn& insn);
Flow lss(Cpu& cpu, const Insn& insn);
Flow lfs(Cpu& cpu, const Insn& insn);
Flow lgs(Cpu& cpu, const Insn& insn);
// --- Far transfers and interrupts ---
Flow call_far(Cpu& cpu, const Insn& insn);
Flow jmp_far(Cpu& cpu, const Insn& insn);
Flow call_far_indirect(Cpu& cpu, const Insn& insn);
Flow jmp_far_indirect(Cpu& cpu, const Insn& insn);
Flow ret_far(Cpu& cpu, const Insn& insn);
Flow int3(Cpu& cpu, const Insn& insn);
Flow int_n(Cpu& cpu, const Insn& insn);
Flow into(Cpu& cpu, const Insn& insn);
Flow int1(Cpu& cpu, const Insn& insn);
Flow iret(Cpu& cpu, const Insn& insn);
// --- Flags ---
Flow pushf(Cpu& cpu, const Insn& insn);
Flow popf(Cpu& cpu, const Insn& insn);
Flow cli(Cpu& cpu, const Insn& insn);
Flow sti(Cpu& cpu, const Insn& insn);
// --- Ports ---
Flow in_immediate_byte(Cpu& cpu, const Insn& insn);
Flow in_immediate_full(Cpu& cpu, const Insn& insn);
Flow out_immediate_byte(Cpu& cpu, const Insn& insn);
Flow out_immediate_full(Cpu& cpu, const Insn& insn);
Flow in_dx_byte(Cpu& cpu, const Insn& insn);
Flow in_dx_full(Cpu& cpu, const Insn& insn);
Flow out_dx_byte(Cpu& cpu, const Insn& insn);
Flow out_dx_full(Cpu& cpu, const Insn& insn);
// --- Processor control ---
Flow hlt(Cpu& cpu, const Insn& insn);
Flow arpl(Cpu& cpu, const Insn& insn);
Flow sldt(Cpu& cpu, const Insn& insn);
Flow str(Cpu& cpu, const Insn& insn);
Flow lldt(Cpu& cpu, const Insn& insn);
Flow ltr(Cpu& cpu, const Insn& insn);
Flow verr(Cpu& cpu, const Insn& insn);
Flow verw(Cpu& cpu, const Insn& insn);
Flow sgdt(Cpu& cpu, const Insn& insn);
Flow sidt(Cpu& cpu, const Insn& insn);
Flow lgdt(Cpu& cpu, const Insn& insn);
Flow lidt(Cpu& cpu, const Insn& insn);
Flow smsw(Cpu& cpu, const Insn& insn);
Flow lmsw(Cpu& cpu, const Insn& insn);
Flow invlpg(Cpu& cpu, const Insn& insn);
Flow lar(Cpu& cpu, const Insn& insn);
Flow lsl(Cpu& cpu, const Insn& insn);
Flow clts(Cpu& cpu, const Insn& insn);
Flow invd(Cpu& cpu, const Insn& insn);
Flow wbinvd(Cpu& cpu, const Insn& insn);
Flow mov_from_control(Cpu& cpu, const Insn& insn);
Flow mov_from_debug(Cpu& cpu, const Insn& insn);
Flow mov_to_control(Cpu& cpu, const Insn& insn);
Flow mov_to_debug(Cpu& cpu, const Insn& insn);
Flow wrmsr(Cpu& cpu, const Insn& insn);
Flow rdtsc(Cpu& cpu, const Insn& insn);
Flow rdmsr(Cpu& cpu, const Insn& insn);
Flow rdpmc(Cpu& cpu, const Insn& insn);
Flow sysenter(Cpu& cpu, const Insn& insn);
Flow sysexit(Cpu& cpu, const Insn& insn);
Flow cpuid(Cpu& cpu, const Insn& insn);
Flow rsm(Cpu& cpu, const Insn& insn);
// --- Later additions ---
Flow stac(Cpu& cpu, const Insn& insn);
Flow clac(Cpu& cpu, const Insn& insn);
Flow monitor(Cpu& cpu, const Insn& insn);
Flow mwait(Cpu& cpu, const Insn& insn);
Flow pause(Cpu& cpu, const Insn& insn);
Flow rdtscp(Cpu& cpu, const Insn& insn);
Flow movbe_load(Cpu& cpu, const Insn& insn);
Flow movbe_store(Cpu& cpu, const Insn& insn);
Flow adcx(Cpu& cpu, const Insn& insn);
Flow adox(Cpu& cpu, const Insn& insn);
Flow rdrand(Cpu& cpu, const Insn& insn);
Flow read_segment_base(Cpu& cpu, const Insn& insn);
Flow write_segment_base(Cpu& cpu, const Insn& insn);
Flow invpcid(Cpu& cpu, const Insn& insn);
Flow crc32(Cpu& cpu, const Insn& insn);
Flow crc32_byte(Cpu& cpu, const Insn& insn);
// --- XSAVE (cpu/xsave_instructions.cpp) ---
Flow xsave(Cpu& cpu, const Insn& insn);
Flow xsaveopt(Cpu& cpu, const Insn& insn);
Flow xsavec(Cpu& cpu, const Insn& insn);
Flow xrstor(Cpu& cpu, const Insn& insn);
Flow xgetbv(Cpu& cpu, const Insn& insn);
Flow xsetbv(Cpu& cpu, const Insn& insn);
// --- With long mode ---
Flow syscall(Cpu& cpu, const Insn& insn);
Flow sysret(Cpu& cpu, const Insn& insn);
Flow swapgs(Cpu& cpu, const Insn& insn);

}  // namespace relic86
