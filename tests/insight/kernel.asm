; A multiboot kernel with symbols and lines: main calls middle twice, which calls spin, where nearly all time goes;
; never() is never called. Then it halts, and isa-debug-exit ends the run.
bits 32
section .multiboot
  dd 0x1BADB002, 0, -0x1BADB002
section .text
global _start:function (_start.end - _start)
global middle:function (middle.end - middle)
global spin:function (spin.end - spin)
global never:function (never.end - never)
_start:
  mov esp, stack_top
  xor ebp, ebp
  push ebp            ; the outermost caller is address 0
  push ebp
  mov ebp, esp
  call middle
  call middle
  mov dx, 0x501       ; isa-debug-exit
  mov al, 0
  out dx, al
.stop:
  hlt
  jmp .stop
.end:
middle:
  push ebp
  mov ebp, esp
  call spin
  pop ebp
  ret
.end:
spin:
  push ebp
  mov ebp, esp
  mov ecx, 300000
.turn:
  dec ecx
  jnz .turn
  cmp ecx, 1
  je .never_there
  pop ebp
  ret
.never_there:
  nop
  pop ebp
  ret
.end:
never:
  push ebp
  mov ebp, esp
  call spin
  pop ebp
  ret
.end:
section .bss
  resb 4096
stack_top:
