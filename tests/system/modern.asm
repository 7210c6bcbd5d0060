; What later processors brought (-cpu max): PSE-36, execute-disable, SMEP, SMAP, UMIP, RDTSCP (SDM 3A chapter 4), and the
; registers of PAT, MTRRs and machine check (SDM 3A chapters 11, 15).
%include "system.inc"
%include "pae.inc"
cpu default
XD equ 0x80000000
EFER equ 0xc0000080
%macro set_cr4 1
  mov eax, cr4
  or eax, %1
  mov cr4, eax
%endmacro
%macro clear_cr4 1
  mov eax, cr4
  and eax, ~(%1)
  mov cr4, eax
%endmacro
main:
  mov edi, TABLES
  mov ecx, 0x4000 / 4
  xor eax, eax
  rep stosd
  ; --- PSE-36: a 4 MiB page above 4 GiB is not there: a write is lost, a read gives ones ---
  mov dword [TABLES], 0x83 | U
  mov dword [TABLES + 4], 0x00000083 | U
  mov eax, TABLES
  mov cr3, eax
  set_cr4 0x10
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  probe "PSE-36: bit 13 is bit 32 of the address"
  mov dword [0x200000], 0x12345678
  mov dword [TABLES + 4], 0x00002083 | U
  invlpg [0x600000]
  mov eax, [0x600000]
  done eax
  %assign b 13
  %rep 9
   %defstr bn b
   probe {"4 MiB page: bit ", bn}
   mov dword [TABLES + 4], 0x00000083 | (1 << b)
   invlpg [0x600000]
   mov al, [0x600000]
   done
   %assign b b + 1
  %endrep
  mov eax, cr0
  and eax, 0x7fffffff
  mov cr0, eax
  build_pae_tables
  set_cr4 0x20
  mov eax, POINTERS
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80010000
  mov cr0, eax
  ; code in the window: nop; int 40h
  mov dword [FRAME], 0x9040cd90
  page 0, P | W | U, XD
  both "NXE clear: bit 63 is reserved", mov al, [WINDOW]
  mov ecx, EFER
  rdmsr
  or eax, 0x800
  wrmsr
  page 0, P | W | U, XD
  both "NX: read", mov al, [WINDOW]
  both "NX: write", mov [WINDOW + 8], al
  both "NX: fetch", jmp WINDOW
  page 0, P | W, XD
  both "NX, supervisor page: fetch", jmp WINDOW
  page 0, W, XD
  both "NX, not present: fetch", jmp WINDOW
  page 0, P | W | U
  both "executable", jmp WINDOW
  page 0, P | W | U, 0x40000000
  both "bit 62", mov al, [WINDOW]
  page 0, P | W | U, 0x00100000
  both "bit 52", mov al, [WINDOW]
  page 0, P | W | U, 0x00080000
  both "bit 51", mov al, [WINDOW]
  page 0, P | W | U, 0x00000100
  both "bit 40", mov al, [WINDOW]
  page 0, P | W | U, 0
  mov dword [DIR + 16 + 4], XD
  mov eax, cr3
  mov cr3, eax
  both "NX in the directory: fetch", jmp WINDOW
  both "NX in the directory: read", mov al, [WINDOW]
  mov dword [DIR + 16 + 4], 0
  mov dword [DIR + 24 + 4], XD
  mov dword [DIR + 24], 0x200000 + P + W + U + PS
  mov dword [0x210000], 0x9040cd90
  both "NX in a large page: fetch", jmp 0x610000
  mov dword [DIR + 24 + 4], 0
  mov dword [DIR + 24], 0x202000 + P + W + U + PS
  both "large page: bit 13", mov al, [0x610000]
  mov dword [DIR + 24], 0x201000 + P + W + U + PS
  both "large page: bit 12 is PAT", mov al, [0x610000]
  probe "the second page of an instruction is NX"
  page 0, P | W | U
  page 1, P | W | U, XD
  mov word [FRAME + 0xffe], 0x05c7    ; mov dword [..], ..
  jmp WINDOW + 0xffe
  done
  probe "the second page of an instruction is not present"
  page 1, W | U
  jmp WINDOW + 0xffe
  done
%macro zero 2+
  probe %1
  %2
  done
%endmacro
  ; --- SMEP ---
  mov dword [DIR], TABLE0 + P + W
  mov dword [DIR + 8], 0x200000 + P + W + PS
  mov eax, cr3
  mov cr3, eax
  probe "SMEP"
  set_cr4 1 << 20
  done
  page 0, P | W | U
  zero "SMEP: fetch from a user page", jmp WINDOW
  page 0, P | W
  zero "SMEP: fetch from a supervisor page", jmp WINDOW
  page 0, W | U
  zero "SMEP: fetch, not present", jmp WINDOW
  page 0, P | W | U
  probe "SMEP: read of a user page"
  mov al, [WINDOW]
  done
  clear_cr4 1 << 20
  ; --- SMAP ---
  ; the image itself lies in user pages: data of rings 0 must not
  mov dword [DIR], TABLE0 + P + W
  mov dword [DIR + 8], 0x200000 + P + W + PS
  mov eax, cr3
  mov cr3, eax
  page 0, P | W | U
  set_cr4 1 << 21
  zero "SMAP: read", mov al, [WINDOW]
  zero "SMAP: write", mov [WINDOW], al
  probe "SMAP: read with AC"
  stac
  mov al, [WINDOW]
  done flags
  probe "SMAP: AC by popf"
  push dword 2 | AC
  popfd
  mov [WINDOW + 8], al
  done flags
  probe "SMAP: clac"
  stac
  clac
  mark
  mov al, [WINDOW]
  done flags
  zero "SMAP: fetch is not its matter", jmp WINDOW
  page 0, P | W
  zero "SMAP: supervisor page", mov al, [WINDOW]
  page 0, P | U
  probe "SMAP: write to a read-only user page with AC"
  stac
  mark
  mov [WINDOW], al
  done
  page 0, P | W | U
  probe "SMAP: string source"
  mov esi, WINDOW
  mov edi, BUFFER
  mov ecx, 4
  mark
  rep movsb
  done ecx
  ; An LDT in a user page: the access is implicit, AC does not open it.
  page 3, P | W
  mov dword [WINDOW + 0x3008], 0x0000ffff
  mov dword [WINDOW + 0x300c], 0x00cf9300
  descriptor LDT, WINDOW + 0x3000, 0x3f, 0x82, 0
  mov ax, LDT
  lldt ax
  page 3, P | W | U
