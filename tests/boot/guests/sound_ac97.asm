; AC'97 controller, wherever on the PCI bus: two buffers of triangle waves in turn at 48000 Hz, a pause, then a single
; pass at 22050 Hz (variable rate). Tells what the codec says of itself, and the status after the second one.
%include "sound.inc"

BUFFER equ 20000h             ; 2 * 4800 frames
FRAMES equ 4800
LIST   equ 30000h

%macro mixer 2
  mov dx, [nam]
  add dx, %1
  mov ax, %2
  out dx, ax
%endmacro

main:
  mov eax, 24158086h
  call pci_find
  jnc .found
  tell 'x'
  jmp finish
.found:
  mov bx, 10h
  call pci_ports
  mov [nam], ax
  mov bx, 14h
  call pci_ports
  mov [nabm], ax

  mov dx, [nabm]
  add dx, 2Ch
  mov eax, 2
  out dx, eax                 ; out of the cold reset
  mov dx, [nabm]
  add dx, 30h
  in eax, dx
  shr eax, 8
  and al, 1
  call tell_hex               ; 01: the codec is ready
  mixer 0, 0
  mixer 2, 0                  ; master 0 dB
  mixer 18h, 0808h            ; PCM 0 dB
  mov dx, [nam]
  add dx, 28h
  in ax, dx
  and al, 1
  call tell_hex               ; 01: variable rate

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
  mov ax, LIST >> 4
  mov es, ax
  xor di, di
  mov cx, 16
.descriptors:
  mov eax, BUFFER
  stosd
  mov eax, FRAMES * 2
  stosd
  mov eax, BUFFER + FRAMES * 4
  stosd
  mov eax, FRAMES * 2 | 80000000h
  stosd
  loop .descriptors
  xor ax, ax
  mov es, ax

  mov dx, [nabm]
  add dx, 10h
  mov eax, LIST
  out dx, eax
  add dx, 5
  mov al, 31
  out dx, al
  add dx, 6
  mov al, 1
  out dx, al
  mov ax, 11
  call wait_ticks
  mov dx, [nabm]
  add dx, 1Bh
  mov al, 0
  out dx, al
  mov al, 2
  out dx, al                  ; reset of the bus master
  mov ax, 4
  call wait_ticks

  mixer 2Ah, 1
  mixer 2Ch, 22050
  mov dx, [nabm]
  add dx, 10h
  mov eax, LIST
  out dx, eax
  add dx, 5
  mov al, 1                   ; both buffers, once
  out dx, al
  add dx, 6
  mov al, 1
  out dx, al
  mov ax, 11
  call wait_ticks
  mov dx, [nabm]
  add dx, 16h
  in ax, dx
  call tell_hex               ; 0F: halted at the last buffer, done, with its interrupt
  mov dx, [nabm]
  add dx, 14h
  in al, dx
  call tell_hex               ; 01: descriptor
  jmp finish

%include "pci.inc"

left:     wave 1000, 24000
right:    wave 2000, 24000
nam:      dw 0
nabm:     dw 0
  times 17 * 512 - ($ - $$) db 0
