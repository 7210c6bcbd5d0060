; A boot sector that counts time by a PIT at RATE Hz (an interrupt each) and by the RTC, and says both on COM1 once in a
; second of the PIT: "TTTTTTTT MM SS", ticks in hexadecimal and the RTC's minute and second. It idles in between, or
; works with -DBUSY.
bits 16
org 0x7C00
%ifndef RATE
%define RATE 1000
%endif
%define DIVISOR (1193182 + RATE / 2) / RATE
%define LINE_STATUS 0x3FD
%define TRANSMIT 0x3F8
  cli
  xor ax, ax
  mov ds, ax
  mov ss, ax
  mov sp, 0x7C00
  mov word [8 * 4], tick
  mov word [8 * 4 + 2], ax
  mov al, 0x34
  out 0x43, al
  mov al, DIVISOR & 0xFF
  out 0x40, al
  mov al, DIVISOR >> 8
  out 0x40, al
  sti
wait_for_second:
%ifdef BUSY
  mov cx, 1000
.work:
  imul ebx, ebx, 1103515245
  add ebx, 12345
  mov [0x600], ebx
  loop .work
%else
  hlt
%endif
  mov eax, [ticks]
  cmp eax, [next]
  jb wait_for_second
  add dword [next], RATE
  mov ebx, eax
  mov cx, 8
.digit:
  rol ebx, 4
  mov al, bl
  call hex
  loop .digit
  mov al, ' '
  call put
  mov al, 2
  call clock
  mov al, ' '
  call put
  mov al, 0
  call clock
  mov al, 10
  call put
  jmp wait_for_second

; One register of the RTC, in BCD as the BIOS leaves it.
clock:
  mov ah, al
.updating:
  mov al, 0x0A
  out 0x70, al
  in al, 0x71
  test al, 0x80
  jnz .updating
  mov al, ah
  out 0x70, al
  in al, 0x71
  push ax
  shr al, 4
  call hex
  pop ax
hex:
  and al, 15
  cmp al, 10
  sbb al, 0x69
  das
put:
  push dx
  push ax
  mov dx, LINE_STATUS
.full:
  in al, dx
  test al, 0x20
  jz .full
  pop ax
  mov dx, TRANSMIT
  out dx, al
  pop dx
  ret

tick:
  push ax
  inc dword [cs:ticks]
  mov al, 0x20
  out 0x20, al
  pop ax
  iret

ticks dd 0
next dd RATE
  times 510 - ($ - $$) db 0
  dw 0xAA55
