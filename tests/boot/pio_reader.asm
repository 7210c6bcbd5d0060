; A floppy's boot sector that reads a sector of the IDE disk by PIO, and says "TICK" on COM1 with each tick of the BIOS's
; clock while the drive is busy.
	bits 16
	org 7C00h

ATA		equ 1F0h
COM1		equ 3F8h
TICKS		equ 46Ch	; the BIOS's count
SECTOR		equ 64		; firmware has not read it

start:
	xor ax, ax
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov sp, start
	mov dx, ATA + 2
	mov al, 1
	out dx, al
	inc dx
	mov al, SECTOR
	out dx, al
	inc dx
	xor ax, ax
	out dx, al
	inc dx
	out dx, al
	inc dx
	mov al, 0E0h		; the master, by LBA
	out dx, al
	inc dx
	mov al, 20h		; READ SECTORS
	out dx, al
.busy:
	call next_tick
	mov si, tick
	call say
	mov dx, ATA + 7
	in al, dx
	test al, 80h
	jnz .busy
	test al, 1
	mov si, failed
	jnz .end
	mov dx, ATA
	in ax, dx
	mov si, done
	cmp ax, 5A5Ah
	je .end
	mov si, wrong
.end:
	call say
.stop:
	hlt
	jmp .stop

next_tick:
	mov ebx, [TICKS]
.same:
	sti
	hlt
	cmp ebx, [TICKS]
	je .same
	ret

say:
	lodsb
	test al, al
	jz .end
	push ax
	mov dx, COM1 + 5
.full:
	in al, dx
	test al, 20h
	jz .full
	pop ax
	mov dx, COM1
	out dx, al
	jmp say
.end:
	ret

tick:	db "TICK", 10, 0
done:	db "DONE 0", 10, 0
failed:	db "DONE 1", 10, 0
wrong:	db "DONE wrong", 10, 0

	times 510 - ($ - $$) db 0
	dw 0AA55h
