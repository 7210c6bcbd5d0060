; Repeated string instructions: long and short moves, fills, a compare and a scan.
%include "frame.inc"

%ifndef PASSES
PASSES equ 110000
%endif
LENGTH equ 16384

workload:
  push ebp
  mov ebp, PASSES
  xor di, di
  mov ax, 7777h
.fill:
  mov [di], ax
  imul ax, ax, 25173
  add ax, 13849
  or ax, 0101h  ; no byte is 0
  add di, 2
  cmp di, LENGTH
  jb .fill
  mov byte [LENGTH], 0
  xor eax, eax
.pass:
  push eax
  ; A long move, and its check.
  mov [2], bp
  or word [2], 0101h
  xor si, si
  xor di, di
  mov cx, LENGTH / 2
  rep movsw
  xor si, si
  xor di, di
  mov cx, LENGTH / 2
  repe cmpsw
  jne .wrong
  ; The end of the string in DS, as strlen looks for it.
  push es
  mov ax, ds
  mov es, ax
  xor di, di
  mov cx, 0FFFFh
  xor al, al
  repne scasb
  pop es
  cmp di, LENGTH + 1
  jne .wrong
  ; Rows of a picture: short moves of 1 to 64 bytes, each with a fill behind it.
  xor si, si
  mov di, LENGTH
  mov dx, 64
.row:
  mov cx, dx
  rep movsb
  mov cx, 65
  sub cx, dx
  mov al, dl
  rep stosb
  add si, 7
  dec dx
  jnz .row
  mov bx, [es:LENGTH + 130]
  add bx, [es:LENGTH + 66]
  add bx, [es:2]
  pop eax
  mix_bx
  dec ebp
  jnz .pass
  pop ebp
  ret
.wrong:
  pop eax
  mov eax, 0BADh
  pop ebp
  ret
