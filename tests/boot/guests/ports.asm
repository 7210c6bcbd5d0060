; Writes a letter to every serial and parallel port that a PC may have, then 'D' to port E9h.
  org 7C00h
  bits 16
  xor ax, ax
  xor bx, bx
  mov ds, ax
  mov si, serial_ports
next_serial:
  lodsw
  test ax, ax
  jz parallel
  xchg ax, dx
  mov al, bl
  add al, 'A'
  inc bx
  out dx, al
  jmp next_serial
parallel:
  mov si, parallel_ports
next_parallel:
  lodsw
  test ax, ax
  jz finished
  xchg ax, dx
  mov al, 'P'
  out dx, al
  add dx, 2
  mov al, 0Dh              ; strobe
  out dx, al
  mov al, 0Ch
  out dx, al
  jmp next_parallel
finished:
  mov al, 'D'
  out 0E9h, al
stop:
  hlt
  jmp stop
serial_ports: dw 3F8h, 2F8h, 3E8h, 2E8h, 0
parallel_ports: dw 378h, 278h, 3BCh, 0
  times 510 - ($ - $$) db 0
  dw 0AA55h
