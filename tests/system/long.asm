; Long mode (-cpu qemu64): compatibility mode, control and debug registers, MSRs, addresses that are not canonical (SDM 3A
; 2.5, 9.8.5; SDM 1 3.3.7; APM 2 chapters 3 and 14).
%include "system.inc"
%include "long.inc"
main:
  enter_long
  probe64 "EFER in long mode"
  mov ecx, EFER
  rdmsr
  done64 rax
  probe64 "compatibility mode: operands of 32 bits clear the upper half"
  mov rax, 0x1122334455667788
  mov r8, 0x8877665544332211
  to_compatibility 0
  inc eax
  done64 rax, r8, cs
  probe64 "compatibility mode: REX prefixes are INC and DEC"
  to_compatibility 0
  mov eax, 5
  db 0x48                           ; DEC EAX
  nop
  done64 rax
  probe64 "compatibility mode: PG off leaves long mode"
  to_compatibility 0
  mov eax, cr0
  and eax, 0x7fffffff
  mov cr0, eax
  mov ecx, EFER
  rdmsr
  mov ebx, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  mov ecx, EFER
  rdmsr
  done64 rax, rbx
  probe64 "compatibility mode: a limit counts"
  to_compatibility 0
  mov ax, DATA16
  mov es, ax
  mov al, [es:0x10000]
  done64
  probe64 "64-bit mode: no limit counts"
  mov eax, DATA16
  mov es, eax
  db 0x26                           ; ES, which has no effect
  mov al, [abs 0x10000]
  done64 es

  ; --- Control registers ---
  probe64 "CR2 has 64 bits"
  mov rax, 0x123456789abcdef0
  mov cr2, rax
  mov rbx, cr2
  done64 rbx
  probe64 "CR8 is the task priority's class"
  mov eax, 9
  mov cr8, rax
  mov rbx, cr8
  mov ecx, 0xfee00080
  mov ecx, [rcx]
  xor eax, eax
  mov cr8, rax
  done64 rbx, rcx
  probe64 "CR8: 16"
  mov eax, 16
  mov cr8, rax
  done64
  probe64 "CR1"
  db 0x0f, 0x20, 0xc8
  done64
  probe64 "CR9"
  db 0x44, 0x0f, 0x20, 0xc8
  done64
  probe64 "DR0 has 64 bits"
  mov rax, 0xfedcba9876543210
  mov dr0, rax
  mov rbx, dr0
  xor eax, eax
  mov dr0, rax
  done64 rbx
  probe64 "DR7: bit 32"
  mov rax, 0x100000400
  mov dr7, rax
  done64
  probe64 "DR6: bit 32"
  mov rax, qword 0x1ffff0ff0
  mov dr6, rax
  done64
  probe64 "DR8"
  db 0x44, 0x0f, 0x21, 0xc0
  done64

  ; --- MSRs ---
  %macro refused_msr 2
    probe64 %1
    write_msr %2, NOWHERE
    done64
  %endmacro
  refused_msr "FS_BASE must be canonical", FS_BASE
  refused_msr "GS_BASE must be canonical", GS_BASE
  refused_msr "KERNEL_GS_BASE must be canonical", KERNEL_GS_BASE
  refused_msr "LSTAR must be canonical", LSTAR
  refused_msr "CSTAR must be canonical", CSTAR
  probe64 "STAR may be anything"
  write_msr STAR, NOWHERE
  read_msr STAR
  done64 rax
  probe64 "FS has a base of 64 bits"
  write_msr FS_BASE, -0x1000
  mov eax, [fs:WINDOW + 0x1000]
  mov rbx, [fs:rax]
  done64
  probe64 "a selector in FS sets its base"
  write_msr FS_BASE, 0x123456789
  mov eax, DATA64
  mov fs, eax
  read_msr FS_BASE
  done64 rax, fs
  probe64 "SWAPGS"
  write_msr GS_BASE, 0x1111
  write_msr KERNEL_GS_BASE, -0x2222
  swapgs
  read_msr GS_BASE
  mov rbx, rax
  read_msr KERNEL_GS_BASE
  done64 rax, rbx
  probe64 "SWAPGS in ring 3"
  to_ring64 3
  swapgs
  done64 cs
  probe64 "the bases of DS and ES are 0"
  mov dword [abs WINDOW], 0x12345678
  descriptor64 LSPARE, WINDOW, 0xfffff, 0x93, 0xc
  mov eax, LSPARE
  mov ds, eax
  mov eax, [abs WINDOW]
  mov ecx, DATA64
  mov ds, ecx
  done64 rax

  ; --- Addresses ---
  %macro reaches_nowhere 2+
    probe64 %1
    mov rax, NOWHERE
    mark64
    %2
    done64
  %endmacro
  reaches_nowhere "a read", mov rbx, [rax]
  reaches_nowhere "a write", mov [rax], rbx
  reaches_nowhere "a read that begins in the lower half", mov rbx, [rax - 4]
  reaches_nowhere "a read that ends before", mov bl, [rax - 1]
  reaches_nowhere "a read below the upper half", mov bl, [rax * 2 - 1]
  reaches_nowhere "the scaled index counts", mov bl, [rax * 4]
  reaches_nowhere "an XMM register's read", movups xmm0, [rax]
  reaches_nowhere "through FS", mov rbx, [fs:rax]
  reaches_nowhere "FXSAVE", fxsave [rax]
  reaches_nowhere "INVLPG does not care", invlpg [rax]
  reaches_nowhere "LGDT", lgdt [rax]
  reaches_nowhere "PREFETCH does not care", prefetchnta [rax]
  probe64 "through RSP"
  to_ring64 3
  mov rsp, NOWHERE
  mark64
  mov rax, [rsp]
  done64
  probe64 "through RBP"
  mov rbp, NOWHERE
  mark64
  mov rax, [rbp + 8]
  done64
  probe64 "PUSH"
  to_ring64 3
  mov rsp, NOWHERE + 8
  mark64
  push rax
  done64
  probe64 "POP"
  to_ring64 3
  mov rsp, NOWHERE
  mark64
  pop rax
  done64
  probe64 "CALL's return address"
  to_ring64 3
  mov rsp, NOWHERE + 8
  mark64
  call .called
