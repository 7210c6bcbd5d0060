; Segment registers and limits (SDM 3A chapters 3 and 5): what may be loaded, which offsets every type allows, LAR, LSL, VERR,
; VERW, the stack's wrap, null segments.
%include "system.inc"

; Accesses at the edges: name, instruction.
%macro try 2+
  probe %1
  %2
  done
%endmacro
%macro load 2                       ; name, selector
  probe %1
  mov ax, %2
  mark
  mov gs, ax
  mov ecx, gs
  done ecx
%endmacro

main:
  ; --- Loading data segments ---
  load "gs: null", 0
  load "gs: null with RPL 3", 3
  load "gs: beyond the GDT", 0x400
  load "gs: its last byte beyond the GDT", (gdt_end - gdt) & 0xfff8
  load "gs: beyond the LDT", 0x44
  load "gs: TSS", TSS
  load "gs: call gate", SPARE
  descriptor SPARE + 8, 0, 0xffff, 0x98, 0           ; execute only
  load "gs: execute-only code", SPARE + 8
  descriptor SPARE + 8, 0, 0xffff, 0x9a, 0
  load "gs: readable code", SPARE + 8
  value "its accessed bit", [gdt_at(SPARE + 8) + 4]
  descriptor SPARE + 8, 0, 0xffff, 0x12, 0
  load "gs: not present", SPARE + 8
  descriptor SPARE + 8, 0, 0xffff, 0xf2, 0
  load "gs: DPL 3 with RPL 0", SPARE + 8
  load "gs: DPL 0 with RPL 3", DATA0 + 3
  descriptor SPARE + 8, 0, 0xffff, 0x9e, 0           ; conforming
  load "gs: conforming code of DPL 0 with RPL 3", SPARE + 8 + 3
  probe "gs: DPL 0 at CPL 3"
  to_ring 3
  mov ax, DATA0
  mov gs, ax
  done
  probe "lds keeps its register when the selector faults"
  mov dword [BUFFER], 0x12345678
  mov word [BUFFER + 4], TSS
  mov ebx, 0x55555555
  mark
  lds ebx, [BUFFER]
  done ebx, ds
  probe "pop gs leaves ESP when the selector faults"
  push dword TSS
  mov ebx, esp
  mark
  pop gs
  done ebx, esp, gs

  ; --- SS ---
%macro load_ss 2
  probe %1
  mov ax, %2
  mark
  mov ss, ax
  done ss
%endmacro
  load_ss "ss: null", 0
  load_ss "ss: RPL 3 at CPL 0", DATA0 + 3
  load_ss "ss: DPL 3 at CPL 0", DATA3
  load_ss "ss: code", CODE0
  descriptor SPARE + 8, 0, 0xffff, 0x90, 0           ; read only
  load_ss "ss: read only", SPARE + 8
  descriptor SPARE + 8, 0, 0xffff, 0x12, 0
  load_ss "ss: not present", SPARE + 8
  load_ss "ss: TSS", TSS
  probe "cs cannot be loaded"
  db 0x8e, 0xc8                     ; mov cs, ax
  done

  ; --- Limits: an expand-up segment of 1000h bytes ---
  descriptor SPARE, BUFFER, 0xfff, 0x92, 4
  mov ax, SPARE
  mov gs, ax
%macro in_gs 0
  mov ax, SPARE
  mov gs, ax
  xor eax, eax
  mark
%endmacro
%macro limit 2+
  probe %1
  in_gs
  %2
  done
