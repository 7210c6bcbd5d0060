; Four processors (SDM 3A chapters 8 and 10): INIT and start-up messages, IPIs by every kind of destination, locks that all of
; them hammer, TLB shootdown, code that one writes and another runs, time stamps.
%include "processors.inc"

CODE equ BUFFER + 0x1000            ; what is written while it runs
FIRST_FRAME equ BUFFER + 0x10000
SECOND_FRAME equ BUFFER + 0x11000
WINDOW equ 0x400000                 ; linear: a frame, or another
ROUNDS equ 20000

; Turns end, and NMIs come, at every instruction of the loop in the end.
wink:
  sti
.after_sti:
  nop
  cli
  nop
  nop
  cmp dword [winked], 0
  je wink
  ret

; --- Handlers: who saw what ---
my_number:                          ; EAX
  mov eax, [ID]
  shr eax, 24
  ret
on_ipi:
  push eax
  call my_number
  lock inc dword [ipis + eax * 4]
  mov dword [EOI], 0
  pop eax
  iretd
on_nmi:
  push eax
  call my_number
  lock inc dword [nmis + eax * 4]
  cmp dword [esp + 4], wink.after_sti
  jne .late
  inc dword [early_nmis]
.late:
  pop eax
  iretd
on_shootdown:
  push eax
  invlpg [WINDOW]
  lock inc dword [shot]
  mov dword [EOI], 0
  pop eax
  iretd

; --- Jobs ---
sleep:                              ; until told to stop
  cli                               ; the interrupt that tells may come after the look, but not before HLT
  cmp dword [awake], 0
  jne .end
  sti
  hlt
  jmp sleep
.end:
  ret

hammer:
  mov ecx, ROUNDS
.round:
  lock inc dword [counters]
  lock add dword [counters + 4], 3
  mov eax, 1
  lock xadd [counters + 8], eax
  mov eax, [counters + 12]
.exchange:
  lea edx, [eax + 1]
  lock cmpxchg [counters + 12], edx
  jne .exchange
.lock:                              ; a spin lock over what is no atomic instruction
  mov eax, 1
  xchg eax, [spin]
  test eax, eax
  jz .locked
  pause
  jmp .lock
.locked:
  mov eax, [counters + 16]
  inc eax
  mov [counters + 16], eax
  mov dword [spin], 0
  ; An unaligned one over a line.
  lock inc dword [split_counter]
  loop .round
  ret

; The same lock without PAUSE: the turns of others end by themselves.
hammer_rough:
  mov ecx, ROUNDS / 20
.round:
.lock:
  lock bts dword [spin], 0
  jc .lock
  inc dword [counters + 20]
  lock btr dword [spin], 0
  loop .round
  ret

watch_window:                       ; what WINDOW shows, until it is the second frame's word
  mov eax, TABLES
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  lock inc dword [ready]
  sti
.again:
  mov eax, [WINDOW]
  cmp eax, 0x11111111
  je .first
  cmp eax, 0x22222222
  je .second
  lock inc dword [strange]
.first:
  lock inc dword [looks]
  jmp .again
.second:
  cli
  mov eax, cr0
  and eax, 0x7fffffff
  mov cr0, eax
  ret

call_code:                          ; until it answers 2; 1 and 2 are all that it may say
.again:
  call CODE
  inc dword [calls]
  cmp eax, 2
  je .end
  cmp eax, 1
  je .again
  lock inc dword [strange]
  jmp .again
.end:
  mov dword [answer], eax
  ret

; Cross-modifying code as SDM 3A 8.1.3 wants it: wait, serialize, run.
call_when_told:
  mov ecx, 50
.round:
.wait:
  pause
  cmp [told], ecx
  jne .wait
  push ecx
  push ebx
  xor eax, eax
  cpuid
  pop ebx
  call CODE
  pop ecx
  add [sum], eax
  mov dword [told], 0
  loop .round
  ret

read_time:
  rdtsc
  mov [time], eax
  mov [time + 4], edx
  ret

main:
  mov eax, on_ipi
  mov edi, idt + VECTOR * 8
  call set_gate
  mov eax, on_shootdown
  mov edi, idt + 0x42 * 8
  call set_gate
  mov eax, on_nmi
  mov edi, idt + 2 * 8
  call set_gate
  mov edi, PAGE
  call copy_trampoline
  mov edi, AGAIN_PAGE
  call copy_trampoline
  put SVR, 0x1ff
  put LDR, 0x01000000
  ; --- INIT and start-up ---
  mov eax, PAGE
  mov ecx, PROCESSORS - 1
  call start_others
  count "started", started
  ; --- IPIs ---
  job_for 1, sleep
  job_for 2, sleep
  job_for 3, sleep
  sti
  send 2, VECTOR
  wait_until ipis + 8, e, 1
  count "physical: processor 2 alone", ipis + 8
  send 0x0a, LOGICAL | VECTOR
  wait_until ipis + 4, e, 1
  wait_until ipis + 12, e, 1
  count "logical: 1", ipis + 4
  count "logical: 3", ipis + 12
  send 0, OTHERS | VECTOR
  wait_until ipis + 4, e, 2
  wait_until ipis + 8, e, 2
  wait_until ipis + 12, e, 2
  send 0, ALL | VECTOR
  wait_until ipis, e, 1
  wait_until ipis + 4, e, 3
  wait_until ipis + 8, e, 3
  wait_until ipis + 12, e, 3
  send 0xff, VECTOR
  wait_until ipis, e, 2
  wait_until ipis + 4, e, 4
  wait_until ipis + 8, e, 4
  wait_until ipis + 12, e, 4
  count "shorthands and broadcast: 0", ipis
  count "1", ipis + 4
  count "2", ipis + 8
  count "3", ipis + 12
  send 0x0e, LOGICAL | LOWEST | VECTOR
