; The x87 as the system sees it (SDM 1 chapter 8, SDM 3A 2.5): environments in every mode and size, exceptions on the next
; waiting instruction and as IRQ 13, device-not-available, precision control and odd operands. MMX and SSE under CR0 and CR4.
%include "system.inc"

NE equ 0x20
MP equ 2
EM equ 4
TS equ 8

%macro cr0_bits 1                   ; of MP, EM, TS, NE
  mov eax, cr0
  and eax, ~(MP | EM | TS | NE)
  or eax, %1
  mov cr0, eax
%endmacro
%macro control 1
  mov word [BUFFER + 0xff0], %1
  fldcw [BUFFER + 0xff0]
%endmacro
%macro clear 0
  mov edi, BUFFER
  mov ecx, 64
  mov eax, 0x77777777
  rep stosd
%endmacro
%macro store 1                      ; ST(0), ten bytes, and the status
  clear
  fnstsw [BUFFER + 12]
  fstp tword [BUFFER]
  and word [BUFFER + 12], 0x473f
  dump %1, BUFFER, 4
%endmacro

section .data
align 16
third: dd 3.0
big: dt 1.0e100
seven: dt 7.0
two: dt 2.0
packed: dt 123456789012345678.0
too_big: dt 1.0e18
half: dt -0.5
pseudo: dq 0xc000000000000000       ; exponent 0, integer bit set
        dw 0
denormal: dq 0x4000000000000000
          dw 0
unnormal: dq 0x4000000000000000
          dw 0x4000
pseudo_nan: dq 0x4000000000000000
            dw 0x7fff
snan: dq 0xa000000000000000
      dw 0x7fff
float_snan: dd 0x7f810000
float_denormal: dd 0x00000001
wide: dd 0x40490fdb
double_pi: dq 3.141592653589793
sse_values: dd 1.0, 0.0, 2.0, 4.0
sse_zeros: dd 0.0, 0.0, 0.0, 0.0
section .text

irq13:                              ; through the slave's vector 2Dh
  push eax
  mov al, 0x20
  out 0xa0, al
  out 0x20, al
  xor al, al
  out 0xf0, al                      ; IGNNE#, and the line goes down
  pop eax
  inc ecx
  fnclex
  iretd

irq13_waiting:                      ; as irq13, with instructions that wait: IGNNE# lets them run
  push eax
  mov al, 0x20
  out 0xa0, al
  out 0x20, al
  xor al, al
  out 0xf0, al
  pop eax
  inc ecx
  cmp ecx, 20
  ja .storm
  sti
  fwait
  fld1
  fclex
  iretd
.storm:
  fnclex
  iretd

main:
  fninit
  ; --- Precision control ---
%macro precision 2
  fninit
  control %2
  fld1
  fdiv dword [third]
  store %1
%endmacro
  precision "1/3 with 64 bits", 0x37f
  precision "1/3 with 53 bits", 0x27f
  precision "1/3 with 24 bits", 0x07f
  precision "1/3 with 53 bits, up", 0xa7f
  precision "1/3 with 24 bits, down", 0x47f
  fninit
  control 0x07f
  fld tword [packed]
  store "loads are not rounded"
  fninit
  control 0x27f
  fldpi
  store "constants are not rounded by 53 bits"
  fninit
  control 0x77f
  fldpi
  store "constants are rounded by RC"
  fninit
  control 0x07f
  fld tword [packed]
  fsqrt
  store "sqrt with 24 bits"

  ; --- Packed decimal, integers ---
%macro decimal 2
  fninit
  fld tword [%2]
  clear
  fbstp [BUFFER]
  fnstsw [BUFFER + 12]
  dump %1, BUFFER, 4
%endmacro
  decimal "fbstp", packed
  decimal "fbstp, too big", too_big
  decimal "fbstp of -0.5", half
  fninit
  fld tword [too_big]
  clear
  fist dword [BUFFER]
  fistp word [BUFFER + 4]
  fnstsw [BUFFER + 12]
  dump "fist of what does not fit", BUFFER, 4

  ; --- Remainders: quotient bits in C0, C3, C1; C2 while incomplete ---
