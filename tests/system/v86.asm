; Virtual-8086 mode (SDM 3B chapter 20): what is sensitive to IOPL, interrupts in and out, VME's redirection and virtual
; interrupt flag, protected-mode virtual interrupts.
%include "system.inc"

VECTORS equ 0                       ; of the virtual-8086 program
VME equ 1
PVI equ 2

; A handler within the program (the redirection's target): 0000:handler16
bits 16
handler16:
  pop cx                            ; IP
  pop dx                            ; CS
  pop bx                            ; FLAGS
  pushf
  pop si
  int 0x40
v86_far:
  mov ax, cs
  int 0x40
bits 32

%macro sensitive 3+                 ; name, EFLAGS, instructions
  probe %1
  to_v86 %2
  %3
  done flags
%endmacro

main:
  ; The BIOS's vectors are not needed any more: 41h leads to handler16.
  mov word [VECTORS + 0x41 * 4], handler16
  mov word [VECTORS + 0x41 * 4 + 2], 0
  mov byte [idt + 0x41 * 8 + 5], 0xee

  probe "segments and flags on entry"
  to_v86 IOPL3 | IF
  mov ax, cs
  mov bx, ss
  mov cx, sp
  mov dx, ds
  done eax, ebx, ecx, edx, flags, esp3, ss3, ds, gs
  sensitive "iopl 3: cli", IOPL3 | IF, cli
  sensitive "iopl 3: sti", IOPL3, sti
  sensitive "iopl 0: cli", IF, cli
  sensitive "iopl 0: sti", 0, sti
  sensitive "iopl 0: pushf", IF, pushf
  sensitive "iopl 0: popf", IF, popf
  sensitive "iopl 0: int n", IF, int 0x41
  sensitive "iopl 0: int3", IF, int3
  sensitive "iopl 0: iret", IF, iret
  sensitive "iopl 3: int n", IOPL3 | IF, int 0x41
  sensitive "iopl 3: int n by a gate of DPL 0", IOPL3 | IF, int 0x43
  sensitive "iopl 0: in", IF, in al, 0x60
  sensitive "iopl 3: in", IOPL3 | IF, in al, 0x60
  mov byte [tss + 136 + 0xe], 0
  sensitive "iopl 3: in of a free port", IOPL3 | IF, in al, 0x71
  mov byte [tss + 136 + 0xe], 0xff
  sensitive "hlt", IOPL3 | IF, hlt
  sensitive "clts", IOPL3 | IF, clts
  sensitive "lgdt", IOPL3 | IF, {lgdt [0]}
  sensitive "mov cr0", IOPL3 | IF, {mov eax, cr0}
  sensitive "smsw", IOPL3 | IF, smsw ax
  sensitive "sgdt", IOPL3 | IF, {sgdt [0x7000]}
  sensitive "lar", IOPL3 | IF, {lar ax, bx}
  sensitive "verr", IOPL3 | IF, verr ax
  sensitive "sldt", IOPL3 | IF, sldt ax
  sensitive "str", IOPL3 | IF, str ax
  sensitive "lldt", IOPL3 | IF, lldt ax
  sensitive "arpl", IOPL3 | IF, {arpl ax, bx}
  sensitive "lock on a register", IOPL3 | IF, {db 0xf0, 0x01, 0xc0}
  sensitive "word at FFFFh", IOPL3 | IF, {mov ax, [0xffff]}
  sensitive "byte at FFFFh", IOPL3 | IF, {mov al, [0xffff]}
  sensitive "address above FFFFh", IOPL3 | IF, {mov ebx, 0x10000}
  probe "address above FFFFh, used"
  to_v86 IOPL3 | IF
  mov ebx, 0x10000
  mov al, [ebx]
  done
  probe "stack word at SP 1"
  to_v86 IOPL3 | IF
  mov sp, 1
  push ax
  done esp3
  probe "pushf, popf with IOPL 3"
  to_v86 IOPL3 | IF
  pushf
  pop ax
  push word 0x0cd7                  ; IOPL 0, DF, IF clear
  popf
  pushf
  pop bx
  push word 0x3002
  popf
  done eax, ebx
  probe "popfd does not change VM or RF"
  to_v86 IOPL3 | IF
  push dword 0x3002
  popfd
  pushfd
  pop eax
  done eax, flags
  probe "iret within the program"
  to_v86 IOPL3 | IF
  push word 0x3202
  push word 0x7c0
  push word v86_far - 0x7c00
  iret
  done
  probe "far jump"
  to_v86 IOPL3
  jmp 0x7c0:v86_far - 0x7c00
  done
  probe "segment loads need no descriptor"
  to_v86 IOPL3
  mov ax, 0xffff
  mov gs, ax
  mov bl, [gs:0x10]
  mov ax, gs
  done eax
  probe "interrupt to ring 1"
  mov word [idt + 0x44 * 8 + 2], CODE1
  mov byte [idt + 0x44 * 8 + 5], 0xee
  to_v86 IOPL3
  int 0x44
  done
  probe "interrupt to conforming code"
  descriptor SPARE, 0, 0xfffff, 0x9e, 0xc
  mov word [idt + 0x44 * 8 + 2], SPARE
  to_v86 IOPL3
  int 0x44
  done
  mov word [idt + 0x44 * 8 + 2], CODE0
  probe "interrupt by a 16-bit gate"
  mov byte [idt + 0x44 * 8 + 5], 0xe6
  mov word [idt + 0x44 * 8], .small_frame
  to_v86 IOPL3
  int 0x44
bits 32
.small_frame:                       ; IP, CS, FLAGS, SP, SS, ES, DS, FS, GS
  mov ecx, esp
  movzx eax, word [esp + 2]
  movzx ebx, word [esp + 4]
  movzx edx, word [esp + 8]
  mov si, DATA3
  mov fs, si
  done eax, ebx, ecx, edx

  ; --- VME ---
  mov eax, cr4
  or al, VME
  mov cr4, eax
  ; Bit 41h of the redirection map (tss + 104) is clear: to the program; 40h is set: to the IDT.
  mov byte [tss + 104 + 8], 0xff ^ 2
  probe "vme, iopl 3: redirected int"
  to_v86 IOPL3 | IF
  int 0x41
  done ebx, edx, esi, flags
  probe "vme, iopl 0: redirected int"
  to_v86 IF | VIF
  int 0x41
  done ebx, edx, esi, flags
  probe "vme, iopl 0: redirected int, VIF clear"
  to_v86 IF
  int 0x41
  done ebx, edx, esi, flags
  probe "vme, iopl 0: int that is not redirected"
  to_v86 IF
  int 0x42
  done flags
  sensitive "vme, iopl 3: cli", IOPL3 | IF | VIF, cli
  sensitive "vme, iopl 0: cli", IF | VIF, cli
  sensitive "vme, iopl 0: sti", IF, sti
  sensitive "vme, iopl 0: sti, VIP", IF | VIP, sti
  probe "vme, iopl 0: cli clears VIF alone"
  to_v86 IF | VIF
  cli
  int 0x41
  done ebx, flags
  probe "vme, iopl 0: sti sets VIF"
  to_v86 IF
  sti
  int 0x41
  done ebx, flags
  probe "vme, iopl 0: pushf shows VIF as IF, IOPL as 3"
  to_v86 IF
  pushf
  pop ax
  sti
  pushf
  pop bx
  int 0x41
  done eax
  probe "vme, iopl 0: popf moves IF to VIF"
  to_v86 IF
  push word 0x0202
  popf
  int 0x41
  done ebx, flags
  sensitive "vme, iopl 0: popf of IF, VIP", IF | VIP, {push word 0x0202}
  probe "vme, iopl 0: popf of IF with VIP, executed"
  to_v86 IF | VIP
  push word 0x0202
  popf
  done flags
  probe "vme, iopl 0: popf of TF"
  to_v86 IF
  push word 0x0102
  popf
  done flags
  probe "vme, iopl 0: 32-bit pushf"
  to_v86 IF
  pushfd
  done
  probe "vme, iopl 0: 32-bit popf"
  to_v86 IF
  popfd
  done
  probe "vme, iopl 0: iret"
  to_v86 IF
  push word 0x0202
  push word 0x7c0
  push word v86_far - 0x7c00
  iret
  done eax, flags
  probe "vme, iopl 0: iret of IF with VIP"
  to_v86 IF | VIP
  push word 0x0202
  push word 0x7c0
  push word v86_far - 0x7c00
  iret
  done flags
  probe "vme, iopl 0: 32-bit iret"
  to_v86 IF
  iretd
  done
  probe "vme: redirection map beyond the TSS"
  mov word [tss + 102], 0x200
  to_v86 IF
  int 0x41
  done flags
  mov word [tss + 102], 136

  ; --- PVI ---
  mov eax, cr4
  and al, 0xfc
  or al, PVI
  mov cr4, eax
%macro pvi 3+
  probe %1
  to_ring 3, %2
  %3
  done flags
%endmacro
  pvi "pvi: cli", IF | VIF | 2, cli
  pvi "pvi: sti", IF | 2, sti
  pvi "pvi: sti with VIP", IF | VIP | 2, sti
  pvi "pvi: pushf shows no VIF", IF | VIF | 2, {pushfd}
  pvi "pvi: cli, iopl 3", IF | VIF | IOPL3 | 2, cli
  probe "pvi: ring 1 has none"
  to_ring 1, IF | VIF | 2
  cli
  done flags
  mov eax, cr4
  and al, 0xfc
  mov cr4, eax
  pvi "no pvi: cli", IF | VIF | 2, cli
  finish