%macro from_ldt 2+
  probe %1
  mov ax, 0xc
  %2
  mov gs, ax
  done gs
%endmacro
  from_ldt "SMAP: descriptor in a user page", nop
  from_ldt "SMAP: descriptor in a user page with AC", stac
  page 3, P | W
  from_ldt "SMAP: descriptor in a supervisor page", nop
  descriptor LDT, LDT_BASE, 0x3f, 0x82, 0
  mov ax, LDT
  lldt ax
  probe "lgdt: its own operand in a user page"
  mark
  lgdt [WINDOW + 0x10]
  done
  clear_cr4 1 << 21
  probe "clac at CPL 3"
  mov dword [DIR], TABLE0 + P + W + U
  mov dword [DIR + 8], 0x200000 + P + W + U + PS
  mov eax, cr3
  mov cr3, eax
  to_ring 3
  clac
  done
  probe "stac in V86"
  to_v86 IOPL3
  stac
  done
  ; --- UMIP ---
  set_cr4 1 << 11
  both "UMIP: sgdt", sgdt [BUFFER]
  both "UMIP: sidt", sidt [BUFFER]
  both "UMIP: sldt", sldt [BUFFER]
  both "UMIP: str", str [BUFFER]
  both "UMIP: smsw", smsw [BUFFER]
  both "UMIP: smsw of a register", smsw eax
  probe "UMIP: smsw in V86"
  to_v86 IOPL3
  smsw ax
  done
  probe "UMIP: sldt in V86 stays undefined"
  to_v86 IOPL3
  sldt ax
  done
  clear_cr4 1 << 11
  ; --- RDTSCP, TSD ---
  probe "rdtscp: TSC_AUX"
  mov ecx, 0xc0000103
  mov eax, 0x12345678
  xor edx, edx
  wrmsr
  rdtscp
  done ecx
  set_cr4 4
  both "TSD: rdtscp", rdtscp
  both "TSD: rdtsc", rdtsc
  clear_cr4 4
%macro reads 2
  probe {"msr ", %1}
  mov ecx, %2
  rdmsr
  done eax, edx
%endmacro
%macro writes 4
  probe {"msr write ", %1}
  mov ecx, %2
  mov eax, %3
  mov edx, %4
  mark
  wrmsr
  rdmsr
  done eax, edx
%endmacro
  reads "APIC_BASE", 0x1b
  reads "PAT", 0x277
  writes "PAT, types", 0x277, 0x00070406, 0x01050406
  writes "PAT, reserved type 2", 0x277, 0x00070402, 0x00070406
  writes "PAT, reserved type 3", 0x277, 0x00070406, 0x03070406
  writes "PAT, high bits", 0x277, 0x80070406, 0x00070406
  reads "MTRRcap", 0xfe
  writes "MTRRdefType", 0x2ff, 0xc06, 0
  writes "MTRRdefType, reserved", 0x2ff, 0x1c06, 0
  writes "MTRRdefType, type 2", 0x2ff, 0xc02, 0
  writes "MTRR physBase0", 0x200, 0xf0000006, 0
  writes "MTRR physBase0, reserved", 0x200, 0xf0000806, 0
  writes "MTRR physMask0, reserved", 0x201, 0xf0000c00, 0xf
  writes "MTRR physMask0", 0x201, 0xf0000800, 0xf
  writes "MTRR physMask0, beyond the address", 0x201, 0xf0000800, 0x1000
  writes "MTRR fix64K", 0x250, 0x06060606, 0x06060606
  writes "MTRR fix64K, type 7", 0x250, 0x07060606, 0x06060606
  writes "MTRR fix4K F8000", 0x26f, 0x05050505, 0x05050505
  writes "MTRRcap is read only", 0xfe, 0, 0
  reads "MCG_CAP", 0x179
  reads "MCG_STATUS", 0x17a
  reads "MC0_STATUS", 0x401
  writes "MC0_STATUS, not zero", 0x401, 1, 0
  writes "MC0_STATUS, zero", 0x401, 0, 0
  reads "EFER", 0xc0000080
  writes "EFER, reserved", 0xc0000080, 0x10000, 0
  writes "EFER, LME", 0xc0000080, 0x900, 0
  writes "SYSENTER_CS", 0x174, 0x12345678, 0
  writes "SYSENTER_ESP", 0x175, 0x12345678, 0
  reads "MISC_ENABLE", 0x1a0
  reads "THERM_STATUS", 0x19c
  reads "THERM_INTERRUPT", 0x19b
  reads "PLATFORM_ID", 0x17
  reads "BIOS_SIGN_ID", 0x8b
  reads "EBL_CR_POWERON", 0x2a
  reads "DEBUGCTL", 0x1d9
  reads "PERFCTR0", 0xc1
  reads "EVNTSEL0", 0x186
  reads "STAR", 0xc0000081
  reads "TSC_DEADLINE", 0x6e0
  finish
