; From ring to ring and back, many times as it should be, and once with something in the way: what a translator does at
; once in the usual case (SDM 3A 5.8, 6.12; SDM 2, CALL, INT n, IRET, RET).
%include "system.inc"
ROUNDS  equ 200
HANDLER equ SPARE          ; a code segment of ring 1
STACK   equ SPARE + 8      ; a stack of ring 1, 4 KiB from BUFFER on
GATE    equ SPARE + 16 + 3 ; call gate to ring 1, two parameters
OUTER   equ SPARE + 24     ; a stack of ring 3
NARROW3 equ SPARE + 32     ; 16-bit code of ring 3, base 0, 64 KiB
NARROW_STACK3 equ SPARE + 40
EASY    equ SPARE + 48     ; conforming code
UP      equ 0x41           ; interrupt to ring 1
HERE    equ 0x42           ; interrupt within the ring

%macro handler 2           ; vector, routine
  mov word [fs:idt + (%1) * 8], %2
%endmacro
%macro stub 1              ; the vector leads where it did
  mov word [fs:idt + (%1) * 8], stubs + (%1) * 16
%endmacro
; In the last round of a loop that ECX counts down; FS reaches everything.
%macro at_last 1+
  cmp ecx, 1
  jne %%go_on
  %1
%%go_on:
%endmacro

return:
  iretd
count:
  inc ebx
  iretd
gate_target:
  add ebx, [esp + 12]
  retf 8
far_target:
  inc ebx
  retf
timer:                     ; counts interruptions at the place that is expected
  push eax
  mov eax, [esp + 4]
  cmp eax, [fs:place]
  jne .elsewhere
  inc dword [fs:hits]
.elsewhere:
  mov al, 0x20
  out 0x20, al
  pop eax
  iretd
shorten:                   ; of the handlers' segment
  mov word [fs:gdt_at(HANDLER)], 0
  mov byte [fs:gdt_at(HANDLER) + 6], 0x40
  ret
count_traps:
  inc dword [hits]
  iretd
set_nt:
  push dword 2 | NT
  popfd
  ret
load_units:
  inc dword [hits]
  clts
  iretd
set_ts:                    ; in every other round
  mov eax, cr0
  test cl, 1
  jz .set
  or al, 8
.set:
  mov cr0, eax
  ret
drop_ds:
  mov ax, DATA0
  test cl, 1
  jz .load
  xor eax, eax
.load:
  mov ds, ax
  ret
load_ds:
  push eax
  mov ax, DATA0
  mov ds, ax
  inc dword [hits]
  pop eax
  add esp, 4
  iretd
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

; The segments and gates as they should be.
restore:
  descriptor HANDLER, 0, 0xfffff, 0xbb, 0xc
  descriptor STACK, BUFFER, 0xfff, 0xb3, 4
  descriptor OUTER, 0, 0xfffff, 0xf3, 0xc
  descriptor NARROW3, 0, 0xffff, 0xfb, 0
  descriptor NARROW_STACK3, BUFFER, 0xffff, 0xf3, 0
  descriptor EASY, 0, 0xfffff, 0x9f, 0xc
  gate idt + UP * 8, HANDLER, count, 0xee
  gate idt + HERE * 8, CODE3, count, 0xef
  gate gdt_at(GATE), HANDLER, gate_target, 0xec, 2
  mov dword [tss + 12], 0x1000
  mov word [tss + 16], STACK | 1
  ret

; Ring 3 enters ring 1 until the last round; %2 is what is done to it then.
%macro up 2+
  call restore
  probe %1
  to_ring 3
  xor ebx, ebx
  mov ecx, ROUNDS
%%next:
  at_last %2
  mark
  int UP
  loop %%next
  done ebx, ecx, esp3, ss3, cs
%endmacro
%macro through_gate 2+
  call restore
  probe %1
  to_ring 3
  xor ebx, ebx
  mov ecx, ROUNDS
%%next:
  push ecx
  push ecx
  at_last %2
  mark
  call GATE:0
  loop %%next
  done ebx, ecx, esp3, ss3, cs
