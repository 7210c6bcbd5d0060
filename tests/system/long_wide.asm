; 5-level paging (-cpu max; 5-Level Paging and 5-Level EPT white paper 2; APM 2 5.3.1): canonical addresses of 57 bits, rights and
; reserved bits of the topmost level, what CR4.LA57 may do in long mode; each also by code that is translated by then.
%include "system.inc"
%include "long.inc"
NX equ 1 << 63
LA57 equ 1 << 12
PML5 equ TABLES + 0x9000
HIGH_PML4 equ TABLES + 0xa000      ; its last entry is that of the first level's table of the last GiB
PAGE equ BUFFER + 0x10000
ALIAS equ 1 << 48                  ; from here on what there is below 256 TiB is there once more
OWN equ 2 << 48                    ; an entry of a test's own
TOP equ 0x00ffffffc0000000         ; the last GiB of the lower half
END equ 0x0100000000000000         ; the first address that is not canonical
ROUNDS equ 300
%macro rounds 1                     ; calls a place so many times
  mov r15d, ROUNDS
%%again:
  call %1
  dec r15d
  jnz %%again
%endmacro
%macro flushed_rounds 1             ; pages are looked up each time
  mov r15d, ROUNDS
%%again:
  mov rax, cr3
  mov cr3, rax
  call %1
  dec r15d
  jnz %%again
%endmacro
%macro fault_at 1                   ; where the probe's exception is to be
  mov dword [abs probe_mark], %1
%endmacro
%macro top_entry 2                  ; entry N of the topmost table
  mov rax, %2
  mov [abs PML5 + %1 * 8], rax
  mov rax, cr3
  mov cr3, rax
