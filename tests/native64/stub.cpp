#include "tests/native64/stub.h"

// Absolute addresses are those of Control at 7E37E000h; flags are loaded and stored on a stack at its end.
asm(R"(
  .pushsection .text
  .globl relic86_native64_stub, relic86_native64_leave, relic86_native64_signal, relic86_native64_end
  .set control64, 0x7E37E000
# void enter(): loads the case and jumps to it; leave and the signal handler return to the caller.
relic86_native64_stub:
  push %rbx
  push %rbp
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, control64+0x128
  mov control64+0x90, %rax
  test %rax, %rax
  jz 1f
  fxrstor64 (%rax)
1:
  mov control64+0x150, %rax
  test %rax, %rax
  jz 5f
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
  vinsertf128 $1, 16*\n(%rax), %ymm\n, %ymm\n
  .endr
5:
  mov $control64+0x80, %esp
  popfq
  mov control64+0x00, %rax
  mov control64+0x08, %rcx
  mov control64+0x10, %rdx
  mov control64+0x18, %rbx
  mov control64+0x28, %rbp
  mov control64+0x30, %rsi
  mov control64+0x38, %rdi
  mov control64+0x40, %r8
  mov control64+0x48, %r9
  mov control64+0x50, %r10
  mov control64+0x58, %r11
  mov control64+0x60, %r12
  mov control64+0x68, %r13
  mov control64+0x70, %r14
  mov control64+0x78, %r15
  mov control64+0x20, %rsp
  jmp *control64+0x88
# The case ends in a jump to here.
relic86_native64_leave:
  mov %rax, control64+0xA0
  mov %rcx, control64+0xA8
  mov %rdx, control64+0xB0
  mov %rbx, control64+0xB8
  mov %rsp, control64+0xC0
  mov %rbp, control64+0xC8
  mov %rsi, control64+0xD0
  mov %rdi, control64+0xD8
  mov %r8, control64+0xE0
  mov %r9, control64+0xE8
  mov %r10, control64+0xF0
  mov %r11, control64+0xF8
  mov %r12, control64+0x100
  mov %r13, control64+0x108
  mov %r14, control64+0x110
  mov %r15, control64+0x118
  mov $control64+0x800, %esp
  pushfq
  popq control64+0x120
  movl $0, control64+0x134
  jmp 3f
# Signals: rdx is the context.
relic86_native64_signal:
  pushfq
  andq $~0x40000, (%rsp)
  popfq
  movl $1, control64+0x134
  mov %rdx, %rdi
  mov control64+0x138, %rax
  sub $8, %rsp
  call *%rax
  mov $control64+0x800, %esp
3:
  pushq $0x202
  popfq
  mov control64+0x98, %rax
  test %rax, %rax
  jz 2f
  cmpl $0, control64+0x134
  jne 4f
  fxsave64 (%rax)
  mov control64+0x158, %rax
  test %rax, %rax
  jz 4f
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
  vextractf128 $1, %ymm\n, 16*\n(%rax)
  .endr
  vzeroupper
4:
  fninit
  ldmxcsr control64+0x130
2:
  mov control64+0x128, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbp
  pop %rbx
  ret
relic86_native64_end:
  .popsection
)");
