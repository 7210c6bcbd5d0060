; What Borland's Pascal does at the start of a program that uses its unit CRT, in code of our own: counts how often a
; loop runs in one tick of the BIOS's clock and divides by 55 for the loops of a millisecond. The quotient has 16 bits,
; so that a processor that is too fast gets a divide error: "runtime error 200". Tells the quotient, or R.
  org 7C00h
  bits 16
  cpu 386
  jmp 0:main
main:
  cli
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 7C00h
  mov word [0], divide_error
  mov word [2], ax
  sti

  mov di, 46Ch                ; the clock's ticks
  mov bl, [di]
.first:
  cmp bl, [di]
  je .first
  mov bl, [di]
  mov ax, -1
  mov dx, -1
.count:                       ; five instructions, as there
  sub ax, 1
  sbb dx, 0
  jc .over
  cmp bl, [es:di]
  je .count
.over:
  not ax
  not dx
  mov cx, 55
  div cx
  push ax
  mov al, ah
  call tell_hex
  pop ax
  call tell_hex
  jmp finish

divide_error:
  mov al, 'R'
  out 0E9h, al
finish:
  xor al, al
  out 0F4h, al
.halt:
  hlt
  jmp .halt

; AL: two hexadecimal digits for port E9h.
tell_hex:
  push ax
  shr al, 4
  call .digit
  pop ax
.digit:
  and al, 15
  cmp al, 10
  sbb al, 69h
  das
  out 0E9h, al
  ret

  times 510 - ($ - $$) db 0
  dw 0AA55h
