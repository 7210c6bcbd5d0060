; Paging (SDM 3A chapter 4): faults and their codes in every place, accessed and dirty bits, WP, page-crossing accesses, large
; pages, stale translations, and faults while the processor reads its own tables.
%include "system.inc"

DIR equ TABLES                      ; page directory; 4 MiB identity mapped by TABLE0
TABLE0 equ TABLES + 0x1000
TABLE1 equ TABLES + 0x2000          ; 4 to 8 MiB: the test's window
WINDOW equ 0x400000
FRAME equ BUFFER + 0x10000          ; physical pages behind the window
P equ 1
W equ 2
U equ 4
A equ 0x20
D equ 0x40
PS equ 0x80
G equ 0x100

; Page n of the window shows frame n with these bits.
%macro page 2
  mov dword [TABLE1 + (%1) * 4], FRAME + (%1) * 0x1000 + (%2)
  invlpg [WINDOW + (%1) * 0x1000]
%endmacro
%macro pte 2                        ; name, page
  mov eax, [TABLE1 + (%2) * 4]
  and eax, 0xfff
  mov [BUFFER], eax
  value %1, [BUFFER]
%endmacro
; An access at CPL 0 and at CPL 3.
%macro both 2-4
  probe {%1, " (CPL 0)"}
  %2
  %if %0 > 2
    %3
  %endif
  %if %0 > 3
    %4
  %endif
  done
  probe {%1, " (CPL 3)"}
  to_ring 3
  %2
  %if %0 > 2
    %3
  %endif
  %if %0 > 3
    %4
  %endif
  done
%endmacro
%define WP_BIT (1 << 16)
%macro wp 1
  mov eax, cr0
  and eax, ~WP_BIT
  or eax, (%1) * WP_BIT
  mov cr0, eax
%endmacro

main:
  mov edi, TABLES
  mov ecx, 0x3000 / 4
  xor eax, eax
  rep stosd
  mov dword [DIR], TABLE0 + P + W + U
  mov dword [DIR + 4], TABLE1 + P + W + U
  xor ecx, ecx
