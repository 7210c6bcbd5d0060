; Boots a multiboot kernel (Multiboot Specification 0.6.96) whose pieces lie in the firmware configuration device. The
; loader (loaders/multiboot_loader) prepares the information structure with command line and modules and passes it in the
; place of the initrd; only the BIOS knows the memory map and the video modes, which are put into the structure here.

%include "expansion_header.inc"
%include "fw_cfg.inc"
%include "multiboot_video.inc"

product_name: db 'relic86 multiboot loader', 0

MULTIBOOT_LOADED    equ 0x2badb002
INFO_MEM_LOWER      equ 4
INFO_MEM_UPPER      equ 8
INFO_MMAP_LENGTH    equ 44
INFO_MMAP_ADDRESS   equ 48
INFO_VBE_CONTROLLER equ 72
E820_SIGNATURE      equ 0x534d4150
E820_ENTRY          equ 20
MMAP_ENTRY          equ 24              ; the entry's size and the entry
MMAP_MOST           equ 64 * MMAP_ENTRY ; the loader leaves this much room
MMAP                equ 0x1000            ; below what kernels are loaded to
VARIABLES           equ 0x7e20
GDT_POINTER         equ VARIABLES       ; 6 bytes
INFO                equ VARIABLES + 8
ENTRY               equ VARIABLES + 12
MEM_LOWER           equ VARIABLES + 16
MEM_UPPER           equ VARIABLES + 20
MMAP_LENGTH         equ VARIABLES + 24
CODE32              equ 0x08
DATA32              equ 0x10

boot:
    cli
    cld
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, STACK_TOP
    FW_CFG_LOAD FW_CFG_KERNEL_ADDRESS, FW_CFG_KERNEL_SIZE, FW_CFG_KERNEL_DATA
    FW_CFG_LOAD FW_CFG_INITRD_ADDRESS, FW_CFG_INITRD_SIZE, FW_CFG_INITRD_DATA
    mov ax, FW_CFG_INITRD_ADDRESS
    call fw_cfg_dword
    mov [INFO], eax
    mov ax, FW_CFG_KERNEL_ENTRY
    call fw_cfg_dword
    mov [ENTRY], eax

    sti
    int 0x12
    movzx eax, ax
    mov [MEM_LOWER], eax
    mov dword [MEM_UPPER], 0
    xor ebx, ebx
    mov di, MMAP
.next_range:
    mov eax, 0xe820
    mov edx, E820_SIGNATURE
    mov ecx, E820_ENTRY
    mov dword [di], E820_ENTRY
    add di, 4
    int 0x15
    jc .ranges_done
    cmp eax, E820_SIGNATURE
    jne .ranges_done
    cmp dword [di], 0x100000            ; RAM right above 1 MiB is what mem_upper means
    jne .not_upper
    cmp dword [di + 4], 0
    jne .not_upper
    cmp dword [di + 16], 1
    jne .not_upper
    mov eax, [di + 8]
    shr eax, 10
    mov [MEM_UPPER], eax
.not_upper:
    add di, E820_ENTRY
    cmp di, MMAP + MMAP_MOST
    jae .all_read
    test ebx, ebx
    jnz .next_range
    jmp .all_read
.ranges_done:
    sub di, 4
.all_read:
    cli
    cld
    movzx eax, di
    sub eax, MMAP
    mov [MMAP_LENGTH], eax
    sti
    call set_video_mode
    cli
    cld

    xor ebx, ebx                        ; where this ROM lies
    mov bx, cs
    shl ebx, 4
    lea eax, [ebx + gdt]
    mov word [GDT_POINTER], gdt_end - gdt - 1
    mov [GDT_POINTER + 2], eax
    lgdt [GDT_POINTER]
    lea ebx, [ebx + protected]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    push dword CODE32
    push ebx
    o32 retf

    bits 32
protected:
    mov ax, DATA32
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    mov ss, ax
    mov ebx, [INFO]
    mov eax, [MEM_LOWER]
    mov [ebx + INFO_MEM_LOWER], eax
    mov eax, [MEM_UPPER]
    mov [ebx + INFO_MEM_UPPER], eax
    mov ecx, [MMAP_LENGTH]
    mov [ebx + INFO_MMAP_LENGTH], ecx
    mov edi, [ebx + INFO_MMAP_ADDRESS]
    mov esi, MMAP
    rep movsb
    mov eax, [VIDEO_FLAGS]
    or [ebx], eax
    lea edi, [ebx + INFO_VBE_MODE]
    mov esi, FRAME_FIELDS
    mov ecx, FRAME_FIELDS_SIZE
    rep movsb
    mov edi, [ebx + INFO_VBE_CONTROLLER]
    mov esi, VBE_CONTROLLER
    mov ecx, VBE_SIZE
    rep movsb
    mov edx, [ENTRY]
    mov eax, MULTIBOOT_LOADED
    mov esp, STACK_TOP
    jmp edx

    bits 16
    align 8, db 0
gdt:
    dq 0
    dq 0x00cf9a000000ffff
    dq 0x00cf92000000ffff
gdt_end:
