; A kernel that writes to its disk as small ones do: the data follow the command without a look at DRQ, and the next
; command follows the last word without a look at BSY. Writes 1 to port E9h if the disk has what was written.
%include "guest.inc"

SECTORS equ 3
FIRST equ 100

start:
  cli
  cld
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 7C00h
  mov di, 1000h
  mov cx, SECTORS * 256
.fill:
  mov ax, cx
  imul ax, 1237
  stosw
  loop .fill
  mov dx, 3F6h
  mov al, 2
  out dx, al
  mov bl, 30h                       ; WRITE SECTORS
  call command
  mov si, 1000h
  mov cx, SECTORS * 128
  mov dx, 1F0h
  rep outsd
  mov bl, 20h                       ; READ SECTORS
  call command
  mov di, 3000h
  mov cx, SECTORS * 256
  mov dx, 1F0h
  rep insw
  mov bl, 0ECh                      ; IDENTIFY DEVICE right after the last word
  call command
  mov di, 5000h
  mov cx, 256
  mov dx, 1F0h
  rep insw
  mov si, 1000h
  mov di, 3000h
  mov cx, SECTORS * 256
  repe cmpsw
  sete al
  cmp word [5000h], 40h             ; an ATA device
  sete ah
  and al, ah
  call say_bit
  jmp finish

; BL: the command, of SECTORS sectors from FIRST.
command:
  mov dx, 1F2h
  mov al, SECTORS
  out dx, al
  inc dx
  mov al, FIRST
  out dx, al
  inc dx
  xor al, al
  out dx, al
  inc dx
  out dx, al
  inc dx
  mov al, 0E0h
  out dx, al
  inc dx
  mov al, bl
  out dx, al
  ret

  boot_sector_end
