; What several processors see of each other's plain loads and stores (SDM 3A 8.2.3): programs of a few instructions, each
; run at many places of memory by all its processors at once, and the outcomes that the manual forbids, counted. Which of
; the others comes out depends on the moment; those are not printed.
%include "processors.inc"
cpu willamette

%ifndef BATCHES
%define BATCHES 64                  ; of PLACES rounds: a million
%endif
PLACES equ 16384
X equ 0x800000                      ; a line of its own for every place's x, and for its y
Y equ 0x900000
R0 equ 0xa00000                     ; what was read, by place
R1 equ 0xa10000
R2 equ 0xa20000
R3 equ 0xa30000
LINE_SHIFT equ 6

; For every place: ESI = offset of its line, EDI = offset of its results.
%macro each_place 0
  xor edi, edi
%%place:
  mov esi, edi
  shl esi, LINE_SHIFT - 2
%define PLACE_LOOP %%place
%endmacro
%macro next_place 0
  add edi, 4
  cmp edi, PLACES * 4
  jb PLACE_LOOP
  ret
%endmacro
%macro put 3                        ; base, index, value
  mov dword [%1 + %2], %3
%endmacro
; A routine that writes to one, and then to another.
%macro writer 5                     ; name, first, value, second, value
%1:
  each_place
  put %2, esi, %3
  put %4, esi, %5
  next_place
%endmacro
; A routine that reads one, and then another.
%macro reader 5                     ; name, first, its result, second, its result
%1:
  each_place
  mov eax, [%2 + esi]
  mov edx, [%4 + esi]
  mov [%3 + edi], eax
  mov [%5 + edi], edx
  next_place
%endmacro
; A routine that reads one and then writes to another.
%macro passer 4                     ; name, read, its result, written (1)
%1:
  each_place
  mov eax, [%2 + esi]
  put %4, esi, 1
  mov [%3 + edi], eax
  next_place
%endmacro

; Runs four routines (0: none) BATCHES times, each on all places, and counts where `forbidden` answers ZF.
%macro litmus 6                     ; title, four routines, forbidden
  mov dword [BUFFER], 0
  mov dword [batches], BATCHES
%%batch:
  call clear
  job_for 1, %3
  job_for 2, %4
  job_for 3, %5
  call %2
  call all_done
  each_place
  call %6
  jne %%allowed
  inc dword [BUFFER]
%%allowed:
  add edi, 4
  cmp edi, PLACES * 4
  jb PLACE_LOOP
  dec dword [batches]
  jnz %%batch
  value %1, [BUFFER]
%endmacro
; A routine that answers ZF if all these are equal.
%macro outcome 3-*                  ; name, pairs of place and value
%1:
%rotate 1
%rep (%0 - 1) / 2
  cmp dword [%1], %2
  jne .no
%rotate 2
%endrep
.no:
  ret
%endmacro

clear:
  mov edi, X
  mov ecx, (R3 + 0x10000 - X) / 4
  xor eax, eax
  rep stosd
  ret

writer write_x_y, X, 1, Y, 1
writer write_y_x, Y, 1, X, 1
writer write_x_y2, X, 1, Y, 2
writer write_y_x2, Y, 1, X, 2
writer write_x2_y, X, 2, Y, 1
reader read_y_x, Y, R0, X, R1
reader read_x_y, X, R0, Y, R1
reader read_y_x_as_2, Y, R2, X, R3
reader read_x_x, X, R0, X, R1
passer pass_x_y, X, R0, Y
passer pass_y_x, Y, R1, X
passer pass_y_x_as_0, Y, R0, X
reader read_y_x_as_1, Y, R1, X, R2
write_x:
  each_place
  put X, esi, 1
  next_place
write_y:
  each_place
  put Y, esi, 1
  next_place

; Stores that are to be seen before the load behind them: by MFENCE, by a locked instruction, by one that serializes.
%macro store_load 4                 ; name, written, read, result
%1_fence:
  each_place
  put %2, esi, 1
  mfence
  mov eax, [%3 + esi]
  mov [%4 + edi], eax
  next_place
