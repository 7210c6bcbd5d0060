; Boot sectors that do one thing each, most of them something wrong: what relic86-batch has to find out about them.
; nasm -f bin -DGUEST=name.
bits 16
org 7C00h

COM1 equ 3F8h
COM1_STATUS equ COM1 + 5
EXIT_PORT equ 0F4h
PM_BASE equ 80000B40h           ; configuration address: PIIX4, function 3 of device 1, register 40h
SLEEP_OFF equ 2000h             ; SLP_EN, SLP_TYP 0: S5

%macro say 1
  mov si, %%text
  call print
  jmp %%over
%%text: db %1, 13, 10, 0
%%over:
%endmacro

start:
  jmp 0:.here
.here:
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 7C00h
  mov [drive], dl
  mov dx, COM1 + 3              ; 115200 baud, 8N1
  mov al, 80h
  out dx, al
  mov dx, COM1
  mov al, 1
  out dx, al
  inc dx
  xor al, al
  out dx, al
  mov dx, COM1 + 3
  mov al, 3
  out dx, al
  sti
  say "guest starts"

%ifidn GUEST, panic_serial
  say "[    0.123456] Kernel panic - not syncing: guest made for it"
  say "a call trace comes after it"
  cli
  hlt
%elifidn GUEST, panic_screen
  mov si, .text
.next:
  lodsb
  mov ah, 0Eh
  xor bx, bx
  int 10h
  test al, al
  jnz .next
  jmp $
.text: db 13, 10, "panic: guest made for it", 0
%elifidn GUEST, panic_power_off
  say "panic: guest made for it"
  call power_off
%elifidn GUEST, panic_exit
  say "thread 'main' panicked at src/main.rs:1"
  mov al, 16
  out EXIT_PORT, al
%elifidn GUEST, failure_text
  say "test 3: FAILED"
  jmp $
%elifidn GUEST, hang_off
  cli
  jmp $
%elifidn GUEST, hang_on
  jmp $
%elifidn GUEST, hang_poll       ; a driver whose device never answers
  cli
  mov dx, COM1 + 6
.wait:
  in al, dx
  inc bx
  test al, 40h                  ; ring indicator
  jz .wait
  say "it rang"
%elifidn GUEST, halted
  cli
  hlt
  say "it woke"
%elifidn GUEST, idle
.wait:
  hlt
  jmp .wait
%elifidn GUEST, triple_fault
  lidt [no_table]
  int3
no_table: dw 0
  dd 0
%elifidn GUEST, reset_loop
  mov al, 0FEh
  out 64h, al
  jmp $
%elifidn GUEST, endless
.again:
  say "the same line"
  jmp .again
%elifidn GUEST, endless_line    ; without an end of line
.again:
  mov al, '.'
  call put
  jmp .again
%elifidn GUEST, exit_5
  mov al, 5
  out EXIT_PORT, al
%elifidn GUEST, power_off
  call power_off
%elifidn GUEST, reset_once      ; twice through here: a byte of the CMOS memory that the firmware does not use says so
  mov al, 4Fh
  out 70h, al
  in al, 71h
  cmp al, 5Ah
  je .second
  mov al, 4Fh
  out 70h, al
  mov al, 5Ah
  out 71h, al
  mov al, 0FEh
  out 64h, al
  jmp $
.second:
  say "second start"
  mov al, 1
  out EXIT_PORT, al
%elifidn GUEST, picture         ; 320x200: a square
  mov ax, 13h
  int 10h
  mov ax, 0A000h
  mov es, ax
  mov di, 60 * 320 + 100
  mov dx, 50
.row:
  mov cx, 80
  mov al, 4
  rep stosb
  add di, 320 - 80
  dec dx
  jnz .row
  say "painted"
.wait:
  hlt
  jmp .wait
%elifidn GUEST, computing       ; long, and not hung: it says so now and then
  mov bp, 6
.piece:
  mov bx, 800
.outer:
  mov cx, 0FFFFh
.inner:
  loop .inner
  dec bx
  jnz .outer
  mov al, 'A' - 1
  add ax, bp
  call put
  dec bp
  jnz .piece
  say " computed"
  mov al, 0
  out EXIT_PORT, al
%elifidn GUEST, keys            ; what is typed comes back on COM1, and Enter ends
.key:
  xor ah, ah
  int 16h
  call put
  cmp al, 13
  jne .key
  say " typed"
  jmp .key
%elifidn GUEST, counters        ; 'm' counts in memory, 'd' on the disk, 'x' exits; the counts come back
.wait:
  mov dx, COM1_STATUS
  in al, dx
  test al, 1
  jnz .byte
  hlt
  jmp .wait
.byte:
  mov dx, COM1
  in al, dx
  cmp al, 'x'
  je .exit
  cmp al, 'd'
  je .disk
  cmp al, 'm'
  jne .wait
  inc byte [memory_count]
  mov si, memory_text
  mov al, [memory_count]
  jmp .tell
.disk:
  mov ax, 0201h
  call sector
  inc byte [buffer]
  mov ax, 0301h
  call sector
  mov ax, 0201h
  call sector
  mov si, disk_text
  mov al, [buffer]
.tell:
  push ax
  call print
  pop ax
  add al, '0'
  call put
  mov si, line_end
  call print
  jmp .wait
.exit:
  mov al, [memory_count]
  out EXIT_PORT, al

sector:
  mov bx, buffer
  mov cx, 5
  mov dh, 0
  mov dl, [drive]
  int 13h
  ret
memory_text: db "memory=", 0
disk_text: db "disk=", 0
line_end: db 13, 10, 0
memory_count: db 0
buffer equ 8000h
%elifidn GUEST, panic_reset
  say "panic: guest made for it"
  mov al, 0FEh
  out 64h, al
  jmp $
%elifidn GUEST, exit_after_failure
  say "1 of 3 tests FAILED"
  mov al, 0
  out EXIT_PORT, al
%elifidn GUEST, reset_port      ; by the chipset's register
  mov dx, 0CF9h
  mov al, 6
  out dx, al
  jmp $
%elifidn GUEST, undefined       ; the firmware's handler returns to the instruction
  ud2
%elifidn GUEST, zeros           ; into memory that nobody has written: ADD [BX+SI],AL, again and again
  mov bx, 8000h
  xor si, si
  jmp 2000h:0
%elifidn GUEST, protected       ; into protected mode without tables
  cli
  lgdt [no_table]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp 8:0
no_table: dw 0
  dd 0
%elifidn GUEST, storm           ; the timer ticks a hundred thousand times a second
  mov al, 34h
  out 43h, al
  mov al, 12
  out 40h, al
  xor al, al
  out 40h, al
  jmp $
%elifidn GUEST, lost_keys       ; of two keys it takes one
.key:
  xor ah, ah
  int 16h
  xor ah, ah
  int 16h
  call put
  jmp .key
%elifidn GUEST, disk_full       ; a log that fills its disk
  mov cl, 5
.write:
  mov ax, 0301h
  mov bx, 8000h
  mov ch, 0
  mov dh, 0
  mov dl, [drive]
  push cx
  int 13h
  pop cx
  jc .full
  inc cl
  cmp cl, 64
  jne .write
.full:
  say "log: No space left on device"
.wait:
  hlt
  jmp .wait
%else
  %error "GUEST is not known"
%endif
  cli
  hlt

power_off:
  mov eax, PM_BASE
  mov dx, 0CF8h
  out dx, eax
  mov dx, 0CFCh
  in ax, dx
  and al, 0C0h
  add al, 4                     ; PM1a control
  mov dx, ax
  mov ax, SLEEP_OFF
  out dx, ax
  cli
  hlt

print:
  lodsb
  test al, al
  jz .done
  call put
  jmp print
.done:
  ret

put:
  push dx
  push ax
  mov dx, COM1_STATUS
.wait:
  in al, dx
  test al, 20h
  jz .wait
  pop ax
  mov dx, COM1
  out dx, al
  pop dx
  ret

drive: db 0
times 510 - ($ - $$) db 0
dw 0AA55h
times 512 * 16 - ($ - $$) db 0
