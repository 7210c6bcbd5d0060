; Plays the second track of the CD in the secondary master by packet commands, as MSCDEX's drivers do, until it is over.
; Tells the audio status while it plays and when it is over.
%include "sound.inc"

BASE equ 170h

main:
  mov si, ready              ; the first may be refused: the medium is new
  call packet
  mov si, play
  call packet
  mov ax, 4
  call wait_ticks
  call status
  mov ax, 22
  call wait_ticks
  call status
  jmp finish

; The audio status.
status:
  mov si, subchannel
  call packet
  mov dx, BASE
  in ax, dx
  mov al, ah
  call tell_hex
  in ax, dx
  ret

; SI: a packet of 12 bytes. Waits until the drive wants the host to do something, or is ready.
packet:
  mov dx, BASE + 6
  mov al, 0A0h
  out dx, al
  call wait_not_busy
  mov dx, BASE + 1
  xor al, al
  out dx, al
  mov dx, BASE + 4
  mov al, 4                  ; answers of at most four bytes
  out dx, al
  inc dx
  xor al, al
  out dx, al
  mov dx, BASE + 7
  mov al, 0A0h
  out dx, al
  call wait_not_busy
  mov dx, BASE
  mov cx, 6
  rep outsw
wait_not_busy:
  mov dx, BASE + 7
.wait:
  in al, dx
  test al, 80h
  jnz .wait
  ret

ready:      times 12 db 0
play:       db 48h, 0, 0, 0, 2, 1, 0, 2, 1, 0, 0, 0
subchannel: db 42h, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0

  times 17 * 512 - ($ - $$) db 0
