; Alignment checks (SDM 3A 6.15, #AC), SYSENTER and SYSEXIT (5.8.7), time-stamp and performance counters under CR4, MSRs that
; do not exist, CPUID's shape, LOCK's rules.
%include "system.inc"

AM equ 1 << 18
%macro am 1
  mov eax, cr0
  and eax, ~AM
  or eax, (%1) * AM
  mov cr0, eax
%endmacro
%macro aligned 2-3
  probe %1
  to_ring 3, AC | 2
  mov ebx, BUFFER
  mov esi, BUFFER
  mov edi, BUFFER + 0x100
  mark
  %2
  %if %0 > 2
    %3
  %endif
  done
%endmacro

sysenter_target:
  mov eax, cs
  mov ebx, ss
  mov edx, esp
  int 0x40

main:
  am 1
  aligned "ac: word", {mov ax, [ebx + 1]}
  aligned "ac: aligned word", {mov ax, [ebx + 2]}
  aligned "ac: dword at 2", {mov eax, [ebx + 2]}
  aligned "ac: dword at 4", {mov eax, [ebx + 4]}
  aligned "ac: byte", {mov al, [ebx + 1]}
  aligned "ac: write", {mov [ebx + 3], eax}
  aligned "ac: read-modify-write", {inc dword [ebx + 1]}
  aligned "ac: double of the x87 at 4", {fld qword [ebx + 4]}
  aligned "ac: double of the x87 at 8", {fld qword [ebx + 8]}
  aligned "ac: push", {sub esp, 2}, {push eax}
  aligned "ac: pop", {sub esp, 2}, {pop eax}
  aligned "ac: call", {sub esp, 2}, {call main}
  aligned "ac: movsd", {inc esi}, {movsd}
  aligned "ac: rep movsw", {inc edi}, {rep movsw}
  aligned "ac: bit test", {bt dword [ebx + 2], 1}
  aligned "ac: far pointer", {les ecx, [ebx + 2]}
  aligned "ac: xchg", {xchg eax, [ebx + 2]}
  aligned "ac: instruction fetch needs no alignment", {jmp short $ + 3}, {nop}
  probe "ac: segment load from an odd GDT"
  mov word [BUFFER], gdt_end - gdt - 1
  mov dword [BUFFER + 2], BUFFER + 0x401
  mov esi, gdt
  mov edi, BUFFER + 0x401
  mov ecx, gdt_end - gdt
  rep movsb
  lgdt [BUFFER]
  to_ring 3, AC | 2
  mov ax, DATA3
  mov gs, ax
  done
  lgdt [gdt_pointer]
  probe "ac: not at CPL 0"
  push dword AC | 2
  popfd
  mov eax, [BUFFER + 1]
  done
  probe "ac: not at CPL 1"
  to_ring 1, AC | 2
  mov eax, [BUFFER + 1]
  done
  probe "ac: in virtual-8086 mode"
  to_v86 AC | IOPL3
  mov ax, [0x8001]
  done
  am 0
  aligned "am clear: word", {mov ax, [ebx + 1]}
  probe "ac and a limit: the limit first"
  am 1
  descriptor SPARE, BUFFER, 0xfff, 0xf2, 4
  to_ring 3, AC | 2
  mov ax, SPARE + 3
  mov gs, ax
  mark
  mov eax, [gs:0xffe]
  done
  am 0

  ; --- SYSENTER, SYSEXIT ---
%macro msr 2
  mov ecx, %1
  mov eax, %2
  xor edx, edx
  wrmsr
%endmacro
  msr 0x174, 0
  probe "sysenter without SYSENTER_CS"
  to_ring 3
  sysenter
  done
  msr 0x174, CODE0
  msr 0x175, STACK_INNER
  msr 0x176, sysenter_target
  probe "sysenter"
  to_ring 3, IF | 2
  sysenter
  done eax, ebx, edx, flags
  probe "sysexit at CPL 3"
  to_ring 3
  sysexit
  done
  probe "sysexit"
  mov edx, .user
  mov ecx, STACK3
  sysexit
.user:
  mov eax, cs
  mov ebx, ss
  mov ecx, esp
  done eax, ebx, ecx
  probe "sysenter in virtual-8086 mode"
  to_v86 IOPL3 | IF
  sysenter
  done eax, ebx, edx, flags
  msr 0x174, 0
  probe "sysexit without SYSENTER_CS"
  sysexit
  done

  ; --- Counters ---
%macro cr4_bits 1
  mov eax, cr4
  and eax, ~0x104
  or eax, %1
  mov cr4, eax
%endmacro
  cr4_bits 0
  probe "rdtsc at CPL 3"
  to_ring 3
  rdtsc
  done
  probe "rdpmc at CPL 3"
  to_ring 3
  xor ecx, ecx
  rdpmc
  done
  cr4_bits 4
  probe "rdtsc at CPL 3 with TSD"
  to_ring 3
  rdtsc
  done
  probe "rdtsc at CPL 0 with TSD"
  rdtsc
  done
  cr4_bits 0x100
  probe "rdpmc at CPL 3 with PCE"
  to_ring 3
  xor ecx, ecx
  rdpmc
  done
  cr4_bits 0
  probe "rdmsr of what does not exist"
  mov ecx, 0x12345678
  rdmsr
  done
  probe "wrmsr of what does not exist"
  mov ecx, 0x12345678
  wrmsr
  done
  probe "sysenter_eip keeps 32 bits"
  msr 0x176, 0x89abcdef
  rdmsr
  done eax
  ; --- LOCK ---
%macro locked 2+
  probe %1
  xor eax, eax
  mov ebx, BUFFER
  mark
  %2
  done
%endmacro
  locked "lock add to memory", lock add [ebx], eax
  locked "lock mov", {db 0xf0, 0x89, 0x03}
  locked "lock cmp", {db 0xf0, 0x39, 0x03}
  locked "lock bt", {db 0xf0, 0x0f, 0xa3, 0x03}
  locked "lock bts", {db 0xf0, 0x0f, 0xab, 0x03}
  locked "lock xchg", {db 0xf0, 0x87, 0x03}
  locked "lock cmpxchg8b", {db 0xf0, 0x0f, 0xc7, 0x0b}
  locked "lock cmpxchg8b of a register", {db 0xf0, 0x0f, 0xc7, 0xc9}
  locked "lock xadd of a register", {db 0xf0, 0x0f, 0xc1, 0xc3}
  locked "lock shl", {db 0xf0, 0xd1, 0x23}
  locked "lock push", {db 0xf0, 0x50}
  locked "lock nop", {db 0xf0, 0x90}
  locked "lock test", {db 0xf0, 0xf7, 0x03, 0, 0, 0, 0}
  locked "lock not", {db 0xf0, 0xf7, 0x13}
  ; --- Undefined forms ---
%macro form 2+
  probe %1
  mov ebx, BUFFER
  mark
  db %2
  done
%endmacro
  form "les of a register", 0xc4, 0xc0
  form "lea of a register", 0x8d, 0xc0
  form "bound of a register", 0x62, 0xc0
  form "callf of a register", 0xff, 0xd8
  form "ff /7", 0xff, 0x3b
  form "fe /2", 0xfe, 0x13
  form "8f /1", 0x8f, 0x0b
  form "c6 /1", 0xc6, 0x0b, 0
  form "0f 01 /5", 0x0f, 0x01, 0x2b
  form "0f ba /0", 0x0f, 0xba, 0x03, 0
  form "0f c7 /0", 0x0f, 0xc7, 0x03
  form "lgdt of a register", 0x0f, 0x01, 0xd0
  form "invlpg of a register", 0x0f, 0x01, 0xff
  form "mov to segment 6", 0x8e, 0xf3
  form "mov from segment 7", 0x8c, 0xfb
  form "mov cr5", 0x0f, 0x20, 0xe8
  form "0f 0b", 0x0f, 0x0b
  form "0f b9", 0x0f, 0xb9, 0xc0
  form "0f 04", 0x0f, 0x04
  form "d6 is salc", 0xd6
  form "82 is an alias of 80", 0x82, 0x03, 0
  form "f6 /1 is test", 0xf6, 0x0b, 0
  form "d0 /6 is shl", 0xd0, 0x33
  form "c0 /6 is shl", 0xc0, 0x33, 1
  finish
