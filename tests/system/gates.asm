; Gates between 16 and 32 bits, conforming targets, the edges of a TSS, faults while a gate's stacks are read and written,
; double faults and the EXT bit (SDM 3A chapters 5 to 7).
%include "system.inc"

GATE equ SPARE                      ; call gate of the probe
CODE16_3 equ SPARE + 8 + 3
DATA16_3 equ SPARE + 16 + 3
CONFORMING equ SPARE + 24
OTHER equ SPARE + 32
SMALL equ SPARE + 40                ; 16-bit TSS
NARROW0 equ SPARE + 48              ; 16-bit stack segment of ring 0
CUT_TSS equ SPARE + 56

%define gate_at (gdt_at(GATE))

inner32:                            ; what a call gate left: the stack's dwords
  mov eax, [esp]
  mov ebx, [esp + 4]
  mov ecx, [esp + 8]
  mov edx, [esp + 12]
  mov esi, [esp + 16]
  mov edi, [esp + 20]
  mov ebp, esp
  int 0x40
inner32_returns:
  retf 8
inner32_returns_words:
  o16 retf 4
bits 16
inner16:
  int 0x40
inner16_returns:
  retf 4
inner16_returns_plain:
  retf
bits 32
inner_where:
  mov eax, cs
  mov ebx, ss
  mov ecx, esp
  int 0x40
inner_return:
  retf
iret_words:
  o16 iret

main:
  descriptor CODE16_3, 0, 0xffff, 0xfb, 0
  descriptor DATA16_3, 0x60000, 0xffff, 0xf3, 0
  descriptor CONFORMING, 0, 0xfffff, 0x9e, 0xc
  descriptor NARROW0, 0x50000, 0xffff, 0x93, 0

  gate gate_at, CODE0, inner32, 0xec, 2
  probe "32-bit gate from 32-bit code, two parameters"
  to_ring 3
  push dword 0x11111111
  push dword 0x22222222
  call GATE:0

  done ebx, ecx, edx, esi, edi, ebp
  gate gate_at, CODE0, inner32, 0xe4, 3
  probe "16-bit gate to a 32-bit segment, three words"
  to_ring 3
  push word 0x1111
  push word 0x2222
  push word 0x3333
  call GATE:0
  done ebx, ecx, edx, ebp
  gate gate_at, CODE16, inner16, 0xe4, 2
  probe "16-bit gate to 16-bit code"
  to_ring 3
  call GATE:0
  done cs, ss
  gate gate_at, CODE0, inner32, 0xec, 2
  probe "32-bit gate from 16-bit code and stack"
  to_ring 3
  mov ax, DATA16_3
  mov ss, ax
  mov esp, 0x12347000
  jmp CODE16_3:.c16
bits 16
.c16:
  push dword 0x11111111
  push dword 0x22222222
  call GATE:0
  bits 32
  done ebx, ecx, edx, esi, edi, ebp
  probe "32-bit gate, parameters across the end of a 16-bit stack"
  to_ring 3
  mov ax, DATA16_3
  mov ss, ax
  mov esp, 0x1234fffc
  mov dword [0x60000], 0x99999999
  mov dword [0x6fffc], 0x88888888
  call GATE:0
  done ecx, edx, esi, edi
  probe "32-bit gate, a parameter straddles the end of a 16-bit stack"
  to_ring 3
  mov ax, DATA16_3
  mov ss, ax
  mov esp, 0xfffe
  call GATE:0
  done esp3, cs
  ; returns
  gate gate_at, CODE0, inner32_returns, 0xec, 2
  probe "32-bit retf n drops both stacks' parameters"
  to_ring 3
  push dword 0x11111111
  push dword 0x22222222
  call GATE:0
  mov eax, esp
  done eax
  gate gate_at, CODE16, inner16_returns, 0xe4, 2
  probe "16-bit retf n to a 32-bit stack"
  to_ring 3
  mov esp, STACK3
  push word 0x1111
  push word 0x2222
  mark
  call GATE:0
  mov eax, esp
  done eax, cs
  probe "16-bit retf n to a 16-bit stack keeps the upper half of ESP"
  to_ring 3
  mov ax, DATA16_3
  mov ss, ax
  mov esp, 0x12347000
  push word 0x1111
  push word 0x2222
  jmp CODE16_3:.d16
