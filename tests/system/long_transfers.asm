; Far transfers and interrupts in long mode (-cpu qemu64): gates, IST, stacks, IRET, SYSCALL, call gates, descriptors of 16
; bytes (SDM 3A 5.8, 6.14; SDM 2; APM 2 8.9; APM 3).
%include "system.inc"
%include "long.inc"
main:
  enter_long

  ; --- Interrupts ---
  probe64 "an interrupt aligns the stack and keeps a null SS"
  mov rsp, STACK0 - 8
  int 0x41
  done64 inner_rsp, rsp, inner_ss, ss
  probe64 "from ring 3: RSP0, SS is null"
  to_ring64 3
  mov rax, [abs WINDOW]
  done64 inner_rsp, rsp, inner_ss, ss, cs
  probe64 "from ring 1"
  to_ring64 1
  done64 inner_rsp, rsp, inner_ss, ss, cs
  probe64 "from compatibility mode, ring 3"
  to_compatibility 3
  mov esp, 0x6bff4
  done64 inner_rsp, rsp, inner_ss, ss, cs
  probe64 "an error code"
  mov rsp, STACK0 - 8
  mov rax, NOWHERE
  mark64
  mov rax, [rax]
  done64 inner_rsp, rsp
  %macro set_ist 2
    mov byte [abs idt64 + (%1) * 16 + 4], %2
  %endmacro
  set_ist 0x40, 1
  probe64 "IST1"
  done64 inner_rsp, rsp, inner_ss
  set_ist 0x40, 2
  probe64 "IST2 is aligned"
  done64 inner_rsp, rsp
  probe64 "IST from ring 3"
  to_ring64 3
  done64 inner_rsp, inner_ss, ss
  set_ist 0x40, 0
  set_ist 12, 1
  set_ist 13, 1                     ; for those who raise #GP
  probe64 "a stack that is not canonical, IST for #SS"
  mov rsp, NOWHERE + 64
  mark64
  push rax
  done64 inner_rsp, rsp
  set_ist 8, 1
  set_ist 12, 0
  set_ist 13, 0
  probe64 "a stack that is not canonical: double fault"
  mov rsp, NOWHERE + 64
  mark64
  push rax
  done64 inner_rsp
  set_ist 8, 0
  %macro bad_gate 3
    mov byte [abs idt64 + 0x42 * 16 + %2], %3
    probe64 %1
    int 0x42
    done64
    mov byte [abs idt64 + 0x42 * 16 + 5], 0x8e
    mov word [abs idt64 + 0x42 * 16 + 2], CODE64
    mov dword [abs idt64 + 0x42 * 16 + 8], 0
  %endmacro
  bad_gate "a 32-bit interrupt gate's type is a 64-bit one's", 5, 0x8e
  bad_gate "a 16-bit interrupt gate", 5, 0x86
  bad_gate "a task gate", 5, 0x85
  bad_gate "a gate that is not present", 5, 0x0e
  bad_gate "a handler in 32-bit code", 2, CODE0
  bad_gate "a handler in a data segment", 2, DATA0
  bad_gate "a handler in ring 3's code", 2, CODE64_3 & 0xf8
  bad_gate "a null selector", 2, 0
  bad_gate "a handler that is not canonical", 9, 0x80
  probe64 "INT n to a gate of ring 0 from ring 3"
  to_ring64 3
  int 0x43
  done64
  probe64 "beyond the IDT's limit"
  int 0x50
  done64

  ; --- IRET ---
  %macro frame 5
    push %1
    push %2
    push %3
    push %4
    push %5
    mark64
    iretq
  %endmacro
  probe64 "IRETQ loads RSP and a null SS in ring 0"
  frame 0, STACK0 - 0x123, 2, CODE64, .back1
.back1:
  done64 rsp, ss, cs
  probe64 "IRETQ: a null SS with RPL 1 in ring 0"
  frame 1, STACK0, 2, CODE64, .back2
.back2:
  done64 rsp, ss
  probe64 "IRETQ to ring 3 with a null SS"
  frame 3, STACK3, 2, CODE64_3, .back3
.back3:
  done64
  probe64 "IRETQ to ring 1 with a null SS"
  frame 1, STACK1, 2, CODE64_1, .back4
.back4:
  done64 ss, cs
  probe64 "IRETQ to compatibility mode with a null SS"
  frame 0, STACK0, 2, CODE0, .back5
.back5:
  done64
  probe64 "IRETQ to an address that is not canonical"
  mov rax, NOWHERE
  push 0
  push STACK0
  push 2
  push CODE64
  push rax
  mark64
  iretq
  done64 rsp
  probe64 "IRETQ beyond a 16-bit segment's limit"
  frame DATA0, STACK0, 2, CODE16, 0x10000
  done64
  probe64 "IRETQ to RSP that is not canonical"
  mov rax, NOWHERE
  push DATA64_3
  push rax
  push 2
  push CODE64_3
  push .back6
  mark64
  iretq
