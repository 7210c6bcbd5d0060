; Memory copies without REP, between two segments: LODSW/STOSW, an unrolled loop of moves, and a sum of the result.
%include "frame.inc"

WORDS equ 8192
%ifndef PASSES
PASSES equ 140000
%endif

workload:
  push ebp
  mov ebp, PASSES
  xor di, di
  mov ax, 1
.fill:
  mov [di], ax
  imul ax, ax, 25173
  add ax, 13849
  add di, 2
  cmp di, WORDS * 2
  jb .fill
  xor eax, eax
.pass:
  push eax
  xor si, si
  xor di, di
  mov cx, WORDS
.by_string:
  lodsw
  xor ax, bp
  stosw
  loop .by_string

  xor si, si
  mov di, WORDS * 2
  mov cx, WORDS / 4
.unrolled:
  mov ax, [si]
  mov bx, [si + 2]
  mov [es:di], ax
  mov [es:di + 2], bx
  mov ax, [si + 4]
  mov bx, [si + 6]
  mov [es:di + 4], ax
  mov [es:di + 6], bx
  add si, 8
  add di, 8
  dec cx
  jnz .unrolled

  xor si, si
  xor bx, bx
  mov cx, WORDS
.sum:
  add bx, [es:si]
  adc bx, [es:si + WORDS * 2]
  add si, 2
  loop .sum
  pop eax
  mix_bx
  dec ebp
  jnz .pass
  pop ebp
  ret
