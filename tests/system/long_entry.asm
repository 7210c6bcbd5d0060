; The way into long mode (-cpu qemu64): what EFER takes, and when paging may be turned on and off, and what control registers refuse (SDM 3A 9.8.5; APM 2 14.6).
%include "system.inc"
%include "long.inc"
%macro efer 0
  mov ecx, EFER
  rdmsr
%endmacro
%macro set_efer 1
  mov ecx, EFER
  xor edx, edx
  mov eax, %1
  wrmsr
%endmacro
main:
  prepare_long
  probe "EFER after reset"
  efer
  done eax, edx
  probe "EFER: a reserved bit"
  set_efer 0x200
  done
  probe "EFER: LMA is not written"
  set_efer 0x500
  efer
  done eax
  probe "PG with LME and without PAE"
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  done
  mov eax, cr4
  or eax, 0x20
  mov cr4, eax
  mov eax, PML4
  mov cr3, eax
  probe "PG with LME in 64-bit code to be"
  jmp CODE64:.there                 ; outside of long mode 16-bit code
bits 16
.there:
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  done cs
  probe "paging, then LME"
  set_efer 0
  mov dword [POINTERS_32], PDS + P
  mov dword [POINTERS_32 + 8], PDS + 0x1000 + P
  mov dword [POINTERS_32 + 16], 0
  mov dword [POINTERS_32 + 24], 0
  mov eax, POINTERS_32
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  set_efer 0x100
  done
  mov eax, cr0
  and eax, 0x7fffffff
  mov cr0, eax

  enter_long
  probe64 "PG off in 64-bit code"
  mov rax, cr0
  btr rax, 31
  mov cr0, rax
  done64
  probe64 "PAE off"
  mov rax, cr4
  btr rax, 5
  mov cr4, rax
  done64
  probe64 "CR0: bit 32"
  mov rax, cr0
  bts rax, 32
  mov cr0, rax
  done64
  probe64 "CR4: bit 32"
  mov rax, cr4
  bts rax, 32
  mov cr4, rax
  done64
  probe64 "CR3: a reserved bit"
  mov rax, cr3
  bts rax, 45
  mov cr3, rax
  done64
  probe64 "LME off while paging is on"
  mov ecx, EFER
  rdmsr
  btr eax, 8
  wrmsr
  done64
  finish64
POINTERS_32 equ TABLES + 0xf000