.called:
  done64
  probe64 "ENTER"
  to_ring64 3
  mov rsp, NOWHERE + 8
  mark64
  enter 16, 0
  done64
  probe64 "JMP to an address that is not canonical"
  mov rax, NOWHERE
  mark64
  jmp rax
  done64
  probe64 "CALL to one stores no return address"
  mov qword [rsp - 8], 5
  mov rax, NOWHERE
  mark64
  call rax
  done64 rsp
  probe64 "RET to one"
  mov rax, NOWHERE
  push rax
  mark64
  ret
  done64 rsp
  probe64 "JMP through memory"
  mov rax, NOWHERE
  mov [abs WINDOW], rax
  mark64
  jmp [abs WINDOW]
  done64
  probe64 "LGDT: a base that is not canonical"
  mov word [abs WINDOW], 0xff
  mov rax, NOWHERE
  mov [abs WINDOW + 2], rax
  mark64
  lgdt [abs WINDOW]
  done64
  probe64 "LIDT: a base that is not canonical"
  lidt [abs WINDOW]
  done64
  probe64 "SGDT stores 10 bytes"
  mov qword [abs WINDOW + 8], -1
  sgdt [abs WINDOW]
  mov rbx, [abs WINDOW + 8]
  shr rbx, 8
  done64 rbx
  probe64 "code at the end of the lower half"
  mov rax, NOWHERE - 0x1000
  jmp rax
  done64
  probe64 "code in the last GiB"
  mov rax, HIGH + .high
  jmp rax
.high:
  lea rax, [rel .high]
  mov rbx, .high
  sub rax, rbx
  mov rbx, .low
  jmp rbx
.low:
  done64 rax
  probe64 "a data breakpoint above 4 GiB"
  mov rax, HIGH + 0x1ff000
  mov dr0, rax
  mov eax, 0xd0401                  ; 4 bytes, writes
  mov dr7, rax
  mov rbx, HIGH + 0x1ff002
  mov [rbx], al
  nop
  done64
  probe64 "an instruction breakpoint above 4 GiB"
  mov rax, HIGH + .stop
  mov dr0, rax
  mov ecx, 0x401
  mov dr7, rcx
  jmp rax
.stop:
  nop
  done64
  finish64