bits 16
.d16:
  call GATE:0
  mov eax, esp
  bits 32
  done eax, esp3
  gate gate_at, CODE0, inner_where, 0xec, 0
  mov dword [tss + 4], 0x8000
  mov dword [tss + 8], NARROW0
  probe "inner stack of 16 bits"
  to_ring 3
  call GATE:0
  done ebx, ecx
  mov dword [tss + 4], 4
  probe "inner stack of 16 bits, the frame wraps"
  to_ring 3
  call GATE:0
  done ebx, ecx, esp3, ss3
  mov dword [tss + 4], 0x12348000
  probe "inner stack of 16 bits, ESP0 has an upper half"
  to_ring 3
  call GATE:0
  done ebx, ecx
  mov dword [tss + 4], STACK_INNER
  mov dword [tss + 8], DATA0
  mov dword [tss + 8], 0x10 | 0x12340000
  probe "upper half of SS0 is ignored"
  to_ring 3
  call GATE:0
  done ebx
  mov dword [tss + 8], DATA0
  ; conforming code
  gate gate_at, CONFORMING, inner_where, 0xec, 0
  probe "gate to conforming code"
  to_ring 3
  call GATE:0
  done eax, ebx, ecx
  probe "jump through the gate to conforming code"
  to_ring 3
  jmp GATE:0
  done eax, ebx, ecx
  gate gate_at, CONFORMING + 3, inner_where, 0xec, 3
  probe "gate to conforming code, parameters are not copied"
  to_ring 3
  call GATE:0
  done eax, ecx
  gate gate_at, CODE3, inner_where, 0x8c, 0
  probe "gate of DPL 0 to ring 3's code from ring 0"
  call GATE:0
  done
  gate gate_at, CODE0 + 3, inner_where, 0xec, 0
  probe "RPL in the gate's selector is ignored"
  to_ring 3
  call GATE:0
  done eax
  gate gate_at, CODE1, inner_where, 0xec, 0
  probe "gate with RPL 3 at CPL 0"
  call (GATE + 3):0
  done
  gate gate_at, CODE0, inner_where, 0xac, 0
  probe "gate of DPL 1, RPL 3, at CPL 1"
  to_ring 1
  call (GATE + 3):0
  done
  probe "gate of DPL 1, RPL 1, at CPL 1"
  to_ring 1
  call (GATE + 1):0
  done eax
  gate gate_at, CODE0, inner_where, 0xec, 0
  mov word [gate_at + 6], 0xfff0
  descriptor OTHER, 0, 0xffff, 0x9b, 4
  mov word [gate_at + 2], OTHER
  probe "gate's offset beyond the segment"
  to_ring 3
  call GATE:0
  done cs, esp3
  gate gate_at, GATE, inner_where, 0xec, 0
  probe "gate to a gate"
  to_ring 3
  call GATE:0
  done
  gate gate_at, 0x7f8, inner_where, 0xec, 0
  probe "gate's selector beyond the table"
  to_ring 3
  call GATE:0
  done
  gate gate_at, OTHER, inner_where, 0xec, 0
  descriptor OTHER, 0, 0xfffff, 0x1b, 0xc
  probe "gate's segment not present"
  to_ring 3
  call GATE:0
  done
  ; far return into a conforming segment
  descriptor OTHER, 0, 0xfffff, 0x9e, 0xc
  probe "retf to conforming code of DPL 0 with RPL 3"
  push dword DATA3
  push dword STACK3
  push dword OTHER + 3
  push dword .conforming
  retf