%endmacro
  limit "up: last byte", mov al, [gs:0xfff]
  limit "up: byte behind", mov al, [gs:0x1000]
  limit "up: last word", mov ax, [gs:0xffe]
  limit "up: word across", mov ax, [gs:0xfff]
  limit "up: last dword", mov [gs:0xffc], eax
  limit "up: dword across", mov [gs:0xffd], eax
  limit "up: dword that wraps at 4 GiB", mov [gs:0xfffffffe], eax
  limit "up: qword across", fld qword [gs:0xff9]
  limit "up: ten bytes across", fld tword [gs:0xff7]
  limit "up: bit beyond", bts [gs:0xffc], eax
  probe "up: bit far beyond"
  in_gs
  mov ebx, 0x8000
  mark
  bts [gs:0], ebx
  done
  probe "up: cmpxchg across, not equal"
  in_gs
  cmpxchg [gs:0xffd], ecx
  done
  probe "up: rep stosb runs into the limit"
  in_gs
  push gs
  pop es
  mov edi, 0xff8
  mov ecx, 0x20
  mark
  rep stosb
  done ecx, edi
  probe "up: rep movsw, source runs into the limit"
  in_gs
  mov esi, 0xff9
  mov edi, BUFFER + 0x2000
  mov ecx, 0x20
  mark
  gs rep movsw
  done ecx, esi, edi
  descriptor SPARE, BUFFER, 0, 0x92, 0xc              ; page granular: limit FFFh
  limit "granular: last dword", mov [gs:0xffc], eax
  limit "granular: dword across", mov [gs:0xffd], eax
  descriptor SPARE, BUFFER, 0xfff, 0x90, 4            ; read only
  limit "read only: read", mov eax, [gs:0]
  limit "read only: write", mov [gs:0], eax
  limit "read only: add to memory", add [gs:0], eax
  limit "read only: compare", cmp [gs:0], eax
  descriptor SPARE, BUFFER, 0xfff, 0x9a, 4            ; readable code
  limit "readable code: read", mov eax, [gs:0]
  limit "readable code: write", mov [gs:0], eax

  ; --- Expand-down ---
  descriptor SPARE, BUFFER, 0xfff, 0x96, 4            ; 1000h to FFFFFFFFh
  limit "down, big: at the limit", mov al, [gs:0xfff]
  limit "down, big: above the limit", mov al, [gs:0x1000]
  limit "down, big: dword from the limit", mov eax, [gs:0xfff]
  limit "down, big: far above", mov eax, [gs:0x12000]
  limit "down, big: wraps", mov eax, [gs:0xfffffffd]
  descriptor SPARE, BUFFER, 0xfff, 0x96, 0            ; 1000h to FFFFh
  limit "down, small: at the limit", mov al, [gs:0xfff]
  limit "down, small: above the limit", mov al, [gs:0x1000]
  limit "down, small: last dword", mov eax, [gs:0xfffc]
  limit "down, small: across FFFFh", mov eax, [gs:0xfffd]
  limit "down, small: beyond FFFFh", mov al, [gs:0x10000]
  descriptor SPARE, BUFFER, 0xffff, 0x96, 0           ; empty
  limit "down, empty", mov al, [gs:0xffff]
  descriptor SPARE, BUFFER, 0xfffff, 0x96, 0xc        ; empty
  limit "down, empty, 4 GiB", mov al, [gs:0xffffffff]
  probe "null: read"
  xor eax, eax
  mov gs, ax
  mark
  mov eax, [gs:0]
  done
  probe "null: write"
  xor eax, eax
  mov gs, ax
  mark
  mov [gs:0], eax
  done

  ; --- Code ---
  descriptor SPARE, 0, 0xffff, 0x9a, 4
  probe "code: runs beyond the limit"
  mov dword [0xfffc], 0x90909090
  mark
  jmp SPARE:0xfffc
  done cs
  probe "code: instruction across the limit"
  mov dword [0xfffc], 0xb8909090    ; nop; nop; nop; mov eax, ...
  mark
  jmp SPARE:0xfffc
  done cs
  value "the instruction that crossed: EIP", [saved + S_EIP]
  descriptor SPARE, 0, 0xffff, 0x98, 4                ; execute only
  probe "code: execute only, read through CS"
  jmp SPARE:.there
.there:
  mov dword [fs:probe_mark], .here
.here:
  mov al, [cs:boot]
  done
  probe "code: write through CS"
  mov [cs:boot], al
  done
  probe "code: 16-bit operand cuts EIP"
  db 0x66
  jmp strict near .cut
.cut:
  mov eax, .cut
  done

  ; --- The stack ---
  ; At CPL 3, so that a fault finds a good stack.
  descriptor SPARE, BUFFER, 0xffff, 0xf2, 0           ; 64 KiB, SP
  descriptor SPARE + 8, BUFFER, 0xfff, 0xf2, 4        ; 4 KiB, ESP
  descriptor SPARE + 16, BUFFER, 0xfff, 0xf6, 4       ; expand-down, ESP
%macro stack 4+                     ; name; selector; ESP; instructions
  probe %1
  to_ring 3
  xor ecx, ecx
  mov ebp, 0x1000
  mov ebx, 0x10
  mov ax, %2 + 3
  mov ss, ax
  mov esp, %3
  mark
  %4
  mov ecx, esp
  mov ax, DATA3
  mov ss, ax
  mov esp, STACK3
  done ecx, esp3
