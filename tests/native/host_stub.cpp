#include "tests/native/host_stub.h"

// Absolute addresses are those of HostControl at 7E37E000h.
asm(R"(
  .pushsection .text
  .globl relic86_native_stub, relic86_native_stub_vectors, relic86_native_stub_leave, relic86_native_stub_signal, relic86_native_stub_end
  .set control, 0x7E37E000
# void enter(): loads the case and jumps to it; leave and the signal handler return to the caller.
relic86_native_stub:
  push %rbx
  push %rbp
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, control+0x38
  mov control+0x40, %rax
  test %rax, %rax
  jz 1f
  fxrstor64 (%rax)
1:
  movzwl control+0x2E, %eax
  mov %eax, %es
  movzwl control+0x32, %eax
  mov %eax, %ds
  movzwl control+0x34, %eax
  mov %eax, %fs
  movzwl control+0x36, %eax
  mov %eax, %gs
  movzwl control+0x30, %eax
  mov %eax, %ss
  mov $control+0x20, %esp
  popfq
  mov control+0x00, %eax
  mov control+0x04, %ecx
  mov control+0x08, %edx
  mov control+0x0C, %ebx
  mov control+0x14, %ebp
  mov control+0x18, %esi
  mov control+0x1C, %edi
  mov control+0x10, %esp
  ljmpl *control+0x28
# The case ends in a far jump to here.
relic86_native_stub_leave:
  mov %eax, control+0x50
  mov %ecx, control+0x54
  mov %edx, control+0x58
  mov %ebx, control+0x5C
  mov %esp, control+0x60
  mov %ebp, control+0x64
  mov %esi, control+0x68
  mov %edi, control+0x6C
  mov $control+0x300, %esp
  pushfq
  popq control+0x70
  movl $0, control+0x8C
  jmp 3f
# Signals: rdx is the context.
relic86_native_stub_signal:
  pushfq
  andq $~0x40000, (%rsp)
  popfq
  movl $1, control+0x8C
  mov %rdx, %rdi
  mov control+0x1F8, %rax
  sub $8, %rsp
  call *%rax
  mov $control+0x300, %esp
3:
  pushq $0x202
  popfq
  mov %es, %eax
  mov %ax, control+0x78
  mov %ss, %eax
  mov %ax, control+0x7C
  mov %ds, %eax
  mov %ax, control+0x7E
  mov %fs, %eax
  mov %ax, control+0x80
  mov %gs, %eax
  mov %ax, control+0x82
  mov $0x2B, %eax
  mov %eax, %ss
  mov control+0x48, %rax
  test %rax, %rax
  jz 2f
  cmpl $0, control+0x8C
  jne 4f
  fxsave64 (%rax)
  mov control+0x98, %rax
  test %rax, %rax
  jz 4f
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7
  vextractf128 $1, %ymm\n, 16*\n(%rax)
  .endr
  vzeroupper
4:
  fninit
  ldmxcsr control+0x88
2:
  mov control+0x38, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbp
  pop %rbx
  ret
# void enter_with_vectors(): as enter(), with the upper halves of the YMM registers. It stands at the end because cases
# may read the address of leave, which recordings of other hosts hold.
relic86_native_stub_vectors:
  mov control+0x90, %rax
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7
  vinsertf128 $1, 16*\n(%rax), %ymm\n, %ymm\n
  .endr
  jmp relic86_native_stub
relic86_native_stub_end:
  .popsection
)");
