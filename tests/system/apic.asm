; The local APIC and the I/O APIC (SDM 3A chapter 10; 82093AA): registers, priorities, IPIs, the timer, errors, NMI, edges and levels.
%include "system.inc"

APIC equ 0xfee00000
ID equ APIC + 0x20
VERSION equ APIC + 0x30
TPR equ APIC + 0x80
PPR equ APIC + 0xa0
EOI equ APIC + 0xb0
LDR equ APIC + 0xd0
DFR equ APIC + 0xe0
SVR equ APIC + 0xf0
ISR1 equ APIC + 0x110               ; vectors 20h to 3Fh
ISR2 equ APIC + 0x120               ; vectors 40h to 5Fh
TMR1 equ APIC + 0x190
IRR1 equ APIC + 0x210
IRR2 equ APIC + 0x220
ESR equ APIC + 0x280
ICR equ APIC + 0x300
ICR_HIGH equ APIC + 0x310
LVT_TIMER equ APIC + 0x320
LVT_THERMAL equ APIC + 0x330
LVT_COUNTER equ APIC + 0x340
LINT0 equ APIC + 0x350
LINT1 equ APIC + 0x360
LVT_ERROR equ APIC + 0x370
INITIAL equ APIC + 0x380
CURRENT equ APIC + 0x390
DIVIDE equ APIC + 0x3e0
MASKED equ 0x10000
SELF equ 0x40000
IOAPIC equ 0xfec00000

%macro put 2
  mov dword [%1], %2
%endmacro
%macro io_put 2
  mov dword [IOAPIC], %1
  mov dword [IOAPIC + 0x10], %2
%endmacro
%macro io_get 1                     ; EAX
  mov dword [IOAPIC], %1
  mov eax, [IOAPIC + 0x10]
%endmacro
%macro register 2
  push dword [%2]
  pop dword [BUFFER]
  value %1, [BUFFER]
%endmacro
%macro settle 0
  times 8 nop
%endmacro
; EOI of whatever is in service.
end_all:
  push ecx
  mov ecx, 8
.next:
  mov dword [EOI], 0
  loop .next
  pop ecx
  ret
nmi:                                ; counts; a second one waits for this IRET
  inc dword [nmis]
  cmp dword [nmis], 1
  jne .second
  mov dword [ICR_HIGH], 0
  mov dword [ICR], 0x400
  times 20 nop
  mov eax, [nmis]
  mov [seen_within], eax
.second:
  iretd

main:
  register "ID", ID
  mov eax, [VERSION]
  and eax, 0xf0
  mov [BUFFER], eax
  value "version 1xh", [BUFFER]
  put SVR, 0xff
  put LVT_TIMER, 0x31
  register "soft off: LVT stays masked", LVT_TIMER
  put SVR, 0x1ff
  put LVT_TIMER, 0x31
  register "on: LVT unmasked", LVT_TIMER
  put LVT_TIMER, 0xffffffff
  register "LVT timer: writable bits", LVT_TIMER
  put LVT_ERROR, 0xffffffff
  register "LVT error: writable bits", LVT_ERROR
  put SVR, 0xff
  register "soft off masks the LVT", LVT_ERROR
  put SVR, 0x1ff
  register "soft on leaves it masked", LVT_ERROR
  put LVT_ERROR, MASKED | 0x3f
  put LVT_TIMER, MASKED
  put TPR, 0xffffffff
  register "TPR: writable bits", TPR
  register "PPR follows", PPR
  put TPR, 0
  put LDR, 0xffffffff
  register "LDR: writable bits", LDR
  put DFR, 0
  register "DFR: low bits are ones", DFR
  put DFR, 0xffffffff
  put LDR, 0x01000000
  put VERSION, 0
  mov eax, [VERSION]
  and eax, 0xf0
  mov [BUFFER], eax
  value "version is read only", [BUFFER]
  ; --- IPIs and priorities ---
  put ICR, SELF | 0x31
  settle
  register "IPI: requested", IRR1
  probe "IPI to itself"
  sti
  settle
  done
  register "in service", ISR1
  register "request gone", IRR1
  register "PPR of what is in service", PPR
  put ICR, SELF | 0x32
  settle
  probe "same class waits"
  sti
  settle
  done
  put ICR, SELF | 0x41
  settle
  probe "a higher class comes"
  sti
  settle
  done
  put EOI, 0
  register "EOI ends the highest", ISR2
  register "the other stays", ISR1
  put EOI, 0
  probe "then the one that waited"
  sti
  settle
  done
  call end_all
  put TPR, 0x40
  put ICR, SELF | 0x45
  settle
  probe "TPR holds its own class"
  sti
  settle
  done
  put TPR, 0x3f
  probe "one class lower does not"
  sti
  settle
  done
  call end_all
  put TPR, 0
  put ICR_HIGH, 0
  put ICR, 0x33
  probe "physical destination 0"
  sti
  settle
  done
  call end_all
  put ICR_HIGH, 0x01000000
  put ICR, 0x834
  probe "logical destination 1"
  sti
  settle
  done
  call end_all
  put ICR_HIGH, 0x02000000
  put ICR, 0x834
  probe "logical destination 2 is somebody else"
  sti
  settle
  done
  call end_all
  put ICR, 0xc0000 | 0x35
  probe "all but itself"
  sti
  settle
  done
  put ICR, 0x80000 | 0x36
  probe "all with itself"
  sti
  settle
  done
  call end_all
  ; --- errors ---
  put ESR, 0
  put ICR, SELF | 5
  put ESR, 0
  mov eax, [ESR]
  and eax, 0x60
  mov [BUFFER], eax
  value "ESR: illegal vector", [BUFFER]
  put ESR, 0
  register "ESR after the next write", ESR
  put LVT_ERROR, 0x3e
  put ICR, SELF | 5
  probe "error interrupt"
  sti
  settle
  done
  call end_all
  put LVT_ERROR, MASKED
  put ESR, 0
  ; --- NMI ---
  mov word [idt + 2 * 8], nmi
  probe "NMI by IPI; a second one waits for IRET"
  put ICR_HIGH, 0
  put ICR, 0x400
  settle
  mov eax, [nmis]
  mov ebx, [seen_within]
  done eax, ebx
  ; --- timer ---
  put DIVIDE, 0xb
  put LVT_TIMER, MASKED | 0x37
  put INITIAL, 0xffffffff
  mov eax, [CURRENT]
  mov ecx, 1000
