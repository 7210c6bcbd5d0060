; A multiboot kernel that is entered in every way of 32-bit code, so often each that the translator takes it over: what
; --trace has to tell of it is known to the number. isa-debug-exit tells how many ticks of the timer there were.
bits 32
CODE0 equ 08h                   ; in the order that SYSENTER and SYSEXIT ask for
DATA0 equ 10h
CODE3 equ 1Bh
DATA3 equ 23h
TASK equ 28h
CALLS equ 1000
FAULTS equ 50
NESTED equ 100
TICKS equ 10
SYS_EXIT equ 1
SYS_OPEN equ 5
SYS_GETPID equ 20
NO_SUCH_FILE equ -2
ANSWER equ 42

%macro gate 3                   ; vector, handler, privilege: an interrupt gate
  mov eax, %2
  mov [idt + %1 * 8], ax
  mov word [idt + %1 * 8 + 2], CODE0
  mov word [idt + %1 * 8 + 4], 8E00h | %3 << 13
  shr eax, 16
  mov [idt + %1 * 8 + 6], ax
%endmacro
%macro model_register 2
  mov ecx, %1
  mov eax, %2
  xor edx, edx
  wrmsr
%endmacro
%macro port 2
  mov al, %2
  out %1, al
%endmacro

section .multiboot
  dd 0x1BADB002, 0, -0x1BADB002
section .text
global _start
_start:
  mov esp, kernel_stack
  mov eax, task
  mov [task_descriptor + 2], ax
  shr eax, 16
  mov [task_descriptor + 4], al
  mov [task_descriptor + 7], ah
  mov dword [task + 4], kernel_stack
  mov dword [task + 8], DATA0
  lgdt [gdt_pointer]
  jmp CODE0:.here
.here:
  mov eax, DATA0
  mov ds, eax
  mov es, eax
  mov ss, eax
  mov eax, TASK
  ltr ax
  gate 06h, undefined, 0
  gate 20h, tick, 0
  gate 80h, call_gate, 3
  gate 81h, outer, 0
  gate 82h, inner, 0
  lidt [idt_pointer]
  model_register 174h, CODE0
  model_register 175h, kernel_stack
  model_register 176h, fast_call
  port 20h, 11h                 ; the 8259As: vectors 20h and 28h, the timer alone
  port 21h, 20h
  port 21h, 4
  port 21h, 1
  port 21h, 0FEh
  port 0A1h, 0FFh
  port 43h, 34h                 ; the 8254: a thousand ticks a second
  port 40h, 1193 & 0FFh
  port 40h, 1193 >> 8
  mov esi, NESTED
.nested:
  mov eax, 1234h
  int 81h
  dec esi
  jnz .nested
  push dword DATA3
  push dword user_stack
  push dword 202h
  push dword CODE3
  push dword user
  iretd

user:
  mov eax, DATA3
  mov ds, eax
  mov es, eax
  mov esi, CALLS
.calls:
  mov eax, SYS_GETPID
  int 80h
  dec esi
  jnz .calls
  mov esi, CALLS
.fast:
  mov eax, SYS_GETPID
  mov ecx, esp
  mov edx, .back
  sysenter
.back:
  dec esi
  jnz .fast
  mov esi, FAULTS
.faults:
  ud2
  dec esi
  jnz .faults
  mov eax, SYS_OPEN
  mov ebx, path
  mov ecx, 8000h
  mov edx, 644q
  int 80h
.wait:
  cmp dword [ticks], TICKS
  jb .wait
  mov eax, SYS_EXIT
  mov ebx, 7
  int 80h
  jmp $

call_gate:
  cmp eax, SYS_EXIT
  je .exit
  cmp eax, SYS_OPEN
  mov eax, ANSWER
  jne .done
  mov eax, NO_SUCH_FILE
.done:
  iretd
.exit:
  mov dx, 0x501                 ; isa-debug-exit
  mov eax, [ticks]
  out dx, al
  hlt
fast_call:
  mov eax, ANSWER
  sti
  sysexit
undefined:
  add dword [esp], 2
  iretd
tick:
  push eax
  port 20h, 20h
  inc dword [ticks]
  pop eax
  iretd
outer:
  int 82h
  iretd
inner:
  iretd

section .data
align 8
gdt:
  dq 0
  dq 00CF9B000000FFFFh, 00CF93000000FFFFh
  dq 00CFFB000000FFFFh, 00CFF3000000FFFFh
task_descriptor: dw 103, 0, 8900h, 0
gdt_pointer: dw $ - gdt - 1
  dd gdt
idt_pointer: dw 90h * 8 - 1
  dd idt
ticks: dd 0
path: db "/etc/a ", 22h, "name", 22h, 0
section .bss
alignb 8
idt: resb 90h * 8
task: resb 104
  resb 4096
kernel_stack:
  resb 4096
user_stack:
