; A boot sector that libvirt's test manages: says "guest ready" on COM1, sends back what it gets there in capitals, and
; powers off when the power button was pressed (PIIX4 datasheet, 7.1: the power management block; ICH9 datasheet, 13.8.3).
; At a '!' it panics, at a '?' it starts the watchdog.
	bits 16
	org 7C00h

PIIX4		equ 80000B00h	; PCI 00:01.3
ICH9		equ 8000F800h	; PCI 00:1F.0, on a q35, which has no function 3 of device 1
PM_BASE		equ 40h		; register: the block's port, bits 15:6
PM_ENABLE	equ 2		; bit 8 as in the status: the button sets that only when it is enabled here
PM_CONTROL	equ 4		; bit 13: sleep enable; sleep type 0: soft off
POWER_BUTTON	equ 100h	; of the status, at offset 0
COM1		equ 3F8h

WATCHDOG_PORT	equ 443h	; IB700: 30 seconds less twice what is written
PANIC_PORT	equ 505h	; pvpanic; bit 0: the guest has panicked

start:
	xor ax, ax
	mov ds, ax
	mov ss, ax
	mov sp, start
	mov dx, COM1 + 3	; eight data bits
	mov al, 3
	out dx, al
	mov ebx, PIIX4
	call read_pci
	inc ax			; the maker's number: FFFFh is nobody's
	jnz .found
	mov ebx, ICH9
.found:
	add ebx, PM_BASE
	call read_pci
	and al, 0C0h
	mov di, ax		; the block's first port: the status
	lea dx, [di + PM_ENABLE]
	mov ax, POWER_BUTTON
	out dx, ax
	mov si, ready
.text:
	lodsb
	test al, al
	jz main
	call send
	jmp .text

main:
	sti
	hlt			; the timer wakes 18 times a second
	mov dx, di
	in ax, dx
	test ah, 1
	jnz power_off
.input:
	mov dx, COM1 + 5
	in al, dx
	test al, 1
	jz main
	mov dx, COM1
	in al, dx
	cmp al, '!'
	je panic
	cmp al, '?'
	je watchdog
	cmp al, 'a'
	jb .back
	cmp al, 'z'
	ja .back
	sub al, 'a' - 'A'
.back:
	call send
	jmp .input

watchdog:
	mov dx, WATCHDOG_PORT
	mov al, 14
	out dx, al
	jmp main

panic:
	mov dx, PANIC_PORT
	mov al, 1
	out dx, al
	jmp main

power_off:
	mov ax, POWER_BUTTON	; written ones clear
	out dx, ax
	lea dx, [di + PM_CONTROL]
	mov ax, 2000h
	out dx, ax
	jmp main

read_pci:			; ebx: where; ax
	mov dx, 0CF8h
	mov eax, ebx
	out dx, eax
	mov dx, 0CFCh
	in ax, dx
	ret

send:
	push ax
	mov dx, COM1 + 5
.wait:
	in al, dx
	test al, 20h
	jz .wait
	pop ax
	mov dx, COM1
	out dx, al
	ret

ready:	db "guest ready", 13, 10, 0

	times 510 - ($ - $$) db 0
	dw 0AA55h
