; System management mode (SDM 3C chapter 34) as a board with an i440FX and a PIIX4 has it: the firmware has moved SMBASE to
; A0000h; here its handler is replaced through the open SMRAM window, and SMIs come by the APM control port.
%include "system.inc"

SMRAMC equ 0x80000072               ; i440FX, function 0
SMBASE equ 0xa0000
RESULT equ BUFFER                   ; where the handlers leave what they saw

%macro smram 1                      ; its control register
  mov eax, SMRAMC & ~3
  mov dx, 0xcf8
  out dx, eax
  mov dx, 0xcfe
  mov al, %1
  out dx, al
%endmacro
; Replaces the handler.
install:                            ; ESI, ECX
  push esi
  push ecx
  smram 0x4a
  pop ecx
  pop esi
  mov edi, SMBASE + 0x8000
  rep movsb
  smram 0x0a
  ret
%macro handler 1
  mov esi, %1
  mov ecx, %1.end - %1
  call install
%endmacro
smi:
  push eax
  mov al, [apm]
  out 0xb2, al
.behind:
  nop
  pop eax
  ret
section .data
apm: db 0x77
section .text

bits 16
; Notes what SMM starts with, then part of the save map.
observe:
  mov [dword RESULT], ax            ; AX is still the interrupted program's
  mov eax, cr0
  mov [dword RESULT + 4], eax
  mov eax, cr4
  mov [dword RESULT + 8], eax
  mov sp, 0x7000
  push cs
  pop ss                            ; a stack in SMRAM
  pushfd
  pop dword [dword RESULT + 12]
  mov ax, cs
  mov [dword RESULT + 16], ax
  mov ax, ds
  mov [dword RESULT + 20], ax
  mov eax, dr7
  mov [dword RESULT + 24], eax
  mov eax, [cs:0xfefc]
  mov [dword RESULT + 28], eax      ; revision
  mov eax, [cs:0xfef8]
  mov [dword RESULT + 32], eax      ; SMBASE
  mov eax, [cs:0xff02]
  mov [dword RESULT + 36], ax       ; auto HALT restart
  mov eax, [cs:0xfff0]
  mov [dword RESULT + 40], eax      ; EIP
  mov eax, [cs:0xfff4]
  mov [dword RESULT + 44], eax      ; EFLAGS
  mov eax, [cs:0xfffc]
  mov [dword RESULT + 48], eax      ; CR0
  mov ax, [cs:0xffac]
  mov [dword RESULT + 52], ax       ; CS
  rsm
.end:
; Changes the saved registers.
change:
  mov dword [cs:0xffd0], 0x5a5a1234 ; EAX
  or dword [cs:0xfff4], 0x400       ; DF
  rsm
.end:
; Leaves everything else in disarray.
disarray:
  mov ax, 0x1234
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov fs, ax
  mov gs, ax
  mov eax, 0xdeadbeef
  mov ebx, eax
  mov ecx, eax
  mov edx, eax
  mov esi, eax
  mov edi, eax
  mov ebp, eax
  mov esp, eax
  mov dr7, eax
  mov eax, 0x10
  mov cr4, eax
  std
  rsm
.end:
bits 32

main:
  probe "rsm outside SMM"
  rsm
  done
  handler observe
  mov dword [RESULT + 0x100], 0
  probe "the handler runs and returns"
  mov eax, cr0
  and al, ~0xa                      ; MP and TS stay out of it
  mov cr0, eax
  mov eax, 0x600d
  call smi
  done eax, flags
%macro seen 2-3 0xffffffff
  mov eax, [RESULT + %2]
  and eax, %3
  mov [RESULT + 0x200], eax
  value %1, [RESULT + 0x200]
%endmacro
  seen "AX in the handler: the command", 0, 0xff
  seen "CR0 in the handler: PE, MP, EM, TS, PG", 4, 0x8000000f
  seen "CR4 in the handler", 8
  seen "EFLAGS in the handler", 12
  seen "CS in the handler", 16, 0xffff
  seen "DS in the handler", 20, 0xffff
  seen "DR7 in the handler", 24
  seen "SMBASE relocation in the revision, format", 28, 0x2ffff
  seen "SMBASE", 32
  seen "auto HALT restart", 36, 0xffff
  seen "saved EIP, EFLAGS", 44, 0x3f7fd7
  seen "saved CR0, PE", 48, 1
  seen "saved CS", 52, 0xffff
  mov eax, [RESULT + 40]
  sub eax, smi.behind
  mov [RESULT + 0x204], eax
  value "saved EIP behind the OUT", [RESULT + 0x204]
  probe "SMRAM is hidden outside SMM"
  mov eax, [SMBASE + 0x8000]
  cmp eax, [observe]
  setne al
  movzx eax, al
  done eax

  handler disarray
  probe "everything comes back"
  mov ebx, 0x11111111
  mov ecx, 0x22222222
  mov edx, 0x33333333
  mov esi, 0x44444444
  mov edi, 0x55555555
  mov ebp, 0x66666666
  mov eax, 0x77777777
  call smi
  done eax, ebx, ecx, edx, esi, edi, ebp, esp, flags, ds, es, gs, ss, cs
  mov eax, cr4
  mov [RESULT + 0x200], eax
  value "CR4", [RESULT + 0x200]
  mov eax, dr7
  mov [RESULT + 0x200], eax
  value "DR7", [RESULT + 0x200]
  probe "at CPL 3"
  mov byte [tss + 136 + 0xb2 / 8], 0
  to_ring 3, IF | 2
  mov eax, 0x12345678
  call smi
  pushfd
  pop ebx
  and ebx, 0x3f7700
  done eax, ebx, cs, ds, esp3
  probe "in virtual-8086 mode"
  to_v86 IOPL3 | IF
  mov ax, 0x1234
  mov gs, ax
  mov al, [apm]
  out 0xb2, al
  nop
  mov ax, gs
  mov bx, sp
  done eax, ebx, flags
  ; With paging on: the handler's addresses are physical.
  mov edi, TABLES
  mov ecx, 0x400
  xor eax, eax
  rep stosd
  xor ecx, ecx
.identity:
  mov eax, ecx
  shl eax, 12
  or eax, 7
  mov [TABLES + 0x1000 + ecx * 4], eax
  inc ecx
  cmp ecx, 1024
  jb .identity
  mov dword [TABLES], TABLES + 0x1007
  mov eax, TABLES
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  mov dword [TABLES + 0x1000 + (SMBASE + 0x8000) / 0x1000 * 4], 0
  mov eax, cr3
  mov cr3, eax
  probe "with paging, SMRAM's page not present"
  mov eax, 0x5555
  call smi
  mov ecx, cr0
  and ecx, 0x80000001
  done eax, ecx
  mov eax, cr0
  and eax, 0x7fffffff
  mov cr0, eax
  handler change
  probe "the handler changes the saved state"
  mov al, 0x77
  out 0xb2, al
  nop
  done eax, flags
  ; The next SMI with TF: the trap belongs to the instruction before.
  handler dummy
  probe "single step over the OUT"
  mov al, 0x77
  push dword TF | 2
  popfd
  out 0xb2, al
  nop
  nop
  done flags
  probe "data breakpoints survive"
  mov eax, BUFFER
  mov dr0, eax
  mov eax, 0x10402
  mov dr7, eax
  mov al, 0x77
  out 0xb2, al
  nop
  mark
  mov [BUFFER], al
  nop
  done
  finish
bits 16
dummy:
  rsm
.end:
