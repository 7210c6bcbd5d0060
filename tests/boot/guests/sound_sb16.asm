; Sound Blaster 16 at 220h, IRQ 5, DMA 1 and 5: plays triangle waves by a list of ways to play, with a pause after each.
; Tells the DSP's version, and for each way the number of interrupts and the last one's source (mixer register 82h).
%include "sound.inc"

BUFFER equ 20000h            ; 15360 bytes, played over and over
LENGTH equ 15360

%macro dsp 1
  mov al, %1
  call command
%endmacro

; How to play: command (0: the older 14h), mode, frames a second, samples in a block, blocks, sample bytes, channels
%macro way 7
  db %1, %2
  dw %3, %4, %5
  db %6, %7
%endmacro
struc play
  .command: resb 1
  .mode:    resb 1
  .rate:    resw 1
  .samples: resw 1
  .blocks:  resw 1
  .bytes:   resb 1
  .channels: resb 1
endstruc

main:
  mov dx, 226h
  mov al, 1
  out dx, al
  mov cx, 10
.hold:
  in al, dx
  loop .hold
  xor al, al
  out dx, al
  call answer
  call tell_hex              ; AA
  dsp 0E1h
  call answer
  call tell_hex
  call answer
  call tell_hex
  dsp 0D1h
  mov word [0Dh * 4], interrupt
  mov word [0Dh * 4 + 2], 0
  in al, 21h
  and al, 0DFh
  out 21h, al

  mov bp, ways
.next:
  call fill
  call program_dma
  mov word [interrupts], 0
  call start
.playing:
  hlt
  mov ax, [interrupts]
  cmp ax, [bp + play.blocks]
  jb .playing
  tell ' '
  mov al, [interrupts]
  call tell_hex
  mov al, [source]
  call tell_hex
  mov ax, 4
  call wait_ticks
  add bp, play_size
  cmp bp, ways_end
  jb .next
  jmp finish

; The left wave has a period of 48 frames, the right one of 24.
fill:
  mov ax, BUFFER >> 4
  mov es, ax
  xor di, di
  mov word [left], 0
  mov word [left + 2], 2000
  mov word [left + 4], 24000
  mov word [right], 0
  mov word [right + 2], 4000
  mov word [right + 4], 24000
.frame:
  mov si, left
  call triangle
  call .store
  cmp byte [bp + play.channels], 2
  jne .one
  mov si, right
  call triangle
  call .store
.one:
  cmp di, LENGTH
  jb .frame
  xor ax, ax
  mov es, ax
  ret
.store:
  test byte [bp + play.mode], 10h
  jnz .signed
  xor ax, 8000h
.signed:
  cmp byte [bp + play.bytes], 2
  je .word
  mov al, ah
  stosb
  ret
.word:
  stosw
  ret

program_dma:
  cmp byte [bp + play.bytes], 2
  je .words
  mov al, 5
  out 0Ah, al
  out 0Ch, al
  mov al, 59h                ; single, automatic, from memory, channel 1
  out 0Bh, al
  mov al, BUFFER & 0FFh
  out 2, al
  mov al, BUFFER >> 8 & 0FFh
  out 2, al
  mov al, BUFFER >> 16
  out 83h, al
  mov al, (LENGTH - 1) & 0FFh
  out 3, al
  mov al, (LENGTH - 1) >> 8
  out 3, al
  mov al, 1
  out 0Ah, al
  ret
.words:
  mov al, 5
  out 0D4h, al
  out 0D8h, al
  mov al, 59h
  out 0D6h, al
  mov al, BUFFER >> 1 & 0FFh
  out 0C4h, al
  mov al, BUFFER >> 9 & 0FFh
  out 0C4h, al
  mov al, BUFFER >> 16
  out 8Bh, al
  mov al, (LENGTH / 2 - 1) & 0FFh
  out 0C6h, al
  mov al, (LENGTH / 2 - 1) >> 8
  out 0C6h, al
  mov al, 1
  out 0D4h, al
  ret

start:
  cmp byte [bp + play.command], 0
  jne .new
  dsp 40h
  dsp 211                    ; 1000000 / 45 Hz
.again:
  dsp 14h
  jmp .length
.new:
  dsp 41h
  dsp [bp + play.rate + 1]
  dsp [bp + play.rate]
.again_new:
  dsp [bp + play.command]
  dsp [bp + play.mode]
.length:
  mov cx, [bp + play.samples]
  dec cx
  dsp cl
  dsp ch
  ret

interrupt:
  push ax
  push cx
  push dx
  mov dx, 224h
  mov al, 82h
  out dx, al
  inc dx
  in al, dx
  and al, 0Fh
  mov [source], al
  mov dx, 22Eh
  cmp byte [bp + play.bytes], 1
  je .acknowledge
  inc dx
.acknowledge:
  in al, dx
  inc word [interrupts]
  mov ax, [interrupts]
  ; With the last block but one automatic modes are told to end; single blocks are begun anew until then.
  mov cx, [bp + play.blocks]
  test byte [bp + play.command], 4
  jnz .automatic
  cmp ax, cx
  jae .done
  cmp byte [bp + play.command], 0
  jne .single
  call start.again
  jmp .done
.single:
  call start.again_new
  jmp .done
.automatic:
  dec cx
  cmp ax, cx
  jne .done
  mov al, 0DAh
  cmp byte [bp + play.bytes], 1
  je .end
  mov al, 0D9h
.end:
  call command
.done:
  mov al, 20h
  out 20h, al
  pop dx
  pop cx
  pop ax
  iret

; AL: a byte for the DSP.
command:
  push dx
  push ax
  mov dx, 22Ch
.busy:
  in al, dx
  test al, 80h
  jnz .busy
  pop ax
  out dx, al
  pop dx
  ret

answer:
  mov dx, 22Eh
.wait:
  in al, dx
  test al, 80h
  jz .wait
  mov dx, 22Ah
  in al, dx
  ret

ways:
  way 0, 0, 0, 4000, 3, 1, 1
  way 0C6h, 20h, 22050, 8000, 4, 1, 2
  way 0C6h, 10h, 11025, 4000, 2, 1, 1
  way 0B6h, 10h, 44100, 4000, 6, 2, 1
  way 0B6h, 30h, 44100, 8000, 6, 2, 2
  way 0B0h, 30h, 22050, 8000, 3, 2, 2
  way 0B6h, 00h, 8000, 4000, 2, 2, 1
ways_end:
left:       wave 0, 0
right:      wave 0, 0
interrupts: dw 0
source:     db 0
  times 17 * 512 - ($ - $$) db 0