.back6:
  done64 rsp
  probe64 "IRETQ with NT"
  pushfq
  or qword [rsp], NT
  popfq
  frame 0, STACK0, 2, CODE64, .back7
.back7:
  done64
  probe64 "IRETQ does not load VM"
  frame 0, STACK0, VM | 2, CODE64, .back8
.back8:
  done64 flags
  probe64 "IRETD in 64-bit code: five slots of 4 bytes"
  sub rsp, 20
  mov dword [rsp], .back10
  mov dword [rsp + 4], CODE64
  mov dword [rsp + 8], 2
  mov dword [rsp + 12], STACK0 - 0x80
  mov dword [rsp + 16], 0
  mark64
  iretd
.back10:
  done64 rsp, cs
  probe64 "IRETQ to ring 3 drops DS of ring 0"
  mov eax, DATA64
  mov ds, eax
  mov eax, DATA3
  mov es, eax
  to_ring64 3
  done64 ds, es
  mov eax, DATA64
  mov ds, eax
  mov es, eax

  ; --- Far JMP, CALL, RET ---
  probe64 "far JMP through m16:64 (AMD's parts take m16:32)"
  mov qword [abs WINDOW], .far1
  mov word [abs WINDOW + 8], CODE64
  db 0x48
  jmp far [abs WINDOW]
.far1:
  done64 cs
  probe64 "far CALL pushes by the operand size"
  mov dword [abs WINDOW], .far2
  mov word [abs WINDOW + 4], CODE64
  mov rbp, rsp
  call far dword [abs WINDOW]
.far2:
  sub rbp, rsp
  mov eax, [rsp + 4]
  done64 rbp, rax
  probe64 "far CALL to 32-bit code, far RET back"
  mov dword [abs WINDOW], .far3
  mov word [abs WINDOW + 4], CODE0
  mov eax, DATA0
  mov ss, eax
  call far dword [abs WINDOW]
  mov ebx, cs
  jmp .far4
  bits 32
.far3:
  mov ecx, cs
  retf
  bits 64
.far4:
  done64 rbx, rcx
  xor eax, eax
  mov ss, eax
  probe64 "far JMP to code with L and D"
  descriptor64 LSPARE, 0, 0xfffff, 0x9b, 0xe
  mov dword [abs WINDOW], .far5
  mov word [abs WINDOW + 4], LSPARE
  mark64
  jmp far dword [abs WINDOW]
.far5:
  done64
  probe64 "far JMP to a TSS"
  mov word [abs WINDOW + 4], TSS64
  mark64
  jmp far dword [abs WINDOW]
  done64
  probe64 "far JMP to conforming code"
  mov dword [abs WINDOW], .far6
  mov word [abs WINDOW + 4], CONFORM
  to_ring64 3
  jmp far dword [abs WINDOW]
.far6:
  done64 cs
  %macro call_gate 3                ; code selector, offset, access byte
    mov rax, ((%2) & 0xffff) | (%1) << 16 | (%3) << 40 | ((%2) >> 16) << 48
    mov [abs gdt + LSPARE], rax
    mov qword [abs gdt + LSPARE + 8], 0
    mov word [abs WINDOW + 4], LSPARE | 3
  %endmacro
GATE_AT equ 0x7c00 + (gate_target - boot)
  probe64 "a call gate from ring 3"
  call_gate CODE64, GATE_AT, 0xec
  to_ring64 3
  mov rbx, rsp
  call far dword [abs WINDOW]
.back11:
  done64 rax, rcx, rdx, rsi, rdi
  probe64 "a call gate of 16 bits"
  call_gate CODE64, GATE_AT, 0xe4
  to_ring64 3
  call far dword [abs WINDOW]
  done64
  probe64 "a call gate whose upper half has a type"
  call_gate CODE64, GATE_AT, 0xec
  mov byte [abs gdt + LSPARE + 13], 1
  to_ring64 3
  call far dword [abs WINDOW]
  done64
  probe64 "a call gate to 32-bit code"
  call_gate CODE0, GATE_AT, 0xec
  to_ring64 3
  call far dword [abs WINDOW]
  done64
  probe64 "a call gate to an address that is not canonical"
  call_gate CODE64, GATE_AT, 0xec
  mov dword [abs gdt + LSPARE + 8], 0x8000
  to_ring64 3
  call far dword [abs WINDOW]
  done64

  ; --- SYSCALL and SYSRET ---
  write_msr STAR, (CODE64 << 32) | ((CODE32_3 & 0xfffc) << 48)
  write_msr LSTAR, .syscall
  write_msr CSTAR, .syscall
  write_msr FMASK, IF | DF
  probe64 "SYSCALL"
  to_ring64 3, IOPL3 | IF | DF | 0xd7
  syscall
.after1:
  nop
