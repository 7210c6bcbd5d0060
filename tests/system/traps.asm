; Traps where systems and debuggers lean on them: SYSENTER and SYSEXIT with TF, MOV SS before a fault or an interrupt,
; data breakpoints of every length at both edges, wide stores, the processor's own stack writes, task switches, V86.
%include "system.inc"
cpu default
OTHER equ SPARE
OTHER_TSS equ BUFFER + 0x1000

%macro watch 3                      ; address, length code (0: 1, 1: 2, 3: 4), type (1: write, 3: access, 0: execute, 2: I/O)
  mov eax, %1
  mov dr0, eax
  mov eax, 1 << 9 | 2 | (%2) << 18 | (%3) << 16
  mov dr7, eax
%endmacro
entry:
  int 0x40
target:
  mov eax, cs
  int 0x40
other_task:
  int 0x40
main:
  mov eax, cr4
  or eax, 8 | 0x200
  mov cr4, eax
  mov ecx, 0x174
  mov eax, CODE0
  xor edx, edx
  wrmsr
  mov ecx, 0x175
  mov eax, STACK_INNER
  wrmsr
  mov ecx, 0x176
  mov eax, entry
  wrmsr
  probe "tf: sysenter: the trap comes behind its first instruction"
  to_ring 3, 2 | TF
  sysenter
  done cs, flags
  probe "tf: mov ss, then a fault"
  mov ax, DATA0
  push dword 2 | TF
  popfd
  mov ss, ax
  ud2
  done flags
  probe "tf: mov ss, then int"
  mov ax, DATA0
  push dword 2 | TF
  popfd
  mov ss, ax
  int 0x43
  done flags
  probe "tf: mov ss, then int3"
  mov ax, DATA0
  push dword 2 | TF
  popfd
  mov ss, ax
  int3
  done flags
  probe "tf: mov ss, mov ss"
  mov ax, DATA0
  push dword 2 | TF
  popfd
  mov ss, ax
  mov ss, ax
  nop
  done flags
  probe "tf: bound that does not fault"
  mov eax, 5
  mov dword [BUFFER], 0
  mov dword [BUFFER + 4], 9
  push dword 2 | TF
  popfd
  bound eax, [BUFFER]
  done
  probe "tf: loop to itself"
  mov ecx, 3
  push dword 2 | TF
  popfd
.l: loop .l
  done ecx
  probe "tf: cpuid"
  push dword 2 | TF
  popfd
  cpuid
  done
  probe "tf: in"
  push dword 2 | TF
  popfd
  in al, 0x80
  done
  probe "tf: iret to ring 3 that sets TF"
  push dword DATA3
  push dword STACK3
  push dword 2 | TF
  push dword CODE3
  push dword .user
  mark
  iretd
.user: nop
  done cs
  probe "tf: iret to V86 that sets TF"
  to_v86 TF | IOPL3
  nop
  done flags
  probe "tf: V86, popf that clears it"
  to_v86 TF | IOPL3
  push word 0x3000
  popf
  nop
  done flags
  probe "tf: task switch by jmp"
  mov edi, OTHER_TSS
  mov ecx, 26
  xor eax, eax
  rep stosd
  mov dword [OTHER_TSS + 32], other_task
  mov dword [OTHER_TSS + 36], 2 | TF
  mov dword [OTHER_TSS + 56], STACK0 - 0x1000
  mov dword [OTHER_TSS + 72], DATA0
  mov dword [OTHER_TSS + 76], CODE0
  mov dword [OTHER_TSS + 80], DATA0
  mov dword [OTHER_TSS + 84], DATA0
  mov dword [OTHER_TSS + 88], DATA3
  descriptor OTHER, OTHER_TSS, 0x67, 0x89, 0
  jmp OTHER:0
  done tr, flags
%macro main_task 0
  descriptor TSS, tss, 0xff, 0x89, 0
  mov ax, TSS
  ltr ax
  clts
  descriptor OTHER, OTHER_TSS, 0x67, 0x89, 0
