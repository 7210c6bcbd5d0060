; Interrupts and traps between instructions (SDM 3A 6.8, 6.9; SDM 3B 17.2, 17.3): STI and MOV SS, TF with everything, RF,
; instruction, data and I/O breakpoints, HLT.
%include "system.inc"

; The timer's request, pending at the interrupt controller before the probe begins: mode 0, a short count, then a look at IRR.
pending_timer:
  push eax
  mov al, 0xfe
  out 0x21, al
  mov al, 0x30
  out 0x43, al
  mov al, 20
  out 0x40, al
  mov al, 0
  out 0x40, al
  mov al, 0x0a                      ; OCW3: read IRR
  out 0x20, al
.wait:
  in al, 0x20
  test al, 1
  jz .wait
  pop eax
  ret
end_timer:
  push eax
  mov al, 0x20
  out 0x20, al
  mov al, 0xff
  out 0x21, al
  pop eax
  ret

; Interrupts: name; instructions with IF clear before them.
%macro shadow 2-6
  call pending_timer
  probe %1
  %rotate 1
  %rep %0 - 1
    %1
    %rotate 1
  %endrep
  times 4 nop
  done flags
  call end_timer
%endmacro

; Traps: TF is set by POPF; the trap comes after the first instruction behind it.
%macro trapped 2-6
  probe %1
  push dword TF | 2
  popfd
  %rotate 1
  %rep %0 - 1
    %1
    %rotate 1
  %endrep
  times 4 nop
  done rf, ecx
%endmacro
%macro dr_break 3                   ; number, linear address, DR7's condition and length bits (4)
  mov eax, %2
  mov dr%1, eax
  mov eax, 2 << ((%1) * 2) | (%3) << (16 + (%1) * 4) | 0x400
  mov dr7, eax
%endmacro
%macro dr_off 0
  push eax
  xor eax, eax
  mov dr7, eax
  pop eax
%endmacro
EXECUTE equ 0
WRITE1 equ 1
WRITE2 equ 5
WRITE4 equ 13
IO1 equ 2
ACCESS1 equ 3
ACCESS2 equ 7
ACCESS4 equ 15
DE equ 8

main:
  ; --- Shadows of STI and MOV SS ---
  shadow "sti: after the next instruction", sti, inc ecx
  shadow "sti; sti", sti, sti
  shadow "sti; cli", sti, cli
  shadow "sti with IF set already", {push dword 2}, popfd, sti
  shadow "popf of IF has no shadow", {push dword 0x202}, popfd
  call pending_timer
  probe "iret"
  push dword 0x202
  push cs
  push dword .behind_iret
  iretd
.behind_iret:
  mark
  times 4 nop
  done flags
  call end_timer
  shadow "mov ss: with IF set before", {mov ax, ss}, sti, {mov ss, ax}, inc ecx
  shadow "sti; mov ss", {mov ax, ss}, sti, {mov ss, ax}
  shadow "pop ss", {push ss}, sti, {pop ss}, inc ecx
  shadow "mov ds has no shadow", {mov ax, ds}, sti, {mov ds, ax}, inc ecx
  shadow "sti; hlt", sti, hlt
  shadow "sti before a branch", sti, {jmp short $ + 3}, nop
  shadow "lss has no shadow", {push ss}, {push esp}, sti, {lss esp, [esp]}
  probe "fault in the shadow of STI"
  sti
  ud2
  done flags
  probe "int in the shadow of STI, interrupt pending"
  call pending_timer
  sti
  int 0x40
  done flags
  call end_timer

  ; --- Single steps ---
  mov ecx, 0
  trapped "tf: nop", nop
  trapped "tf: mov ss takes the next instruction along", {mov ax, ss}
  trapped "tf: pop ss", {push ss}
  probe "tf: mov ss, then inc"
  mov ax, ss
  mov ecx, 0
  push dword TF | 2
  popfd
  mov ss, ax
  inc ecx
  inc ecx
  done ecx
  probe "tf: sti does not delay the trap"
  mov ecx, 0
  push dword TF | 2
  popfd
  sti
  inc ecx
  done ecx, flags
  probe "tf: int"
  push dword TF | 2
  popfd
  int 0x43
  done flags
  probe "tf: int3"
  push dword TF | 2
  popfd
  int3
  done flags
  probe "tf: into that is not taken"
  push dword TF | 2
  popfd
  into
  nop
  done flags
  probe "tf: a fault"
  push dword TF | 2
  popfd
  ud2
  done flags, rf
  probe "tf: rep stosb, each iteration"
  mov ecx, 3
  mov edi, BUFFER
  push dword TF | 2
  popfd
  rep stosb
  nop
  done ecx, edi, rf
  probe "tf: rep stosb, last iteration"
  mov ecx, 1
  mov edi, BUFFER
  push dword TF | 2
  popfd
  rep stosb
  nop
  done ecx, edi, rf
  probe "tf: rep stosb, count 0"
  mov ecx, 0
  push dword TF | 2
  popfd
  rep stosb
  nop
  done ecx
  probe "tf: repe cmpsb ends early"
  mov ecx, 9
  mov esi, BUFFER
  mov edi, BUFFER
  mov byte [BUFFER], 1
  push dword TF | 2
  popfd
  repne cmpsb
  nop
  done ecx, esi
  probe "tf: popf that clears TF"
  push dword 2
  push dword TF | 2
  popfd
  popfd
  nop
  done flags
  probe "tf: iret sets it"
  push dword TF | 2
  push cs
  push dword .tf_iret
  iretd
