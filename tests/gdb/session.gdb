# A session as a kernel's developer has it. check compares what it prints with session.expected.
set pagination off
set confirm off
set width 0
set style enabled off
set print address off

# At reset: real mode.
printf "> reset: eip %x cs %x cs_base %x cr0.pe %d\n", $eip, $cs, $cs_base, $cr0 & 1
printf "> reset vector: %x\n", *(unsigned char *)0xfffffff0

# A kernel's symbol, registers of every unit, one step.
break *twice
continue
printf "> counter %d, at twice %d\n", (int)counter, $eip == (int)&twice
printf "> st0 %.6f st1 %.1f, fctrl %x, xmm3[2] %.1f, mxcsr %x\n", $st0, $st1, $fctrl, $xmm3.v4_float[2], $mxcsr
printf "> cs_base %x, cr0 %x\n", $cs_base, $cr0
stepi
printf "> one step: %d bytes, eax %d\n", $eip - (int)&twice, $eax
delete

# A variable; the old value is gdb's own memory of it.
watch *(int *)&doubled
continue
continue
printf "> doubled %d\n", (int)doubled
delete
rwatch *(int *)&counter
continue
delete

# The loop gets hot, then it is cut at a breakpoint in its midst.
break *milestone
continue
printf "> hot: counter %d\n", (int)counter
delete
hbreak *twice
continue
printf "> cut: counter %d\n", (int)counter
continue
printf "> again: counter %d\n", (int)counter
delete

# Registers and memory written: the loop ends early.
set $ecx = 2
set var *(int *)&counter = 1000
set $xmm3.v4_float[0] = 7.5
printf "> written: ecx %d, counter %d, xmm3[0] %.1f\n", $ecx, (int)counter, $xmm3.v4_float[0]

# Paging: linear addresses.
break *paged
continue
printf "> paged: counter %d\n", (int)counter
stepi
printf "> high: %x = %x\n", *(int *)(0x40000000 + (int)&high_value), (int)high_value
monitor info mem
delete

# Real mode. Breakpoints are at linear addresses, EIP is an offset.
break *(int)&real_loop
continue
printf "> real: cr0.pe %d, cs %x, eip %x, ds_base %x, cx %d\n", $cr0 & 1, $cs, $eip, $ds_base, $cx
continue
printf "> real: cx %d\n", $cx
delete
break *(int)&finished
continue
# gdb takes a target's architecture once, i386; the monitor disassembles as the processor would.
monitor x /2i 0x810b
delete
monitor info status
continue
