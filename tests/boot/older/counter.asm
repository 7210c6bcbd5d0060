; The firmware of the machines that older programs saved: counts ticks of the timer, a hundred a second, and says each
; number on COM1, with the sum of 64 KiB of memory that it has filled before.
	bits 16
	org 0

COM1		equ 3F8h
COUNT		equ 500h	; in segment 0
PATTERN		equ 1000h	; the segment of what is summed
TIMER_HZ	equ 1193182

start:
	cli
	cld
	xor ax, ax
	mov ss, ax
	mov sp, 7C00h
	mov ds, ax
	mov dword [COUNT], 0
	mov word [8 * 4], tick
	mov [8 * 4 + 2], cs
	mov ax, PATTERN
	mov es, ax
	xor di, di
	mov eax, 12345678h
.fill:
	imul eax, eax, 1103515245
	add eax, 12345
	stosd
	test di, di
	jnz .fill
	mov al, 11h		; the 8259A: vectors 8 and 70h, all but the timer masked
	out 20h, al
	out 0A0h, al
	mov al, 8
	out 21h, al
	mov al, 70h
	out 0A1h, al
	mov al, 4
	out 21h, al
	mov al, 2
	out 0A1h, al
	mov al, 1
	out 21h, al
	out 0A1h, al
	mov al, 0FEh
	out 21h, al
	mov al, 0FFh
	out 0A1h, al
	mov al, 34h		; the 8254: counter 0, mode 2
	out 43h, al
	mov ax, TIMER_HZ / 100
	out 40h, al
	mov al, ah
	out 40h, al
	mov dx, COM1 + 3
	mov al, 3
	out dx, al
	mov eax, 200h		; OSFXSR: the x87 and SSE hold something, too
	mov cr4, eax
	mov ebx, 1
	movd xmm0, ebx
	fld1
	fldpi
wait_for_tick:
	sti
	hlt
	cli
	mov eax, [COUNT]
	cmp eax, ebx
	jb wait_for_tick
	lea ebx, [eax + 1]
	call hex
	mov al, ' '
	call send
	xor ecx, ecx
	xor di, di
.sum:
	add ecx, [es:di]
	rol ecx, 1
	add di, 4
	jnz .sum
	mov eax, ecx
	call hex
	mov al, 10
	call send
	jmp wait_for_tick

hex:				; EAX in eight digits
	mov cx, 8
.digit:
	rol eax, 4
	push eax
	and al, 15
	cmp al, 10
	sbb al, 69h
	das
	call send
	pop eax
	loop .digit
	ret

send:
	push ax
	mov dx, COM1 + 5
.busy:
	in al, dx
	test al, 20h
	jz .busy
	pop ax
	mov dx, COM1
	out dx, al
	ret

tick:
	push ax
	inc dword [ss:COUNT]
	mov al, 20h
	out 20h, al
	pop ax
	iret

	times 0FFF0h - ($ - $$) db 0
	jmp 0F000h:start
	times 10000h - ($ - $$) db 0
