; A boot sector that writes a line to the debug console and ends the program with exit code 85 (isa-debug-exit at 501h).
bits 16
org 0x7C00
  xor ax, ax
  mov ds, ax
  cld
  mov si, line
next:
  lodsb
  test al, al
  jz done
  out 0xE9, al
  jmp next
done:
  mov al, 42
  mov dx, 0x501
  out dx, al
  hlt
line: db 'installed', 10, 0
times 510 - ($ - $$) db 0
dw 0xAA55
