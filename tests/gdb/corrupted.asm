; A boot sector for the test of the way back: it counts in `count`, takes what comes on COM1, and for '!' a bug writes
; over `guarded`. Much later it notices, and powers off by the debug exit port.
  bits 16
  org 7C00h
  jmp 0:start
start:
  xor ax, ax
  mov ds, ax
  mov ss, ax
  mov sp, 7C00h
  mov al, 'R'
  call say
again:
  inc dword [count]
  mov dx, 3FDh
  in al, dx
  test al, 1
  jz nothing
  mov dx, 3F8h
  in al, dx
  call say
  cmp al, '!'
  jne nothing
bug:
  mov byte [guarded], 55h
after_bug:
  mov ecx, [count]
  add ecx, 20000000
  mov [noticed], ecx
nothing:
  mov eax, [count]
  cmp eax, [noticed]
  jne again
  cmp byte [guarded], 0
  je again
crash:
  mov al, 'C'
  call say
  mov dx, 0F4h
  mov al, 1
  out dx, al
  hlt
say:
  push dx
  mov dx, 3F8h
  out dx, al
  pop dx
  ret
  align 4
count: dd 0
noticed: dd 0
guarded: db 0
  times 510 - ($ - $$) db 0
  dw 0AA55h
