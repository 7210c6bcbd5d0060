; A system ROM of 64 KiB: protected mode without an interrupt table, then an undefined opcode.
        bits 16
        org 0
start:
        cli
        lgdt [cs:gdt_pointer]
        lidt [cs:idt_pointer]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        ud2
        align 8
gdt:    dq 0
gdt_pointer:
        dw 7
        dd 0xF0000 + gdt
idt_pointer:
        dw 0
        dd 0
        times 0xFFF0 - ($ - $$) db 0
        jmp 0xF000:start
        times 0x10000 - ($ - $$) db 0
