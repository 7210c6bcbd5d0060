; A guest gone wild: fills 16 KiB with random bytes and jumps into them, again after every exception and every timer
; tick, in real mode or, by chance, in 32-bit protected mode with paging. What it does to devices by its IN and OUT is as
; random. Bytes that are CLI or HLT are taken out, so that the timer ends what loops; what stops the machine for good
; is for the host to end, by a reset.
        bits 16
        org 0x7C00

start:
        cli
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7C00
        mov ax, 0x0201          ; the second half of this program
        mov bx, 0x7E00
        mov cx, 2
        mov dh, 0
        int 0x13
        jc $
        rdtsc
        mov [seed], eax
        mov [mode], eax
        mov dword [rounds], 0
again:
        cli
        cld
        call timer
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov esp, 0x7C00
        ; all vectors lead here
        xor di, di
        mov cx, 256
.vector:
        mov word [di], again_by_interrupt
        mov word [di + 2], 0
        add di, 4
        loop .vector
        inc dword [rounds]
        test byte [mode], 0x10
        jnz protected
        mov ax, 0x2000
        mov es, ax
        xor di, di
        mov cx, 4096
        call fill
        call random
        mov bp, ax
        call random
        mov fs, ax
        and ebp, 0x3FFF
        call random
        mov ss, ax
        mov sp, bp
        push word 0x2000
        push bp
        call random
        mov ds, ax
        call random
        mov es, ax
        call random
        mov ecx, eax
        call random
        mov edx, eax
        call random
        mov esi, eax
        call random
        mov edi, eax
        call random
        call random
        mov ebx, eax
        sti
        retf

again_by_interrupt:
        cli
        mov al, 0x20
        out 0x20, al
        out 0xA0, al
        jmp 0:again

timer:                          ; ticks every millisecond, and nothing masks it
        mov al, 0x34
        out 0x43, al
        mov al, 1193 & 0xFF
        out 0x40, al
        mov al, 1193 >> 8
        out 0x40, al
        mov al, 0
        out 0x21, al
        ret

random:                         ; xorshift
        mov eax, [cs:seed]
        mov ebx, eax
        shl ebx, 13
        xor eax, ebx
        mov ebx, eax
        shr ebx, 17
        xor eax, ebx
        mov ebx, eax
        shl ebx, 5
        xor eax, ebx
        mov [cs:seed], eax
        ret
fill:
        call random
        call tame
        stosd
        loop fill
        ret
tame:                           ; no CLI, no HLT
        mov bl, 4
.byte:
        cmp al, 0xF4
        je .dull
        cmp al, 0xFA
        jne .next
.dull:
        mov al, 0x0F
.next:
        ror eax, 8
        dec bl
        jnz .byte
        ret

        times 510 - ($ - $$) db 0
        dw 0xAA55

protected:
        lgdt [gdt_pointer]
        lidt [idt_pointer]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp 8:protected32

        bits 32
protected32:
        mov ax, 16
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov esp, 0x90000
        mov edi, 0x6000         ; interrupt gates, all to wild32
        mov ecx, 256
.gate:
        mov dword [edi], 0x80000 + (wild32 - $$ + 0x7C00)
        mov dword [edi + 4], 0x8E00
        add edi, 8
        loop .gate
        mov edi, 0x10000        ; page directory: one table that maps 4 MiB to itself, and 4 MiB pages of nothing
        mov ecx, 1024
.directory:
        mov eax, edi
        shl eax, 20
        or eax, 0x87
        mov [edi], eax
        add edi, 4
        loop .directory
        mov dword [0x10000], 0x11007
        mov edi, 0x11000
        mov eax, 7
        mov ecx, 1024
.table:
        stosd
        add eax, 0x1000
        loop .table
        mov ecx, 16             ; the program's own pages can only be read
.own:
        and byte [0x11000 + ecx * 4 - 4], ~2
        loop .own
        or byte [0x11000 + 5 * 4], 2
        mov eax, cr4
        or al, 0x10
        mov cr4, eax
        mov eax, 0x10000
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80010000
        mov cr0, eax
wild32:
        cli
        cld
        mov ax, 16
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov esp, 0x90000
        inc dword [rounds]
        mov al, 0
        out 0x21, al
        mov al, 0x20
        out 0x20, al
        out 0xA0, al
        mov edi, 0x20000
        mov ecx, 4096
.fill:
        call random32
        mov bl, 4
.byte:
        cmp al, 0xF4
        je .dull
        cmp al, 0xFA
        jne .next
.dull:
        mov al, 0x0F
.next:
        ror eax, 8
        dec bl
        jnz .byte
        stosd
        loop .fill
        ; an entry of the page table in use becomes anything at all
        call random32
        mov ecx, eax
        and ecx, 0x3FF
        cmp ecx, 0x20           ; not our own pages, nor the tables
        jb .kept
        call random32
        mov [0x11000 + ecx * 4], eax
        mov eax, cr3
        mov cr3, eax
.kept:
        call random32
        and eax, 0x3FFF
        lea ebp, [0x20000 + eax]
        call random32
        mov ecx, eax
        call random32
        mov edx, eax
        call random32
        mov esi, eax
        call random32
        mov edi, eax
        call random32
        sti
        jmp ebp

random32:
        mov eax, [seed]
        mov ebx, eax
        shl ebx, 13
        xor eax, ebx
        mov ebx, eax
        shr ebx, 17
        xor eax, ebx
        mov ebx, eax
        shl ebx, 5
        xor eax, ebx
        mov [seed], eax
        ret

        align 8
gdt:    dq 0, 0x00CF9A000000FFFF, 0x00CF92000000FFFF
gdt_pointer:
        dw 23
        dd gdt
idt_pointer:
        dw 256 * 8 - 1
        dd 0x6000

        times 1024 - ($ - $$) db 0

seed    equ 0x5000
rounds  equ 0x5004
mode    equ 0x5008
