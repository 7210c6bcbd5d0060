; Rings and gates (SDM 3A chapter 5): privileged instructions, call gates, far returns, interrupt gates, I/O permission.
%include "system.inc"

; A call gate's target: reports which ring and stack it got, and the first words of that stack.
inner:
  mov eax, cs
  mov ebx, ss
  mov ecx, esp
  mov edx, [esp + 8]
  int 0x40

inner_returns:
  mov ebx, cs
  retf 8

ring1_target:
  mov eax, cs
  mov ebx, ss
  mov ecx, esp
  int 0x40

main:
  ; --- Privileged instructions at CPL 3 ---
%macro privileged 2+
  probe %1
  to_ring 3
  %2
  done cs
%endmacro
  privileged "hlt", hlt
  privileged "cli", cli
  privileged "sti", sti
  privileged "lgdt", lgdt [gdt_pointer]
  privileged "lidt", lidt [idt_pointer]
  privileged "lldt", lldt ax
  privileged "ltr", ltr ax
  privileged "lmsw", lmsw ax
  privileged "clts", clts
  privileged "invd", invd
  privileged "wbinvd", wbinvd
  privileged "invlpg", invlpg [0]
  privileged "mov cr0", mov cr0, eax
  privileged "mov from cr0", mov eax, cr0
  privileged "mov cr3", mov cr3, eax
  privileged "mov dr0", mov dr0, eax
  privileged "mov from dr7", mov eax, dr7
  privileged "rdmsr", rdmsr
  privileged "wrmsr", wrmsr
  privileged "in without permission", in al, 0x60
  privileged "out without permission", out 0x70, al
  privileged "rsm outside SMM", rsm
  privileged "sgdt", sgdt [BUFFER]
  privileged "smsw", smsw ax
  privileged "str", str ax
  privileged "verr", verr ax
  probe "cli at CPL 1, IOPL 1"
  to_ring 1, 0x1002
  cli
  pushfd
  pop eax
  and eax, IF | IOPL3
  done cs, eax
  probe "popf at CPL 3 keeps IOPL and IF"
  to_ring 3, IF | 2
  push dword IOPL3 | 0xd5 | 2
  popfd
  pushfd
  pop eax
  and eax, 0x3fd5
  done eax
  probe "popf at CPL 1, IOPL 1 changes IF only"
  to_ring 1, 0x1002
  push dword IOPL3 | IF | 2
  popfd
  pushfd
  pop eax
  and eax, 0x3f00
  push dword 0x1002
  popfd
  done eax

  ; --- I/O permission map ---
  mov word [tss + 136], 0xffff ^ 0x0104  ; ports 2 and 8 are free
  probe "in of a free port"
  to_ring 3
  in al, 2
  xor eax, eax
  done eax
  probe "word in, second port is not free"
  to_ring 3
  in ax, 2
  done
  probe "in of a port behind the map"
  to_ring 3
  mov dx, 0x3f8
  in al, dx
  done
  mov word [tss + 102], 0xffff
  probe "no map at all"
  to_ring 3
  in al, 2
  done
  mov word [tss + 102], 136
  probe "insb, port not free, and a bad page of the destination"
  to_ring 3
  mov dx, 0x60
  mov edi, 0xfffffff0
  insb
  done edi

  ; --- Call gates ---
  gate gdt_at(SPARE), CODE0, inner, 0xec, 2        ; DPL 3, 32-bit, two parameters
  gate gdt_at(SPARE + 8), CODE0, inner, 0x8c       ; DPL 0
  gate gdt_at(SPARE + 16), CODE1, ring1_target, 0xec
  gate gdt_at(SPARE + 24), CODE0, inner, 0x6c      ; not present
  gate gdt_at(SPARE + 32), DATA0, inner, 0xec      ; not code
  gate gdt_at(SPARE + 40), 0, inner, 0xec          ; null
  gate gdt_at(SPARE + 48), CODE0, inner_returns, 0xec, 2
  gate gdt_at(SPARE + 56), CODE3, inner, 0xec      ; same ring from 3
  gate gdt_at(SPARE + 64), CODE0, inner, 0xe4, 1   ; 16-bit
  gate gdt_at(SPARE + 72), 0xfff8, inner, 0xec     ; beyond the table
  probe "call gate to ring 0 copies parameters"
  to_ring 3
  push dword 0x11111111
  push dword 0x22222222
  mark
  call SPARE + 3:0
  done eax, ebx, ecx, edx
  probe "16-bit call gate"
  to_ring 3
  push dword 0x33334444
  call SPARE + 64 + 3:0
  done cs, ss
  probe "call gate of DPL 0 from ring 3"
  to_ring 3
  call SPARE + 8 + 3:0
  done cs
  probe "jump through a call gate to an inner ring"
  to_ring 3
  jmp SPARE + 3:0
  done cs
  probe "jump through a call gate within the ring"
  jmp SPARE + 8:0
  done eax
  probe "call gate to ring 1"
  to_ring 3
  call SPARE + 16 + 3:0
  done eax, ebx, ecx
  probe "call gate not present"
  to_ring 3
  call SPARE + 24 + 3:0
  done
  probe "call gate to a data segment"
  to_ring 3
  call SPARE + 32 + 3:0
  done
  probe "call gate with a null selector"
  to_ring 3
  call SPARE + 40 + 3:0
  done
  probe "call gate beyond the table"
  to_ring 3
  call SPARE + 72 + 3:0
  done
  probe "call gate within ring 3"
  to_ring 3
  call SPARE + 56 + 3:0
  done eax, ebx, ecx
  probe "far return from the gate drops parameters"
  to_ring 3
  push dword 1
  push dword 2
  call SPARE + 48 + 3:0
  mov eax, cs
  mov ecx, esp
  done eax, ebx, ecx
  mov word [tss + 16], 0
  probe "call gate, SS1 of the TSS null"
  to_ring 3
  call SPARE + 16 + 3:0
  done
  mov word [tss + 16], DATA3
  probe "call gate, SS1 of the TSS for ring 3"
  to_ring 3
  call SPARE + 16 + 3:0
  done cs
  descriptor SPARE + 88, 0, 0xfff, 0xb3, 0         ; DPL 1, 4 KiB
  mov word [tss + 16], SPARE + 88 + 1
  probe "call gate, ring 1 stack beyond its limit"
  to_ring 3
  call SPARE + 16 + 3:0
  done cs
  descriptor SPARE + 88, 0, 0xfff, 0x33, 0         ; not present
  probe "call gate, ring 1 stack not present"
  to_ring 3
  call SPARE + 16 + 3:0
  done cs
  mov word [tss + 16], DATA1

  ; --- Far transfers ---
  probe "far jump to an outer ring"
  jmp CODE3:0
  done
  probe "far jump to ring 0 from ring 3"
  to_ring 3
  jmp CODE0:0
  done
  probe "far call to a data segment"
  call DATA0:0
  done
  probe "far jump to null"
  jmp 0:0
  done
  probe "far jump beyond the limit"
  jmp CODE16:0x10000
  done
  descriptor SPARE + 80, 0, 0xfffff, 0x9e, 0xc     ; conforming
  probe "conforming code keeps CPL"
  to_ring 3
  jmp SPARE + 80 + 3:.conforming