%endmacro
main:
  prepare_long
  mov edi, PML5
  mov ecx, 0x2000 / 4
  xor eax, eax
  rep stosd
  mov dword [PML5], PML4 + (P | W | U)
  mov dword [PML5 + 8], PML4 + (P | W | U)
  mov dword [PML5 + 255 * 8], HIGH_PML4 + (P | W | U)
  mov dword [PML5 + 511 * 8], PML4 + (P | W | U)
  mov dword [HIGH_PML4 + 511 * 8], HIGH_PDPT + (P | W | U)
  enter_prepared PML5, LA57
  mov rax, 0x1122334455667788
  mov [abs PAGE], rax
  mov dword [abs PAGE + 0x100], 0x00c3c390  ; nop, ret
  page64 3, PAGE | P | W | U

  probe64 "what CPUID says"
  mov eax, 0x80000008
  cpuid
  mov ecx, eax
  shr ecx, 8
  and ecx, 0xff
  done64 rcx
  probe64 "CR4"
  mov rax, cr4
  shr rax, 12
  and eax, 1
  done64 rax

  ; --- Addresses ---
  %macro address 2-*                ; name, address, what to show: once, and after many others
    probe64 %1
    mov rbx, %2
    fault_at read
    call read
    %if %0 == 3
      done64 %3
    %else
      done64
    %endif
    probe64 {%1, ", translated"}
    mov rbx, WINDOW + 0x3000
    rounds read
    mov rbx, %2
    fault_at read
    call read
    %if %0 == 3
      done64 %3
    %else
      done64
    %endif
  %endmacro
  address "a read by the lower alias", WINDOW + 0x3000, rax
  address "a read by the alias beyond 48 bits", ALIAS + WINDOW + 0x3000, rax
  address "the first address beyond 47 bits", 1 << 47
  address "the last GiB of the lower half", TOP + marker, rax
  address "the last quadword of the lower half", END - 8
  address "a quadword over the end of the lower half", END - 4
  address "the first address that is not canonical", END
  address "the last address that is not canonical", -END - 8
  address "a quadword over the begin of the upper half", -END - 4
  address "the begin of the upper half", -END
  address "the last GiB", HIGH + marker, rax
  probe64 "a write beyond 48 bits"
  mov rbx, ALIAS + WINDOW + 0x3000
  mov eax, 0x5a5a
  mov [rbx + 8], rax
  mov rax, [abs PAGE + 8]
  done64 rax
  probe64 "the stack beyond the lower half"
  to_ring64 3
  mov rsp, END + 8
  mark64
  push rax
  done64

  ; --- Pages that are looked up by many accesses ---
  probe64 "many reads by the alias, each after a flush"
  mov rbx, ALIAS + WINDOW + 0x3000
  flushed_rounds read
  done64 rax
  probe64 "many writes by the alias, each after a flush"
  mov rbx, ALIAS + WINDOW + 0x3000
  mov ecx, 0x77
  flushed_rounds write
  mov rax, [abs PAGE + 16]
  done64 rax
  probe64 "many calls of the alias, each after a flush"
  mov rbx, ALIAS + WINDOW + 0x3100
  flushed_rounds call_there
  mov eax, r15d
  done64 rax
  probe64 "many reads that flushes have not prepared, then one by a missing entry"
  mov rbx, ALIAS + WINDOW + 0x3000
  flushed_rounds read
  mov rbx, OWN + WINDOW + 0x3000
  fault_at read
  call read
  done64

  ; --- The topmost level ---
  %macro level 4+                   ; name, entry, ring, instruction
    top_entry 2, %2
    probe64 %1
    mov rbx, OWN + WINDOW + 0x3000
    %if %3 == 3
      to_ring64 3
    %endif
    mark64
    %4
    done64
  %endmacro
  level "not present, read", 0, 0, mov rax, [rbx]
  level "not present, write from ring 3", 0, 3, mov [rbx], rax
  level "read-only, write in ring 0 with WP", PML4 | P | U, 0, mov [rbx + 24], rax
  level "read-only, write from ring 3", PML4 | P | U, 3, mov [rbx + 24], rax
  level "supervisor's, read from ring 3", PML4 | P | W, 3, mov rax, [rbx]
  level "no-execute, call", PML4 | P | W | U | NX, 0, call rbx
  level "no-execute, read", PML4 | P | W | U | NX, 0, mov rax, [rbx]
  level "PS is reserved", PML4 | P | W | U | PS, 0, mov rax, [rbx]
  level "reserved bit 51", PML4 | P | W | U | 1 << 51, 0, mov rax, [rbx]
  level "bits 52 to 62 are ignored", PML4 | P | W | U | 0x7ff << 52, 0, mov rax, [rbx]
  probe64 "A is set"
  top_entry 2, PML4 | P | W | U
  mov rbx, OWN + WINDOW + 0x3000
  mov rax, [rbx]
  mov eax, [abs PML5 + 16]
  and eax, 0x60
  done64 rax
  probe64 "A stays clear where the access faults"
  top_entry 2, PML4 | P | U
  mov rbx, OWN + WINDOW + 0x3000
  mark64
  mov [rbx], rax
  done64
  probe64 "and it did"
  mov eax, [abs PML5 + 16]
  and eax, 0x60
  done64 rax

  ; --- Code ---
  probe64 "a call beyond 48 bits"
  mov rbx, ALIAS + WINDOW + 0x3100
  call rbx
  done64
  probe64 "a call to the first address that is not canonical"
  mov rbx, END
  fault_at call_there
  call call_there
  done64
  probe64 "a return there"
  mov rbx, END
  fault_at return_to
  push rbx
  jmp return_to
  done64
  mov rsp, STACK0
  probe64 "code of our own beyond 48 bits, many rounds"
  mov rbx, ALIAS + far_code
  rounds call_there
  mov rax, rcx
  done64 rax

  ; --- Registers ---
  probe64 "FS.base of 57 bits"
  write_msr FS_BASE, ALIAS + WINDOW + 0x3000
  mov rax, [fs:0]
  done64 rax
  probe64 "FS.base that is not canonical"
  mov rax, END
  mov rdx, rax
  shr rdx, 32
  mov ecx, FS_BASE
  mark64
  wrmsr
  done64
  probe64 "an offset in FS that leads out"
  write_msr FS_BASE, END - 0x1000
  mov rbx, 0x1000
  mark64
  mov rax, [fs:rbx]
  done64
  probe64 "LSTAR of 57 bits"
  write_msr LSTAR, ALIAS
  read_msr LSTAR
  done64 rax
  probe64 "LSTAR that is not canonical"
  mov eax, 0
  mov edx, 0x01000000
  mov ecx, LSTAR
  mark64
  wrmsr
  done64
  probe64 "LA57 stays in long mode"
  mov rax, cr4
  btr rax, 12
  mark64
  mov cr4, rax
  done64
  finish64

read:
  mov rax, [rbx]
  ret
write:
  mov [rbx + 16], rcx
  ret
call_there:
  call rbx
  ret
return_to:
  ret
far_code:
  mov rcx, rbx
  ret
align 8
marker: dq 0x99aabbccddeeff00