%endmacro
; Ring 0 goes to ring 3 and comes back; %2 is done to the frame (from ESP on) or to what it names at last.
%macro down 2+
  call restore
  gate idt + UP * 8, CODE0, %%back, 0xee
  probe %1
  xor ebx, ebx
  mov ecx, ROUNDS
%%next:
  mov ax, DATA0
  mov ds, ax
  mov ax, DATA3
  mov es, ax
  mov esp, STACK0
  push dword OUTER | 3
  push dword STACK3
  push dword 2
  push dword CODE3
  push dword %%outer
  at_last %2
  mark
  iretd
%%outer:
  mov eax, ds
  mov edx, es
  shl edx, 16
  add eax, edx
  add ebx, eax
  int UP
%%back:
  loop %%next
  done ebx, ecx, ds, es
%endmacro

main:
  up "INT to ring 1", nop
  up "INT to ring 1, the stack too short for its frame", mov word [fs:tss + 12], 16
  up "INT to ring 1, the stack just large enough", mov word [fs:tss + 12], 20
  up "INT to ring 1, the stack's limit met", mov word [fs:gdt_at(STACK)], 0xffe
  up "INT to ring 1, the stack not present", mov byte [fs:gdt_at(STACK) + 5], 0x33
  up "INT to ring 1, the stack read-only", mov byte [fs:gdt_at(STACK) + 5], 0xb1
  up "INT to ring 1, the stack of ring 0", mov byte [fs:gdt_at(STACK) + 5], 0x93
  up "INT to ring 1, the stack not accessed", mov byte [fs:gdt_at(STACK) + 5], 0xb2
  value "the stack's accessed bit", [gdt_at(STACK) + 4]
  up "INT to ring 1, the code not accessed", mov byte [fs:gdt_at(HANDLER) + 5], 0xba
  value "the code's accessed bit", [gdt_at(HANDLER) + 4]
  up "INT to ring 1, the code not present", mov byte [fs:gdt_at(HANDLER) + 5], 0x3b
  up "INT to ring 1, the code data", mov byte [fs:gdt_at(HANDLER) + 5], 0xb3
  up "INT to ring 1, the handler beyond the limit", call shorten
  up "INT to ring 1, the gate not present", mov byte [fs:idt + UP * 8 + 5], 0x6e
  up "INT to ring 1, the gate closed", mov byte [fs:idt + UP * 8 + 5], 0x8e
  up "INT to ring 1, the gate a call gate", mov byte [fs:idt + UP * 8 + 5], 0xec
  up "INT to ring 1, 16-bit stack", mov byte [fs:gdt_at(STACK) + 6], 0
  up "INT to ring 1, base of the stack moved", mov byte [fs:gdt_at(STACK) + 3], 0x10
  through_gate "call gate to ring 1", nop
  through_gate "call gate to ring 1, the stack too short for its frame", mov word [fs:tss + 12], 20
  through_gate "call gate to ring 1, the stack just large enough", mov word [fs:tss + 12], 24
  through_gate "call gate to ring 1, the stack not present", mov byte [fs:gdt_at(STACK) + 5], 0x33
  through_gate "call gate to ring 1, the code not present", mov byte [fs:gdt_at(HANDLER) + 5], 0x3b
  through_gate "call gate to ring 1, the gate not present", mov byte [fs:gdt_at(GATE) + 5], 0x6c
  through_gate "call gate to ring 1, other parameters", mov byte [fs:gdt_at(GATE) + 4], 3
  through_gate "call gate to ring 1, the gate one of 16 bits", mov byte [fs:gdt_at(GATE) + 5], 0xe4
  down "IRET to ring 3 takes DS of ring 0", nop
  down "IRET to ring 3, the stack not present", mov byte [gdt_at(OUTER) + 5], 0x73
  down "IRET to ring 3, the stack of ring 0", mov word [esp + 16], DATA0
  down "IRET to ring 3, the stack null", mov word [esp + 16], 0
  down "IRET to ring 3, the stack not accessed", mov byte [gdt_at(OUTER) + 5], 0xf2
  value "the outer stack's accessed bit", [gdt_at(OUTER) + 4]
  down "IRET to ring 3, code of ring 1", mov word [esp + 4], CODE1 | 2
  down "IRET to ring 3 sets TF", or word [esp + 8], TF
  down "IRET to ring 3 sets RF", or dword [esp + 8], RF
  down "IRET to ring 3 sets AC", or dword [esp + 8], AC
  down "IRET to ring 3 sets IOPL and IF", or dword [esp + 8], IOPL3
  down "IRET to ring 3, NT set before", call set_nt

  ; --- Within a ring ---
  call restore
  probe "far call in ring 3, from 32 bits to 16 and back"
  to_ring 3
  xor ebx, ebx
  mov ecx, ROUNDS