.conforming:
  mov eax, cs
  done eax
  value "accessed bit of the conforming segment", [gdt_at(SPARE + 80) + 4]
  descriptor SPARE + 80, 0, 0xfffff, 0x1a, 0xc     ; not present
  probe "far jump to a segment that is not present"
  jmp SPARE + 80:0
  done
  probe "retf to an inner ring"
  to_ring 3
  push dword CODE0
  push dword 0
  retf
  done
  probe "retf to an outer ring"
  push dword DATA3
  push dword STACK3
  push dword CODE3
  push dword .outer
  retf
.outer:
  mov eax, ds
  mov ebx, ss
  mov ecx, fs
  mov edx, esp
  done eax, ebx, ecx, edx
  probe "retf to an outer ring, SS for another ring"
  push dword DATA0
  push dword STACK3
  push dword CODE3
  push dword 0
  mark
  retf
  done
  probe "retf to null"
  push dword 0
  push dword 0
  mark
  retf
  done
  probe "iret to an outer ring with a bad stack"
  push dword 0
  push dword 0
  push dword 2
  push dword CODE3
  push dword 0
  mark
  iretd
  done
  probe "iret to an inner ring"
  to_ring 3
  push dword 2
  push dword CODE0
  push dword 0
  mark
  iretd
  done
  probe "iret at CPL 3 changes neither IOPL nor IF"
  to_ring 3, 2
  push dword IOPL3 | IF | 2
  push dword CODE3
  push dword .same
  iretd
.same:
  pushfd
  pop eax
  and eax, 0x3f00
  done eax

  ; --- Interrupt gates ---
  probe "int through a gate of DPL 0"
  to_ring 3
  int 0x41
  done
  probe "int beyond the table"
  int 0xf0
  done
  probe "int3 through a gate of DPL 0"
  to_ring 3
  int3
  done
  mov byte [idt + 3 * 8 + 5], 0xee
  probe "int3"
  to_ring 3
  int3
  done
  probe "into, OF clear"
  to_ring 3, 2
  into
  done
  mov byte [idt + 4 * 8 + 5], 0xee
  probe "into, OF set"
  to_ring 3, 0x802
  into
  done
  mov byte [idt + 0x42 * 8 + 5], 0x6e
  probe "int, gate not present"
  int 0x42
  done
  mov byte [idt + 0x42 * 8 + 5], 0xe9
  probe "int, not a gate"
  int 0x42
  done
  mov byte [idt + 0x42 * 8 + 5], 0xee
  mov word [idt + 0x42 * 8 + 2], 0
  probe "int, null selector"
  int 0x42
  done
  mov word [idt + 0x42 * 8 + 2], DATA0
  probe "int to a data segment"
  int 0x42
  done
  mov word [idt + 0x42 * 8 + 2], CODE3
  probe "int to an outer ring"
  int 0x42
  done
  mov word [idt + 0x42 * 8 + 2], CODE0
  mov word [idt + 0x42 * 8 + 2], CODE1
  probe "int to ring 1"
  to_ring 3
  int 0x42                          ; ring 1 may not read what the handler reads through DATA0
  done cs
  mov word [tss + 16], SPARE + 88 + 1
  probe "int to ring 1, stack not present"
  to_ring 3
  int 0x42
  done cs
  mov word [tss + 16], DATA1
  mov word [idt + 0x42 * 8 + 2], CODE0
  probe "interrupt gate clears IF, TF, NT, RF"
  pushfd
  or dword [esp], IF | NT
  popfd
  int 0x43
  done flags
  probe "division error"
  to_ring 3
  xor ecx, ecx
  mark
  div ecx
  done cs, ss3, esp3
  probe "bound"
  mov dword [fs:BUFFER], 1
  mov dword [fs:BUFFER + 4], 5
  mov eax, 6
  mark
  bound eax, [BUFFER]
  done
  probe "undefined opcode"
  to_ring 3
  ud2
  done
  finish
