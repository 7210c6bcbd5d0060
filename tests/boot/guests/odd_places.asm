; Executes from places that are no RAM: code in video memory (planar and text) runs, as on a PC; memory that nobody
; answers raises #UD (its bytes are FFh); so does what lies across the end of RAM. Then the IDE controller's bus master
; is pointed outside RAM. COM1 gets a letter for every step: P T U E D; the guest leaves by port 501h, value 21h.
; Run it with 4 MiB of RAM and a disk as the primary master.
        bits 16
        org 0x7C00

start:
        cli
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7C00
        mov word [6 * 4], undefined
        mov word [6 * 4 + 2], 0
        mov ax, 0x0201          ; the second half of this program
        mov bx, 0x7E00
        mov cx, 2
        mov dx, 0x80
        sti
        int 0x13
        jc $

        mov ax, 0x0012          ; 640x480, 16 colours: four planes
        int 0x10
        mov ax, 0xA000
        call run_there
        mov al, 'P'
        call put
        mov ax, 0x0003          ; text: characters and attributes
        int 0x10
        mov ax, 0xB800
        call run_there
        mov al, 'T'
        call put
        cli
        lgdt [gdt_pointer]
        lidt [idt_pointer]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp 8:protected

; Writes MOV BX,1234h; RETF to segment ax and calls it.
run_there:
        mov es, ax
        xor di, di
        mov si, piece
        mov cx, 4
        rep movsb
        xor bx, bx
        mov [target + 2], ax
        call far [target]
        cmp bx, 0x1234
        jne $
        ret
piece:  db 0xBB, 0x34, 0x12, 0xCB
target: dw 0, 0

undefined:
        mov al, 'X'
        call put
        jmp $

put:    push dx
        mov dx, 0x3F8
        out dx, al
        pop dx
        ret

        times 510 - ($ - $$) db 0
        dw 0xAA55

        bits 32
protected:
        mov ax, 16
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov esp, 0x7C00
        mov edi, 0x6000
        mov ecx, 32
.gate:
        mov dword [edi], 0x80000 + (exception - $$ + 0x7C00)
        mov dword [edi + 4], 0x8E00
        add edi, 8
        loop .gate

        mov ebx, .end           ; where the exception goes on
        mov eax, 0xC0000000
        jmp eax
.end:
        mov al, 'U'
        call put32
        mov word [0x3FFFFE], 0x05C7     ; MOV DWORD [..], ..: its other bytes are beyond the end
        mov ebx, .dma
        mov eax, 0x3FFFFE
        jmp eax
.dma:
        mov al, 'E'
        call put32
        mov eax, 0x80000920     ; bus 0, device 1, function 1 (PIIX3 IDE), BMIBA
        mov dx, 0xCF8
        out dx, eax
        mov dx, 0xCFC
        in eax, dx
        and eax, 0xFFF0
        mov ebp, eax
        mov eax, 0x80000904     ; its command register: I/O and bus master
        mov dx, 0xCF8
        out dx, eax
        mov dx, 0xCFC
        in eax, dx
        or al, 5
        out dx, eax

        mov edi, 0x5000
        mov dword [edi + 4], 0x80000200
        mov esi, places
.next:
        lodsd
        mov [edi], eax
        mov ecx, edi
        call transfer
        cmp esi, places_end
        jb .next
        mov ecx, 0xFFFFFFF0     ; the descriptor table itself is nowhere
        call transfer
        mov ecx, 0x003FFFF8     ; at the end of RAM, and never ends
        mov dword [0x3FFFF8], 0x1000
        mov dword [0x3FFFFC], 0x00000200
        call transfer
        mov al, 'D'
        call put32
        mov al, 0x21
        mov dx, 0x501
        out dx, al
        jmp $

; One sector by READ DMA with the table at ecx; then the transfer is stopped.
transfer:
        lea edx, [ebp + 4]
        mov eax, ecx
        out dx, eax
        mov edx, ebp
        mov al, 8               ; to memory
        out dx, al
        mov dx, 0x1F6
        mov al, 0xE0
        out dx, al
        mov dx, 0x1F2
        mov al, 1
        out dx, al
        inc edx
        mov al, 0
        out dx, al
        inc edx
        out dx, al
        inc edx
        out dx, al
        mov dx, 0x1F7
        mov al, 0xC8
        out dx, al
        mov edx, ebp
        mov al, 9
        out dx, al
        mov ecx, 2000000        ; polls: long enough, and an end in any case
        lea edx, [ebp + 2]
.wait:
        in al, dx
        test al, 6
        loopz .wait
        mov edx, ebp
        mov al, 0
        out dx, al
        mov dx, 0x3F6           ; reset the drive, whatever it waits for
        mov al, 4
        out dx, al
        mov al, 0
        out dx, al
        mov dx, 0x1F7
        mov ecx, 2000000
.busy:
        in al, dx
        test al, 0x80
        loopnz .busy
        ret

exception:
        mov esp, 0x7C00
        jmp ebx

put32:
        mov dx, 0x3F8
        out dx, al
        ret

places: dd 0xFFFFFF00, 0x00400000, 0x003FFF00, 0xC0000000, 0x000A0000, 0x000F0000, 0xFEC00000, 0xFFFFFFFE
places_end:

        align 8
gdt:    dq 0, 0x00CF9A000000FFFF, 0x00CF92000000FFFF
gdt_pointer:
        dw 23
        dd gdt
idt_pointer:
        dw 256 * 8 - 1
        dd 0x6000

        times 1024 - ($ - $$) db 0
