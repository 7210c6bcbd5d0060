; Boot sector of a guest that always changes: it reads sectors through the BIOS, changes them, writes them back, sums
; them up in memory, and shows a dot on COM1 for every sixteenth. After 20,000 rounds it leaves by port 501h, value 21h.
        bits 16
        org 0x7C00

start:
        cli
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7C00
        sti
        mov [drive], dl
        mov dword [round], 0
        mov dword [sum], 0x811C9DC5

next:
        mov eax, [round]
        imul eax, eax, 7
        and eax, 127            ; sectors 8 to 135
        add eax, 8
        mov [packet.lba], eax
        mov ah, 0x42
        call disk
        mov si, buffer
        mov cx, 128
.add:
        lodsd
        xor [sum], eax
        rol dword [sum], 5
        loop .add
        mov eax, [round]
        add [buffer], eax
        mov edx, [sum]
        mov [buffer + 508], edx
        mov ah, 0x43
        call disk
        ; a trail through memory, so that every round changes another place
        mov eax, [round]
        and eax, 0x3FFF
        shl eax, 2
        mov bx, 0x2000
        mov fs, bx
        mov edx, [sum]
        mov [fs:eax], edx
        mov al, '.'
        test byte [round], 15
        jnz .quiet
        mov dx, 0x3F8
        out dx, al
.quiet:
        test byte [round], 3
        jnz .awake
        hlt                     ; until the timer ticks
.awake:
        inc dword [round]
        cmp dword [round], 20000
        jb next
        mov al, 0x21
        mov dx, 0x501
        out dx, al
        jmp $

disk:
        mov al, 0
        mov dl, [drive]
        mov si, packet
        int 0x13
        jc failed
        ret
failed:
        mov al, 'E'
        mov dx, 0x3F8
        out dx, al
        jmp $

        align 4
packet: db 16, 0
        dw 1
        dw buffer, 0
.lba:   dq 0

        times 510 - ($ - $$) db 0
        dw 0xAA55

drive   equ 0x7E00
round   equ 0x7E04
sum     equ 0x7E08
buffer  equ 0x8000
