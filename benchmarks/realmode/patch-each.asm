; A loop that patches the immediate of an instruction right behind, in every iteration.
%include "frame.inc"

%ifndef PASSES
PASSES equ 9
%endif

workload:
  push bp
  mov bp, PASSES
  mov ax, CODE_ALIAS
  mov es, ax
  xor eax, eax
.pass:
  xor cx, cx
  mov dx, bp
.next:
  mov [es:.patched + 1], dx
  xor dx, cx
.patched:
  add ax, strict word 0
  rol eax, 3
  dec cx
  jnz .next
  dec bp
  jnz .pass
  pop bp
  ret
