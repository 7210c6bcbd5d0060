; Prints the letter a on COM1 for ever.
        bits 16
        org 0x7C00
        mov dx, 0x3F8
        mov al, 'a'
.next:
        out dx, al
        jmp .next
        times 510 - ($ - $$) db 0
        dw 0xAA55
