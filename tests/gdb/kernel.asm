; A multiboot kernel for debugger sessions. It begins in protected mode as the loader left it, works on a variable in a
; hot loop that any engine translates, pages memory so that linear and physical addresses differ, goes to real mode and
; ends the run through isa-debug-exit.
bits 32
section .text
global _start, count_up, twice, counter, doubled, milestone, paged, real_start, real_loop, finished, high_value

align 4
        dd 0x1BADB002, 0x00000000, -0x1BADB002  ; multiboot header: no wishes

_start: mov esp, stack_top
        fninit
        fld1
        fldpi
        mov eax, cr4
        or eax, 0x200           ; OSFXSR
        mov cr4, eax
        movups xmm3, [pattern]
        mov ecx, 50000
count_up:
        inc dword [counter]
        call twice
        test dword [counter], 0x3FFF
        jnz .next
        call milestone
.next:  loop count_up

; 4 MiB pages: the first maps to itself, 40000000h maps to physical 0.
        mov dword [directory], 0x83
        mov dword [directory + 0x100 * 4], 0x83
        mov eax, cr4
        or eax, 0x10
        mov cr4, eax
        mov eax, directory
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
paged:  mov dword [0x40000000 + high_value], 0x12345678
        mov eax, cr0
        and eax, 0x7FFFFFFF
        mov cr0, eax

; Real mode, with a code segment that is not 0: 0810h:0000h. The way there leads through 16-bit protected mode at 8000h.
        mov esi, narrow
        mov edi, 0x8000
        mov ecx, narrow_end - narrow
        rep movsb
        mov esi, real_code
        mov edi, 0x8100
        mov ecx, real_end - real_code
        rep movsb
        lgdt [gdt_pointer]
        jmp 0x08:0x8000

twice:  mov eax, [counter]
        add eax, eax
        mov [doubled], eax
        ret

milestone:
        ret

bits 16
narrow: mov ax, 0x10
        mov ds, ax
        mov ss, ax
        mov eax, cr0
        and al, 0xFE
        mov cr0, eax
        jmp 0x0810:0x0000
narrow_end:

real_code:
        mov ax, 0x1234
        mov ds, ax
        mov cx, 3
again:  inc bx
        loop again
done:   mov dx, 0x501
        mov al, 0x11
        out dx, al
        hlt
        jmp done
real_end:
real_start equ 0x8100
real_loop equ real_start + (again - real_code)
finished equ real_start + (done - real_code)

section .data
align 8
gdt:    dq 0
        dq 0x00009A000000FFFF   ; 16-bit code; the low 64 KiB
        dq 0x000092000000FFFF
gdt_pointer:
        dw $ - gdt - 1
        dd gdt
pattern dd 1.0, 2.0, 3.0, 4.0

section .bss
alignb 4096
directory resb 4096
counter resd 1
doubled resd 1
high_value resd 1
        resb 4096
stack_top:
