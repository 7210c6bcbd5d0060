; How long a processor takes for 447 instructions, of the kinds that programs are made of: as many as the part "3-D games"
; of TOPBENCH 0.97 (Jim Leonard) carries out. Tells how often they ran in 18 ticks of the interval timer (54.9 ms each).
%include "sound.inc"

TICKS  equ 18
GROUPS equ 26                 ; of 17 instructions, and 5 of the loop

main:
  cli
  xor ax, ax
  mov word [8 * 4], tick
  mov [8 * 4 + 2], ax
  mov al, 0FEh                ; no interrupts but the timer's
  out 21h, al
  sti
  mov bx, words
  mov cx, 3
  xor si, si
  xor di, di
  xor bp, bp
  mov [ticks], si
.first:
  cmp word [ticks], 1
  jne .first

stretch:
%rep GROUPS
  mov ax, [bx]
  add ax, dx
  mov [words + 2], ax
  cmp ax, [words + 2]
  je $ + 2
  push dx
  shl dx, 1
  pop dx
  mov dx, ax
  sub dx, cx
  and dl, 15
  test al, 1
  xchg ax, dx
  mul cx
  or ax, dx
  neg dx
  xor al, dl
%endrep
  add si, 1
  adc di, 0
  cmp word [ticks], TICKS + 1
  jae .over
  jmp stretch
.over:
  mov ax, di
  call tell_word
  mov ax, si
  call tell_word
  xor al, al
  out 0F4h, al
.halt:
  hlt
  jmp .halt

tick:
  push ax
  inc word [cs:ticks]
  mov al, 20h
  out 20h, al
  pop ax
  iret

; AX: four hexadecimal digits for port E9h.
tell_word:
  xchg al, ah
  call tell_hex
  xchg al, ah
  jmp tell_hex

words: dw 1000, 0
ticks: dw 0
  times 17 * 512 - ($ - $$) db 0
