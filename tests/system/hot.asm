; Exact borders in loops that a translator has translated long before: breakpoints and watches that come and go, the
; shadow of STI with an interrupt waiting, RF and TF, far transfers that fault half-way after they have worked often.
%include "system.inc"
ROUNDS equ 200
NARROW equ SPARE          ; a stack whose wrap faults
BRIEF  equ SPARE + 8      ; code with a limit
GATE   equ SPARE + 16 + 3 ; call gate to ring 0

%macro handler 2          ; vector, routine
  mov word [idt + (%1) * 8], %2
%endmacro
%macro stub 1             ; the vector leads where it did
  mov word [idt + (%1) * 8], stubs + (%1) * 16
%endmacro

count_breakpoint:
  inc dword [hits]
  or dword [esp + 8], RF
  iretd
count_trap:
  inc dword [hits]
  iretd
count_no_rf:              ; takes the breakpoint out instead
  inc dword [hits]
  push eax
  xor eax, eax
  mov dr7, eax
  pop eax
  iretd
timer:
  add [hits], edx
  push eax
  mov al, 0x20
  out 0x20, al
  pop eax
  iretd
divided:
  inc dword [hits]
  add dword [esp], 2
  iretd
far_target:
  inc ebx
  retf
gate_target:
  mov eax, [esp + 8]
  add ebx, eax
  retf 4

; IRQ 0 in a moment, requested before it goes on.
%macro request_timer 0
  mov al, 0x30
  out 0x43, al
  mov al, 20
  out 0x40, al
  xor al, al
  out 0x40, al
%%wait:
  mov al, 0x0a
  out 0x20, al
  in al, 0x20
  test al, 1
  jz %%wait
%endmacro

main:
  mov dword [hits], 0
  handler 1, count_breakpoint
  probe "breakpoint set in a loop and taken out again"
  xor ebx, ebx
  mov ecx, ROUNDS
.b1:
  inc ebx
  cmp ecx, ROUNDS / 2
  jne .b1_there
  mov eax, .b1_here
  mov dr0, eax
  mov eax, 0x202
  mov dr7, eax
.b1_there:
  cmp ecx, ROUNDS / 4
  jne .b1_here
  xor eax, eax
  mov dr7, eax
.b1_here:
  add ebx, 2
  loop .b1
  mov edx, [hits]
  done ebx, edx
  mov dword [hits], 0
  handler 1, count_no_rf
  probe "breakpoint that its handler takes out"
  mov eax, .b2_here
  mov dr0, eax
  xor ebx, ebx
  mov ecx, ROUNDS
.b2:
  test ecx, 31
  jnz .b2_here
  mov eax, 0x202
  mov dr7, eax
.b2_here:
  inc ebx
  loop .b2
  mov edx, [hits]
  done ebx, edx
  mov dword [hits], 0
  handler 1, count_trap
  probe "write watch in a loop over its page"
  mov eax, BUFFER + 0x104
  mov dr1, eax
  mov ecx, ROUNDS
.w1:
  xor eax, eax
  cmp ecx, ROUNDS / 2
  jae .w1_off
  mov eax, 0xd00208
.w1_off:
  mov dr7, eax
  mov edi, BUFFER + 0xf0
.w1_each:
  mov [edi], ecx
  add [edi + 4], ecx
  mov eax, [edi]
  add edi, 8
  cmp edi, BUFFER + 0x130
  jb .w1_each
  loop .w1
  xor eax, eax
  mov dr7, eax
  mov edx, [hits]
  mov ebx, [BUFFER + 0x104]
  done ebx, edx
  mov dword [hits], 0
  probe "access watch among bytes"
  mov eax, BUFFER + 0x104
  mov dr1, eax
  mov eax, 0xf00208
  mov dr7, eax
  mov ecx, ROUNDS
.w3:
  mov edi, BUFFER + 0xf0
.w3_each:
  mov al, [edi]
  mov [edi], al
  inc edi
  cmp edi, BUFFER + 0x120
  jb .w3_each
  loop .w3
  xor eax, eax
  mov dr7, eax
  mov edx, [hits]
  done edx
  mov dword [hits], 0
  probe "write watch of ROM"
  mov eax, 0xf0104
  mov dr1, eax
  mov ecx, ROUNDS
.w4:
  xor eax, eax
  cmp ecx, ROUNDS / 2
  jae .w4_off
  mov eax, 0xd00208
.w4_off:
  mov dr7, eax
  mov edi, 0xf00f0
.w4_each:
  mov ebx, [edi]
  mov [edi], ecx
  mov [edi + 4], ecx
  sub ebx, [edi]
  jne .w4_end
  add edi, 8
  cmp edi, 0xf0130
  jb .w4_each
  loop .w4
.w4_end:
  xor eax, eax
  mov dr7, eax
  mov edx, [hits]
  done ebx, ecx, edx
  mov dword [hits], 0
  probe "access watch met by a string"
  mov eax, BUFFER + 0x1204
  mov dr2, eax
  mov eax, 0xf000220
  mov dr7, eax
  xor ebx, ebx
  mov ebp, ROUNDS
.w2:
  mov esi, BUFFER + 0x1000
  mov edi, BUFFER + 0x2000
  mov ecx, 0x100
  rep movsd
  add ebx, edi
  dec ebp
  jnz .w2
  xor eax, eax
  mov dr7, eax
  mov edx, [hits]
  done ebx, ecx, edx
  mov dword [hits], 0
  probe "TF set and cleared in a loop"
  mov ecx, ROUNDS