.n1:
  at_last mov word [fs:gdt_at(NARROW3)], .n1_narrow - 1
  mark
  call NARROW3 | 3:.n1_narrow
  loop .n1
  done ebx, ecx, esp3
  jmp .n1_end
bits 16
.n1_narrow:
  inc ebx
  o32 retf
bits 32
.n1_end:
  call restore
  probe "far call in 16-bit code, the stack wraps"
  to_ring 3
  mov ax, NARROW_STACK3 | 3
  mov ss, ax
  mov esp, 0x1000
  xor ebx, ebx
  mov ecx, ROUNDS
  jmp NARROW3 | 3:.n2
bits 16
.n2:
  cmp cx, 1
  jne .n2_plain
  mov sp, 2
.n2_plain:
  call NARROW3 | 3:.n2_target
  loop .n2
  done ebx, ecx, esp3
  jmp .n2_end
bits 16
.n2_target:
  inc ebx
  retf
bits 32
.n2_end:
  call restore
  probe "far jump to conforming code, closed at last"
  to_ring 3
  xor ebx, ebx
  mov ecx, ROUNDS
.c1:
  at_last mov byte [fs:gdt_at(EASY) + 5], 0x9b
  mark
  jmp EASY | 3:.c1_in
.c1_in:
  mov eax, cs
  add ebx, eax
  loop .c1
  done ebx, ecx, cs
  call restore
  descriptor OUTER, 0, second_pointer + 4, 0xf3, 4
  probe "indirect far jump, its pointer across the limit at last"
  to_ring 3
  mov eax, OUTER | 3
  mov gs, ax
  xor ebx, ebx
  mov esi, pointer
  mov dword [pointer], .c2_in
  mov dword [second_pointer], .c2_in
  mov ecx, ROUNDS
.c2:
  at_last mov esi, second_pointer
  mark
  jmp far [gs:esi]
.c2_in:
  inc ebx
  loop .c2
  done ebx, ecx
  call restore
  probe "INT within ring 3, the stack at its end at last"
  to_ring 3
  mov ax, NARROW_STACK3 | 3
  mov ss, ax
  mov esp, 0x1000
  xor ebx, ebx
  mov ecx, ROUNDS
.h1:
  at_last mov esp, 10
  mark
  int HERE
  loop .h1
  done ebx, ecx, esp3

  ; --- Virtual-8086 mode ---
  call restore
  gate idt + UP * 8, CODE0, count, 0xee
  probe "V86: INT to ring 1 at last"
  to_v86 IOPL3
  xor ebx, ebx
  mov cx, ROUNDS
.v1:
  cmp cx, 1
  jne .v1_plain
  mov word [idt + UP * 8 + 2], HANDLER
.v1_plain:
  int UP
  loop .v1
  done ebx, ecx, flags, ss3
  call restore
  gate idt + UP * 8, CODE0, count, 0xee
  probe "V86: INT by a gate that closes"
  to_v86 IOPL3
  xor ebx, ebx
  mov cx, ROUNDS
.v2:
  cmp cx, 1
  jne .v2_plain
  mov byte [idt + UP * 8 + 5], 0x8e
.v2_plain:
  int UP
  loop .v2
  done ebx, ecx, flags, ss3
  call restore
  gate idt + UP * 8, CODE0, .v3_gate, 0xee
  probe "V86: its monitor takes IOPL away"
  to_v86 IOPL3
  xor ebx, ebx
  mov cx, ROUNDS
.v3:
  int UP
  loop .v3
  done ebx, ecx, flags
  jmp .v3_end
.v3_gate:
  inc ebx
  cmp ebx, ROUNDS / 2
  jne .v3_return
  and word [esp + 8], ~IOPL3
.v3_return:
  iretd
