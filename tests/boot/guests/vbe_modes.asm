; Boot sector of a guest that goes through the VBE's modes of packed and direct pixels: it sets each, fills its picture
; through the 64 KiB window (byte a of video memory gets a xor a >> 8 xor a >> 16), says on COM1 "MODE width height depth
; pitch" in hexadecimal digits, and goes on when a byte comes. "END" is the last line.
        bits 16
        org 0x7C00

INFO    equ 0x8000              ; VbeInfoBlock
MODE    equ 0x8400              ; ModeInfoBlock
COM1    equ 0x3F8

start:
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7C00
        cld
        mov dword [INFO], 'VBE2'
        mov di, INFO
        mov ax, 0x4F00
        int 0x10
        lfs si, [INFO + 14]
next:
        mov cx, [fs:si]
        add si, 2
        cmp cx, 0xFFFF
        je end
        push cx
        mov di, MODE
        mov ax, 0x4F01
        int 0x10
        pop cx
        cmp ax, 0x004F
        jne next
        test byte [MODE], 1     ; supported
        jz next
        cmp word [MODE + 0x14], 400
        jb next                 ; the VGA's own, whose lines are shown twice
        mov al, [MODE + 0x1B]
        cmp al, 4               ; packed pixels
        je .take
        cmp al, 6               ; direct colour
        jne next
.take:
        push cx
        push si
        push fs
        mov bx, cx
        mov ax, 0x4F02
        int 0x10
        cmp ax, 0x004F
        jne .done

        movzx eax, word [MODE + 0x10]
        movzx edx, word [MODE + 0x14]
        imul eax, edx           ; bytes of the picture
        mov ebp, eax
        xor bx, bx              ; 64 KiB pieces done
.piece:
        push bx
        mov ax, 64
        xor dx, dx
        div word [MODE + 4]     ; granules in a piece
        mul bx
        mov dx, ax
        xor bx, bx
        mov ax, 0x4F05
        int 0x10
        pop bx
        mov ax, 0xA000
        mov es, ax
        xor di, di
.fill:
        mov ax, di
        xor al, ah
        xor al, bl
        stosb
        dec ebp
        jz .filled
        test di, di
        jnz .fill
        inc bx
        jmp .piece
.filled:
        xor ax, ax
        mov es, ax
        mov si, name
        call print
        mov ax, [MODE + 0x12]
        call word_out
        mov ax, [MODE + 0x14]
        call word_out
        movzx ax, byte [MODE + 0x19]
        call word_out
        mov ax, [MODE + 0x10]
        call word_out
        mov al, 10
        call put
.wait:
        mov dx, COM1 + 5
        in al, dx
        test al, 1
        jz .wait
        mov dx, COM1
        in al, dx
.done:
        pop fs
        pop si
        pop cx
        jmp next

end:
        mov si, last
        call print
        cli
        hlt

; ax in hexadecimal digits, then a blank.
word_out:
        mov cx, 4
.digit:
        rol ax, 4
        push ax
        and al, 15
        add al, '0'
        cmp al, '9'
        jbe .decimal
        add al, 7
.decimal:
        call put
        pop ax
        loop .digit
        mov al, ' '
        jmp put

print:
        lodsb
        test al, al
        jz .out
        call put
        jmp print
.out:
        ret

put:
        push ax
        mov dx, COM1 + 5
.busy:
        in al, dx
        test al, 0x20
        jz .busy
        pop ax
        mov dx, COM1
        out dx, al
        ret

name:   db "MODE ", 0
last:   db "END", 10, 0

        times 510 - ($ - $$) db 0
        dw 0xAA55