.tf_iret:
  nop
  nop
  done
  probe "tf: a branch"
  push dword TF | 2
  popfd
  jmp short .target
  nop
.target:
  nop
  done
  probe "tf: far call"
  push dword TF | 2
  popfd
  call CODE0:.far
.far:
  nop
  done
  probe "tf: call gate to ring 0"
  gate gdt_at(SPARE), CODE0, .gated, 0xec
  to_ring 3, TF | 2
.never:
  nop
  call SPARE + 3:0
.gated:
  nop
  done cs
  probe "tf: mov dr7"
  xor eax, eax
  push dword TF | 2
  popfd
  mov dr7, eax
  nop
  done
  probe "tf: mov cr0"
  mov eax, cr0
  push dword TF | 2
  popfd
  mov cr0, eax
  nop
  done
  probe "tf: pushf shows TF"
  push dword TF | 2
  popfd
  pushfd
  pop eax
  done
  value "on the stack", [STACK0 - 4]
  probe "tf with a pending interrupt: the trap first"
  call pending_timer
  push dword TF | IF | 2
  popfd
  nop
  done flags
  call end_timer

  ; --- Instruction breakpoints ---
  probe "execute: fault before the instruction"
  mov ecx, 0
  dr_break 0, .exec, EXECUTE
  inc ecx
.exec:
  inc ecx
  done ecx, rf, flags
  probe "execute: RF lets it pass once"
  mov ecx, 0
  dr_break 1, .exec1, EXECUTE
  push dword RF | 2
  push cs
  push dword .exec1
  iretd
.exec1:
  inc ecx
  cmp ecx, 5
  jb .exec1
  done ecx
  probe "execute: not by popf"
  mov ecx, 0
  dr_break 1, .exec2, EXECUTE
  push dword RF | 2
  popfd
.exec2:
  inc ecx
  done ecx
  probe "execute: not behind mov ss"
  mov ecx, 0
  dr_break 2, .exec3, EXECUTE
  mov ax, ss
  mov ss, ax
.exec3:
  inc ecx
  dr_off
  done ecx
  probe "execute: in the middle of an instruction"
  dr_break 3, .exec4 + 1, EXECUTE
.exec4:
  mov eax, 0x90909090
  dr_off
  done
  probe "execute: local enable"
  mov eax, .exec7
  mov dr0, eax
  mov eax, 0x401
  mov dr7, eax
.exec7:
  nop
  done
  probe "execute: before a fault of the same instruction"
  dr_break 0, .exec8, EXECUTE
.exec8:
  ud2
  done

  ; --- Data breakpoints ---
  mov edi, BUFFER
%macro data 4+                      ; name, address, kind, instruction
  probe %1
  xor eax, eax
  xor ecx, ecx
  mov ebx, BUFFER
  dr_break 0, %2, %3
  mark
  %4
  nop
  dr_off
  done rf
%endmacro
  data "data: write", BUFFER, WRITE4, mov [ebx], eax
  data "data: read of a write breakpoint", BUFFER, WRITE4, mov eax, [ebx]
  data "data: read", BUFFER, ACCESS4, mov eax, [ebx]
  data "data: write of an access breakpoint", BUFFER, ACCESS4, mov [ebx], al
  data "data: last byte", BUFFER + 3, WRITE1, mov [ebx], eax
  data "data: byte behind", BUFFER + 4, WRITE1, mov [ebx], eax
  data "data: address is aligned to the length", BUFFER + 3, WRITE4, mov [ebx], al
  data "data: word", BUFFER + 2, WRITE2, mov [ebx + 3], al
  data "data: compare reads", BUFFER, WRITE4, cmp [ebx], eax
  data "data: read-modify-write", BUFFER, WRITE4, inc dword [ebx]
  data "data: compare-exchange that fails", BUFFER + 64, WRITE4, cmpxchg [ebx + 64], ecx
  data "data: bit test", BUFFER, ACCESS4, bt [ebx], ecx
  data "data: push", STACK0 - 4, WRITE4, push eax
  data "data: x87 store", BUFFER + 7, WRITE1, fst qword [ebx]
  data "data: lea does not access", BUFFER, ACCESS4, lea eax, [ebx]
  data "data: invlpg does not access", BUFFER, ACCESS4, invlpg [ebx]
  data "data: not the fetch", .self, ACCESS4, nop
