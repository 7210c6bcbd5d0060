; High Definition Audio controller, wherever on the PCI bus: two buffers of triangle waves in turn at 48000 Hz, then at
; 22050 and at 96000 Hz. The first commands go through the rings, the others through the immediate command's registers.
; Tells which codecs are there, the codec's number, how many responses came, and the stream's status at the end.
%include "sound.inc"

BUFFER    equ 20000h          ; 2 * 4800 frames
FRAMES    equ 4800
LIST      equ 30000h
CORB      equ 31000h
RIRB      equ 31800h
STREAM    equ 100h            ; the first output stream
COMMANDS  equ 5

; ESI: the registers; FS is flat.
%macro set8 2
  mov byte [fs:esi + %1], %2
%endmacro
%macro set16 2
  mov word [fs:esi + %1], %2
%endmacro
%macro set32 2
  mov dword [fs:esi + %1], %2
%endmacro

main:
  mov eax, 26688086h
  call pci_find
  jnc .found
  tell 'x'
  jmp finish
.found:
  mov bx, 4
  call config_read
  or ax, 6                    ; memory, bus master
  out dx, ax
  mov bx, 10h
  call config_read
  and eax, 0FFFFFFF0h
  mov [registers], eax

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
  mov si, list
  xor di, di
  mov cx, (list.end - list) / 2
  rep movsw
  mov ax, CORB >> 4
  mov es, ax
  mov si, commands
  xor di, di
  mov cx, (commands.end - commands) / 2
  rep movsw
  xor ax, ax
  mov es, ax

  call flat
  set32 08h, 1                ; out of reset
  mov ax, 1
  call wait_ticks
  call flat
  mov al, [fs:esi + 0Eh]
  call tell_hex               ; 01: codec 0
  set32 40h, CORB
  set32 50h, RIRB
  set16 5Ah, 1
  set8 5Ch, 2
  set8 4Ch, 2
  set16 48h, COMMANDS
  mov ax, 1
  call wait_ticks
  mov ax, RIRB >> 4
  mov es, ax
  mov al, [es:8]
  call tell_hex               ; the codec's number
  xor ax, ax
  mov es, ax
  call flat
  mov al, [fs:esi + 58h]
  call tell_hex               ; 05: responses

  mov ax, 0011h               ; 48000 Hz, 16 bits, stereo
  call play
  mov ebx, 00224111h          ; the converter's format
  call immediate
  mov ax, 4111h               ; 22050 Hz
  call play
  mov ebx, 00220811h
  call immediate
  mov ax, 0811h               ; 96000 Hz
  call play
  call flat
  mov al, [fs:esi + STREAM + 3]
  call tell_hex               ; 04: a buffer with an interrupt is done; not ready, because it was stopped
  jmp finish

; AX: the stream's format. Plays for half a second.
play:
  call flat
  set8 STREAM, 1
  set8 STREAM, 0
  set8 STREAM + 2, 10h        ; number 1 on the link
  set32 STREAM + 8, FRAMES * 2 * 4
  set16 STREAM + 0Ch, 1
  mov [fs:esi + STREAM + 12h], ax
  set32 STREAM + 18h, LIST
  set8 STREAM, 6              ; runs, interrupts
  mov ax, 11
  call wait_ticks
  call flat
  set8 STREAM, 4
  mov ax, 4
  jmp wait_ticks

; EBX: a command.
immediate:
  call flat
  mov [fs:esi + 60h], ebx
  set16 68h, 1
.wait:
  test word [fs:esi + 68h], 2
  jz .wait
  set16 68h, 2
  ret

; A flat FS in real-address mode, which the BIOS's interrupts may have taken away, and ESI.
flat:
  push eax
  cli
  lgdt [table]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp .protected
.protected:
  push 8
  pop fs
  and al, 0FEh
  mov cr0, eax
  jmp .real
.real:
  push 0
  pop fs
  sti
  pop eax
  mov esi, [registers]
  ret

%include "pci.inc"

align 8
descriptors:
  dq 0
  dq 00CF92000000FFFFh
table:
  dw 15
  dd descriptors

list:
  dd BUFFER, 0, FRAMES * 4, 0
  dd BUFFER + FRAMES * 4, 0, FRAMES * 4, 1
.end:

commands:
  dd 0                        ; the ring's first place is used last
  dd 000F0000h                ; the codec's number
  dd 00220011h                ; 48000 Hz, 16 bits, stereo
  dd 00270610h                ; stream 1
  dd 0023B03Fh                ; 0 dB
  dd 00370740h                ; the pin is an output
.end:

left:      wave 1000, 24000
right:     wave 2000, 24000
registers: dd 0
  times 17 * 512 - ($ - $$) db 0