.identity:
  mov eax, ecx
  shl eax, 12
  or eax, P | W | U
  mov [TABLE0 + ecx * 4], eax
  inc ecx
  cmp ecx, 1024
  jb .identity
  mov eax, DIR
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax

  ; --- Error codes ---
  both "not present: read", {mov eax, [WINDOW]}
  both "not present: write", {mov [WINDOW], eax}
  both "not present: read-modify-write", {add [WINDOW], eax}
  both "not present: table", {mov eax, [0x800000]}
  page 0, P | W
  both "supervisor page: read", {mov eax, [WINDOW]}
  page 0, P | W
  both "supervisor page: write", {mov [WINDOW], eax}
  page 0, P | U
  both "read-only page: read", {mov eax, [WINDOW]}
  both "read-only page: write, WP clear", {mov [WINDOW], eax}
  wp 1
  page 0, P | U
  both "read-only page: write, WP set", {mov [WINDOW], eax}
  page 0, P
  both "read-only supervisor page: write, WP set", {mov [WINDOW], eax}
  both "read-only page: compare-exchange that fails", {cmpxchg [WINDOW], ecx}
  wp 0
  mov dword [DIR + 4], TABLE1 + P + U
  page 0, P | W | U
  both "read-only directory entry: write, WP clear", {mov [WINDOW], eax}
  mov dword [DIR + 4], TABLE1 + P + W
  page 0, P | W | U
  both "supervisor directory entry: read", {mov eax, [WINDOW]}
  mov dword [DIR + 4], TABLE1 + P + W + U
  page 0, P | W | U
  page 1, 0
  ; --- Across two pages, the second is missing ---
  both "crossing read", {mov eax, [WINDOW + 0xffe]}
  mov dword [FRAME + 0xffc], 0x11223344
  both "crossing write", {mov eax, -1}, {mov [WINDOW + 0xffe], eax}
  value "the first page is untouched", [FRAME + 0xffc]
  both "crossing read-modify-write", {inc dword [WINDOW + 0xffd]}
  probe "crossing push"
  to_ring 3
  mov esp, WINDOW + 0x1002
  mark
  push eax
  done esp3
  both "crossing movsd", {mov esi, BUFFER}, {mov edi, WINDOW + 0xffd}, movsd
  both "crossing fstp", fldz, {fstp qword [WINDOW + 0xffc]}
  both "crossing fstp of ten bytes", fldz, {fstp tword [WINDOW + 0xff8]}
  both "crossing fnsave", {fnsave [WINDOW + 0xfc0]}
  mov dword [FRAME + 0xffc], 0x11223344   ; of FNSAVE a part may be written
  both "crossing xchg", {xchg [WINDOW + 0xffe], eax}
  both "crossing cmpxchg8b", {cmpxchg8b [WINDOW + 0xffc]}
  both "crossing les", {les ebx, [WINDOW + 0xffc]}
  both "crossing lock add", {lock add [WINDOW + 0xffe], eax}
  value "still untouched", [FRAME + 0xffc]
  page 0, 0
  page 1, P | W | U
  both "crossing read, first page missing", {mov eax, [WINDOW + 0xffe]}
  both "crossing write, first page missing", {mov [WINDOW + 0xffe], eax}
  page 0, P | W | U
  page 1, P | U
  both "crossing write, second page read-only", {mov [WINDOW + 0xffe], eax}
  page 1, P | W | U
  probe "crossing write"
  mov eax, 0xaabbccdd
  mov [WINDOW + 0xffe], eax
  mov ecx, [FRAME + 0xffc]
  mov edx, [FRAME + 0x1000]
  and edx, 0xffff
  done ecx, edx
  page 1, 0
  probe "rep stosd into the missing page"
  mov edi, WINDOW + 0xff0
  mov ecx, 10
  mark
  rep stosd
  done ecx, edi
  probe "rep movsb, downwards, from the missing page"
  std
  mov esi, WINDOW + 0x1002
  mov edi, BUFFER + 0x20
  mov ecx, 10
  mark
  rep movsb
  done ecx, esi, edi
  probe "pusha across the missing page changes nothing"
  mov dword [FRAME + 0xffc], 0x55aa55aa
  page 1, P | W | U
  page 0, 0
  to_ring 3
  mov esp, WINDOW + 0x1010
  mark
  pusha
  done esp3
  page 0, P | W | U
  probe "enter with nesting, frame pointer missing"
  to_ring 3
  mov ebp, WINDOW + 0x2ffc
  mark
  enter 8, 2
  done esp3, ebp

  ; --- Accessed and dirty ---
  page 0, P | W | U
  mov eax, [WINDOW]
  pte "after a read", 0
  mov [WINDOW], eax
  pte "after a write", 0
  page 0, P | U
  probe "a write that faults"
  to_ring 3
  mov [WINDOW], eax
  done
  pte "after a write that faulted", 0
  page 0, P | W | U
  page 1, 0
  probe "a crossing write that faults"
  mov [WINDOW + 0xffe], eax
  done
  pte "first page after a crossing write that faulted", 0
  page 0, P | W | U
  probe "compare-exchange that fails"
  mov eax, 1
  mov dword [FRAME], 2
  cmpxchg [WINDOW], ecx
  done eax
  pte "after a compare-exchange that failed", 0
  mov eax, [DIR + 4]
  and eax, 0xfff
  mov [BUFFER], eax
  value "directory entry", [BUFFER]
  page 0, P | W | U
  probe "instruction fetch"
  mov byte [FRAME], 0xc3
  mov eax, WINDOW
  call eax
  done
  pte "after a fetch", 0
  page 0, 0
  probe "fetch from a missing page"
  mov eax, WINDOW
  call eax
  done
  page 0, P | W
  probe "fetch from a supervisor page"
  to_ring 3
  mov eax, WINDOW
  call eax
  done
  page 0, P | W | U
  page 1, 0
  mov byte [FRAME + 0xfff], 0xb8    ; mov eax, imm32, whose operand is on the missing page
  probe "instruction across the missing page"
  mov eax, WINDOW + 0xfff
  call eax
  done

  ; --- Stale translations: INVLPG, CR3 ---
  page 0, P | W | U
  mov eax, [WINDOW]
  mov dword [TABLE1], 0
  invlpg [WINDOW + 0x123]
  probe "missing after INVLPG"
  mov eax, [WINDOW]
  done
  page 0, P | W | U
  mov eax, [WINDOW]
  mov dword [TABLE1], 0
  mov eax, cr3
  mov cr3, eax
  probe "missing after MOV CR3"
  mov eax, [WINDOW]
  done
  page 0, 0
  probe "fault, then made present: no flush is needed"
  mov eax, [WINDOW]
  done
  mov dword [TABLE1], FRAME + P + W + U
  mov dword [FRAME], 0xfeedface
  probe "present now"
  mov eax, [WINDOW]
  done eax
  page 0, P | U
  mov eax, [WINDOW]
  probe "write to a page that became writable after a fault"
  to_ring 3
  mov [WINDOW], eax
  done
  mov dword [TABLE1], FRAME + P + W + U
  probe "writable now"
  to_ring 3
  mov [WINDOW], eax
  done

  ; --- Large pages ---
  mov eax, cr4
  or eax, 0x10
  mov cr4, eax
  mov dword [DIR + 4], P + W + U + PS   ; 4 MiB at 0
  mov eax, cr3
  mov cr3, eax
  probe "large page"
  mov dword [BUFFER + 0x8888], 0x600df00d
  mov eax, [WINDOW + BUFFER + 0x8888]
  done eax
  mov eax, [DIR + 4]
  mov [BUFFER], eax
  value "large page after a read", [BUFFER]
  mov [WINDOW + BUFFER], eax
  mov eax, [DIR + 4]
  mov [BUFFER], eax
  value "large page after a write", [BUFFER]
  mov dword [DIR + 4], P + W + U + PS + 0x200000
  invlpg [WINDOW]
  probe "large page: a reserved bit"
  mov eax, [WINDOW + 0x5678]
  done
  mov dword [DIR + 4], P + U + PS
  invlpg [WINDOW]
  probe "large read-only page"
  to_ring 3
  mov [WINDOW + BUFFER], eax
  done
  mov dword [DIR + 4], 0
  invlpg [WINDOW + 0x345678]
  probe "large page is gone after INVLPG of any of its addresses"
  mov eax, [WINDOW]
  done
  mov eax, cr4
  and eax, ~0x10
  mov cr4, eax
  mov dword [DIR + 4], TABLE1 + P + W + U
  mov eax, cr3
  mov cr3, eax

  ; --- Global pages ---
  mov eax, cr4
  or eax, 0x80
  mov cr4, eax
  page 0, P | W | U | G
  mov eax, [WINDOW]
  mov dword [TABLE1], 0
  invlpg [WINDOW]
  probe "INVLPG drops a global page"
  mov eax, [WINDOW]
  done
  page 0, P | W | U | G
  mov eax, [WINDOW]
  mov dword [TABLE1], 0
  mov eax, cr4
  and eax, ~0x80
  mov cr4, eax
  probe "MOV CR4 drops a global page"
  mov eax, [WINDOW]
  done

  ; --- The processor's own accesses ---
  ; GDT, IDT, TSS and stacks in the window: supervisor accesses, whatever CPL is.
