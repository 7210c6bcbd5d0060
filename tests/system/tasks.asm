; Task switches (SDM 3A chapter 7): JMP, CALL, gates, IRET, interrupts, 16- and 32-bit TSS, faults before and after the switch.
%include "system.inc"

OTHER equ BUFFER                    ; 32-bit TSS
SMALL equ BUFFER + 0x100            ; 16-bit TSS
SEL_OTHER equ SPARE
SEL_SMALL equ SPARE + 8
MONITORS equ BUFFER + 0x400
SEL_GATE equ SPARE + 24
STACK_OTHER equ 0x76000
STACK_SMALL equ 0x7800              ; SS is DATA16: below 64 KiB

; 32-bit TSS: register images that the tests look for.
fill_other:
  push edi
  mov edi, OTHER
  mov ecx, 26
  xor eax, eax
  rep stosd
  mov dword [OTHER + 28], TABLES
  mov dword [OTHER + 32], other_task
  mov dword [OTHER + 36], 2
  mov dword [OTHER + 40], 0xa0a0a0a0
  mov dword [OTHER + 44], 0xc0c0c0c0
  mov dword [OTHER + 56], STACK_OTHER
  mov dword [OTHER + 72], DATA0
  mov dword [OTHER + 76], CODE0
  mov dword [OTHER + 80], DATA0
  mov dword [OTHER + 84], DATA0
  mov dword [OTHER + 88], DATA3
  mov dword [OTHER + 92], 0
  mov dword [OTHER + 96], 0
  descriptor SEL_OTHER, OTHER, 0x67, 0x89, 0
  descriptor TSS, tss, 0xff, 0x8b, 0
  pop edi
  ret
fill_small:
  mov edi, SMALL
  mov ecx, 11
  xor eax, eax
  rep stosd
  mov word [SMALL + 14], small_task
  mov word [SMALL + 16], 2
  mov word [SMALL + 18], 0xa1a1
  mov word [SMALL + 26], STACK_SMALL
  mov word [SMALL + 34], DATA0
  mov word [SMALL + 36], CODE16
  mov word [SMALL + 38], DATA16
  mov word [SMALL + 40], DATA0
  descriptor SEL_SMALL, SMALL, 43, 0x81, 0
  descriptor TSS, tss, 0xff, 0x8b, 0
  ret
; Tasks for the vectors 10 to 13: a fault in a half-loaded task needs good segments.
%macro monitor 1
  mov dword [MONITORS + (%1 - 10) * 0x80 + 28], TABLES
  mov dword [MONITORS + (%1 - 10) * 0x80 + 32], monitor%1
  mov dword [MONITORS + (%1 - 10) * 0x80 + 36], 2
  mov dword [MONITORS + (%1 - 10) * 0x80 + 56], STACK_OTHER - 0x800
  mov dword [MONITORS + (%1 - 10) * 0x80 + 72], DATA0
  mov dword [MONITORS + (%1 - 10) * 0x80 + 76], CODE0
  mov dword [MONITORS + (%1 - 10) * 0x80 + 80], DATA0
  mov dword [MONITORS + (%1 - 10) * 0x80 + 84], DATA0
  mov dword [MONITORS + (%1 - 10) * 0x80 + 96], 0
  descriptor SPARE + 64 + (%1 - 10) * 8, MONITORS + (%1 - 10) * 0x80, 0x67, 0x89, 0
  gate idt + %1 * 8, SPARE + 64 + (%1 - 10) * 8, boot, 0xe5
%endmacro
%macro monitor_code 1
monitor%1:
  mov eax, %1
  mov edx, [esp]
  movzx ecx, word [MONITORS + (%1 - 10) * 0x80]
  mov ebx, esp
  int 0x40
%endmacro
  monitor_code 10
  monitor_code 11
  monitor_code 12
  monitor_code 13
fill_monitors:
  monitor 10
  monitor 11
  monitor 12
  monitor 13
  ret
; The main task is current again after a probe that ended in another one.
main_task:
  descriptor TSS, tss, 0xff, 0x89, 0
  mov ax, TSS
  ltr ax
  call fill_other
  call fill_small
  ret

other_task:
  mov ebx, esp
  mov edx, [esp]
  str esi
  int 0x40
other_returns:
  iretd
  str esi
  int 0x40
bits 16
small_task:
  str si
  movzx eax, ax
  movzx ecx, cx
  int 0x40
