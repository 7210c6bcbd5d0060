; Boot sector that puts a slow handler into SMRAM, raises an SMI by the APM control port, and leaves by port 501h: value 21h
; if the handler ran and SMRAM is hidden behind it.
        bits 16
        org 0x7C00

start:
        cli
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7C00
        mov al, 0x4A            ; SMRAMC: open
        call smram
        mov ax, 0xA000
        mov es, ax
        mov si, handler
        mov di, 0x8000
        mov cx, handler.end - handler
        cld
        rep movsb
        mov al, 0x0A            ; closed, shown in SMM
        call smram
        mov edi, 0x12345678
        mov al, 0x55
        out 0xB2, al
        nop
        mov al, 0x20
        cmp edi, 0x12345679
        jne .end
        cmp dword [es:0x9000], 0x12345678
        je .end
        inc al
.end:
        mov dx, 0x501
        out dx, al
        hlt

smram:                          ; register 72h of device 0
        push ax
        mov eax, 0x80000070
        mov dx, 0xCF8
        out dx, eax
        pop ax
        mov dx, 0xCFE
        out dx, al
        ret

handler:
        mov [cs:0x9000], edi
        mov ecx, 6000000        ; some frames of counted time
.wait:
        add [cs:0x9004], ecx
        dec ecx
        jnz .wait
        mov eax, [cs:0x9000]
        inc eax
        mov [cs:0xFFEC], eax    ; EDI in the save map
        rsm
.end:

        times 510 - ($ - $$) db 0
        dw 0xAA55