.t1:
  cmp ecx, ROUNDS / 2
  jne .t1_plain
  pushfd
  or dword [esp], TF
  popfd
  inc eax
  inc eax
  pushfd
  and dword [esp], ~TF
  popfd
.t1_plain:
  inc eax
  loop .t1
  mov edx, [hits]
  done edx
  stub 1
  mov dword [hits], 0
  handler 0, divided
  probe "a division that faults now and then"
  mov ecx, ROUNDS
  xor ebx, ebx
.d1:
  mov eax, ecx
  and eax, 3
  mov esi, eax
  xor edx, edx
  mov eax, 12
  div esi
  add ebx, eax
  loop .d1
  mov edx, [hits]
  done ebx, edx
  stub 0

  handler 0x20, timer
  in al, 0x21
  and al, 0xfe
  out 0x21, al
  mov dword [hits], 0
  probe "STI's shadow, an interrupt waiting"
  mov ecx, ROUNDS
.s1:
  cli
  request_timer
  xor edx, edx
  sti
  inc edx
  inc edx
  cli
  loop .s1
  mov ebx, [hits]
  done ebx
  mov dword [hits], 0
  probe "POPF casts none"
  mov ecx, ROUNDS
.s2:
  cli
  request_timer
  push dword 2 | IF
  xor edx, edx
  popfd
  inc edx
  inc edx
  cli
  loop .s2
  mov ebx, [hits]
  done ebx
  mov dword [hits], 0
  probe "ring 3 with IOPL 3: STI's shadow"
  to_ring 3, 2 | IOPL3
  mov ecx, ROUNDS
.s3:
  cli
  request_timer
  xor edx, edx
  sti
  inc edx
  inc edx
  cli
  loop .s3
  mov ebx, [hits]
  done ebx, flags
  in al, 0x21
  or al, 1
  out 0x21, al

  descriptor NARROW | 3, BUFFER, 0xfffff, 0xf3, 4
  descriptor BRIEF, 0, far_target + 1, 0xfb, 4
  probe "far call whose second push faults"
  to_ring 3
  xor ebx, ebx
  mov ecx, ROUNDS
.f1:
  cmp ecx, 1
  jne .f1_plain
  mov ax, NARROW | 3
  mov ss, ax
  mov esp, 4
.f1_plain:
  mark
  call CODE3:far_target
  loop .f1
  done ebx, ecx, esp3, ss3
  probe "far call of a segment that has become short"
  to_ring 3
  xor ebx, ebx
  mov ecx, ROUNDS
.f2:
  cmp ecx, 1
  jne .f2_plain
  sub word [fs:gdt + (BRIEF & ~7)], 2
.f2_plain:
  mark
  call BRIEF | 3:far_target
  loop .f2
  done ebx, ecx, esp3
  probe "RETF to a segment that has gone"
  to_ring 3
  xor ebx, ebx
  mov ecx, ROUNDS
.f3:
  push dword CODE3
  cmp ecx, 1
  jne .f3_plain
  mov dword [esp], CODE1
.f3_plain:
  push dword .f3_back
  mark
  retf
.f3_back:
  inc ebx
  loop .f3
  done ebx, ecx
  mov word [gdt + (GATE & ~7)], gate_target
  mov word [gdt + (GATE & ~7) + 2], CODE0
  mov dword [gdt + (GATE & ~7) + 4], 0xec01
  probe "call gate with a parameter, closed in the end"
  to_ring 3
  xor ebx, ebx
  mov ecx, ROUNDS
.f4:
  push ecx
  cmp ecx, 1
  jne .f4_plain
  mov byte [fs:gdt + (GATE & ~7) + 5], 0x8c
.f4_plain:
  mark
  call GATE:0
  loop .f4
  done ebx, ecx, esp3
  probe "IRET in ring 3, at last beyond CS's limit"
  descriptor BRIEF, 0, .i1_on - 1, 0xfb, 4
  to_ring 3
  xor ebx, ebx
  mov ecx, ROUNDS
.i1:
  pushfd
  push dword BRIEF | 3
  push dword .i1_back
  cmp ecx, 1
  jne .i1_plain
  mov dword [esp], .i1_on
.i1_plain:
  mark
  iretd
.i1_back:
  nop
  jmp CODE3:.i1_on
.i1_on:
  inc ebx
  loop .i1
  done ebx, ecx
  probe "V86: interrupts by a gate, flags, IRET"
  mov word [idt + 0x41 * 8], .v1_gate
  mov word [idt + 0x41 * 8 + 4], 0xee00
  to_v86 IOPL3
  mov cx, ROUNDS
  xor bx, bx
.v1:
  int 0x41
  pushf
  cli
  push cs
  push word .v1_back
  iret
.v1_back:
  inc bx
  loop .v1
  cmp bx, ROUNDS * 2
  ja .v1_end
  mov cx, 1
  mov sp, 4               ; the frame of IRET wraps
  jmp .v1
.v1_end:
  done ebx, ecx, flags, esp3
  jmp .end
.v1_gate:
  inc ebx
  iretd
.end:
  finish

section .data
align 4
hits: dd 0