.syscall:
  mov ebx, cs
  mov edx, ss
  sub rcx, .after1
  done64 rcx, r11, flags, rbx, rdx, rsp
  probe64 "SYSRET to 64-bit code"
  mov ecx, .after2
  mov r11d, 0x3c7fd7 & ~TF
  mov rsp, STACK3
  o64 sysret
.after2:
  done64 cs, ss, flags, rsp
  probe64 "SYSRET to compatibility mode"
  mov ecx, .after3
  mov r11d, IF | 2
  sysret
  bits 32
.after3:
  done64 cs, ss, flags
  probe64 "SYSCALL from compatibility mode (AMD's)"
  to_compatibility 3
  syscall
  done64 cs
  probe64 "SYSRET in ring 3"
  to_ring64 3
  sysret
  done64
  probe64 "SYSRET to an address that is not canonical (AMD's: #GP in ring 3)"
  mov rcx, NOWHERE
  mov r11d, 2
  mark64
  o64 sysret
  done64 cs
  probe64 "SYSCALL without SCE"
  mov ecx, EFER
  rdmsr
  btr eax, 0
  wrmsr
  mark64
  syscall
  done64
  mov ecx, EFER
  rdmsr
  bts eax, 0
  wrmsr
  probe64 "SYSENTER in long mode (AMD's: #UD)"
  sysenter
  done64

  ; --- System segments ---
  probe64 "LTR of a busy TSS"
  mov eax, TSS64
  ltr ax
  done64
  mov dword [abs gdt + TSS64 + 12], 0
  probe64 "LTR of a 16-bit TSS"
  descriptor64 LSPARE, 0x10000, 0x67, 0x81, 0
  upper64 LSPARE, 0
  mov eax, LSPARE
  mark64
  ltr ax
  done64
  probe64 "LLDT of 16 bytes, its base above 4 GiB"
  descriptor64 LSPARE, 0, 0xff, 0x82, 0
  upper64 LSPARE, 0xffffffff
  mov eax, gdt                      ; what lies in memory below 2 MiB shows in the last GiB, too
  mov [abs gdt + LSPARE + 2], ax
  shr eax, 16
  mov [abs gdt + LSPARE + 4], al
  mov byte [abs gdt + LSPARE + 7], 0xc0
  mov eax, LSPARE
  lldt ax
  mov eax, CODE64 | 4
  lar ebx, eax
  done64 rbx, zf
  xor eax, eax
  lldt ax
  probe64 "LLDT: a base that is not canonical"
  upper64 LSPARE, 0x8000
  mov eax, LSPARE
  mark64
  lldt ax
  done64
  probe64 "LLDT beyond the GDT's limit"
  mov word [abs gdt_pointer_64], LSPARE + 14
  lgdt [abs gdt_pointer_64]
  mov eax, LSPARE
  mark64
  lldt ax
  done64
  mov word [abs gdt_pointer_64], gdt_end - gdt - 1
  lgdt [abs gdt_pointer_64]
  %macro shows 3
    probe64 {%1}
    descriptor64 LSPARE, 0x12345678, 0x4321, %2, %3
    upper64 LSPARE, 0
    mov eax, LSPARE
    mov rbx, -1
    mov rcx, -1
    lar rbx, eax
    lsl rcx, eax
    done64 rbx, rcx, zf
  %endmacro
  %assign type 0
  %rep 16
    %defstr type_text type
    shows {"LAR and LSL of system type ", type_text}, 0x80 | type, 0
    %assign type type + 1
  %endrep
  shows "LAR and LSL of code", 0x9b, 0xa
  probe64 "STR and SLDT clear the upper half"
  mov rax, -1
  mov rbx, -1
  str rax
  sldt ebx
  done64 rax, rbx
  probe64 "MOV to SS in ring 0: null, RPL 0"
  xor eax, eax
  mov ss, eax
  mov ebx, ss
  done64 rbx
  probe64 "MOV to SS in ring 0: null, RPL 3"
  mov eax, 3
  mov ss, eax
  done64
  probe64 "MOV to SS in ring 3: null"
  to_ring64 3
  mov eax, 3
  mov ss, eax
  done64
  probe64 "PUSH FS takes 8 bytes"
  mov eax, DATA3
  mov fs, eax
  mov rbx, rsp
  push fs
  sub rbx, rsp
  pop rcx
  done64 rbx, rcx
  finish64
  bits 64
; Through a call gate: the frame that it made on ring 0's stack.
gate_target:
  mov rax, rsp
  mov rcx, [rsp]
  sub rcx, main_back11
  mov rdx, [rsp + 8]
  mov rsi, [rsp + 16]
  sub rsi, rbx
  mov rdi, [rsp + 24]
  int 0x40
main_back11 equ main.back11
section .data
align 8
gdt_pointer_64: dw gdt_end - gdt - 1
                dq gdt
section .text
