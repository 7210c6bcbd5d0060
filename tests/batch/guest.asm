; Boot sectors that do one thing each, most of them something wrong: what relic86-batch has to find out about them.
; nasm -f bin -DGUEST=name.
bits 16
org 7C00h

COM1 equ 3F8h
COM1_STATUS equ COM1 + 5
EXIT_PORT equ 0F4h
PM_BASE equ 80000B40h           ; configuration address: PIIX4, function 3 of device 1, register 40h
SLEEP_OFF equ 2000h             ; SLP_EN, SLP_TYP 0: S5
TABLES equ 10000h               ; for page tables

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
%elifidn GUEST, protected_fault ; a debugger's breakpoint in 32-bit protected mode, without a handler
  call enter_protected
bits 32
  lidt [no_table]
  int3
bits 16
no_table: dw 0
  dd 0
%elifidn GUEST, paging_fault    ; paging on, by a directory of zeros
  call enter_protected
bits 32
  mov edi, TABLES
  mov ecx, 1024
  xor eax, eax
  rep stosd
  mov eax, TABLES
  mov cr3, eax
  mov eax, cr0
  or eax, 1 << 31
  mov cr0, eax
  jmp $
bits 16
%elifidn GUEST, long_fault      ; an undefined instruction in 64-bit mode, without a handler
  cli
  mov edi, TABLES
  mov cx, 3 * 1024
  xor eax, eax
  rep stosd
  mov dword [TABLES], TABLES + 1003h          ; present, writable
  mov dword [TABLES + 1000h], TABLES + 2003h
  mov dword [TABLES + 2000h], 83h             ; the first 2 MiB as one page
  mov eax, cr4
  or al, 20h                                  ; PAE
  mov cr4, eax
  mov eax, TABLES
  mov cr3, eax
  mov ecx, 0C0000080h                         ; EFER
  rdmsr
  or ah, 1                                    ; LME
  wrmsr
  lidt [no_table]
  lgdt [gdt_register]
  mov eax, cr0
  or eax, 80000001h
  mov cr0, eax
  jmp 18h:.long
bits 64
.long:
  ud2
bits 16
no_table: dw 0
  dd 0
%elifidn GUEST, blue_screen     ; as Windows NT draws it, in text mode
  push 0B800h
  pop es
  xor di, di
  mov ax, 1F20h
  mov cx, 80 * 25
  rep stosw
  mov si, .text
  mov di, 2 * 80 * 2
.next:
  lodsb
  test al, al
  jz .drawn
  stosw
  jmp .next
.drawn:
  cli
  jmp $
.text: db "*** STOP: 0x0000007B (0xF201B84C,0xC0000034,0x00000000,0x00000000)", 0
%elifidn GUEST, windows_9x      ; waits for a key that nobody presses
  mov si, .text
.next:
  lodsb
  mov ah, 0Eh
  xor bx, bx
  int 10h
  test al, al
  jnz .next
.wait:
  hlt
  jmp .wait
.text: db "A fatal exception 0E has occurred at 0028:C0011E36 in VXD VMM(01) + 00010E36.", 0
%elifidn GUEST, bsd_trap        ; FreeBSD: the trap, and after it the reset
  say "Fatal trap 12: page fault while in kernel mode"
  say "Automatic reboot in 15 seconds - press a key on the console to abort"
  mov al, 0FEh
  out 64h, al
  jmp $
%elifidn GUEST, panic_device    ; says so to the host alone
  mov dx, 505h
  mov al, 1
  out dx, al
  jmp $
%elifidn GUEST, watchdog        ; hangs, and a watchdog resets it: two seconds
  mov dx, 443h
  mov al, 0Eh
  out dx, al
  jmp $
%elifidn GUEST, no_ticks        ; all interrupts masked, and then it waits for one
  mov al, 0FFh
  out 21h, al
  out 0A1h, al
.wait:
  hlt
  jmp .wait
%elifidn GUEST, long_loop       ; turns for ever through a table, with interrupts on
  xor bx, bx
.next:
  mov al, [bx + 8000h]
  add bl, 16
  call .nothing
  jmp .next
.nothing:
  ret
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

%ifidn GUEST, protected_fault
%define USES_PROTECTED_MODE
%elifidn GUEST, paging_fault
%define USES_PROTECTED_MODE
%elifidn GUEST, long_fault
%define USES_PROTECTED_MODE
%endif
%ifdef USES_PROTECTED_MODE
; Returns in 32-bit code with flat segments.
enter_protected:
  cli
  lgdt [gdt_register]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp 8:.flat
bits 32
.flat:
  mov ax, 10h
  mov ds, ax
  mov es, ax
  mov ss, ax
  pop dx                        ; the return address is a word
  movzx edx, dx
  jmp edx
bits 16
gdt:
  dq 0
  dq 00CF9B000000FFFFh          ; 8: 32-bit code
  dq 00CF93000000FFFFh          ; 10h: data
  dq 00AF9B000000FFFFh          ; 18h: 64-bit code
gdt_end:
gdt_register:
  dw gdt_end - gdt - 1
  dd gdt
%endif

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
