; A boot sector for the window's test. In text mode it shows one white cell in the top left corner and a line of text,
; then echoes the keys it gets by the BIOS: F2 shows four coloured quarters in mode 13h, F3 goes back to text, F6 waits
; for the power button, F4 shows what the mouse sends, and nothing else from then on.
bits 16
org 0x7C00
  xor ax, ax
  mov ds, ax
  mov ss, ax
  mov sp, 0x7C00
  cld
text:
  mov ax, 0x0003
  int 0x10
  mov ax, 0xB800
  mov es, ax
  mov word [es:0], 0x0FDB          ; full block, bright white
  mov dx, 0x0200
  xor bx, bx
  mov ah, 2
  int 0x10
  mov si, greeting
  call print
key:
  xor ax, ax
  int 0x16
  cmp ah, 0x3C                     ; F2
  je picture
  cmp ah, 0x3D                     ; F3
  je text
  cmp ah, 0x3E                     ; F4
  je mouse
  cmp ah, 0x40                     ; F6
  je power
  cmp al, 0
  je other
  cmp al, 0xE0
  je other
  mov ah, 0x0E
  mov bx, 7
  int 0x10
  jmp key
other:                             ; keys without a character: <scan code>
  push ax
  mov al, '<'
  call put
  pop ax
  push ax
  shr ax, 12
  call digit
  pop ax
  shr ax, 8
  and al, 15
  call digit
  mov al, '>'
  call put
  jmp key
digit:
  and al, 15
  add al, '0'
  cmp al, '9'
  jbe put
  add al, 'A' - '0' - 10
put:
  mov ah, 0x0E
  mov bx, 7
  int 0x10
  ret
print:
  lodsb
  or al, al
  jz .done
  call put
  jmp print
.done:
  ret

mouse:                             ; by the 8042's status and data ports; no interrupt takes anything away
  mov al, 0xFF
  out 0x21, al
  out 0xA1, al
  mov al, 0xA8                     ; the mouse's port is on
  out 0x64, al
  mov al, 0xD4                     ; to the mouse:
  call when_taken
  out 0x64, al
  mov al, 0xF4                     ; send
  call when_taken
  out 0x60, al
.next:
  in al, 0x64
  mov ah, al
  test al, 1                       ; something to read
  jz .next
  in al, 0x60
  test ah, 0x20                    ; of the mouse
  jz .next
  push ax
  shr ax, 4
  call digit
  pop ax
  call digit
  jmp .next
when_taken:                        ; AL is kept
  mov ah, al
.wait:
  in al, 0x64
  test al, 2
  jnz .wait
  mov al, ah
  ret

power:                             ; PIIX4, function 3: PM1_STS, PM1_EN and PM1_CNT at its base, 2 bytes each. The BIOS
                                   ; has SCI's line masked
  mov dx, 0x0CF8
  mov eax, 0x80000B40
  out dx, eax
  mov dx, 0x0CFC
  in ax, dx
  and al, 0xC0
  xchg dx, ax
  add dx, 2
  mov ax, 0x0100                   ; the power button is heard
  out dx, ax
  add dx, 2
  in ax, dx
  or al, 1                         ; by SCI
  out dx, ax
  sub dx, 4
  mov si, waits
  call print
.until_pressed:
  in ax, dx
  test ah, 1
  jz .until_pressed
  add dx, 2
  xor ax, ax                       ; heard no longer, and answered
  out dx, ax
  sub dx, 2
  inc ah
  out dx, ax
  mov si, pressed
  call print
  jmp key

picture:
  mov ax, 0x0013
  int 0x10
  mov ax, 0xA000
  mov es, ax
  xor di, di
  mov dx, 0x0102                   ; upper half: blue, green
  call half
  mov dx, 0x040F                   ; lower half: red, white
  call half
  jmp key
half:                              ; 100 rows, left half colour DH, right half DL
  mov bx, 100
.row:
  mov al, dh
  mov cx, 160
  rep stosb
  mov al, dl
  mov cx, 160
  rep stosb
  dec bx
  jnz .row
  ret

greeting: db 'READY', 13, 10, 0
waits: db 'WAITS', 13, 10, 0
pressed: db 'PRESSED', 13, 10, 0
times 510 - ($ - $$) db 0
dw 0xAA55