%endmacro
  main_task
  mov dword [OTHER_TSS + 32], other_task
  mov dword [OTHER_TSS + 36], 2
  mov dword [OTHER_TSS + 56], STACK0 - 0x1000
  probe "task switch clears DR7's local bits"
  xor ecx, ecx
  mov dr0, ecx
  mov dr1, ecx
  mov dr2, ecx
  mov dr3, ecx
  mov eax, 0x2 | 0x1 | 0x100 | 0x200
  mov dr7, eax
  mov dword [OTHER_TSS + 32], .in_task
  jmp OTHER:0
.in_task:
  mov eax, dr7
  int 0x40
  done eax, tr
  main_task
  mov dword [OTHER_TSS + 32], other_task
  mov dword [OTHER_TSS + 100], 1
  probe "T bit and the task's first instruction faults"
  mov dword [OTHER_TSS + 32], .ud
  mov dword [OTHER_TSS + 56], STACK0 - 0x1000
  jmp OTHER:0
.ud: ud2
  done tr
  main_task
  mov dword [OTHER_TSS + 100], 0

  ; --- data breakpoints at their edges ---
  mov ebx, BUFFER
%macro edge 3+                      ; name, length code, access
  probe %1
  mov ebx, BUFFER
  watch BUFFER + 0x10, %2, 3
  mov eax, 0
  mark
  %3
  done
%endmacro
  edge "1 byte: dword that ends in front", 0, mov [ebx + 0xc], eax
  edge "1 byte: dword whose last byte it is", 0, mov [ebx + 0xd], eax
  edge "1 byte: dword that begins there", 0, mov [ebx + 0x10], eax
  edge "1 byte: byte behind", 0, mov [ebx + 0x11], al
  edge "2 bytes: second byte", 1, mov al, [ebx + 0x11]
  edge "2 bytes: byte behind", 1, mov al, [ebx + 0x12]
  edge "4 bytes: last byte", 3, mov al, [ebx + 0x13]
  edge "4 bytes: byte behind", 3, mov al, [ebx + 0x14]
  edge "4 bytes: qword that ends in it", 3, fld qword [ebx + 0x9]
  edge "4 bytes: qword that ends in front", 3, fld qword [ebx + 0x8]
  edge "4 bytes: ten bytes", 3, fld tword [ebx + 0x7]
  edge "4 bytes: sixteen bytes", 3, movups xmm0, [ebx + 1]
  edge "4 bytes: sixteen bytes that end in front", 3, movups xmm0, [ebx]
  edge "4 bytes: fxsave", 3, fxsave [ebx]
  edge "4 bytes: fxrstor", 3, fxrstor [ebx]
  edge "4 bytes: fnsave", 3, fnsave [ebx]
  edge "4 bytes: cmpxchg8b", 3, cmpxchg8b [ebx + 9]
  edge "4 bytes: bound", 3, bound eax, [ebx + 0xc]
  edge "4 bytes: les", 3, les eax, [ebx + 0xb]
  edge "4 bytes: sgdt", 3, sgdt [ebx + 0xb]
  edge "4 bytes: lgdt's operand", 3, lgdt [gdt_pointer]
  edge "4 bytes: prefetch is no access", 3, prefetchnta [ebx + 0x10]
  edge "4 bytes: clflush", 3, db 0x0f, 0xae, 0x7b, 0x10
  edge "4 bytes: xlat", 3, xlatb
  edge "4 bytes: str", 3, str [ebx + 0x10]
  edge "4 bytes: lar of memory", 3, lar eax, [ebx + 0x10]
  fninit
  probe "call pushes onto it"
  watch STACK0 - 4, 3, 1
  mov esp, STACK0
  mark
  call .called
  nop
.called: nop
  done
  probe "call through memory reads it"
  mov dword [BUFFER], .called2
  watch BUFFER, 3, 3
  mark
  call [BUFFER]
  nop
.called2: nop
  done
  probe "ret reads it"
  push dword .returned
  mov eax, esp
  mov dr0, eax
  mov eax, 0xf0202
  mov dr7, eax
  mark
  ret
