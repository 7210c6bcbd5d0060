; A multiboot kernel that requires a video mode. Fills the frame buffer it is given and writes its description to port
; E9h: flags, width, height, depth, kind, the position of red, and whether the frame buffer holds what was written.
; WIDTH, HEIGHT, DEPTH and KIND are what the header asks for.
%ifndef KIND
%define KIND 0
%define WIDTH 800
%define HEIGHT 600
%define DEPTH 32
%endif
  bits 32
  org 100000h
FLAGS equ 10005h                    ; addresses, video mode, page-aligned modules
header:
  dd 1BADB002h, FLAGS, -(1BADB002h + FLAGS), header, 100000h, 0, 0, start
  dd KIND, WIDTH, HEIGHT, DEPTH

start:
  mov esp, 200000h
  mov ebp, ebx
  mov eax, [ebp]
  shr eax, 11
  and eax, 3
  call number
  mov eax, [ebp + 100]
  call number
  mov eax, [ebp + 104]
  call number
  movzx eax, byte [ebp + 108]
  call number
  movzx eax, byte [ebp + 109]
  call number
  movzx eax, byte [ebp + 110]
  call number
  mov eax, [ebp + 96]               ; the last line's first bytes
  mov ecx, [ebp + 104]
  dec ecx
  imul eax, ecx
  add eax, [ebp + 88]
  mov dword [eax], 12345678h
  cmp dword [eax], 12345678h
  sete al
  movzx eax, al
  call number
  xor al, al
  out 0F4h, al
.halt:
  hlt
  jmp .halt

; EAX in decimal, and a blank.
number:
  mov ebx, 10
  xor ecx, ecx
.divide:
  xor edx, edx
  div ebx
  push edx
  inc ecx
  test eax, eax
  jnz .divide
.digit:
  pop eax
  add al, '0'
  out 0E9h, al
  loop .digit
  mov al, ' '
  out 0E9h, al
  ret