.lowest:
  pause
  mov eax, [ipis + 4]
  add eax, [ipis + 8]
  add eax, [ipis + 12]
  cmp eax, 13
  jb .lowest
  mov [BUFFER + 4], eax
  count "lowest priority: one of them", BUFFER + 4
  send 3, NMI
  wait_until nmis + 12, e, 1
  send 0, OTHERS | NMI
  wait_until nmis + 4, e, 1
  wait_until nmis + 8, e, 1
  wait_until nmis + 12, e, 2
  count "NMIs of the sender", nmis
  count "NMIs of 3", nmis + 12
  cli
  mov dword [awake], 1
  send 0, OTHERS | VECTOR
  call all_done
  job_for 1, wink
  mov ecx, 100
.wink:
  mov eax, [nmis + 4]
  send 1, NMI
  wait_until nmis + 4, ne, eax
  loop .wink
  mov dword [winked], 1
  call all_done
  count "NMIs between STI and the next instruction", early_nmis
  ; --- Locks ---
  job_for 1, hammer
  job_for 2, hammer
  job_for 3, hammer
  call hammer
  call all_done
  count "lock inc", counters
  count "lock add", counters + 4
  count "lock xadd", counters + 8
  count "lock cmpxchg", counters + 12
  count "spin lock", counters + 16
  count "lock inc over a line", split_counter
  job_for 1, hammer_rough
  job_for 2, hammer_rough
  job_for 3, hammer_rough
  call hammer_rough
  call all_done
  count "spin lock without PAUSE", counters + 20
  ; --- TLB shootdown: 4 MiB of identity, then WINDOW ---
  mov edi, TABLES
  mov dword [edi], TABLES + 0x1000 + 7
  mov dword [edi + 4], TABLES + 0x2000 + 7
  mov dword [edi + (APIC >> 22) * 4], TABLES + 0x3000 + 7
  lea edi, [edi + 0x1000]
  mov eax, 7
.identity:
  mov [edi], eax
  add edi, 4
  add eax, 0x1000
  cmp eax, 0x400000
  jb .identity
  mov dword [TABLES + 0x2000], FIRST_FRAME + 7
  mov dword [TABLES + 0x3000 + ((APIC >> 12) & 0x3ff) * 4], APIC + 0x1f
  mov dword [FIRST_FRAME], 0x11111111
  mov dword [SECOND_FRAME], 0x22222222
  job_for 1, watch_window
  job_for 2, watch_window
  wait_until ready, e, 2
  wait_until looks, ae, 2000
  mov dword [TABLES + 0x2000], SECOND_FRAME + 7
  send 0x06, LOGICAL | 0x42
  wait_until shot, e, 2
  call all_done
  count "shot down", shot
  count "strange words", strange
  ; --- Code that another processor runs ---
  mov dword [CODE], 0x000001b8      ; mov eax, 1; ret
  mov dword [CODE + 4], 0x0000c300
  job_for 3, call_code
  wait_until calls, ae, 5000
  mov byte [CODE + 1], 2            ; one byte of an immediate: both are whole instructions
  call all_done
  count "answer in the end", answer
  count "strange answers", strange
  job_for 3, call_when_told
  mov ecx, 50
.tell:
  mov byte [CODE], 0xb8             ; mov eax, ECX; ret
  mov [CODE + 1], ecx
  mov byte [CODE + 5], 0xc3
  test cl, 1
  jz .told
  mov dword [CODE], 0x9040c031      ; xor eax, eax; inc eax; nop; ret
  mov byte [CODE + 4], 0xc3
.told:
  mov [told], ecx
.heard:
  pause
  cmp dword [told], 0
  jne .heard
  loop .tell
  call all_done
  count "sum of the even numbers up to 50, and 25", sum
  ; --- Time stamps: what one reads after another is later ---
  mov dword [time_errors], 0
  mov ecx, 50
.time:
  rdtsc
  mov [own_time], eax
  mov [own_time + 4], edx
  job_for 2, read_time
  call all_done
  mov eax, [time]
  mov edx, [time + 4]
  sub eax, [own_time]
  sbb edx, [own_time + 4]
  jns .later
  inc dword [time_errors]
.later:
  rdtsc
  sub eax, [time]
  sbb edx, [time + 4]
  jns .later2
  inc dword [time_errors]
.later2:
  loop .time
  count "time stamps in disorder", time_errors
  ; --- INIT takes them out of whatever they do, and start-up brings them back ---
  mov dword [awake], 0
  job_for 1, sleep
  job_for 2, sleep
  mov dword [started], 0
  mov eax, AGAIN_PAGE
  mov ecx, PROCESSORS - 1
  mov dword [jobs + 4], 0
  mov dword [jobs + 8], 0
  call start_others
  count "started again", started
  finish

set_gate:                           ; EAX: handler, EDI: the gate
  mov [edi], ax
  shr eax, 16
  mov [edi + 6], ax
  ret

section .data
processors_data
ipis: times PROCESSORS dd 0
nmis: times PROCESSORS dd 0
early_nmis: dd 0
winked: dd 0
counters: times 8 dd 0
awake: dd 0
spin: dd 0
shot: dd 0
ready: dd 0
looks: dd 0
strange: dd 0
calls: dd 0
answer: dd 0
told: dd 0
sum: dd 0
time: dq 0
own_time: dq 0
time_errors: dd 0
align 64
  times 62 db 0
split_counter: dd 0