%macro remainder 4
  fninit
  fld tword [%3]
  fld tword [%2]
  %4
  store %1
%endmacro
  remainder "fprem 7 by 2", seven, two, fprem
  remainder "fprem1 7 by 2", seven, two, fprem1
  remainder "fprem 1e100 by 7, first step", big, seven, fprem
  remainder "fprem of infinity", pseudo_nan, seven, fprem

  ; --- Odd operands ---
%macro odd 2
  fninit
  fld tword [%2]
  fxam
  clear
  fnstsw [BUFFER + 12]
  fld1
  fmulp
  fnstsw [BUFFER + 14]
  fstp tword [BUFFER]
  dump %1, BUFFER, 4
%endmacro
  odd "pseudo-denormal", pseudo
  odd "denormal", denormal
  odd "unnormal", unnormal
  odd "pseudo-NaN", pseudo_nan
  odd "signalling NaN", snan
  fninit
  fld dword [float_snan]
  store "signalling NaN of 32 bits"
  fninit
  fld dword [float_denormal]
  store "denormal of 32 bits"
  fninit
  fxam
  fnstsw ax
  mov [BUFFER], eax
  value "fxam of an empty register", [BUFFER]
  ; --- Compare and SAHF ---
%macro compared 3
  fninit
  fld tword [%3]
  fld tword [%2]
  fucompp
  fnstsw ax
  sahf
  pushfd
  pop eax
  and eax, 0xd5
  mov [BUFFER], eax
  value %1, [BUFFER]
%endmacro
  compared "fucompp, sahf: less", two, seven
  compared "fucompp, sahf: equal", two, two
  compared "fucompp, sahf: greater", seven, two
  compared "fucompp, sahf: unordered", snan, two

  ; --- Environments ---
%macro some_state 0
  fninit
  control 0x27f
  fld1
  fldz
  fld dword [wide]
  fld tword [pseudo]
%endmacro
%macro environment 1                ; masks what lies at addresses of this image
  and dword [BUFFER + 12], 0
  and dword [BUFFER + 20], 0
  dump %1, BUFFER, 8
%endmacro
  clear
  some_state
  fnstenv [BUFFER]
  environment "fnstenv, protected mode, 32 bits"
  clear
  some_state
  o16 fnstenv [BUFFER]
  and word [BUFFER + 6], 0
  and word [BUFFER + 10], 0
  dump "fnstenv, protected mode, 16 bits", BUFFER, 5
  clear
  some_state
  fnsave [BUFFER]
  and dword [BUFFER + 12], 0
  and dword [BUFFER + 20], 0
  dump "fnsave, 32 bits", BUFFER, 28
  fnstsw [BUFFER]
  fnstcw [BUFFER + 2]
  dump "after fnsave", BUFFER, 1
  clear
  some_state
  o16 fnsave [BUFFER]
  and word [BUFFER + 6], 0
  and word [BUFFER + 10], 0
  dump "fnsave, 16 bits", BUFFER, 25
  some_state
  fnsave [BUFFER]
  frstor [BUFFER]
  fstp st0
  store "frstor brings it back"
  clear
  probe "fnstenv in virtual-8086 mode"
  to_v86 IOPL3
  mov ax, 0x2000
  mov ds, ax
  fninit
  fld1
  fnstenv [0]
  o32 fnstenv [0x20]
  done
  and word [0x20000 + 6], 0
  and word [0x20000 + 8], 0xf7ff
  and dword [0x20020 + 12], 0
  and dword [0x20020 + 16], 0x7ff
  dump "16 bits", 0x20000, 4
  dump "32 bits", 0x20020, 7

  ; --- Exceptions ---
%macro pending_error 0
  fninit
  control 0x37b                     ; zero divide is not masked
  fld1
  fldz
  fdivp
