; What a game of the early nineties does 70 times a second: waits for the vertical retrace, draws a scrolling ground and
; 32 sprites with holes into a buffer, copies that to the screen of mode 13h, changes a note of the FM synthesizer every
; eighth time; and mixes four voices for a Sound Blaster 16 (220h, IRQ 5, DMA 1; 22050 Hz, 8 bits, auto-initialized) in
; its interrupt. After FRAMES pictures it tells how many ticks of 54.9 ms they took.
;
; nasm -f bin -D FRAMES=4270 -D BOOT: a floppy that tells it to port E9h and ends the machine by port F4h.
; Without BOOT: a DOS program that writes it to TICKS.TXT.
bits 16
cpu 386

WIDTH    equ 320
HEIGHT   equ 200
SPRITE   equ 16               ; pixels each way
SPRITES  equ 32
HALF     equ 512              ; samples for each interrupt
VOICES   equ 4

%ifdef BOOT
PROGRAM  equ 1000h            ; segment
SECTORS  equ 18               ; of a track, on which the program is
org 100h - 512
boot:
  cli
  mov ax, PROGRAM
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0FFFEh
  sti
  mov ax, 0200h + SECTORS - 1
  mov cx, 2
  xor dh, dh                  ; DL: the drive, by the BIOS
  mov bx, main
  int 13h
  jmp PROGRAM:main
  times 510 - ($ - $$) db 0
  dw 0AA55h
%else
org 100h
%endif

main:
  cld
  mov ax, cs
  add ax, 1000h
  mov [buffer], ax
  add ax, 1000h
  mov [ground], ax
  add ax, 2000h
  and ax, 0F000h              ; the DMA controller counts within 64 KiB
  mov [sound], ax
  mov ax, 13h
  int 10h
  call make_ground
  call make_sprite
  call start_sound
  push es
  xor ax, ax
  mov es, ax
  mov eax, [es:46Ch]
  pop es
  mov [begin], eax

.frame:
  mov dx, 3DAh
.shown:
  in al, dx
  test al, 8
  jnz .shown
.retrace:
  in al, dx
  test al, 8
  jz .retrace
  call show
  call draw_ground
  call draw_sprites
  call music
  inc word [frame]
  cmp word [frame], FRAMES
  jb .frame

  call stop_sound
  xor ax, ax
  mov es, ax
  mov eax, [es:46Ch]
  sub eax, [begin]
  mov di, text
  mov cx, 4
.digit:
  rol ax, 4
  push ax
  and al, 15
  add al, '0'
  cmp al, '9'
  jbe .store
  add al, 7
.store:
  mov [di], al
  inc di
  pop ax
  loop .digit
%ifdef BOOT
  mov si, text
  mov cx, 6
.tell:
  lodsb
  out 0E9h, al
  loop .tell
  xor al, al
  out 0F4h, al
.over:
  hlt
  jmp .over
%else
  mov ax, 3
  int 10h
  mov ah, 3Ch
  xor cx, cx
  mov dx, file
  int 21h
  mov bx, ax
  mov ah, 40h
  mov cx, 6
  mov dx, text
  int 21h
  mov ax, 4C00h
  int 21h
file: db 'TICKS.TXT', 0
%endif

; --- Pictures ---

; 256 x 256 texture, of which rows and columns wrap.
make_ground:
  mov es, [ground]
  xor di, di
.pixel:
  mov ax, di
  xor al, ah
  and al, 1Fh
  add al, 20h
  stosb
  test di, di
  jnz .pixel
  ret

; A disc with a hole, in colours that do not matter.
make_sprite:
  push cs
  pop es
  mov di, sprite
  xor bx, bx
.pixel:
  mov al, bl
  and ax, 15
  sub ax, 8
  imul ax, ax
  mov cx, bx
  shr cx, 4
  sub cx, 8
  imul cx, cx
  add ax, cx
  cmp ax, 60
  ja .hole
  cmp ax, 9
  jb .hole
  add al, 40h
  jmp .put
.hole:
  xor al, al
.put:
  stosb
  inc bx
  cmp bx, SPRITE * SPRITE
  jb .pixel
  ret

show:
  push ds
  mov ds, [buffer]
  mov ax, 0A000h
  mov es, ax
  xor si, si
  xor di, di
  mov cx, WIDTH * HEIGHT / 4
  rep movsd
  pop ds
  ret

draw_ground:
  mov es, [buffer]
  mov bx, [frame]             ; BH: row of the texture, BL: column
  mov bh, bl
  and bl, 0FEh                ; no word crosses the segment's end
  push ds
  mov ds, [ground]
  xor di, di
  mov dx, HEIGHT
.row:
  mov si, bx
  mov cx, WIDTH / 2
