; A boot sector that writes to its disk all the time: pieces of eight sectors from FIRST on, COUNT sectors a pass. Each
; sector holds the number of the pass and its own, over and over, so that a lost or misplaced write is seen.
	bits 16
	org 7C00h

FIRST		equ 2048
COUNT		equ 4096
PIECE		equ 8
BUFFER		equ 8000h
COM1		equ 3F8h

start:
	xor ax, ax
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov sp, start
	mov [drive], dl
.pass:
	inc dword [number]
	mov dword [sector], FIRST
.piece:
	mov di, BUFFER
	mov ebx, [sector]
	mov dx, PIECE
.sector:
	mov cx, 64
.fill:
	mov eax, [number]
	stosd
	mov eax, ebx
	stosd
	loop .fill
	inc ebx
	dec dx
	jnz .sector
	mov ax, 4300h		; extended write
	mov dl, [drive]
	mov si, packet
	int 13h
	mov al, '!'
	jc .say
	add dword [sector], PIECE
	cmp dword [sector], FIRST + COUNT
	jb .piece
	mov al, '.'
.say:
	mov dx, COM1
	out dx, al
	jmp .pass

number:	dd 0
drive:	db 80h
	align 4
packet:	db 16, 0
	dw PIECE
	dw BUFFER, 0
sector:	dd FIRST, 0

	times 510 - ($ - $$) db 0
	dw 0AA55h
