; Real-address mode (SDM 3B chapter 20): limits at FFFFh, wraps, vectors, big real mode.
%include "system.inc"

; Probes in real mode: the mark and the resume point as offsets; vectors 0 to 31 lead to stubs like those of system.inc.
%macro to_real 0
  jmp CODE16:%%low
bits 16
%%low:
  mov ax, DATA16
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov gs, ax
  mov fs, ax
  mov eax, cr0
  and al, 0xfe
  mov cr0, eax
  jmp 0:%%real
%%real:
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov gs, ax
  mov fs, ax
  mov sp, 0x7b00
  lidt [real_idt]
%endmacro

; The name of the probe, then its code; faults go to real_exception.
%macro real 2-3 0                   ; name, SP, FLAGS
  %push real
  [section .data]
  %$name: db %1, 0
  __SECT__
  mov dword [probe_name], %$name
  mov dword [probe_resume], %$resume
  mov dword [probe_mark], %$start
  mov word [sp_wanted], %2
  mov sp, %2
%$start:
%endmacro
%macro real_done 0
  jmp 0:real_ok
%$resume:
  %pop
%endmacro

bits 16
align 8
%assign n 0
real_stubs:
%rep 32
  align 8
  push byte n
  jmp near real_exception
%assign n n + 1
%endrep
real_exception:                     ; vector, IP, CS, FLAGS
  pop word [cs:r_vector]
  pop word [cs:r_ip]
  pop word [cs:r_cs]
  pop word [cs:r_flags]
  mov [cs:r_sp], sp
  jmp real_report
real_ok:
  mov [cs:r_sp], sp
  mov word [cs:r_vector], 0xff
real_report:
  mov [cs:r_eax], eax
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x7b00
  lidt [idt_pointer]
  lgdt [gdt_pointer]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp CODE0:report32
bits 32
report32:
  mov ax, DATA0
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov esp, STACK_PRINT
  mov esi, [probe_name]
  call put_string
  text ": "
  movzx eax, word [r_vector]
  cmp al, 0xff
  je .ok
  push eax
  text "#"
  pop eax
  mov ecx, 2
  call put_hex
  movzx eax, word [r_ip]
  sub eax, [probe_mark]
  cmp eax, 0x100
  jae .far
  text " +"
  movzx eax, word [r_ip]
  sub eax, [probe_mark]
  jmp .ip
.far:
  text " ip "
  movzx eax, word [r_ip]
.ip:
  mov ecx, 4
  call put_hex
  text " flags "
  movzx eax, word [r_flags]
  and eax, 0x7f00
  call put_hex
  jmp .sp
.ok:
  text "ok"
.sp:
  text " sp "
  movzx eax, word [r_sp]
  mov ecx, 4
  call put_hex
  text " eax "
  mov eax, [r_eax]
  mov ecx, 8
  call put_hex
  call new_line
  to_real
  xor eax, eax
  jmp [probe_resume]
bits 32

section .data
real_idt: dw 0x3ff
          dd 0
short_idt: dw 0x37
           dd 0
r_vector: dw 0
r_ip: dw 0
r_cs: dw 0
r_flags: dw 0
r_sp: dw 0
r_eax: dd 0
sp_wanted: dw 0
section .text

main:
  ; Vectors 0 to 31.
  xor ecx, ecx