%1_exchange:
  each_place
  mov eax, 1
  xchg [%2 + esi], eax
  mov eax, [%3 + esi]
  mov [%4 + edi], eax
  next_place
%1_locked:
  each_place
  put %2, esi, 1
  lock or dword [esp], 0
  mov eax, [%3 + esi]
  mov [%4 + edi], eax
  next_place
%endmacro
store_load x_to_y, X, Y, R0
store_load y_to_x, Y, X, R1
; A load from the place that has just been written, and one from the other.
%macro own_store 5
%1:
  each_place
  put %2, esi, 1
  mov edx, [%2 + esi]
  mfence
  mov eax, [%3 + esi]
  mov [%4 + edi], eax
  mov [%5 + edi], edx
  next_place
%endmacro
own_store own_x, X, Y, R0, R2
own_store own_y, Y, X, R1, R3
; Wider stores are seen whole.
write_wide:
  each_place
  movq mm0, [ones]
  movq [X + esi], mm0
  next_place
read_wide:
  each_place
  movq mm0, [X + esi]
  movd [R0 + edi], mm0
  psrlq mm0, 32
  movd [R1 + edi], mm0
  next_place
; An unaligned word over two lines that a locked instruction changes is changed once by each.
add_split:
  mov ecx, PLACES / 16
.again:
  lock add dword [X + 62], 0x10001
  lock inc dword [Y + 61]
  loop .again
  ret

outcome passed_late, R0 + edi, 1, R1 + edi, 0
outcome both_zero, R0 + edi, 0, R1 + edi, 0
outcome both_one, R0 + edi, 1, R1 + edi, 1
outcome both_ways, R0 + edi, 1, R1 + edi, 0, R2 + edi, 1, R3 + edi, 0
outcome chain_broken, R0 + edi, 1, R1 + edi, 1, R2 + edi, 0
outcome both_first, X + esi, 1, Y + esi, 1
outcome read_then_lost, R0 + edi, 1, X + esi, 2
outcome torn, R0 + edi, 1, R1 + edi, 0
outcome torn_too, R0 + edi, 0, R1 + edi, 1

main:
  mov eax, cr4
  or eax, 0x200                     ; OSFXSR
  mov cr4, eax
  mov edi, PAGE
  call copy_trampoline
  mov dword [SVR], 0x1ff
  mov eax, PAGE
  mov ecx, PROCESSORS - 1
  call start_others
  value "processors started", [started]
  litmus "message passing", write_x_y, read_y_x, write_x_y, 0, passed_late
  litmus "store buffering with MFENCE", x_to_y_fence, y_to_x_fence, 0, 0, both_zero
  litmus "store buffering with XCHG", x_to_y_exchange, y_to_x_exchange, 0, 0, both_zero
  litmus "store buffering with a locked instruction", x_to_y_locked, y_to_x_locked, 0, 0, both_zero
  litmus "store buffering, own stores forwarded", own_x, own_y, 0, 0, both_zero
  litmus "load buffering", pass_x_y, pass_y_x, 0, 0, both_one
  litmus "independent reads of independent writes", write_x, write_y, read_x_y, read_y_x_as_2, both_ways
  litmus "write to read causality", write_x, pass_x_y, read_y_x_as_1, 0, chain_broken
  litmus "two writers", write_x_y2, write_y_x2, 0, 0, both_first
  litmus "a write behind a read", write_x2_y, pass_y_x_as_0, 0, 0, read_then_lost
  litmus "two reads of one place", write_x, read_x_x, write_x, 0, passed_late
  litmus "wide stores torn", write_wide, read_wide, 0, 0, torn
  litmus "wide stores torn the other way", write_wide, read_wide, write_wide, 0, torn_too
  ; Locked instructions over two lines.
  call clear
  job_for 1, add_split
  job_for 2, add_split
  job_for 3, add_split
  call add_split
  call all_done
  value "locked over two lines", [X + 62]
  value "unaligned and locked over two lines", [Y + 61]
  finish

section .data
processors_data
batches: dd 0
ones: dd 1, 1
