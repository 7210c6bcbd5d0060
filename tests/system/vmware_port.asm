; VMware's port, whose device takes and gives registers beside EAX, by code that runs once and by code that has run often.
%include "system.inc"
MAGIC equ 0x564d5868
PORT  equ 0x5658
GET_VERSION   equ 10
GET_MEMORY    equ 20
MOUSE_DATA    equ 39
MOUSE_STATUS  equ 40
MOUSE_COMMAND equ 41
IDENTIFY  equ 0x45414552
POSITIONS equ 0x53424152
OFF       equ 0xf5

; Leaves the answer in the registers; ESI and EDI say whether they were taken.
%macro ask 2                        ; command, parameter
  mov eax, MAGIC
  mov ebx, %2
  mov ecx, %1
  mov edx, PORT
  mov esi, 0x51515151
  mov edi, 0xd1d1d1d1
  in eax, dx
%endmacro
%macro identify 1                   ; so many words into the queue
  %rep %1
    ask MOUSE_COMMAND, IDENTIFY
  %endrep
%endmacro

main:
  probe "version"
  ask GET_VERSION, 0
  done eax, ebx, ecx, edx

  probe "memory"
  ask GET_MEMORY, 0
  done eax, ebx, ecx, edx

  probe "another magic number"
  mov eax, 0x12345678
  mov ebx, 1
  mov ecx, GET_VERSION
  mov edx, PORT
  in eax, dx
  done eax, ebx, ecx, edx

  probe "a command that there is not"
  ask 0x0fff, 1
  done eax, ebx, ecx, edx

  probe "by OUT"
  mov eax, MAGIC
  mov ebx, 0
  mov ecx, GET_VERSION
  mov edx, PORT
  out dx, eax
  done eax, ebx, ecx, edx

  probe "by OUT, another magic number"
  mov eax, 0x12345678
  mov ecx, GET_VERSION
  mov edx, PORT
  out dx, eax
  done eax, ecx, edx

  probe "16 bits"
  mov eax, MAGIC
  mov ebx, 0
  mov ecx, GET_VERSION
  mov edx, PORT
  in ax, dx
  done eax, ebx, ecx, edx

  probe "8 bits"
  mov eax, MAGIC
  mov ebx, 0
  mov ecx, GET_VERSION
  mov edx, PORT
  in al, dx
  done eax, ebx, ecx, edx

  probe "OUT of 8 bits"
  mov eax, MAGIC
  mov ebx, 0
  mov ecx, GET_VERSION
  mov edx, PORT
  out dx, al
  done eax, ebx, ecx, edx

  probe "the next port"
  mov eax, MAGIC
  mov ebx, 0
  mov ecx, GET_VERSION
  mov edx, PORT + 1
  in al, dx
  done eax, ebx, ecx, edx

  probe "the mouse is off"
  ask MOUSE_STATUS, 0
  done eax

  probe "identified"
  identify 1
  ask MOUSE_STATUS, 0
  done eax

  probe "one word"
  ask MOUSE_DATA, 1
  done eax, ebx, ecx, edx, esi, edi

  probe "none is left"
  ask MOUSE_STATUS, 0
  done eax

  probe "four words"
  identify 7
  ask MOUSE_DATA, 4
  done eax, ebx, ecx, edx, esi, edi

  probe "three are left"
  ask MOUSE_STATUS, 0
  done eax

  probe "six words"
  identify 3
  ask MOUSE_DATA, 6
  done eax, ebx, ecx, edx, esi, edi

  probe "more than there are"
  identify 2
  ask MOUSE_DATA, 3
  ask MOUSE_STATUS, 0
  done eax

  probe "more than six"
  identify 8
  ask MOUSE_DATA, 7
  ask MOUSE_STATUS, 0
  done eax

  probe "positions, and off"
  identify 1
  ask MOUSE_COMMAND, POSITIONS
  ask MOUSE_STATUS, 0
  mov ebp, eax
  ask MOUSE_COMMAND, OFF
  ask MOUSE_STATUS, 0
  done eax, ebp

  probe "ring 3 without permission"
  to_ring 3
  ask GET_VERSION, 0
  done eax

  probe "ring 3 with permission"
  to_ring 3, IOPL3 | 2
  ask GET_VERSION, 0
  done eax, ebx, ecx

  ; Registers that translated code has in the host's, and flags that nobody has computed yet.
  probe "a loop that runs often"
  xor ebp, ebp
.next:
  ask GET_VERSION, 0
  add eax, ebx
  adc ecx, 0
  xor [BUFFER], eax
  add [BUFFER], ecx
  inc ebp
  cmp ebp, 3000
  jb .next
  mov eax, [BUFFER]
  done eax, ebx, ecx, esi, edi, ebp

  probe "a loop by OUT of 8 bits"
  xor ebp, ebp
  mov dword [BUFFER], 0
.out:
  mov eax, MAGIC
  mov ebx, 0
  mov ecx, GET_VERSION
  mov edx, PORT
  out dx, al
  add eax, ebx
  add ecx, eax
  add [BUFFER], ecx
  inc ebp
  cmp ebp, 3000
  jb .out
  mov eax, [BUFFER]
  done eax, ebx, ebp

  probe "real words of the mouse in a loop"
  xor ebp, ebp
  mov dword [BUFFER], 0
.words:
  identify 6
  ask MOUSE_DATA, 6
  add eax, ebx
  add ecx, edx
  add esi, edi
  add [BUFFER], eax
  add [BUFFER], ecx
  add [BUFFER], esi
  inc ebp
  cmp ebp, 500
  jb .words
  mov eax, [BUFFER]
  done eax, ebp
  finish
