; An MPU-401 at 330h in UART mode: plays A4 (69) for half a second, then A5 by running status, through a Sound Blaster
; 16's ports. Tells what the MPU-401 answers.
%include "sound.inc"

DATA    equ 330h
COMMAND equ 331h

main:
  mov al, 0FFh
  call command
  mov al, 3Fh
  call command
  mov si, first
  mov cx, second - first
  call play
  mov ax, 9
  call wait_ticks
  mov si, second
  mov cx, third - second
  call play
  mov ax, 5
  call wait_ticks
  mov si, third
  mov cx, after - third
  call play
  mov ax, 9
  call wait_ticks
  mov si, after
  mov cx, end - after
  call play
  mov ax, 5
  call wait_ticks
  jmp finish

; AL: a command, whose answer is told.
command:
  mov dx, COMMAND
  out dx, al
.wait:
  in al, dx
  test al, 80h
  jnz .wait
  mov dx, DATA
  in al, dx
  call tell_hex
  ret

; SI, CX: bytes for the instrument.
play:
  mov dx, COMMAND
  in al, dx
  test al, 40h
  jnz play
  mov dx, DATA
  lodsb
  out dx, al
  loop play
  ret

; Without echo and chorus, which would sound on.
first:  db 0B0h, 91, 0, 93, 0, 0C0h, 0, 90h, 69, 100
second: db 69, 0
third:  db 81, 100
after:  db 81, 0
end:
  times 17 * 512 - ($ - $$) db 0
