; A module for Linux (i386) with a mistake: what is written to /sys/module/overrun/parameters/name is copied without a look
; at its length, over the pointer behind its place. The kernel dies when another parameter, greet, is written, whose
; function calls what the pointer has become. tests/gdb/kernel_corruption_test finds the copy from the crash, backwards.
; Functions get their arguments in EAX, EDX and ECX, as the kernel is compiled.
;
; nasm -f elf32 -DVERMAGIC='..' -DMODULE_BYTES=.. -DLAYOUT_CRC=..: what the kernel asks of its modules, as one of its own
; says it (struct kernel_param and struct kernel_param_ops: include/linux/moduleparam.h of Linux 6.1).
bits 32
global set_name, copy_byte, set_greeting, call_handler, greet, name, handler

ROOM equ 16
WRITE equ 200q
NO_LEVEL equ -1

section .modinfo progbits alloc noexec nowrite align=1
  db "license=GPL", 0
  db "name=overrun", 0
  db "vermagic=", VERMAGIC, 0

section .gnu.linkonce.this_module progbits alloc noexec write align=64
  times 12 db 0                   ; state, list
  db "overrun"
  times MODULE_BYTES - ($ - $$) db 0

section __versions progbits alloc noexec nowrite align=4
  dd LAYOUT_CRC
  db "module_layout"
  times 64 - ($ - $$) db 0

section __param progbits alloc noexec nowrite align=4
  dd name_text, 0, copying        ; name, module, functions
  dw WRITE
  db NO_LEVEL, 0
  dd 0
  dd greet_text, 0, greeting
  dw WRITE
  db NO_LEVEL, 0
  dd 0

section .rodata align=4
copying: dd 0, set_name, 0, 0  ; flags, set, get, free
greeting: dd 0, set_greeting, 0, 0
name_text: db "name", 0
greet_text: db "greet", 0

section .data align=4
name: times ROOM db 0
handler: dd greet

section .text
set_name:
  push esi
  push edi
  mov esi, eax
  mov edi, name
copy_byte:
  lodsb
  mov [edi], al                   ; the mistake: nobody asks whether there is room
  inc edi
  test al, al
  jnz copy_byte
  xor eax, eax
  pop edi
  pop esi
  ret
set_greeting:
call_handler:
  call [handler]
  xor eax, eax
  ret
greet:
  ret