small_returns:
  iret
bits 32

; How far a saved EIP is from a label.
%macro distance 3
  mov eax, %2
  sub eax, %3
  mov [BUFFER + 0x800], eax
  value %1, [BUFFER + 0x800]
%endmacro

main:
  call main_task
  probe "jmp to a TSS"
  mov edi, 0x11223344
  jmp SEL_OTHER:0x1234
.behind_jmp:
  done eax, ecx, edi, ebx, tr, flags
  value "outgoing EDI", [tss + 68]
  distance "outgoing EIP behind the jump", [tss + 32], .behind_jmp
  value "old TSS no longer busy", [gdt_at(TSS) + 4]
  value "new TSS busy", [gdt_at(SEL_OTHER) + 4]
  value "no back link", [OTHER]
  mov eax, cr0
  and eax, 8
  push eax
  pop dword [BUFFER + 0x800]
  value "CR0.TS is set", [BUFFER + 0x800]
  clts
  call main_task
  probe "call a TSS, iret from it"
  mov dword [OTHER + 32], other_returns
  call SEL_OTHER:0
  pushfd
  pop eax
  and eax, NT
  str esi
  done eax, esi, flags
  value "back link", [OTHER]
  distance "the task's EIP behind its iret", [OTHER + 32], other_returns + 1
  value "called TSS no longer busy", [gdt_at(SEL_OTHER) + 4]
  value "calling TSS busy", [gdt_at(TSS) + 4]
  call main_task
  probe "call a TSS: NT and back link"
  call SEL_OTHER:0
  done tr, flags
  value "calling TSS stays busy", [gdt_at(TSS) + 4]
  call main_task
  probe "second iret of a task goes on behind the first"
  mov dword [OTHER + 32], other_returns
  call SEL_OTHER:0
  call SEL_OTHER:0
  done tr, esi
  call main_task
  gate gdt_at(SEL_GATE), SEL_OTHER, boot, 0xe5
  probe "task gate from ring 3"
  to_ring 3
  call SEL_GATE + 3:0
  done tr, cs
  value "outgoing CS", [tss + 76]
  value "outgoing SS", [tss + 80]
  call main_task
  probe "TSS of DPL 0 from ring 3"
  to_ring 3
  jmp SEL_OTHER:0
  done
  gate gdt_at(SEL_GATE), SEL_OTHER, boot, 0x65
  probe "task gate not present"
  jmp SEL_GATE:0
  done
  gate gdt_at(SEL_GATE), TSS, boot, 0xe5
  probe "task gate to the busy TSS"
  jmp SEL_GATE:0
  done
  gate gdt_at(SEL_GATE), DATA0, boot, 0xe5
  probe "task gate to a data segment"
  jmp SEL_GATE:0
  done
  gate gdt_at(SEL_GATE), 4, boot, 0xe5
  probe "task gate to a selector of the LDT"
  jmp SEL_GATE:0
  done
  descriptor SEL_OTHER, OTHER, 0x66, 0x89, 0
  probe "TSS too short"
  jmp SEL_OTHER:0
  done tr
  descriptor SEL_OTHER, OTHER, 0x67, 0x09, 0
  probe "TSS not present"
  jmp SEL_OTHER:0
  done tr
  call main_task

  ; --- Faults in the new task ---
%macro broken 3                     ; name, offset in the TSS, value
  call main_task
  call fill_monitors
  mov dword [OTHER + %2], %3
  probe %1
  jmp SEL_OTHER:0
  done tr, eax, edx, ecx, ebx       ; vector, error code, back link
%endmacro
  broken "new CS null", 76, 0
  broken "new CS data", 76, DATA0
  broken "new CS beyond the table", 76, 0x700
  broken "new SS null", 80, 0
  broken "new SS of another ring", 80, DATA3
  broken "new SS code", 80, CODE0
  broken "new DS a TSS", 84, TSS
  broken "new GS beyond the table", 92, 0x708
  broken "new LDT not an LDT", 96, DATA0
  broken "new LDT beyond the table", 96, 0x710
  descriptor SEL_GATE, 0, 0xffff, 0x12, 0
  broken "new DS not present", 84, SEL_GATE
  broken "new SS not present", 80, SEL_GATE
  descriptor SEL_GATE, 0, 0xffff, 0x1a, 0
  broken "new CS not present", 76, SEL_GATE
  descriptor SEL_GATE, LDT_BASE, 0x3f, 0x02, 0
  broken "new LDT not present", 96, SEL_GATE
  descriptor SEL_GATE, 0, 0xfff, 0x9a, 4
  broken "new EIP beyond CS", 76, SEL_GATE
  call main_task
  mov ecx, 10
.restore:
  mov eax, ecx
  shl eax, 4
  add eax, stubs
  mov [idt + ecx * 8], ax
  mov word [idt + ecx * 8 + 2], CODE0
  mov word [idt + ecx * 8 + 4], 0x8e00
  inc ecx
  cmp ecx, 14
  jb .restore
  mov dword [OTHER + 96], LDT
  probe "new LDT"
  jmp SEL_OTHER:0
  done tr
  probe "its selector"
  sldt ax
  movzx eax, ax
  done eax

  ; --- Interrupts ---
  call main_task
  gate idt + 0x41 * 8, SEL_OTHER, boot, 0xe5
  probe "interrupt by a task gate"
  int 0x41
.behind_int:
  done tr, ebx, flags
  distance "return EIP", [tss + 32], .behind_int
  call main_task
  gate idt + 6 * 8, SEL_OTHER, boot, 0xe5
  probe "fault by a task gate: EIP of the fault"
.fault:
  ud2
  done tr, ebx
  distance "the fault's EIP", [tss + 32], .fault
  call main_task
  gate idt + 13 * 8, SEL_OTHER, boot, 0xe5
  probe "fault with an error code by a task gate"
  mov ax, 0x400
  mov gs, ax
  done tr, ebx, edx
  mov dword [idt + 13 * 8], 0
  mov word [idt + 13 * 8], (stubs + 13 * 16)
  mov word [idt + 13 * 8 + 2], CODE0
  mov word [idt + 13 * 8 + 4], 0x8e00
  call main_task
  mov dword [OTHER + 32], other_returns
  gate idt + 0x41 * 8, SEL_OTHER, boot, 0xe5
  probe "interrupt task returns"
  int 0x41
  str esi
  done esi, flags
  ; A double fault through a task gate: a stack that cannot hold any frame.
  call main_task
  gate idt + 8 * 8, SEL_OTHER, boot, 0xe5
  descriptor SEL_GATE, BUFFER, 0xfff, 0x92, 4
  probe "double fault by a task gate"
  mov ax, SEL_GATE
  mov ss, ax
  mov esp, 0x2000
  mark
  push eax
  done tr, ebx, edx
  value "its ESP", [tss + 56]

  ; --- 16-bit TSS ---
  call main_task
  probe "jmp to a 16-bit TSS"
  mov ecx, 0x77777777
  jmp SEL_SMALL:0
  done tr, eax, ecx, ss, cs
  call main_task
  probe "call a 16-bit TSS, iret from it"
  mov word [SMALL + 14], small_returns
  call SEL_SMALL:0
  str esi
  done esi
  value "16-bit back link", [SMALL]
  call main_task
  descriptor SEL_SMALL, SMALL, 42, 0x81, 0
  probe "16-bit TSS too short"
  jmp SEL_SMALL:0
  done tr

  ; --- IRET with NT ---
  call main_task
  probe "iret with NT and a back link to data"
  mov word [tss], DATA0
  pushfd
  or dword [esp], NT
  popfd
  mark
  iretd
  done
  probe "iret with NT and a back link to a TSS that is not busy"
  mov word [tss], SEL_OTHER
  pushfd
  or dword [esp], NT
  popfd
  mark
  iretd
  done
  probe "iret with NT in ring 3"
  mov word [tss], SEL_OTHER
  to_ring 3, NT | 2
  iretd
  done
  ; --- Trap bit ---
  call main_task
  mov word [OTHER + 100], 1
  probe "T bit of the TSS"
  jmp SEL_OTHER:0
  done tr
  call main_task
  mov dword [OTHER + 36], VM | IOPL3 | 2
  mov dword [OTHER + 4], STACK_INNER
  mov dword [OTHER + 8], DATA0
  mov dword [OTHER + 32], v86_task
  mov dword [OTHER + 76], 0
  mov dword [OTHER + 80], 0x7400
  probe "task in virtual-8086 mode"
  jmp SEL_OTHER:0
  done cs, flags
  finish
bits 16
v86_task:
  mov ax, cs
  int 0x40
