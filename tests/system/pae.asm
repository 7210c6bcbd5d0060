; Paging with physical-address extension (SDM 3A 4.4): page-directory-pointer entries, reserved bits, large pages, marks.
%include "system.inc"
%include "pae.inc"


%macro low 2
  mov eax, %2
  and eax, 0xfff
  mov [BUFFER], eax
  value %1, [BUFFER]
%endmacro

main:
  build_pae_tables
  mov eax, cr4
  or eax, 0x20
  mov cr4, eax
  mov eax, POINTERS
  mov cr3, eax
  probe "a reserved bit in a pointer: turning paging on"
  mov dword [POINTERS + 8], P + 2
  mov eax, cr0
  or eax, 0x80000000
  mark
  mov cr0, eax
  done
  mov dword [POINTERS + 8], 2       ; not present: its bits do not matter
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  probe "a reserved bit in a pointer: MOV CR3"
  mov dword [POINTERS + 8], P + 0x20
  mov eax, POINTERS
  mark
  mov cr3, eax
  done
  mov dword [POINTERS + 8], 0
  probe "a high reserved bit in a pointer"
  mov dword [POINTERS + 12], 0x80000000
  mov dword [POINTERS + 8], P
  mov eax, POINTERS
  mark
  mov cr3, eax
  done
  mov dword [POINTERS + 8], 0
  mov dword [POINTERS + 12], 0
  both "pointer not present", {mov eax, [0x40000000]}
  both "directory entry not present", {mov [0x800000], eax}
  both "page not present", {mov [WINDOW], eax}
  page 0, P | W
  both "supervisor page", {mov eax, [WINDOW]}
  page 0, P | U
  both "read-only page", {mov [WINDOW], eax}
  page 0, P | W | U, 0x80000000     ; no-execute is a reserved bit without EFER.NXE
  both "bit 63", {mov eax, [WINDOW]}
  page 0, P | W | U, 0x10           ; beyond 36 bits
  both "bit 36", {mov eax, [WINDOW]}
  page 0, P | W | U
  mov eax, [WINDOW]
  low "after a read", [TABLE1]
  mov [WINDOW], eax
  low "after a write", [TABLE1]
  low "directory entry", [DIR + 16]
  low "large page of the identity", [DIR + 8]
  mov eax, [POINTERS]
  and eax, 0xfff
  mov [BUFFER], eax
  value "pointers have no accessed bit", [BUFFER]
  mov dword [DIR + 24], P + W + U + PS + 0x200000 + 0x2000
  probe "large page: a reserved bit"
  mov eax, [0x600000]
  done
  mov dword [DIR + 24], P + W + U + PS + 0x200000
  probe "large page"
  mov dword [BUFFER + 0x4444], 0x600df00d
  mov eax, [0x600000 + BUFFER - 0x200000 + 0x4444]
  done eax
  ; The pointers are held in the processor: changing them in memory has no effect before CR3 is loaded.
  mov dword [POINTERS + 8], DIR + P
  probe "a pointer changed in memory"
  mov eax, [0x40000000]
  done
  mov eax, POINTERS
  mov cr3, eax
  probe "after MOV CR3"
  mov eax, [0x40000000 + BUFFER + 0x4444]
  done eax
  probe "CR3's low bits"
  mov eax, POINTERS | 0x18
  mov cr3, eax
  mov eax, cr3
  done eax
  mov eax, POINTERS
  mov cr3, eax
  mov eax, cr0
  and eax, 0x7fffffff
  mov cr0, eax
  finish
