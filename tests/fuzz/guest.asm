; The firmware of the state fuzzer's machine: 64 KiB at F0000h. It brings the processor and the board into the states
; that saved machines are made from, and goes on for ever in both modes, whatever interrupts or faults come.
;
; In real mode it sets up the interrupt controllers and the timer and works on x87, strings and ports for a while; then
; it goes to protected mode with 4 MiB pages and works on x87, SSE and memory with interrupts on.
        org 0
        bits 16
cpu_data equ 0x7000                     ; where both modes write

start:  xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7000
        cld
        xor di, di                      ; all vectors of real mode lead to one handler
        mov cx, 256
.vector:
        mov ax, on_interrupt
        stosw
        mov ax, 0xF000
        stosw
        loop .vector
        mov al, 0x11                    ; interrupt controllers: base 20h and 28h, edges, all lines open
        out 0x20, al
        out 0xA0, al
        mov al, 0x20
        out 0x21, al
        mov al, 0x28
        out 0xA1, al
        mov al, 4
        out 0x21, al
        mov al, 2
        out 0xA1, al
        mov al, 1
        out 0x21, al
        out 0xA1, al
        xor al, al
        out 0x21, al
        out 0xA1, al
        mov al, 0x34                    ; timer 0: mode 2, about 1 kHz
        out 0x43, al
        mov al, 0xA9
        out 0x40, al
        mov al, 4
        out 0x40, al
        fninit
        sti
        mov bp, 600
real:   fld1
        fldpi
        fdivp
        fistp dword [cpu_data]
        mov si, cpu_data
        mov di, cpu_data + 64
        mov cx, 16
        rep movsw
        mov dx, 0x1F0
        mov di, cpu_data + 128
        mov cx, 4
        rep insw
        in al, 0x60
        dec bp
        jnz real

        cli
        o32 lgdt [cs:gdt_pointer]
        o32 lidt [cs:idt_pointer]
        mov di, 0x8000                  ; page directory: 4 MiB pages, each at its place
        mov eax, 0x83
.page:  stosd
        add eax, 0x400000
        jnc .page
        mov di, 0x9000                  ; 256 interrupt gates
        mov cx, 256
.gate:  mov eax, 0x80000 + (on_protected_interrupt - $$)
        stosd
        mov eax, 0x000F8E00
        stosd
        loop .gate
        mov eax, cr4
        or eax, 0x610                   ; PSE, OSFXSR, OSXMMEXCPT
        mov cr4, eax
        mov eax, 0x8000
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80000021              ; PG, NE, PE
        mov cr0, eax
        jmp dword 8:0xF0000 + protected

on_interrupt:
        push ax
        mov al, 0x20
        out 0xA0, al
        out 0x20, al
        fninit
        pop ax
        iret

        bits 32
protected:
        mov eax, 0x10
        mov ds, eax
        mov es, eax
        mov ss, eax
        mov esp, 0x7000
        fninit
        sti
.again: fld1
        fldl2t
        fmulp
        fstp qword [cpu_data]
        movups xmm0, [cpu_data]
        mulps xmm0, xmm0
        addpd xmm1, xmm0
        movups [cpu_data + 16], xmm1
        mov esi, cpu_data
        mov edi, cpu_data + 64
        mov ecx, 8
        rep movsd
        mov edi, 0xB8000
        mov ecx, 4
        rep stosd
        inc dword [cpu_data + 32]
        test byte [cpu_data + 32], 63
        jnz .again
        hlt
        jmp .again

; Interrupts and exceptions alike: the stack and the data segments are made anew, and the loop goes on.
on_protected_interrupt:
        mov eax, 0x10
        mov ds, eax
        mov es, eax
        mov al, 0x20
        out 0xA0, al
        out 0x20, al
        jmp protected

        align 8
gdt:    dq 0
        dq 0x00CF9A000000FFFF
        dq 0x00CF92000000FFFF
gdt_pointer:
        dw 23
        dd 0xF0000 + gdt
idt_pointer:
        dw 2047
        dd 0x9000

        times 0xFFF0 - ($ - $$) db 0xF4
        bits 16
        jmp 0xF000:start
        times 0x10000 - ($ - $$) db 0xF4