.vector:
  lea eax, [real_stubs + ecx * 8]
  mov [ecx * 4], ax
  mov word [ecx * 4 + 2], 0
  inc ecx
  cmp ecx, 32
  jb .vector
  to_real
  xor eax, eax
  real "byte at FFFFh", 0x7b00
  mov al, [0xffff]
  xor eax, eax
  real_done
  real "word at FFFFh", 0x7b00
  mov ax, [0xffff]
  real_done
  real "dword at FFFDh", 0x7b00
  mov eax, [0xfffd]
  real_done
  real "word store at FFFFh", 0x7b00
  mov [0xffff], ax
  real_done
  real "stack word at BP FFFFh", 0x7b00
  mov bp, 0xffff
  mov ax, [bp]
  real_done
  real "address above FFFFh", 0x7b00
  mov ebx, 0x10000
  mov al, [ebx]
  real_done
  real "push at SP 2", 2
  push ax
  real_done
  real "pop at SP FFFEh", 0xfffe
  pop bx
  real_done
  real "pushad at SP 0", 0
  mov word [0xfffe], 0
  pushad
  real_done
  real "lea wraps", 0x7b00
  mov bx, 0xfff0
  lea eax, [bx + 0x20]
  real_done
  mov word [0], real_stubs          ; the stack lay over it
  real "division error points at the instruction", 0x7b00
  xor cx, cx
  div cx
  real_done
  real "division overflow", 0x7b00
  mov ax, 0x100
  mov cl, 1
  div cl
  real_done
  real "aam 0", 0x7b00
  aam 0
  real_done
  real "bound", 0x7b00
  mov word [0x7000], 1
  mov word [0x7002], 2
  mov ax, 3
  bound ax, [0x7000]
  real_done
  real "into", 0x7b00
  mov al, 0x7f
  inc al
  into
  real_done
  real "int3", 0x7b00
  int3
  real_done
  real "undefined opcode", 0x7b00
  ud2
  real_done
  real "lldt", 0x7b00
  lldt ax
  real_done
  real "arpl", 0x7b00
  arpl ax, bx
  real_done
  real "lar", 0x7b00
  lar ax, bx
  real_done
  real "clts and lmsw run", 0x7b00
  clts
  smsw ax
  and ax, 0xe
  lmsw ax
  xor eax, eax
  real_done
  real "mov from cr0 runs", 0x7b00
  mov ebx, cr0
  real_done
  real "lock add on a register", 0x7b00
  db 0xf0, 0x01, 0xc0
  real_done
  real "sixteen bytes", 0x7b00
  times 15 db 0x66
  nop
  real_done
  real "fifteen bytes", 0x7b00
  times 14 db 0x66
  nop
  real_done
  real "sti, popf, pushf, iret need no IOPL", 0x7b00
  push word 0x0202
  push cs
  push word .behind
  iret
.behind:
  pushf
  pop ax
  and eax, 0x3f00
  cli
  real_done
  real "the table's limit", 0x7b00
  lidt [short_idt]
  int 0x14
  real_done
  lidt [real_idt]
  ; Big real mode: a limit that was loaded in protected mode stays.
  real "limits stay behind protected mode", 0x7b00
  mov ebx, cr0
  or bl, 1
  mov cr0, ebx
  mov cx, DATA0
  mov gs, cx
  and bl, 0xfe
  mov cr0, ebx
  mov ebx, BUFFER
  mov dword [gs:ebx], 0x1234abcd
  mov cx, 0x10
  mov gs, cx
  mov eax, [gs:ebx - 0x100]
  real_done
  real "self-modifying code: the next instruction", 0x7b00
  xor eax, eax
  mov byte [.patched], 0x40         ; inc ax instead of nop
.patched:
  nop
  real_done
  real "ip wraps at FFFFh", 0x7b00
  ; At FFFEh: nop; nop, then offset 0 of the segment, which is 10000h linear - not 0: the next IP is beyond the limit.
  mov word [0xfffe], 0x9090
  jmp 0:0xfffe
  real_done
  real "an instruction across FFFFh", 0x7b00
  mov byte [0xffff], 0xb8
  jmp 0:0xffff
  real_done
  real "near jump beyond FFFFh", 0x7b00
  db 0x66, 0xe9                     ; jmp rel32
  dd 0x10000
  real_done
  lidt [idt_pointer]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp CODE0:.end
bits 32
.end:
  mov ax, DATA0
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov esp, STACK0
  finish
