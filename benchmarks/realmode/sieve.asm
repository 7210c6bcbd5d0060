; The sieve of Eratosthenes as a 16-bit compiler writes it: flags in a far segment, locals in a stack frame.
%include "frame.inc"

SIZE   equ 8190
%ifndef PASSES
PASSES equ 105000
%endif

workload:
  push bp
  mov bp, sp
  sub sp, 8  ; [bp-2] primes, [bp-4] prime, [bp-8] passes left
  mov dword [bp - 8], PASSES
  xor eax, eax
.pass:
  push eax
  mov word [bp - 2], 0
  xor di, di
.set:
  mov byte [es:di], 1
  inc di
  cmp di, SIZE
  jbe .set
  xor si, si
.candidate:
  cmp byte [es:si], 0
  je .next
  mov ax, si
  add ax, ax
  add ax, 3
  mov [bp - 4], ax
  mov di, si
  add di, ax
  jmp .test
.strike:
  mov byte [es:di], 0
  add di, [bp - 4]
.test:
  cmp di, SIZE
  jbe .strike
  inc word [bp - 2]
.next:
  inc si
  cmp si, SIZE
  jbe .candidate
  pop eax
  mov bx, [bp - 2]
  mix_bx
  dec dword [bp - 8]
  jnz .pass
  mov sp, bp
  pop bp
  ret
