; Waits for forty vertical retraces as games do, and then counts how often it looks during ten more. The byte at 500h says
; where it is: 1 and 2 before and after the waits, 3 at the end.
%include "guest.inc"

start:
  xor ax, ax
  mov ds, ax
  mov bx, 40
  mov byte [500h], 1
.frame:
  call wait_for_retrace
  dec bx
  jnz .frame
  mov byte [500h], 2
  mov bx, 10
  xor ecx, ecx
.counted:
  mov dx, 3DAh
.shown:
  inc ecx
  in al, dx
  test al, 8
  jnz .shown
.hidden:
  inc ecx
  in al, dx
  test al, 8
  jz .hidden
  dec bx
  jnz .counted
  mov [504h], ecx
  mov byte [500h], 3
  jmp finish

wait_for_retrace:
  mov dx, 3DAh
.shown:
  in al, dx
  test al, 8
  jnz .shown
.hidden:
  in al, dx
  test al, 8
  jz .hidden
  ret

  boot_sector_end
