; Boots a Linux bzImage or zImage whose pieces lie in the firmware configuration device, with all addresses decided by
; the loader (frontend/kernel_loader). Entry conditions: Linux x86 boot protocol, "Running the kernel": interrupts off,
; all segments at the real-mode part, SP below the command line, CS 20h paragraphs above.

%include "expansion_header.inc"
%include "fw_cfg.inc"

product_name: db 'relic86 Linux loader', 0

boot:
    cli
    cld
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, STACK_TOP
    FW_CFG_LOAD FW_CFG_SETUP_ADDRESS, FW_CFG_SETUP_SIZE, FW_CFG_SETUP_DATA
    FW_CFG_LOAD FW_CFG_CMDLINE_ADDRESS, FW_CFG_CMDLINE_SIZE, FW_CFG_CMDLINE_DATA
    FW_CFG_LOAD FW_CFG_KERNEL_ADDRESS, FW_CFG_KERNEL_SIZE, FW_CFG_KERNEL_DATA
    FW_CFG_LOAD FW_CFG_INITRD_ADDRESS, FW_CFG_INITRD_SIZE, FW_CFG_INITRD_DATA
    mov ax, FW_CFG_CMDLINE_ADDRESS
    call fw_cfg_dword
    mov edi, eax
    mov ax, FW_CFG_SETUP_ADDRESS
    call fw_cfg_dword
    sub edi, eax
    sub edi, 16                 ; the stack's top, relative to the real-mode part
    shr eax, 4
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    mov ss, ax
    mov sp, di
    add ax, 0x20
    push ax
    push word 0
    xor eax, eax
    xor ebx, ebx
    xor ecx, ecx
    xor edx, edx
    xor esi, esi
    xor edi, edi
    xor ebp, ebp
    retf