%endmacro
  stack "stack: push at SP 0 wraps", SPARE, 0x12340000, push eax
  stack "stack: push dword at SP 2 crosses the end", SPARE, 2, push eax
  stack "stack: push word at SP 1 crosses the end", SPARE, 1, push ax
  stack "stack: pop word at SP FFFEh", SPARE, 0xfffe, pop ax
  stack "stack: pop dword at SP FFFEh", SPARE, 0xfffe, pop eax
  stack "stack: enter with SP 0", SPARE, 0, enter 16, 0
  stack "stack: pusha across SP 0", SPARE, 16, pusha
  stack "stack: pusha, one dword crosses", SPARE, 18, pusha
  stack "stack: popa across the end", SPARE, 0xfff0, popa
  stack "stack: call at SP 2", SPARE, 2, call main
  stack "stack: push at ESP 0", SPARE + 8, 0, push eax
  stack "stack: push at ESP 1000h", SPARE + 8, 0x1000, push eax
  stack "stack: push at ESP 1002h", SPARE + 8, 0x1002, push eax
  stack "stack: pop beyond the limit", SPARE + 8, 0xffe, pop eax
  stack "stack: read by EBP beyond the limit", SPARE + 8, 0x800, mov eax, [ebp]
  stack "stack: leave beyond the limit", SPARE + 8, 0x800, leave
  stack "stack: enter beyond the limit", SPARE + 8, 2, enter 16, 0
  stack "stack: push [mem], operand and stack bad", SPARE + 8, 0x2000, push dword [gs:0]
  stack "stack: pop [mem], stack bad", SPARE + 8, 0xfff, pop dword [BUFFER]
  stack "stack: ret beyond the limit", SPARE + 8, 0x1000, ret
  stack "stack: iret beyond the limit", SPARE + 8, 0xff8, iretd
  stack "stack: expand-down, push at the limit", SPARE + 16, 0x1000, push eax
  stack "stack: expand-down, push above", SPARE + 16, 0x1004, push eax
  stack "stack: expand-down, push at ESP 0", SPARE + 16, 0, push eax
  probe "stack: ESP of a fault in the gate to a 16-bit stack"
  to_ring 3
  mov ax, SPARE + 3
  mov ss, ax
  mov esp, 0x56780800
  mark
  ud2
  done esp3, ss3

  ; --- LAR, LSL, VERR, VERW ---
%macro look 2
  probe %1
  mov edx, %2
  mov eax, 0x55555555
  mov ebx, 0x55555555
  lar eax, edx
  setz cl
  lsl ebx, edx
  setz ch
  verr dx
  setz dl
  verw dx
  setz dh
  and ecx, 0xffff
  and edx, 0xff
  verw dx
  done eax, ebx, ecx
%endmacro
%macro verify 2
  probe %1
  xor eax, eax
  mov edx, %2
  verr dx
  setz al
  verw dx
  setz ah
  done eax
%endmacro
  descriptor SPARE, 0x1000, 0x12345, 0x96, 0xd
  look "look: expand-down, granular", SPARE
  look "look: code", CODE0
  look "look: TSS", TSS
  look "look: LDT", LDT
  look "look: null", 0
  look "look: beyond the table", 0x500
  gate gdt_at(SPARE), CODE0, boot, 0xec, 5
  look "look: call gate", SPARE
  gate gdt_at(SPARE), CODE0, boot, 0xee
  look "look: interrupt gate", SPARE
  gate gdt_at(SPARE), TSS, boot, 0xe5
  look "look: task gate", SPARE
  descriptor SPARE, 0, 0xffff, 0xe8, 0                 ; a type that is reserved
  look "look: reserved type", SPARE
  descriptor SPARE, 0, 0xffff, 0x12, 0
  look "look: not present", SPARE
  verify "verify: writable data", DATA0
  verify "verify: code", CODE0
  verify "verify: RPL 3 of DPL 0", DATA0 + 3
  descriptor SPARE, 0, 0xffff, 0x90, 0
  verify "verify: read only", SPARE
  descriptor SPARE, 0, 0xffff, 0x98, 0
  verify "verify: execute only", SPARE
  descriptor SPARE, 0, 0xffff, 0x9e, 0
  verify "verify: conforming readable, RPL 3", SPARE + 3
  descriptor SPARE, 0, 0xffff, 0x12, 0
  verify "verify: not present", SPARE
  verify "verify: null", 0
  verify "verify: TSS", TSS
  probe "arpl raises RPL"
  mov eax, 0x10
  mov ebx, 3
  arpl ax, bx
  setz cl
  and ecx, 1
  done eax, ecx

  ; --- LDT, GDT, IDT registers ---
  descriptor SPARE, LDT_BASE, 0x3f, 0x82, 0
  probe "lldt: null, then a selector of the LDT"
  xor eax, eax
  lldt ax
  mov ax, 4
  mark
  mov gs, ax
  done
  probe "lldt: not an LDT"
  mov ax, DATA0
  mark
  lldt ax
  done
  probe "lldt: selector of the LDT"
  mov ax, 4
  mark
  lldt ax
  done
  descriptor SPARE + 8, LDT_BASE, 0x3f, 0x02, 0
  probe "lldt: not present"
  mov ax, SPARE + 8
  mark
  lldt ax
  done
  probe "ltr: busy"
  mov ax, TSS
  mark
  ltr ax
  done
  probe "ltr: null"
  xor eax, eax
  mark
  ltr ax
  done
  mov ax, LDT
  lldt ax
  descriptor 4, BUFFER, 0xff, 0xf2, 0
  probe "data segment of the LDT"
  mov ax, 7
  mark
  mov gs, ax
  mov al, [gs:0x100]
  done gs
  finish
