; Writes sector 2048 of the first hard disk, then sector 1500000, which the host cannot take, then reads the first one
; back. COM1 gets W or w (good or error) for the writes, R if what is read is what was written; the guest leaves by port
; 501h, value 21h.
        bits 16
        org 0x7C00

        cli
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7C00
        sti
        mov di, 0x9000
        mov cx, 256
        mov ax, 0x5AA5
        rep stosw
        mov dword [lba], 2048
        call write
        mov dword [lba], 1500000
        call write
        mov word [0x9000], 0
        mov dword [lba], 2048
        mov ah, 0x42
        call disk
        mov al, 'r'
        jc .read
        cmp word [0x9000], 0x5AA5
        jne .read
        mov al, 'R'
.read:
        call put
        mov al, 0x21
        mov dx, 0x501
        out dx, al
        jmp $

write:
        mov ah, 0x43
        call disk
        mov al, 'W'
        jnc put
        mov al, 'w'
put:    mov dx, 0x3F8
        out dx, al
        ret
disk:   mov word [packet + 2], 1     ; the BIOS leaves the number of sectors done here
        mov al, 0
        mov dl, 0x80
        mov si, packet
        int 0x13
        ret

        align 4
packet: db 16, 0
        dw 1
        dw 0x9000, 0
lba:    dq 0

        times 510 - ($ - $$) db 0
        dw 0xAA55
