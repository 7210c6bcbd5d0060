; Paging of long mode (-cpu qemu64): error codes of 64 bits' addresses, rights of four levels, reserved bits, no-execute, large
; pages, A and D, what stays until it is flushed (SDM 3A 4.5, 4.6, 4.10; APM 2 5.3).
%include "system.inc"
%include "long.inc"
NX equ 1 << 63
PAGE equ BUFFER + 0x10000
main:
  enter_long
  mov dword [abs PAGE], 0xc3c3c390  ; nop, ret
  ; --- The leaf ---
  %macro leaf 4+                    ; name, entry, ring, instruction; the page is WINDOW's third
    page64 3, %2
    probe64 %1
    mov rbx, WINDOW + 0x3000
    %if %3 == 3
      to_ring64 3
    %endif
    mark64
    %4
    done64
  %endmacro
  leaf "not present, read", 0, 0, mov eax, [rbx]
  leaf "not present, write", 0, 0, mov [rbx], eax
  leaf "not present, fetch", 0, 0, call rbx
  leaf "not present, read from ring 3", 0, 3, mov eax, [rbx]
  leaf "read-only, write in ring 0 with WP", PAGE | P, 0, mov [rbx], eax
  leaf "read-only, write from ring 3", PAGE | P | U, 3, mov [rbx], eax
  leaf "supervisor's, read from ring 3", PAGE | P | W, 3, mov eax, [rbx]
  leaf "supervisor's, fetch from ring 3", PAGE | P | W, 3, call rbx
  leaf "no-execute, fetch", PAGE | P | W | U | NX, 0, call rbx
  leaf "no-execute, fetch from ring 3", PAGE | P | W | U | NX, 3, call rbx
  leaf "no-execute, read", PAGE | P | W | U | NX, 0, mov eax, [rbx]
  leaf "reserved bit 51, read", PAGE | P | W | U | 1 << 51, 0, mov eax, [rbx]
  leaf "reserved bit 40, write from ring 3", PAGE | P | W | U | 1 << 40, 3, mov [rbx], eax
  leaf "reserved bit 40, not present", 1 << 40, 0, mov eax, [rbx]
  leaf "bits 52 to 62 are ignored", PAGE | P | W | U | 0x7ff << 52, 0, mov eax, [rbx]
  leaf "bits 9 to 11 and 7 are ignored", PAGE | P | W | U | 0xe80, 0, mov eax, [rbx]
  leaf "bit 39 is an address without memory", PAGE | P | W | U | 1 << 39, 0, mov eax, [rbx]

  ; --- The levels above: rights of all of them count ---
  %macro level 3                    ; name, entry's place, entry (with what it points to)
    probe64 {%1, ": a read from ring 3"}
    mov rcx, %2
    mov rax, %3
    mov [rcx], rax
    mov rax, cr3
    mov cr3, rax
    mov rbx, WINDOW + 0x4000
    to_ring64 3
    mov rax, [rbx]
    done64
    call restore
    probe64 {%1, ": a write from ring 3"}
    mov rcx, %2
    mov rax, %3
    mov [rcx], rax
    mov rax, cr3
    mov cr3, rax
    mov rbx, WINDOW + 0x4000
    to_ring64 3
    mov [rbx], rax
    done64
    call restore
  %endmacro
