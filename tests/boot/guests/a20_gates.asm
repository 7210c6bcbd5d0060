; What memory managers do with the A20 gate: port 92h, the keyboard controller's output port as HIMEM's AT handler drives
; it, INT 15h function 24h, and BIOS calls in between. Writes whether line 20 works (1) after each step to port E9h.
%include "guest.inc"

start:
  cli
  xor ax, ax
  mov ds, ax
  mov ss, ax
  mov sp, 7C00h
  dec ax
  mov es, ax
  call report                       ; as the BIOS left it
  mov ah, 0DDh                      ; HIMEM at its start: can the controller close it?
  call output_port
  call report
  mov ah, 0DFh
  call output_port
  call report
  mov ah, 0DDh
  call output_port
  sti
  mov ax, 0201h                     ; DOS reads its disk with the gate closed: the BIOS puts it back
  mov bx, 8000h
  mov cx, 1
  mov dx, 80h
  push es
  push 0
  pop es
  int 13h
  pop es
  cli
  call report
  in al, 92h                        ; a PS/2 handler looks before it opens
  test al, 2
  jnz .open
  or al, 2
  out 92h, al
.open:
  call report
  in al, 92h
  and al, ~2
  out 92h, al
.wait_closed:
  in al, 92h
  test al, 2
  jnz .wait_closed
  call report
  sti
  mov ax, 2401h
  int 15h
  call report
  mov ax, 2402h                     ; the BIOS tells the state
  int 15h
  call say_bit
  mov ah, 0DDh
  call output_port
  mov ax, 2402h
  int 15h
  call say_bit
  mov ax, 2400h
  int 15h
  call report
  jmp finish

; AH: to the controller's output port, and the null pulse that HIMEM waits with.
output_port:
  call wait_controller
  mov al, 0D1h
  out 64h, al
  call wait_controller
  mov al, ah
  out 60h, al
  call wait_controller
  mov al, 0FFh
  out 64h, al
wait_controller:
  in al, 64h
  test al, 2
  jnz wait_controller
  ret

; Does FFFF:0510h differ from 0:0500h?
report:
  mov word [500h], 1234h
  mov word [es:510h], 4321h
  cmp word [500h], 4321h
  setne al
  jmp say_bit

  boot_sector_end
