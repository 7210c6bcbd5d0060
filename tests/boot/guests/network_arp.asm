; An NE2000 at 300h asks on the wire who has 10.0.2.2, and waits for the answer. Writes the answer's operation and the
; address that it is from to port E9h, in hexadecimal digits.
%include "guest.inc"

CARD equ 300h
DATA equ CARD + 10h
RING equ 46h                        ; first page of the receive ring
TRANSMIT equ 40h
FRAME equ 60                        ; bytes
BUFFER equ 8000h

%macro reg 2                        ; register, value
  mov dx, CARD + %1
  mov al, %2
  out dx, al
%endmacro

start:
  cli
  cld
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 7C00h
  mov dx, CARD + 1Fh                ; reset
  in al, dx
  out dx, al
  reg 0, 21h
  reg 0Eh, 48h                      ; bytes
  reg 0Ah, 0
  reg 0Bh, 0
  reg 0Ch, 04h                      ; broadcast and our address
  reg 0Dh, 0
  reg 1, RING
  reg 2, 80h
  reg 3, RING
  reg 4, TRANSMIT
  reg 7, 0FFh
  reg 0, 61h                        ; page 1: our address, the next page of the ring
  mov si, sender
  mov cx, 6
  mov dx, CARD + 1
.address:
  lodsb
  out dx, al
  inc dx
  loop .address
  reg 7, RING + 1
  reg 0, 22h

  mov bh, TRANSMIT
  mov cx, FRAME
  call set_remote
  reg 0, 12h                        ; remote write
  mov si, frame
  mov cx, FRAME
  mov dx, DATA
  rep outsb
  reg 5, FRAME
  reg 6, 0
  reg 0, 26h                        ; send

  sti
.wait:                              ; the answer comes, or the test's time is up
  mov dx, CARD + 7
  in al, dx
  test al, 1
  jz .wait

  mov bh, RING + 1
  mov cx, FRAME + 4
  call set_remote
  reg 0, 0Ah                        ; remote read
  mov di, BUFFER
  mov cx, FRAME + 4
  mov dx, DATA
  rep insb
  mov si, BUFFER + 4 + 20
  mov cx, 2
  call say_bytes
  mov si, BUFFER + 4 + 28
  mov cx, 4
  call say_bytes
  jmp finish

; BH: page, CX: bytes.
set_remote:
  reg 8, 0
  reg 9, bh
  reg 0Ah, cl
  reg 0Bh, ch
  ret

; CX bytes at SI.
say_bytes:
  lodsb
  mov ah, al
  shr al, 4
  call say_digit
  mov al, ah
  and al, 15
  call say_digit
  loop say_bytes
  ret
say_digit:
  cmp al, 10
  sbb al, 69h
  das
  out 0E9h, al
  ret

frame:
  times 6 db 0FFh
sender:
  db 52h, 54h, 0, 12h, 34h, 56h
  db 8, 6                           ; ARP: Ethernet and IPv4, a request
  db 0, 1, 8, 0, 6, 4, 0, 1
  db 52h, 54h, 0, 12h, 34h, 56h, 10, 0, 2, 15
  times 6 db 0
  db 10, 0, 2, 2
  times FRAME - ($ - frame) db 0

boot_sector_end