%endmacro
  cr0_bits NE
  probe "unmasked: raised by the next waiting instruction"
  pending_error
  mark
  nop
  fld1
  done
  probe "unmasked: by fwait"
  pending_error
  mark
  fwait
  done
  probe "unmasked: not by fnstsw, fnstcw, fnstenv, fnclex"
  pending_error
  mark
  fnstcw [BUFFER]
  fnstenv [BUFFER]
  fnstsw ax
  fnclex
  fld1
  and eax, 0xff
  done eax
  probe "unmasked: not by fninit"
  pending_error
  mark
  fninit
  fwait
  done
  probe "unmasked: fldcw raises it"
  pending_error
  mark
  fldcw [BUFFER + 0xff0]
  done
  probe "unmasked: MMX raises it"
  pending_error
  mark
  movd mm0, eax
  done
  probe "unmasked by fldcw: the next waiting instruction"
  fninit
  fld1
  fldz
  fdivp
  control 0x37b
  mark
  fwait
  done
  probe "unmasked: the store did not happen"
  fninit
  control 0x37e                     ; invalid
  fldz
  fldz
  fdivp
  fnstsw ax
  fnclex
  done eax
  fninit
  ; As IRQ 13.
  cr0_bits 0
  mov word [idt + 0x2d * 8], irq13
  probe "NE clear: IRQ 13"
  mov al, 0xfb
  out 0x21, al
  mov al, 0xdf
  out 0xa1, al
  xor ecx, ecx
  sti
  pending_error
  times 8 nop
  fwait
  cli
  done ecx
  mov word [idt + 0x2d * 8], irq13_waiting
  probe "NE clear: waiting instructions after port F0h, and another error"
  xor ecx, ecx
  sti
  pending_error
  times 8 nop
  fwait
  nop
  fstp st0
  pending_error
  fldz
  cli
  done ecx
  mov al, 0xff
  out 0x21, al
  out 0xa1, al

  ; --- CR0: TS, EM, MP ---
  fninit
%macro gated 3+
  cr0_bits %2
  probe %1
  %3
  done
%endmacro
  gated "TS: fld", TS | NE, fld1
  gated "TS: fwait", TS | NE, fwait
  gated "TS, MP: fwait", TS | MP | NE, fwait
  gated "MP: fwait", MP | NE, fwait
  gated "EM: fld", EM | NE, fld1
  gated "EM: fwait", EM | NE, fwait
  gated "EM, TS, MP: fwait", EM | TS | MP | NE, fwait
  gated "EM: fnstsw", EM | NE, fnstsw ax
  gated "EM: movd", EM | NE, movd mm0, eax
  gated "TS: movd", TS | NE, movd mm0, eax
  gated "EM, TS: movd", EM | TS | NE, movd mm0, eax
  gated "TS: fxsave", TS | NE, fxsave [BUFFER]
  gated "EM: fxsave", EM | NE, fxsave [BUFFER]
  gated "fxsave unaligned", NE, fxsave [BUFFER + 8]
  gated "OSFXSR clear: movaps", NE, movaps xmm0, xmm1
  mov eax, cr4
  or eax, 0x200
  mov cr4, eax
  gated "OSFXSR: movaps", NE, movaps xmm0, xmm1
  gated "TS: movaps", TS | NE, movaps xmm0, xmm1
  gated "EM: movaps", EM | NE, movaps xmm0, xmm1
  gated "EM: prefetch", EM | NE, {prefetcht0 [BUFFER]}
  gated "EM: sfence", EM | NE, sfence
  gated "movaps unaligned", NE, {movaps xmm0, [BUFFER + 4]}
  mov dword [BUFFER], 0x10000
  gated "ldmxcsr of a reserved bit", NE, {ldmxcsr [BUFFER]}
%macro unmasked_simd 1
  probe %1
  mov dword [BUFFER], 0x1d80        ; zero divide is not masked
  ldmxcsr [BUFFER]
  movups xmm0, [sse_values]
  movups xmm1, [sse_zeros]
  mark
  divps xmm0, xmm1
  done
%endmacro
  unmasked_simd "SIMD exception without OSXMMEXCPT"
  mov eax, cr4
  or eax, 0x400
  mov cr4, eax
  unmasked_simd "SIMD exception"
  stmxcsr [BUFFER]
  value "MXCSR", [BUFFER]
  clear
  movups [BUFFER], xmm0
  dump "the destination is untouched", BUFFER, 4
  finish