%macro copy_gdt 1                   ; a copy of the GDT at the frame + offset
  mov esi, gdt
  mov edi, FRAME + %1
  mov ecx, (gdt_end - gdt) / 4
  rep movsd
%endmacro
  page 0, P | W
  copy_gdt 0
  mov word [BUFFER], gdt_end - gdt - 1
  mov dword [BUFFER + 2], WINDOW
  lgdt [BUFFER]
  probe "segment load at CPL 3, GDT in a supervisor page"
  to_ring 3
  mov ax, DATA3
  mov gs, ax
  done gs
  descriptor SPARE, 0, 0xfffff, 0x92, 0xc
  mov eax, [gdt_at(SPARE)]
  mov [FRAME + SPARE], eax
  mov eax, [gdt_at(SPARE) + 4]
  mov [FRAME + SPARE + 4], eax
  page 0, P
  wp 1
  probe "accessed bit, GDT in a read-only page, WP set"
  mov ax, SPARE
  mov gs, ax
  done
  wp 0
  probe "accessed bit, GDT in a read-only page, WP clear"
  mov ax, SPARE
  mov gs, ax
  done
  mov cl, [FRAME + SPARE + 5]
  movzx ecx, cl
  mov [BUFFER + 8], ecx
  value "access byte", [BUFFER + 8]
  mov word [BUFFER], gdt_end - gdt - 1
  mov dword [BUFFER + 2], WINDOW + 0x1000 - SPARE   ; the spare slots lie on page 1
  page 0, P | W
  page 1, 0
  copy_gdt 0x1000 - SPARE
  lgdt [BUFFER]
  probe "segment load, descriptor in a missing page"
  mov ax, SPARE
  mov gs, ax
  done
  probe "segment load at CPL 3, descriptor in a missing page"
  to_ring 3
  mov ax, SPARE
  mov gs, ax
  done
  probe "lar, descriptor in a missing page"
  mov eax, SPARE
  lar ebx, eax
  done
  probe "far jump, descriptor in a missing page"
  jmp SPARE:0
  done
  lgdt [gdt_pointer]
  page 0, P | W | U
  ; An IDT whose entries from 20h on are missing.
  mov esi, idt
  mov edi, FRAME + 0x1000 - 0x20 * 8
  mov ecx, 0x40
  rep movsd
  mov word [BUFFER], 0x50 * 8 - 1
  mov dword [BUFFER + 2], WINDOW + 0x1000 - 0x20 * 8
  lidt [BUFFER]
  probe "int n at CPL 3, gate in a missing page"
  to_ring 3
  int 0x41
  done
  lidt [idt_pointer]
  ; The inner stack's page is missing: of ring 1, so that ring 0's is there for the fault.
  mov dword [tss + 12], WINDOW + 0x1008
  gate gdt_at(SPARE), CODE1, .ring1, 0xec
  page 0, 0
  page 1, P | W | U
  probe "call gate, inner stack in a missing page"
  to_ring 3
  call SPARE + 3:0