.self:
  probe "data: pop"
  mov ecx, esp
  dr_break 1, BUFFER + 0x40, ACCESS4
  mov esp, BUFFER + 0x40
  mark
  pop eax
  mov esp, ecx
  dr_off
  done rf
  probe "data: rep movsb, iteration that hits"
  mov esi, BUFFER + 0x100
  mov edi, BUFFER
  mov ecx, 8
  dr_break 2, BUFFER + 3, WRITE1
  mark
  rep movsb
  dr_off
  done ecx, edi, rf
  probe "data: rep movsb, last iteration hits"
  mov esi, BUFFER + 0x100
  mov edi, BUFFER
  mov ecx, 4
  dr_break 2, BUFFER + 3, WRITE1
  mark
  rep movsb
  nop
  dr_off
  done ecx, edi, rf
  probe "data: breakpoint and single step together"
  mov ebx, BUFFER
  dr_break 3, BUFFER, WRITE1
  push dword TF | 2
  popfd
  mov [ebx], al
  nop
  done
  probe "data: mov ss from the watched word"
  mov word [BUFFER], ss
  mov ecx, 0
  dr_break 0, BUFFER, ACCESS2
  mark
  mov ss, [BUFFER]
  inc ecx
  inc ecx
  dr_off
  done ecx
  probe "data: two at once"
  mov ebx, BUFFER
  mov eax, BUFFER
  mov dr0, eax
  mov eax, BUFFER + 2
  mov dr3, eax
  mov eax, 0x10010482
  mov dr7, eax
  mark
  mov [ebx], eax
  nop
  dr_off
  done
  probe "data: an instruction that faults leaves no trap"
  dr_break 0, BUFFER, ACCESS4
  mov ebx, BUFFER
  xor eax, eax
  mov gs, ax
  mark
  push dword [gs:ebx]
  done
  mov ax, DATA0
  mov gs, ax
  probe "data: interrupt's frame"
  dr_break 0, STACK0 - 12, WRITE4
  mark
  int 0x43
  done

  ; --- I/O breakpoints ---
  probe "io: without CR4.DE nothing"
  dr_break 0, 0x80, IO1
  mark
  out 0x80, al
  nop
  dr_off
  done
  mov eax, cr4
  or eax, DE
  mov cr4, eax
  probe "io: out"
  dr_break 0, 0x80, IO1
  mark
  out 0x80, al
  nop
  dr_off
  done rf
  probe "io: in"
  dr_break 0, 0x80, IO1
  mark
  in al, 0x80
  nop
  dr_off
  done
  probe "io: another port"
  dr_break 0, 0x81, IO1
  mark
  out 0x80, al
  nop
  dr_off
  done
  probe "io: outsb"
  dr_break 1, 0x80, IO1
  mov dx, 0x80
  mov esi, BUFFER
  mark
  outsb
  nop
  dr_off
  done
  probe "io: rep outsb, each iteration"
  dr_break 1, 0x80, IO1
  mov dx, 0x80
  mov esi, BUFFER
  mov ecx, 3
  mark
  rep outsb
  nop
  dr_off
  done ecx, rf
  probe "io: rep insb"
  dr_break 1, 0x80, IO1
  mov dx, 0x80
  mov edi, BUFFER
  mov ecx, 3
  mark
  rep insb
  nop
  dr_off
  done ecx
  probe "io: memory at the port's address is no match"
  dr_break 1, BUFFER, IO1
  mark
  mov [BUFFER], al
  nop
  dr_off
  done
  probe "DR4 with DE"
  mov eax, dr4
  done
  mov eax, cr4
  and eax, ~DE
  mov cr4, eax
  probe "DR4 without DE"
  mov eax, dr4
  and eax, 0xffff0ff0
  done eax

  ; --- General detect, DR6 ---
  probe "general detect"
  mov eax, 0x2400
  mov dr7, eax
  mark
  mov eax, dr0
  done
  mov eax, dr7
  mov [BUFFER], eax
  value "DR7 after it: GD is clear", [BUFFER]
  probe "DR6's and DR7's fixed bits"
  mov eax, -1
  xor edx, edx
  mov dr7, edx
  mov dr6, eax
  mov eax, dr6
  mov dr6, edx
  mov ecx, dr6
  mov edx, dr7
  done eax, ecx, edx
  probe "mov dr at CPL 3"
  to_ring 3
  mov eax, dr6
  done
  probe "breakpoints hit at CPL 3, too"
  dr_break 0, .user, EXECUTE
  to_ring 3
.user:
  nop
  done cs
  probe "int1"
  db 0xf1
  nop
  done
  finish