.spin: loop .spin
  mov ebx, [CURRENT]
  cmp ebx, eax
  mov eax, 0
  setb al
  mov [BUFFER], eax
  value "current count falls", [BUFFER]
  put INITIAL, 0
  register "initial count 0 stops it", CURRENT
  put LVT_TIMER, 0x37
  put INITIAL, 1000
  probe "one-shot"
  sti
.wait: jmp .wait
  done
  register "count is 0 behind it", CURRENT
  call end_all
  mov ecx, 100000
.spin2: loop .spin2
  register "no second", IRR1
  put LVT_TIMER, 0x20000 | 0x37
  put INITIAL, 0x1000000
  probe "periodic: first"
  sti
.wait2: jmp .wait2
  done
  call end_all
  probe "periodic: second"
  sti
.wait3: jmp .wait3
  done
  put LVT_TIMER, MASKED
  call end_all
  put INITIAL, 0
  put LVT_TIMER, 0x37
  put INITIAL, 50000
  probe "hlt is left by the timer"
  sti
  hlt
  done
  call end_all
  ; --- I/O APIC: IRQ 0 is pin 2 ---
  io_get 1
  mov [BUFFER], eax
  value "I/O APIC version and pins", [BUFFER]
  io_put 0x14, 0xffffffff
  io_get 0x14
  mov [BUFFER], eax
  value "entry: writable bits", [BUFFER]
  io_put 0x14, MASKED
  io_put 0x15, 0
  io_put 0x14, 0x38                 ; edge
  mov al, 0x30                      ; PIT channel 0 mode 0: low, then high
  out 0x43, al
  mov al, 0
  out 0x40, al
  mov al, 2
  out 0x40, al
  probe "edge from the timer"
  sti
.wait4: jmp .wait4
  done
  register "TMR: edge", TMR1
  call end_all
  mov ecx, 10000
.spin4: loop .spin4
  register "no second edge while high", IRR1
  mov al, 0x30
  out 0x43, al                      ; low again
  io_put 0x14, 0x8039               ; level
  mov al, 0
  out 0x40, al
  mov al, 2
  out 0x40, al
  probe "level from the timer"
  sti
.wait5: jmp .wait5
  done
  register "TMR: level", TMR1
  io_get 0x14
  mov [BUFFER], eax
  value "remote IRR", [BUFFER]
  mov dword [EOI], 0
  settle
  register "EOI, the line still high: again", IRR1
  probe "level again"
  sti
  settle
  done
  mov al, 0x30
  out 0x43, al                      ; low
  settle
  mov dword [EOI], 0
  settle
  register "EOI, the line low: nothing", IRR1
  io_get 0x14
  mov [BUFFER], eax
  value "remote IRR is clear", [BUFFER]
  io_put 0x14, MASKED
  ; --- ExtINT ---
  put LINT0, 0x700
  mov al, 0xfe
  out 0x21, al
  mov al, 0
  out 0x40, al
  mov al, 2
  out 0x40, al
  probe "8259A through LINT0"
  sti
.wait6: jmp .wait6
  done
  register "nothing in service for ExtINT", ISR1
  mov al, 0x20
  out 0x20, al
  put LINT0, MASKED | 0x700
  mov al, 0x30
  out 0x43, al
  mov al, 0
  out 0x40, al
  mov al, 1
  out 0x40, al
  probe "LINT0 masked: the 8259A is not heard"
  sti
  mov ecx, 100000
.spin5: loop .spin5
  done
  mov al, 0xff
  out 0x21, al
  put LINT0, 0x700
  probe "globally off: registers are gone, the 8259A reaches the processor"
  mov ecx, 0x1b
  rdmsr
  and eax, ~0x800
  wrmsr
  mov al, 0xfe
  out 0x21, al
  sti
.wait7: jmp .wait7
  done
  mov al, 0xff
  out 0x21, al
  finish
section .data
nmis: dd 0
seen_within: dd 0
