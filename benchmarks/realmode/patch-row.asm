; A picture scaler: per row the step and the colour are patched into the inner loop as immediates, which then runs 48
; times.
%include "frame.inc"

%ifndef PASSES
PASSES equ 48
%endif

workload:
  push bp
  mov bp, PASSES
  xor di, di
  mov ax, 3
.fill:
  mov [di], ax
  imul ax, ax, 25173
  add ax, 13849
  add di, 2
  cmp di, 8000h
  jb .fill
  xor eax, eax
.pass:
  mov dx, 4000
.row:
  push eax
  push es
  mov ax, CODE_ALIAS
  mov es, ax
  mov ax, dx
  shr ax, 3
  mov [es:.step + 2], ax
  mov ax, bp
  add ax, dx
  mov [es:.colour + 1], al
  pop es
  mov bx, dx
  mov di, dx
  shl di, 3
  mov cx, 48
.pixel:
  mov si, bx
  shr si, 2
  mov al, [si]
.colour:
  add al, 0
  mov [es:di], al
  inc di
.step:
  add bx, strict word 0
  loop .pixel
  mov bx, [es:di - 2]
  pop eax
  mix_bx
  dec dx
  jnz .row
  dec bp
  jnz .pass
  pop bp
  ret
