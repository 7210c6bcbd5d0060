; 64-bit code that has run many times, and then meets what it has not met: a user page that SMAP closes again, a return that no call
; has foretold, an offset in FS that is not canonical (-cpu max; SDM 3A 4.6.1, SDM 1 3.3.7.1; SDM 2, RET, STAC, CLAC).
%include "system.inc"
%include "long.inc"
PAGE equ BUFFER + 0x10000
AC_BIT equ 18
SMAP_BIT equ 21
ROUNDS equ 300
cpu any                             ; STAC and CLAC
%macro rounds 1                     ; calls a place so many times
  mov r15d, ROUNDS
%%again:
  call %1
  dec r15d
  jnz %%again
%endmacro
%macro fault_at 1                   ; where the probe's exception is to be
  mov dword [abs probe_mark], %1
%endmacro
%macro set_ac 1                     ; by POPFQ
  pushfq
  %if %1
    bts qword [rsp], AC_BIT
  %else
    btr qword [rsp], AC_BIT
  %endif
  popfq
%endmacro
%macro set_fs 1
  mov ecx, FS_BASE
  mov rax, %1
  mov rdx, rax
  shr rdx, 32
  wrmsr
%endmacro
main:
  enter_long
  and dword [abs PDS], ~U           ; the image, its memory and its tables are the supervisor's
  and dword [abs PDS + 8], ~U
  mov rax, cr3
  mov cr3, rax
  mov rax, cr4
  bts rax, SMAP_BIT
  mov cr4, rax
  mov dword [abs PAGE], 0x12345678
  mov dword [abs PAGE + 0x28], 0x9abcdef0

  ; --- SMAP ---
  page64 3, PAGE | P | W | U
  mov rbx, WINDOW + 0x3000
  probe64 "a user page"
  mov rbx, WINDOW + 0x3000
  fault_at read
  call read
  done64
  probe64 "STAC, a read and CLAC, many times"
  mov rbx, WINDOW + 0x3000
  rounds read_opened
  done64 rax
  probe64 "a read behind the last CLAC"
  mov rbx, WINDOW + 0x3000
  fault_at read
  call read
  done64
  probe64 "many reads behind one STAC"
  mov rbx, WINDOW + 0x3000
  stac
  rounds read
  done64 rax
  probe64 "the same read, closed"
  mov rbx, WINDOW + 0x3000
  stac
  call read
  clac
  fault_at read
  call read
  done64
  probe64 "many writes behind one STAC"
  mov rbx, WINDOW + 0x3000
  mov eax, 0x12345678
  stac
  rounds write
  done64
  probe64 "the same write, closed"
  mov rbx, WINDOW + 0x3000
  clac
  fault_at write
  call write
  done64
  probe64 "opened by POPFQ"
  mov rbx, WINDOW + 0x3000
  set_ac 1
  rounds read
  done64 rax
  probe64 "closed by POPFQ"
  mov rbx, WINDOW + 0x3000
  set_ac 1
  call read
  set_ac 0
  fault_at read
  call read
  done64
  probe64 "a read and a write, the second one closed"
  mov rbx, WINDOW + 0x3000
  rounds open_and_close
  mov r14d, 1
  fault_at open_and_close.write
  call open_and_close
  done64 rax
  probe64 "the supervisor's own pages stay"
  mov rbx, PAGE
  clac
  rounds read
  done64 rax

  ; --- Returns ---
  probe64 "a return to an address that is not canonical"
  xor ebx, ebx
  rounds come_back
  mov rbx, NOWHERE
  fault_at come_back.return
  call come_back
  done64 rsp
  probe64 "one that takes eight more bytes from the stack"
  xor ebx, ebx
  mov r15d, ROUNDS
.again:
  push rbx
  call come_back_farther
  dec r15d
  jnz .again
  mov rbx, -1 << 62
  fault_at come_back_farther.return
  push rbx
  call come_back_farther
  done64 rsp
  probe64 "a return to another place"
  xor ebx, ebx
  rounds come_back
  mov ebx, .elsewhere
  mov eax, 1
  call come_back
  xor eax, eax
.elsewhere:
  done64 rax, rsp

  ; --- FS ---
  probe64 "a displacement in FS"
  set_fs PAGE
  rounds read_fs
  done64 rax
  probe64 "the base moves so that the address is not canonical"
  set_fs NOWHERE - 0x28
  fault_at read_fs
  call read_fs
  done64
  probe64 "a bit of a string in FS"
  set_fs PAGE
  mov eax, 5
  rounds bit_fs
  setc al
  movzx eax, al
  done64 rax
  probe64 "a bit so far that its offset is not canonical"
  set_fs PAGE
  mov rax, 1 << 62
  fault_at bit_fs
  call bit_fs
  done64
  finish64

read:
  mov eax, [rbx]
  ret
write:
  mov [rbx], eax
  ret
read_opened:
  stac
  mov eax, [rbx]
  clac
  ret
open_and_close:                     ; with R14 the write is closed
  stac
  mov eax, [rbx]
  test r14d, r14d
  jz .write
  clac
.write:
  mov [rbx + 4], eax
  clac
  ret
come_back:                          ; to RBX, if it is not 0
  test rbx, rbx
  jz .return
  mov [rsp], rbx
.return:
  ret
come_back_farther:
  test rbx, rbx
  jz .return
  mov [rsp], rbx
.return:
  ret 8
read_fs:
  mov eax, [fs:0x28]
  ret
bit_fs:
  bt [fs:0x28], rax
  ret