.conforming:
  mov eax, cs
  done eax
  descriptor OTHER, 0, 0xfffff, 0xfe, 0xc
  probe "retf to conforming code of DPL 3 with RPL 0"
  push dword OTHER
  push dword .conforming2
  retf
.conforming2:
  mov eax, cs
  done eax
  probe "retf to an outer ring keeps conforming code in DS, nulls data"
  mov ax, CONFORMING
  mov ds, ax
  mov ax, DATA0
  mov es, ax
  mov ax, DATA1
  mov gs, ax
  push dword DATA3
  push dword STACK3
  push dword CODE3
  push dword .nulling
  retf
.nulling:
  mov eax, es
  done ds, eax, gs

  ; --- the edges of a TSS ---
  gate gate_at, CODE0, inner_where, 0xec, 0
%macro limit 1
  descriptor CUT_TSS, tss, %1, 0x89, 0
  mov ax, CUT_TSS
  ltr ax
%endmacro
  limit 11
  probe "TSS ends behind the dword of SS0"
  to_ring 3
  call GATE:0
  done tr
  mov word [idt + 0x45 * 8], inner_where
  mov byte [idt + 0x45 * 8 + 5], 0xee
  descriptor SMALL, tss, 43, 0x81, 0
  mov ax, SMALL
  mov word [tss + 2], 0x5000
  mov word [tss + 4], DATA0
  ltr ax
  probe "16-bit TSS: SP0, SS0"
  to_ring 3
  call GATE:0
  done ebx, ecx, tr
  probe "16-bit TSS: int"
  to_ring 3
  mov ecx, 5
  done ecx
  probe "16-bit TSS: no I/O permission map"
  to_ring 3
  in al, 2
  done
  probe "16-bit TSS, V86: no I/O permission map"
  to_v86 IOPL3
  in al, 2
  done
  mov dword [tss + 4], STACK_INNER
  mov dword [tss + 8], DATA0
  mov word [tss + 2], 0
  ; I/O map: base 136; two bytes are needed up to the limit
  mov dword [tss + 136], 0
  limit 137
  probe "map: last port whose two bytes are in the TSS"
  to_ring 3
  in al, 7
  done
  probe "map: port whose second byte is behind the limit"
  to_ring 3
  in al, 8
  done
  limit 138
  probe "map: now it is within"
  to_ring 3
  in al, 8
  done
  limit 137
  probe "map: dword at port 5"
  to_ring 3
  in eax, 5
  done
  probe "map: dword at port 4"
  to_ring 3
  in eax, 4
  done
  limit 0x67
  mov word [tss + 102], 0x67
  probe "map: base is the limit"
  to_ring 3
  in al, 0
  done
  mov word [tss + 102], 0x66
  mov byte [tss + 0x66], 0x66
  mov byte [tss + 0x67], 0
  probe "map: base one below the limit"
  to_ring 3
  in al, 0
  done
  mov word [tss + 102], 0xffff
  probe "map: base FFFFh"
  to_ring 3
  in al, 0
  done
  mov word [tss + 102], 136
  limit 100
  probe "TSS ends before the map's base"
  to_ring 3
  in al, 0
  done
  limit 102
  probe "TSS ends within the map's base"
  to_ring 3
  in al, 0
  done
  descriptor TSS, tss, 0xff, 0x89, 0
  mov ax, TSS
  ltr ax

  ; --- 16-bit interrupt gates ---
  gate idt + 0x46 * 8, CODE0, inner32, 0xe6
  probe "16-bit interrupt gate to 32-bit code"
  to_ring 3
  int 0x46
  done ebx, ecx, ebp
  gate idt + 0x46 * 8, CODE0, iret_words, 0xe6
  probe "16-bit iret to ring 3"
  to_ring 3
  mov esp, 0xffff6ff0
  int 0x46
  mov eax, esp
  done eax
  gate idt + 0x46 * 8, CODE0, inner_where, 0xee
  descriptor OTHER, 0, 0xffff, 0x9b, 4
  mov word [idt + 0x46 * 8 + 2], OTHER
  mov word [idt + 0x46 * 8 + 6], 0x10
  probe "interrupt gate's offset beyond the segment"
  to_ring 3
  int 0x46
  done
  mov word [idt + 0x46 * 8 + 6], 0

  ; --- Double faults and EXT ---
  mov word [idt + 13 * 8 + 2], DATA0
  probe "#GP that cannot be delivered"
  mov ax, 0x28
  mov ss, ax
  done
  mov word [idt + 13 * 8 + 2], 0x7f8
  probe "#UD, then #GP of its handler"
  mov word [idt + 13 * 8 + 2], CODE0
  mov word [idt + 6 * 8 + 2], DATA0
  ud2
  done
  mov word [idt + 6 * 8 + 2], CODE0
  mov word [idt + 0 * 8 + 2], DATA0
  probe "#DE, then #GP of its handler"
  xor ecx, ecx
  div ecx
  done
  mov word [idt + 0 * 8 + 2], CODE0
  mov byte [idt + 11 * 8 + 5], 0x0e
  descriptor OTHER, 0, 0xfffff, 0x13, 0xc
  probe "#NP, its gate not present"
  mov ax, OTHER
  mov gs, ax
  done
  mov byte [idt + 11 * 8 + 5], 0x8e
  mov byte [idt + 1 * 8 + 5], 0x0e
  probe "single step, gate not present"
  push dword 2 | TF
  popfd
  nop
  done
  probe "int1, gate not present"
  db 0xf1
  done
  mov byte [idt + 1 * 8 + 5], 0x8e
  mov byte [idt + 3 * 8 + 5], 0x0e
  probe "int3, gate not present"
  int3
  done
  mov byte [idt + 3 * 8 + 5], 0x8e
  mov byte [idt + 0x20 * 8 + 5], 0x0e
  probe "hardware interrupt, gate not present"
  mov al, 0x34
  out 0x43, al
  mov al, 0
  out 0x40, al
  mov al, 1
  out 0x40, al
  mov al, 0xfe
  out 0x21, al
  sti