WINDOW_ENTRY equ PDS + 0x1000
POINTER_ENTRY equ PDPT + 8
  level "directory entry read-only", WINDOW_ENTRY, WINDOW_TABLE | P | U
  level "directory entry supervisor's", WINDOW_ENTRY, WINDOW_TABLE | P | W
  level "directory entry not present", WINDOW_ENTRY, WINDOW_TABLE | W | U
  level "directory entry with reserved bit 45", WINDOW_ENTRY, WINDOW_TABLE | P | W | U | 1 << 45
  level "pointer read-only", POINTER_ENTRY, PDS + 0x1000 + (P | U)
  level "pointer supervisor's", POINTER_ENTRY, PDS + 0x1000 + (P | W)
  level "pointer not present", POINTER_ENTRY, PDS + 0x1000 + (W | U)
  level "pointer with PS, without pages of 1 GiB", POINTER_ENTRY, P | W | U | PS
  level "2 MiB page", WINDOW_ENTRY, P | W | U | PS
  level "2 MiB page with PAT", WINDOW_ENTRY, P | W | U | PS | 0x1000
  level "2 MiB page, reserved bit 13", WINDOW_ENTRY, P | W | U | PS | 0x2000
  level "2 MiB page, reserved bit 20", WINDOW_ENTRY, P | W | U | PS | 0x100000
  probe64 "top entry with PS"
  mov rax, HIGH_PDPT + (P | W | U | PS)
  mov [abs PML4 + 511 * 8], rax
  mov rax, cr3
  mov cr3, rax
  mov rbx, HIGH + 0x1000
  mark64
  mov eax, [rbx]
  done64
  mov rax, HIGH_PDPT + (P | W | U)
  mov [abs PML4 + 511 * 8], rax
  probe64 "no-execute in the top entry"
  bts qword [abs PML4 + 511 * 8], 63
  mov rax, cr3
  mov cr3, rax
  mov rbx, HIGH + 0x1000
  jmp rbx
  done64
  btr qword [abs PML4 + 511 * 8], 63
  mov rax, cr3
  mov cr3, rax
  probe64 "no-execute without EFER.NXE is reserved"
  page64 3, PAGE | P | W | U | NX
  mov ecx, EFER
  rdmsr
  btr eax, 11
  wrmsr
  mov rbx, WINDOW + 0x3000
  mark64
  mov eax, [rbx]
  done64
  mov ecx, EFER
  rdmsr
  bts eax, 11
  wrmsr

  ; --- A and D ---
  probe64 "a read sets A on all levels"
  call clear_marks
  mov eax, [abs WINDOW + 0x5000]
  call marks
  done64 rax, rbx, rcx, rdx
  probe64 "a write sets D in the leaf"
  call clear_marks
  mov [abs WINDOW + 0x5000], eax
  call marks
  done64 rax, rbx, rcx, rdx
  probe64 "a refused write sets nothing"
  call clear_marks
  btr qword [abs WINDOW_TABLE + 5 * 8], 1
  mov rbx, WINDOW + 0x5000
  to_ring64 3
  mov [rbx], eax
  done64
  bts qword [abs WINDOW_TABLE + 5 * 8], 1
  probe64 "what it set"
  call marks
  done64 rax, rbx, rcx, rdx

  ; --- What stays ---
  probe64 "an entry stays until INVLPG"
  page64 3, PAGE | P | W | U
  mov dword [abs PAGE], 1
  mov dword [abs PAGE + 0x1000], 2
  mov eax, [abs WINDOW + 0x3000]
  mov rcx, PAGE + 0x1000 | P | W | U
  mov [abs WINDOW_TABLE + 3 * 8], rcx
  mov ebx, [abs WINDOW + 0x3000]
  invlpg [abs WINDOW + 0x3fff]
  mov ecx, [abs WINDOW + 0x3000]
  done64 rax, rcx
  probe64 "INVLPG of an address that nobody maps"
  mov rax, 0x123456789000
  invlpg [rax]
  done64
  probe64 "an access across two pages"
  page64 3, PAGE | P | W | U
  page64 4, 0
  mov rbx, WINDOW + 0x3ffc
  mark64
  mov [rbx], rax
  done64
  probe64 "it has written nothing"
  mov eax, [abs PAGE + 0xffc]
  done64 rax
  probe64 "across 4 GiB"
  mov rbx, 0xfffffffc
  mark64
  mov rax, [rbx]
  done64
  probe64 "an access through the first page of the upper half"
  mov rbx, -NOWHERE
  mark64
  mov [rbx], rax
  done64
  probe64 "a fetch across two pages"
  mov byte [abs PAGE + 0xfff], 0x48
  mov rbx, WINDOW + 0x3fff
  mark64
  jmp rbx
  done64
  finish64
restore:                            ; both entries that `level` changes
  mov rcx, WINDOW_ENTRY
  mov rax, WINDOW_TABLE + (P | W | U)
  mov [rcx], rax
  mov rcx, POINTER_ENTRY
  mov rax, PDS + 0x1000 + (P | W | U)
  mov [rcx], rax
  mov rax, cr3
  mov cr3, rax
  ret
clear_marks:
  btr qword [abs PML4], 5
  btr qword [abs POINTER_ENTRY], 5
  btr qword [abs WINDOW_ENTRY], 5
  and byte [abs WINDOW_TABLE + 5 * 8], ~0x60
  mov rax, cr3
  mov cr3, rax
  ret
marks:                              ; A and D of the leaf, the directory entry, the pointer, the top entry
  mov rax, [abs WINDOW_TABLE + 5 * 8]
  mov rbx, [abs WINDOW_ENTRY]
  mov rcx, [abs POINTER_ENTRY]
  mov rdx, [abs PML4]
  and eax, 0x60
  and ebx, 0x60
  and ecx, 0x60
  and edx, 0x60
  ret
