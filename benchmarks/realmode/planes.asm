; What 16-colour and Mode X programs do to the planes of video memory, seen at B8000h: fills and copies by the latches
; with REP, pixels by the bit mask, pixels of one plane each, reads before writes, reading back.
%include "frame.inc"

%ifndef PASSES
PASSES equ 250
%endif

GRAPHICS  equ 3CEh
SEQUENCER equ 3C4h
SIZE      equ 16000  ; bytes of a page; there are two

workload:
  push bp
  push ds
  mov ax, VIDEO
  mov es, ax
  mov dx, SEQUENCER
  mov ax, 0604h            ; planes by address: neither chain-4 nor odd/even
  out dx, ax
  mov dx, GRAPHICS
  mov ax, 0D06h            ; graphics, 32 KiB at B8000h
  out dx, ax
  mov ax, 0FF08h
  out dx, ax
  xor ax, ax               ; no set/reset
  out dx, ax
  inc ax
  out dx, ax
  mov ax, 0003h            ; no rotation, no function
  out dx, ax
  mov bp, PASSES
  xor eax, eax
.pass:
  push eax

  ; All planes.
  mov dx, GRAPHICS
  mov ax, 0005h            ; write mode 0, read mode 0
  out dx, ax
  mov ax, 0F02h
  mov dx, SEQUENCER
  out dx, ax
  xor di, di
  mov cx, SIZE
  mov ax, bp
  rep stosb

  ; Pixels by the bit mask, colour by set/reset.
  mov dx, GRAPHICS
  mov ax, 0F01h
  out dx, ax
  mov ax, bp
  xchg al, ah
  and ah, 0Fh
  mov al, 0
  out dx, ax
  mov cx, 6000
  xor di, di
.pixel:
  mov ax, 8008h
  mov bl, cl
  and bl, 7
  xchg bl, cl
  shr ah, cl
  mov cl, bl
  out dx, ax
  mov al, [es:di]
  mov [es:di], al
  add di, 2
  loop .pixel
  mov ax, 0FF08h
  out dx, ax

  ; A read before each write, as programs fill the latches.
  mov cx, 3000
  mov di, 40
  mov al, 55h
.mix:
  or [es:di], al
  add di, 3
  loop .mix
  mov ax, 0001h
  out dx, ax

  ; One plane a pixel.
  mov cx, 8000
.plane:
  mov dx, SEQUENCER + 1
  mov al, 11h
  rol al, cl
  and al, 0Fh
  out dx, al
  mov di, cx
  mov [es:di], cl
  loop .plane

  ; The page goes to the other one by the latches.
  mov ax, 0F02h
  mov dx, SEQUENCER
  out dx, ax
  mov dx, GRAPHICS
  mov ax, 0105h
  out dx, ax
  push ds
  push es
  pop ds
  xor si, si
  mov di, SIZE
  mov cx, SIZE
  rep movsb
  pop ds

  ; What is there, of a plane in turn.
  mov ax, 0005h
  out dx, ax
  mov ax, bp
  xchg al, ah
  and ah, 3
  mov al, 4
  out dx, ax
  mov si, SIZE
  mov cx, 2000
  xor bx, bx
.sum:
  add bl, [es:si]
  rol bx, 1
  add si, 7
  loop .sum
  pop eax
  mix_bx
  dec bp
  jnz .pass
  pop ds
  pop bp
  ret