.v3_end:

  ; --- CR0.TS ---
  call restore
  handler 7, load_units
  mov dword [hits], 0
  probe "TS set by MOV CR0, then x87"
  xor ebx, ebx
  mov ecx, ROUNDS
.u1:
  mov eax, cr0
  or al, 8
  mov cr0, eax
  fnop
  fnop
  mov eax, cr0
  and eax, 8
  add ebx, eax
  loop .u1
  mov edx, [hits]
  done ebx, edx
  mov dword [hits], 0
  probe "TS set by LMSW, then SSE"
  mov eax, cr4
  or eax, 0x200
  mov cr4, eax
  xor ebx, ebx
  mov ecx, ROUNDS
.u2:
  smsw ax
  or al, 8
  lmsw ax
  movaps xmm0, xmm1
  loop .u2
  mov edx, [hits]
  done edx
  mov dword [hits], 0
  probe "TS set by a function now and then, x87 when it has returned"
  mov ecx, ROUNDS
.u5:
  call set_ts
  fnop
  loop .u5
  mov edx, [hits]
  done edx
  handler 13, load_ds
  mov dword [hits], 0
  probe "DS dropped by a function now and then, used when it has returned"
  mov ecx, ROUNDS
.u6:
  call drop_ds
  mov edx, [hits]
  loop .u6
  mov edx, [hits]
  done edx
  stub 13
  stub 7
  probe "EM set at last"
  xor ebx, ebx
  mov ecx, ROUNDS
.u3:
  mov eax, cr0
  at_last or al, 4
  mov cr0, eax
  mark
  fnop
  inc ebx
  loop .u3
  done ebx, ecx
  mov eax, cr0
  and eax, ~12
  mov cr0, eax
  probe "CLTS in ring 0, at last in ring 1"
  xor ebx, ebx
  mov ecx, ROUNDS
.u4:
  inc ebx
  mark
  clts
  loop .u4
  cmp ebx, ROUNDS
  ja .u4_end
  to_ring 1
  mov ecx, 1
  jmp .u4
.u4_end:
  done ebx, ecx, cs

  ; --- Windows for interrupts ---
  handler 0x20, timer
  in al, 0x21
  and al, 0xfe
  out 0x21, al
%macro window 2            ; name, where the interrupt is expected
  mov dword [hits], 0
  mov dword [place], %2
  probe %1
  mov ecx, ROUNDS
%endmacro
%macro window_end 1
  cli
  loop %1
  mov ebx, [hits]
  done ebx
%endmacro
  window "IRET sets IF, an interrupt waiting", .w1_back
.w1:
  cli
  request_timer
  pushfd
  or dword [esp], IF
  push dword CODE0
  push dword .w1_back
  iretd
.w1_back:
  nop
  window_end .w1
  gate idt + HERE * 8, CODE0, return, 0x8f
  window "STI, then INT by a trap gate, an interrupt waiting", return
.w2:
  cli
  request_timer
  sti
  int HERE
  window_end .w2
  gate idt + HERE * 8, CODE0, return, 0x8e
  window "STI, then INT by an interrupt gate, an interrupt waiting", .w3_back
.w3:
  cli
  request_timer
  sti
  int HERE
.w3_back:
  nop
  window_end .w3
  window "STI, then a far call, an interrupt waiting", far_target
.w4:
  cli
  request_timer
  sti
  call CODE0:far_target
  window_end .w4
  window "STI, then CLTS, an interrupt waiting", .w6_back
.w6:
  cli
  request_timer
  sti
  clts
.w6_back:
  nop
  window_end .w6
  mov dword [hits], 0
  handler 1, count_traps
  gate idt + HERE * 8, CODE0, return, 0x8e
  probe "TF over INT and IRET"
  mov ecx, ROUNDS
.t1:
  pushfd
  or dword [esp], TF
  popfd
  int HERE
  nop
  pushfd
  and dword [esp], ~TF
  popfd
  loop .t1
  mov ebx, [hits]
  done ebx
  stub 1
  in al, 0x21
  or al, 1
  out 0x21, al
  finish

section .data
align 4
hits: dd 0
place: dd 0
pointer: dd 0
  dw CODE3
second_pointer: dd 0
  dw CODE3
