; Code and data at the last byte below a limit and the first one beyond it, met by code that has run many times before: what
; an engine has made of it under a wider limit must not hold under a narrower one.
%include "system.inc"

ROUNDS equ 100
CODE equ SPARE                      ; the code segment under test
DATA equ SPARE + 8                  ; the data segment

; Copies the code from label %2 up to %2_end to %1, which becomes the base of CODE, with limit %3 and flags %4 (4: 32-bit).
%macro code_at 3-4 4
  mov esi, %2
  mov edi, %1
  mov ecx, %2_end - %2
  rep movsb
  descriptor CODE, %1, %3, 0x9b, %4
  mov dword [base], %1
%endmacro
%macro limit 1-2 4
  descriptor CODE, dword [base], %1, 0x9b, %2
%endmacro
; Calls the code many times; EAX counts.
%macro run 0
  mov edx, ROUNDS
%%next:
  mov ecx, 1
  call CODE:0
  dec edx
  jnz %%next
%endmacro
; Once more. EIP is told from the segment's beginning.
%macro once 1
  probe %1
  mov dword [fs:probe_mark], 0
  mov ecx, 1
  call CODE:0
  done eax, ecx, esp
%endmacro
%macro data 2-3 4                   ; base, limit, flags
  descriptor DATA, %1, %2, 0x93, %3
%endmacro
; A loop that walks with its instruction from offset ESI on, EDI steps of ECX bytes; where it stopped.
%macro walk 2+
  probe %1
  mov ax, DATA
  mov es, ax
  mark
%%next:
  %2
  add esi, ecx
  dec edi
  jnz %%next
  done esi, edi
%endmacro

main:
  ; --- The last instruction ---
  code_at BUFFER, straight, straight_end - straight - 1
  run
  once "code: its last byte at the limit"
  limit straight_end - straight - 2
  once "code: its last byte beyond the limit"
  limit 1
  once "code: the second instruction cut by the limit"
  limit 0xffff
  once "code: a wider limit again"
  code_at BUFFER + 0x123, straight, straight_end - straight - 1
  run
  once "code from an odd base"
  limit 3
  once "code from an odd base, cut"

  ; --- Branches ---
  code_at BUFFER, forward, forward_end - forward - 1
  run
  once "JMP to the last byte"
  limit forward.target - forward - 1
  once "JMP to the first byte beyond"
  code_at BUFFER, conditional, conditional_end - conditional - 1
  run
  once "JZ to the last byte"
  limit conditional.target - conditional - 1
  once "JZ to the first byte beyond"
  code_at BUFFER, counting, counting_end - counting - 1
  run
  limit counting.target - counting - 1
  once "LOOP to the first byte beyond leaves ECX"
  code_at BUFFER, calling, calling_end - calling - 1
  run
  once "CALL to the last byte"
  limit calling.target - calling - 1
  once "CALL to the first byte beyond pushes nothing"
  code_at BUFFER, through, through_end - through - 1
  run
  once "JMP EAX to the last byte"
  limit through.target - through - 1
  once "JMP EAX to the first byte beyond"
  limit through.target - through - 1 + 0x1000
  once "JMP EAX, a page more"

  ; --- Pages ---
  code_at BUFFER + 0xffd, straight, straight_end - straight - 1
  run
  once "code over the end of a page"
  limit straight_end - straight - 2
  once "code over the end of a page, its last byte beyond"
  limit 3
  once "an instruction over the end of a page, cut"
  code_at BUFFER + 0xffe, forward, forward_end - forward - 1
  run
  limit forward.target - forward - 1
  once "JMP to another page, beyond"

  ; --- Data: ES has the limit, 32 bits ---
  data BUFFER, 0xfff
  mov esi, 0
  mov ecx, 4
  mov edi, 0x500
  walk "read up to a limit by dwords", mov eax, [es:esi]
  mov esi, 1
  mov ecx, 4
  mov edi, 0x500
  walk "read up to a limit by unaligned dwords", mov eax, [es:esi]
  mov esi, 0
  mov ecx, 1
  mov edi, 0x1100
  walk "write up to a limit by bytes", inc byte [es:esi]
  data BUFFER + 1, 0xffe
  mov esi, 0
  mov ecx, 2
  mov edi, 0x900
  walk "write up to a limit by words from an odd base", add [es:esi], ax
  descriptor DATA, BUFFER, 0xf03, 0x97, 4           ; expand-down
  mov esi, 0x2000
  mov ecx, -4
  mov edi, 0x900
  walk "write down to an expand-down limit", mov [es:esi], eax
  mov esi, 0x2001
  mov ecx, -1
  mov edi, 0x1200
  walk "read down to an expand-down limit by bytes", mov al, [es:esi]
  descriptor DATA, BUFFER, 0xf03, 0x97, 0           ; up to FFFFh
  mov esi, 0xfe00
  mov ecx, 2
  mov edi, 0x200
  walk "read up to the top of an expand-down segment", mov ax, [es:esi]
  mov esi, 0xfe01
  mov ecx, 2
  mov edi, 0x200
  walk "read up to its top by unaligned words", mov ax, [es:esi]
  data BUFFER + 0x1000, 0xfffff, 0xc
  mov esi, -0x1000
  mov ecx, 4
  mov edi, 0x3ff
  walk "a segment of 4 GiB from a base", mov eax, [es:esi]

  ; --- Alignment checks ---
  mov eax, cr0
  or eax, 1 << 18
  mov cr0, eax
  probe "AC: aligned dwords at CPL 3"
  to_ring 3, AC | 2
  mov_data DATA3
  mov esi, BUFFER
  mov edi, ROUNDS
.aligned:
  add eax, [esi]
  push esi
  pop ebx
  add esi, 4
  dec edi
  jnz .aligned
  done esi, edi, ebx
  probe "AC: an unaligned dword after aligned ones"
  to_ring 3, AC | 2
  mov_data DATA3
  mov esi, BUFFER
  mov edi, ROUNDS
.unaligned:
  cmp edi, 3
  adc esi, 0
  mov [esi], eax
  add esi, 4
  dec edi
  jnz .unaligned
  done esi, edi
  finish

straight:
  inc eax
  lea ebx, [eax + eax + 1]
  retf
straight_end:
forward:
  inc eax
  jmp short .target
  nop
.target:
  retf
forward_end:
conditional:
  inc eax
  xor ebx, ebx
  jz .target
  nop
.target:
  retf
conditional_end:
counting:
  inc eax
  inc ecx
  loop .target
  nop
.target:
  retf
counting_end:
calling:
  inc eax
  mov ebx, esp
  call .target
  retf
.target:
  ret
calling_end:
through:
  push eax
  mov eax, .target - through
  jmp eax
  nop
.target:
  pop eax
  retf
through_end:

section .data
base: dd 0
section .text
