; FM synthesis: the timers as programs look for an AdLib, then a sine wave of 440 Hz in both channels, then on an OPL3
; (BX = 1 where it is one) 880 Hz in the right channel alone, from the second array.
%include "sound.inc"

%macro opl 2
  mov bx, %1 | %2 << 8
  call write
%endmacro
%macro opl2nd 2
  mov bx, %1 | %2 << 8
  call write_second
%endmacro

main:
  opl 4, 60h
  opl 4, 80h
  call status
  opl 2, 0FFh
  opl 4, 21h
  mov ax, 1
  call wait_ticks
  call status
  opl 4, 80h
  call status
  opl 4, 60h

  mov dx, 388h
  in al, dx
  test al, 6
  jnz .opl2
  opl2nd 5, 1              ; the second array
.opl2:
  opl 20h, 21h
  opl 40h, 3Fh
  opl 60h, 0F0h
  opl 80h, 0Fh
  opl 23h, 21h
  opl 43h, 0
  opl 63h, 0F0h
  opl 83h, 0Fh
  opl 0C0h, 31h
  opl 0A0h, 44h            ; 580 in block 4
  opl 0B0h, 32h
  mov ax, 11
  call wait_ticks
  opl 0B0h, 12h
  mov ax, 4
  call wait_ticks

  mov dx, 388h
  in al, dx
  test al, 6
  jnz finish
  opl2nd 20h, 21h
  opl2nd 40h, 3Fh
  opl2nd 60h, 0F0h
  opl2nd 80h, 0Fh
  opl2nd 23h, 21h
  opl2nd 43h, 0
  opl2nd 63h, 0F0h
  opl2nd 83h, 0Fh
  opl2nd 0C0h, 21h
  opl2nd 0A0h, 44h
  opl2nd 0B0h, 36h         ; block 5
  mov ax, 11
  call wait_ticks
  opl2nd 0B0h, 16h
  mov ax, 4
  call wait_ticks
  jmp finish

status:
  mov dx, 388h
  in al, dx
  jmp tell_hex

; BL: register, BH: value.
write_second:
  mov dx, 38Ah
  jmp write.at
write:
  mov dx, 388h
.at:
  mov al, bl
  out dx, al
  mov cx, 6
.short:
  in al, dx
  loop .short
  inc dx
  mov al, bh
  out dx, al
  mov cx, 35
.long:
  in al, dx
  loop .long
  ret
  times 17 * 512 - ($ - $$) db 0