.pixels:
  mov ax, [si]
  inc bl
  add si, 2
  stosw
  dec cx
  jnz .pixels
  sub bl, (WIDTH / 2) & 255
  inc bh
  dec dx
  jnz .row
  pop ds
  ret

draw_sprites:
  mov es, [buffer]
  mov bp, SPRITES
  mov bx, [frame]
.sprite:
  imul ax, bp, 37             ; where it is: anything that moves
  add ax, bx
  mov cl, 176
  xor ah, ah
  mul cl
  shr ax, 8                   ; row
  imul di, ax, WIDTH
  imul ax, bp, 91
  sub ax, bx
  and ax, 255
  add di, ax
  mov si, sprite
  mov dh, SPRITE
.line:
  mov cx, SPRITE
.pixel:
  lodsb
  test al, al
  jz .through
  mov [es:di], al
.through:
  inc di
  loop .pixel
  add di, WIDTH - SPRITE
  dec dh
  jnz .line
  dec bp
  jnz .sprite
  ret

; --- Sound ---

music:
  mov ax, [frame]
  test al, 7
  jnz .same
  shr ax, 3
  and ax, 7
  mov bx, ax
  mov ax, 00B0h               ; register, value in AH
  call fm
  mov al, 0A0h
  mov ah, [notes + bx]
  call fm
  mov ax, 32B0h
  call fm
.same:
  ret

fm:
  push ax
  push cx
  push dx
  mov dx, 388h
  out dx, al
  mov cx, 6
.address:
  in al, dx
  loop .address
  mov al, ah
  inc dx
  out dx, al
  dec dx
  mov cx, 35
.data:
  in al, dx
  loop .data
  pop dx
  pop cx
  pop ax
  ret

%macro dsp 1
  mov al, %1
  call command
%endmacro

start_sound:
  mov si, voice
.register:
  lodsw
  call fm
  cmp si, voice_end
  jb .register

  mov es, [sound]
  xor di, di
  mov cx, HALF
  mov ax, 8080h
  rep stosw
  mov dx, 226h
  mov al, 1
  out dx, al
  mov cx, 100
.hold:
  in al, dx
  loop .hold
  xor al, al
  out dx, al
  mov dx, 22Eh
.ready:
  in al, dx
  test al, al
  jns .ready
  mov dx, 22Ah
  in al, dx

  cli
  xor ax, ax
  mov es, ax
  mov word [es:0Dh * 4], interrupt
  mov [es:0Dh * 4 + 2], cs
  in al, 21h
  and al, 0DFh
  out 21h, al
  mov al, 5
  out 0Ah, al
  out 0Ch, al
  mov al, 59h
  out 0Bh, al
  xor al, al
  out 2, al
  out 2, al
  mov ax, [sound]
  shr ax, 12
  out 83h, al
  mov ax, 2 * HALF - 1
  out 3, al
  mov al, ah
  out 3, al
  mov al, 1
  out 0Ah, al
  sti
  dsp 0D1h
  dsp 41h
  dsp 22050 >> 8
  dsp 22050 & 255
  dsp 0C6h
  dsp 0
  dsp (HALF - 1) & 255
  dsp (HALF - 1) >> 8
  ret

stop_sound:
  dsp 0DAh
  in al, 21h
  or al, 20h
  out 21h, al
  mov ax, 00B0h
  jmp fm

command:
  mov ah, al
  mov dx, 22Ch
.busy:
  in al, dx
  test al, al
  js .busy
  mov al, ah
  out dx, al
  ret

interrupt:
  pushad
  push ds
  push es
  push cs
  pop ds
  mov dx, 22Eh
  in al, dx
  mov es, [sound]
  mov di, [half]
  xor word [half], HALF
  mov cx, HALF
.sample:
  mov dx, 80h
%assign i 0
%rep VOICES
  mov ax, [phases + 2 * i]
  add ax, [steps + 2 * i]
  mov [phases + 2 * i], ax
  sar ax, 11                  ; a saw of -16 to 15
  add dx, ax
%assign i i + 1
%endrep
  mov al, dl
  stosb
  loop .sample
  mov al, 20h
  out 20h, al
  pop es
  pop ds
  popad
  iret

buffer: dw 0
ground: dw 0
sound:  dw 0
frame:  dw 0
half:   dw 0
begin:  dd 0
phases: times VOICES dw 0
steps:  dw 654, 824, 980, 327
notes:  db 44h, 6Bh, 98h, 0B2h, 0CAh, 98h, 6Bh, 44h
voice:  db 20h, 21h, 40h, 1Ah, 60h, 0F2h, 80h, 44h, 23h, 21h, 43h, 0, 63h, 0F2h, 83h, 44h, 0C0h, 30h
voice_end:
text:   db '0000', 13, 10
sprite: times SPRITE * SPRITE db 0
%ifdef BOOT
  times 1474560 - ($ - $$) db 0
%endif
