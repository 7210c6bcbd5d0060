; A full-screen text program: draws 80 x 25 cells into B8000h one by one, scrolls, reads back.
%include "frame.inc"

%ifndef PASSES
PASSES equ 18000
%endif

workload:
  push bp
  mov bp, PASSES
  mov ax, VIDEO
  mov es, ax
  xor eax, eax
.pass:
  push eax
  ; Every cell, character and attribute.
  xor di, di
  mov dx, bp
  mov cx, 80 * 25
.cell:
  mov al, dl
  and al, 3Fh
  add al, ' '
  mov ah, dh
  and ah, 77h
  or ah, 08h
  mov [es:di], ax
  add di, 2
  add dx, 29
  loop .cell
  ; Up by a line, the last one cleared.
  push ds
  mov ax, es
  mov ds, ax
  mov si, 160
  xor di, di
  mov cx, 80 * 24
  rep movsw
  mov ax, 0720h
  mov cx, 80
  rep stosw
  pop ds
  ; A string with byte writes: characters only.
  mov di, 160 * 12
  mov cx, 40
  mov al, 'A'
.letter:
  mov [es:di], al
  inc di
  inc di
  inc al
  loop .letter
  ; What is there.
  xor di, di
  xor bx, bx
  mov cx, 80 * 25
.sum:
  add bx, [es:di]
  rol bx, 1
  add di, 2
  loop .sum
  pop eax
  mix_bx
  dec bp
  jnz .pass
  pop bp
  ret
