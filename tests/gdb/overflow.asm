; A program for Linux (i386) with a mistake: it copies a name without looking at its length, over the pointer behind its
; place, works on for a while, and dies when it calls what the pointer has become. tests/gdb/linux_corruption_test finds
; the copy from the crash, backwards.
bits 32
global _start, copy_byte, call_handler, handler

SYS_EXIT equ 1
SYS_WRITE equ 4
SYS_GETPID equ 20
WORK equ 20000                  ; system calls between the mistake and its consequence

section .text
_start:
  mov esi, given
  mov edi, name
copy_byte:
  lodsb
  mov [edi], al                 ; the mistake: nobody asks whether there is room
  inc edi
  test al, al
  jnz copy_byte
  mov ebp, WORK
work:
  mov eax, SYS_GETPID
  int 80h
  dec ebp
  jnz work
call_handler:
  call [handler]
  mov eax, SYS_EXIT
  xor ebx, ebx
  int 80h

greet:
  mov eax, SYS_WRITE
  mov ebx, 1
  mov ecx, name
  mov edx, 16
  int 80h
  ret

section .data
given: db "a name of eighteen", 0
align 16
name: times 16 db 0
handler: dd greet
