; Text by INT 10h, function 0Eh. Real mode: the video BIOS's. Protected mode: a handler of our own behind a 16-bit
; interrupt gate, which writes the cell and scrolls.
%define OWN_VIDEO_SERVICE
%include "frame.inc"

%ifndef PASSES
%if PROTECTED
PASSES equ 32000
%else
PASSES equ 20000
%endif
%endif

workload:
  push bp
  mov bp, PASSES
%if PROTECTED
  mov word [cursor], 0
%endif
.line:
  mov cx, 60
  mov dx, bp
.character:
  mov al, dl
  and al, 3Fh
  add al, '!'
  mov ah, 0Eh
  mov bx, 7
  int 10h
  add dx, 7
  loop .character
  mov ax, 0E0Dh
  int 10h
  mov ax, 0E0Ah
  int 10h
  dec bp
  jnz .line
  ; The screen's sum.
  mov ax, VIDEO
  mov es, ax
  xor eax, eax
  xor di, di
  mov cx, 80 * 25
.sum:
  mov bx, [es:di]
  mix_bx
  add di, 2
  loop .sum
  pop bp
  ret

%if PROTECTED
cursor equ 0F000h  ; in DATA: offset of the next cell

; AL: the character.
video_service:
  push ds
  push es
  pusha
  mov dx, DATA
  mov ds, dx
  mov dx, VIDEO
  mov es, dx
  mov di, [cursor]
  cmp al, 13
  je .carriage_return
  cmp al, 10
  je .line_feed
  mov ah, 07h
  stosw
  jmp .moved
.carriage_return:
  mov ax, di
  mov cl, 160
  div cl  ; AH: offset in the line
  mov al, ah
  xor ah, ah
  sub di, ax
  jmp .moved
.line_feed:
  add di, 160
.moved:
  cmp di, 160 * 25
  jb .done
  sub di, 160
  push di
  mov ax, VIDEO
  mov ds, ax
  mov si, 160
  xor di, di
  mov cx, 80 * 24
  rep movsw
  mov ax, 0720h
  mov cx, 80
  rep stosw
  pop di
  mov ax, DATA
  mov ds, ax
.done:
  mov [cursor], di
  popa
  pop es
  pop ds
  iret
%endif
