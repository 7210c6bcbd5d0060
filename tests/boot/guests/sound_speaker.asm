; The PC speaker: 1000.15 Hz for 11 ticks, a pause, 440 Hz for 11 ticks with a change of pitch that is no gap, a pause,
; then a sine wave of 994.3 Hz as 16 pulse widths, changed by the timer's interrupt at 15909 Hz.
%include "sound.inc"

main:
  mov ax, 4
  call wait_ticks
  mov bx, 1193
  call tone
  mov ax, 11
  call wait_ticks
  call off
  mov bx, 2712
  call tone
  mov ax, 11
  call wait_ticks
  call off

  ; Channel 2 in mode 0: OUT is high from the end of the count on.
  cli
  mov al, 90h
  out 43h, al
  in al, 61h
  or al, 3
  out 61h, al
  mov al, 34h
  out 43h, al
  mov al, 75
  out 40h, al
  xor al, al
  out 40h, al
  mov eax, [8 * 4]
  mov [old], eax
  mov word [8 * 4], pulse
  mov word [8 * 4 + 2], 0
  sti
.play:
  hlt
  cmp word [pulses], 10000
  jb .play
  cli
  mov eax, [old]
  mov [8 * 4], eax
  mov al, 34h
  out 43h, al
  xor al, al
  out 40h, al
  out 40h, al
  sti
  call off
  jmp finish

pulse:
  push ax
  push bx
  mov bx, [pulses]
  inc word [pulses]
  and bx, 15
  mov al, [widths + bx]
  out 42h, al
  mov al, 20h
  out 20h, al
  pop bx
  pop ax
  iret

; BX: count.
tone:
  mov al, 0B6h
  out 43h, al
  mov al, bl
  out 42h, al
  mov al, bh
  out 42h, al
  in al, 61h
  or al, 3
  out 61h, al
  ret

off:
  in al, 61h
  and al, 0FCh
  out 61h, al
  mov ax, 4
  jmp wait_ticks

; 37 + 24 sin(2 pi n / 16)
widths: db 37, 46, 54, 59, 61, 59, 54, 46, 37, 28, 20, 15, 13, 15, 20, 28
pulses: dw 0
old:    dd 0
  times 17 * 512 - ($ - $$) db 0
