; ES1370, wherever on the PCI bus: DAC 2 plays triangle waves in 16-bit stereo at 22050 Hz, a pause, then DAC 1 8-bit
; mono samples at 11025 Hz. Tells the status after the first one.
%include "sound.inc"

BUFFER equ 20000h             ; 2 * 4800 frames
FRAMES equ 4800

%macro card 2
  mov dx, [ports]
  add dx, %1
  mov eax, %2
  out dx, eax
%endmacro

main:
  mov eax, 50001274h
  call pci_find
  jnc .found
  tell 'x'
  jmp finish
.found:
  mov bx, 10h
  call pci_ports
  mov [ports], ax

  card 10h, 0000h             ; master at 0 dB
  card 10h, 0100h
  card 10h, 0206h
  card 10h, 0306h
  card 10h, 0406h
  card 10h, 0506h

  ; The waves: periods of 96 and 48 frames.
  mov ax, BUFFER >> 4
  mov es, ax
  xor di, di
.frame:
  mov si, left
  call triangle
  stosw
  mov si, right
  call triangle
  stosw
  cmp di, FRAMES * 2 * 4
  jb .frame
  card 0Ch, 0Ch
  card 38h, BUFFER
  card 3Ch, FRAMES * 2 - 1
  card 28h, FRAMES - 1
  card 20h, 20Ch              ; 16 bits, stereo, interrupt
  card 0, 62 << 16 | 20h      ; 1411200 / 64 Hz
  mov ax, 11
  call wait_ticks
  mov dx, [ports]
  add dx, 4
  in eax, dx
  and al, 7
  call tell_hex               ; 02: DAC 2
  card 20h, 0Ch
  card 0, 0
  mov dx, [ports]
  add dx, 4
  in eax, dx
  and al, 7
  call tell_hex               ; 00
  mov ax, 4
  call wait_ticks

  ; The same waves again, as unsigned bytes of the left one.
  xor di, di
  xor si, si
  mov cx, FRAMES * 2
.byte:
  mov al, [es:si + 1]
  xor al, 80h
  stosb
  add si, 4
  loop .byte
  card 30h, BUFFER
  card 34h, FRAMES / 2 - 1
  card 24h, FRAMES - 1
  card 20h, 0
  card 0, 1 << 12 | 40h
  mov ax, 11
  call wait_ticks
  card 0, 0
  xor ax, ax
  mov es, ax
  jmp finish

%include "pci.inc"

left:     wave 1000, 24000
right:    wave 2000, 24000
ports:    dw 0
  times 17 * 512 - ($ - $$) db 0