.wait: jmp .wait
  done
  mov al, 0xff
  out 0x21, al
  mov byte [idt + 0x20 * 8 + 5], 0x8e
  mov al, 0x20
  out 0x20, al

  ; --- stores of system registers ---
  probe "str, sldt, smsw to a register of 32 bits, mov from a selector"
  mov eax, -1
  mov ebx, -1
  mov ecx, -1
  mov edx, -1
  str eax
  sldt ebx
  mov ecx, ds
  o16 str dx
  done eax, ebx, ecx, edx
  probe "str, sldt to memory: 16 bits"
  mov dword [BUFFER], -1
  mov dword [BUFFER + 4], -1
  str [BUFFER]
  sldt [BUFFER + 4]
  mov eax, [BUFFER]
  mov ebx, [BUFFER + 4]
  done eax, ebx
  probe "push of a selector writes its 16 bits"
  mov dword [esp - 4], 0x55555555
  push ds
  mov eax, [esp]
  done eax
  probe "o16 push of a selector"
  mov dword [esp - 4], 0x55555555
  o16 push ds
  mov eax, [esp - 2]
  mov ebx, esp
  done eax, ebx
  probe "far call pushes CS"
  mov dword [esp - 4], 0x55555555
  call CODE0:.pushed
.pushed:
  mov eax, [esp + 4]
  done eax
  probe "far call of 16 bits"
  o16 call CODE0:.pushed16
.pushed16:
  mov eax, esp
  mov bx, [esp + 2]
  done eax
  probe "lmsw sets PE, cannot clear it"
  xor eax, eax
  lmsw ax
  mov eax, cr0
  and eax, 0xf
  done eax
  probe "popfd at CPL 0 cannot set VM, RF; VIF, VIP cleared"
  push dword 0x1f0002
  popfd
  pushfd
  pop eax
  push dword 2
  popfd
  done eax
  finish
