; A DOS program that fetches a file by TFTP through a packet driver at interrupt 60h (FTP Software's specification, 1.09):
; from 10.0.2.2, as 10.0.2.15, with one type for ARP and one for IP. Says on the screen how many bytes it got and their
; sum (16 bits), or what went wrong.
  org 100h
  bits 16
  cpu 8086

PACKET equ 60h
ETHERNET equ 1
FRAME_BYTES equ 1514
ARP equ 0
IP equ 1
TICKS equ 46Ch                      ; of the BIOS, 18.2 a second
PATIENCE equ 18 * 20
OUR_PORT equ 4000h                  ; as words of the network's order lie in memory
BLOCK equ 512

start:
  cld
  mov si, arp_type
  mov di, receive_arp
  call register_type
  jc no_driver
  mov si, ip_type
  mov di, receive_ip
  call register_type
  jc no_driver
  push cs
  pop es
  mov bx, [handle]
  mov di, our_mac
  mov cx, 6
  mov ah, 6                         ; get_address
  int PACKET
  jc no_driver
  mov si, our_mac
  mov di, arp_sender_mac
  call copy_mac
  mov si, our_mac
  mov di, frame + 6
  call copy_mac
  mov si, our_mac
  mov di, arp_frame + 6
  call copy_mac

  mov si, arp_frame
  mov cx, 60
  call send
  mov bx, ARP
  call wait_for
  jc no_arp
  mov si, received_arp + 22         ; the address of who answers
  mov di, frame
  call copy_mac

  ; The request: read this file, as octets.
  mov si, request
  mov cx, request_end - request
  mov word [udp_to], 4500h          ; port 69
next_block:
  call send_udp
  mov bx, IP
  call wait_for
  jc no_file
  cmp word [received_ip + 42], 0300h  ; DATA
  jne no_file
  mov ax, [received_ip + 34]        ; the server's port from now on
  mov [udp_to], ax
  mov ax, [received_ip + 44]
  mov [acknowledged], ax
  mov cx, [received_ip + 38]        ; of the UDP header: with its own 8 bytes and 4 of TFTP
  xchg cl, ch
  sub cx, 12
  add [total], cx
  mov [last], cx
  mov si, received_ip + 46
  jcxz summed
add_byte:
  lodsb
  xor ah, ah
  add [sum], ax
  loop add_byte
summed:
  mov byte [waiting + IP], 0
  mov si, acknowledge
  mov cx, 4
  cmp word [last], BLOCK
  jae next_block
  call send_udp
  mov dx, got_text
  call print
  mov ax, [total]
  call print_number
  mov dx, sum_text
  call print
  mov ax, [sum]
  call print_number
  jmp finish
no_driver:
  mov dx, no_driver_text
  jmp say
no_arp:
  mov dx, no_arp_text
  jmp say
no_file:
  mov dx, no_file_text
say:
  call print
finish:
  mov bx, [handle]                  ; both types go, or the driver calls a program that has ended
  mov ah, 3
  int PACKET
  mov bx, [first_handle]
  mov ah, 3
  int PACKET
  mov ax, 4C00h
  int 21h

; SI: two bytes of type; DI: the receiver. Carry: an error.
register_type:
  mov ax, [handle]
  mov [first_handle], ax
  push cs
  pop es
  mov ax, 200h | ETHERNET
  mov bx, 0FFFFh                    ; any card
  mov dl, 0
  mov cx, 2
  int PACKET
  mov [handle], ax
  ret

; SI, CX: a frame.
send:
  mov ah, 4
  int PACKET
  ret

; SI, CX: what goes out to 10.0.2.2, port [udp_to].
send_udp:
  mov di, payload
  push cs
  pop es
  push cx
  rep movsb
  pop cx
  mov ax, cx
  add ax, 8
  xchg al, ah
  mov [udp_length], ax
  mov ax, cx
  add ax, 28
  xchg al, ah
  mov [ip_length], ax
  mov word [ip_checksum], 0
  push cx
  mov si, ip_header
  mov cx, 10
  xor dx, dx
.word:
  lodsw
  add dx, ax
  adc dx, 0
  loop .word
  pop cx
  not dx
  mov [ip_checksum], dx
  mov si, frame
  add cx, 42
  cmp cx, 60
  jae send
  mov cx, 60
  jmp send

; BX: which kind of frame. Carry: it did not come.
wait_for:
  push es
  xor ax, ax
  mov es, ax
  mov dx, [es:TICKS]
.look:
  cmp byte [waiting + bx], 1
  je .here
  mov ax, [es:TICKS]
  sub ax, dx
  cmp ax, PATIENCE
  jb .look
  stc
  pop es
  ret
.here:
  clc
  pop es
  ret

copy_mac:
  push cs
  pop es
  mov cx, 3
  rep movsw
  ret

; What the driver calls: AX 0 asks for a buffer for CX bytes, AX 1 says that it is filled.
%macro receiver 2                   ; kind, buffer
  or ax, ax
  jnz %%filled
  push cs
  pop es
  mov di, %2
  cmp byte [cs:waiting + %1], 0
  jne %%refuse
  cmp cx, FRAME_BYTES
  jbe %%done
%%refuse:
  xor di, di
  mov es, di
%%done:
  retf
%%filled:
  mov byte [cs:waiting + %1], 1
  retf
%endmacro
receive_arp: receiver ARP, received_arp
receive_ip: receiver IP, received_ip

print:
  mov ah, 9
  int 21h
  ret

; AX as a decimal number.
print_number:
  mov bx, 10
  xor cx, cx
.divide:
  xor dx, dx
  div bx
  push dx
  inc cx
  or ax, ax
  jnz .divide
.digit:
  pop dx
  add dl, '0'
  mov ah, 2
  int 21h
  loop .digit
  ret

arp_type: db 8, 6
ip_type: db 8, 0
handle: dw 0
first_handle: dw 0
waiting: db 0, 0
total: dw 0
sum: dw 0
last: dw 0
our_mac: times 6 db 0
no_driver_text: db 'NO DRIVER$'
no_arp_text: db 'NO ARP$'
no_file_text: db 'NO FILE$'
got_text: db 'GOT $'
sum_text: db ' BYTES, SUM $'

arp_frame:
  times 6 db 0FFh
  times 6 db 0
  db 8, 6, 0, 1, 8, 0, 6, 4, 0, 1
arp_sender_mac: times 6 db 0
  db 10, 0, 2, 15
  times 6 db 0
  db 10, 0, 2, 2
  times 18 db 0

request: db 0, 1, 'FILE', 0, 'octet', 0
request_end:
acknowledge: db 0, 4
acknowledged: dw 0

frame:
  times 12 db 0
  db 8, 0
ip_header:
  db 45h, 0
ip_length: dw 0
  dw 0, 0
  db 64, 17
ip_checksum: dw 0
  db 10, 0, 2, 15
  db 10, 0, 2, 2
  dw OUR_PORT
udp_to: dw 0
udp_length: dw 0
  dw 0
payload: times 64 db 0

received_arp equ payload + 64
received_ip equ received_arp + FRAME_BYTES