.ring1:
  done cs, esp3
  mov dword [tss + 12], STACK_INNER1
  ; I/O permission map in a missing page.
  probe "I/O permission map in a missing page"
  descriptor SPARE + 8, WINDOW + 0xf00, 0x2ff, 0x89, 0
  page 0, P | W
  page 1, 0
  mov esi, tss
  mov edi, FRAME + 0xf00
  mov ecx, 0x100 / 4
  rep movsd
  mov ax, SPARE + 8
  ltr ax
  mov word [FRAME + 0xf00 + 102], 0x100
  to_ring 3
  in al, 0x10
  done
  descriptor TSS, tss, 0xff, 0x89, 0
  mov ax, TSS
  ltr ax
  ; A far pointer, a descriptor table register and an iret frame across pages.
  page 0, P | W | U
  page 1, 0
  probe "far call through a pointer across the missing page"
  call far [WINDOW + 0xffc]
  done
  probe "lgdt across the missing page"
  lgdt [WINDOW + 0xffc]
  done
  probe "sgdt across the missing page"
  mov dword [FRAME + 0xffc], 0x77777777
  sgdt [WINDOW + 0xffc]
  done
  probe "iret frame across the missing page"
  to_ring 3
  mov esp, WINDOW + 0xff8
  mark
  iretd
  done esp3
  probe "popa across the missing page"
  to_ring 3
  mov esp, WINDOW + 0xff0
  mov edi, 0x12345678
  mark
  popa
  done esp3, edi
  probe "bound across the missing page"
  mov eax, 0x7fffffff   ; above any lower bound, at which Intel's parts stop
  mark
  bound eax, [WINDOW + 0xffc]
  done
  probe "fxsave across the missing page"
  fxsave [WINDOW + 0xf80]
  done
  probe "cr2 is not written by other faults"
  ud2
  done
  mov eax, cr2
  mov [BUFFER], eax
  value "cr2", [BUFFER]

  ; --- Control registers ---
  probe "PG without PE"
  mov eax, cr0
  and al, 0xfe
  mov cr0, eax
  done
  probe "NW without CD"
  mov eax, cr0
  or eax, 0x20000000
  and eax, ~0x40000000
  mov cr0, eax
  done
  probe "a reserved bit of CR4"
  mov eax, cr4
  or eax, 0x80000000
  mov cr4, eax
  done
  probe "CR1 does not exist"
  mov eax, cr1
  done
  finish