.returned: nop
  done
  probe "pusha, one of its words"
  watch STACK0 - 12, 3, 1
  mov esp, STACK0
  mark
  pusha
  done
  probe "enter's nested frame pointers"
  mov ebp, BUFFER + 0x40
  watch BUFFER + 0x3c, 3, 3
  mark
  enter 8, 2
  done
  probe "the frame of an exception"
  watch STACK0 - 4, 3, 1
  mov esp, STACK0
  ud2
  done
  probe "the inner stack of a call gate"
  gate gdt_at(OTHER), CODE0, target, 0xec
  watch STACK_INNER - 8, 3, 1
  to_ring 3
  call OTHER:0
  done cs
  descriptor OTHER, OTHER_TSS, 0x67, 0x89, 0
  probe "execute breakpoint: RF is clear in the frame"
  watch .exec, 0, 0
  mark
.exec: nop
  done rf, flags
  probe "execute breakpoint with length 4 is undefined, the next with length 1"
  mov eax, .exec2
  mov dr1, eax
  mov eax, 0x208
  mov dr7, eax
  mark
.exec2: nop
  done
  probe "execute and data breakpoint: the fault first"
  watch .exec3, 0, 0
  mov eax, BUFFER
  mov dr1, eax
  mov eax, 1 << 9 | 2 | 8 | 0xd << 20
  mov dr7, eax
  mark
.exec3: mov [BUFFER], eax
  done rf
  probe "RF, then the data breakpoint of the same instruction"
  watch .exec4, 0, 0
  mov eax, BUFFER
  mov dr1, eax
  mov eax, 1 << 9 | 2 | 8 | 0xd << 20
  mov dr7, eax
  push dword 2 | RF
  push dword CODE0
  push dword .exec4
  mark
  iretd
.exec4: mov [BUFFER], eax
  done rf
  probe "RF: a fault of the instruction pushes RF set"
  push dword 2 | RF
  push dword CODE0
  push dword .rf
  mark
  iretd
.rf: ud2
  done rf
  probe "RF: cleared behind the instruction, int pushes it clear"
  push dword 2 | RF
  push dword CODE0
  push dword .rf2
  mark
  iretd
.rf2: int 0x43
  done rf
  probe "RF: #GP of a hlt in ring 3"
  to_ring 3
  hlt
  done rf
  probe "RF: int n that faults"
  to_ring 3
  int 0x20
  done rf
  probe "V86: execute breakpoint"
  watch .v86, 0, 0
  to_v86 IOPL3
.v86: nop
  done flags, rf
  probe "V86: data breakpoint by its linear address"
  mov eax, 0x12345
  mov dr0, eax
  mov eax, 0x10202
  mov dr7, eax
  to_v86 IOPL3
  mov ax, 0x1234
  mov ds, ax
  mov [5], al
  done
  probe "V86: mov dr7"
  to_v86 IOPL3
  mov dr7, eax
  done
  probe "general detect: reading, too"
  mov eax, 0x2400
  mov dr7, eax
  mark
  mov eax, dr6
  done
  probe "DR6 tells of this exception alone"
  mov eax, 0xffff0ff0 | 0x8
  mov dr6, eax
  push dword 2 | TF
  popfd
  nop
  done
  probe "mov dr6, dr7: upper bits"
  mov eax, 0xffffffff
  mov dr6, eax
  mov ecx, dr6
  xor eax, eax
  mov dr6, eax
  mov edx, dr6
  done ecx, edx
  ; --- I/O
  mov ebx, BUFFER
  %macro port 4+
  probe %1
  watch 0x80, %2, 2
  mov dx, %3
  mark
  %4
  done
  %endmacro
  port "port: dword that ends in front", 0, 0x7c, in eax, dx
  port "port: word whose second byte it is", 0, 0x7f, in ax, dx
  port "port: 4 bytes, the last", 3, 0x83, in al, dx
  port "port: 4 bytes, behind", 3, 0x84, in al, dx
  port "port: immediate", 0, 0x80, out 0x80, al
  finish
