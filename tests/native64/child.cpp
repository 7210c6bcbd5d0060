// FS and GS are the cases' own here: after set-up nothing may touch thread-local data, so system calls are bare.
#include "tests/native64/child.h"

#include <asm/prctl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstring>

#include "tests/native/data_area.h"
#include "tests/native64/stub.h"

namespace relic86::native64 {

namespace {

constexpr u64 kSignalStackSize = 0x20000;

Control& control() { return *reinterpret_cast<Control*>(u64{kControl}); }
u8* at(u64 address) { return reinterpret_cast<u8*>(address); }

bool take_memory(u64 address, u64 size, int protection, int file = -1, long offset = 0) {
  const int flags = MAP_FIXED_NOREPLACE | MAP_POPULATE | (file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);
  return mmap(at(address), size, protection, flags, file, offset) == at(address);
}

u8* far_memory(u64 size) {
  void* const got = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  return got == MAP_FAILED ? nullptr : static_cast<u8*>(got);
}

void capture(void* context) {
  const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
  CaseResult& result = *static_cast<CaseResult*>(control().present);
  constexpr int kOrder[kRegisters] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                      REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  for (unsigned i = 0; i < kRegisters; ++i) result.gpr[i] = static_cast<u64>(machine.gregs[kOrder[i]]);
  result.rflags = static_cast<u64>(machine.gregs[REG_EFL]);
  result.rip = static_cast<u64>(machine.gregs[REG_RIP]);
  result.vector = static_cast<u32>(machine.gregs[REG_TRAPNO]);
  result.error_code = static_cast<u32>(machine.gregs[REG_ERR]);
  result.cr2 = result.vector == 14 ? static_cast<u64>(machine.gregs[REG_CR2]) : 0;
  if (control().fx_out != nullptr) native::DataArea::copy(&result.fx, machine.fpregs, sizeof result.fx);
  if (control().ymm_out != nullptr) native::take_upper_halves(machine.fpregs, result.ymm_high, sizeof result.ymm_high);
}

bool set_up_memory(const ChildOrders& orders, u8* data_background) {
  constexpr int kReadWrite = PROT_READ | PROT_WRITE;
  const int data = memfd_create("relic86-native64-data", MFD_CLOEXEC);
  if (data < 0 || ftruncate(data, kDataSize + 0x1000) != 0) return false;
  if (!take_memory(kCode, kCodeSize, PROT_READ | PROT_EXEC, orders.code_file)) return false;
  if (!take_memory(kStub, 0x1000, kReadWrite | PROT_EXEC) || !take_memory(kControl, 0x1000, kReadWrite)) return false;
  for (const u64 above : {u64{0}, kHigh}) {
    if (!take_memory(above + kData, kDataSize, kReadWrite, data)) return false;
    if (!take_memory(above + kReadOnly, 0x1000, kReadWrite, data, kDataSize)) return false;
  }
  for (u32 i = 0; i < kDataSize; ++i) data_background[i] = *at(kData + i) = native::background(kData + i);
  for (u32 i = 0; i < 0x1000; ++i) *at(kReadOnly + i) = native::background(kReadOnly + i);
  std::memcpy(at(kStub), relic86_native64_stub, static_cast<std::size_t>(relic86_native64_end - relic86_native64_stub));
  control().default_mxcsr = 0x1F80;
  control().capture = &capture;
  control().leave = stub_address(relic86_native64_leave);
  return mprotect(at(kReadOnly), 0x1000, PROT_READ) == 0 && mprotect(at(kHigh + kReadOnly), 0x1000, PROT_READ) == 0 &&
         mprotect(at(kStub), 0x1000, PROT_READ | PROT_EXEC) == 0;
}

bool set_up_signals() {
  const stack_t stack{far_memory(kSignalStackSize), 0, kSignalStackSize};
  if (stack.ss_sp == nullptr || sigaltstack(&stack, nullptr) != 0) return false;
  struct sigaction action {};
  action.sa_sigaction = reinterpret_cast<void (*)(int, siginfo_t*, void*)>(stub_address(relic86_native64_signal));
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  for (const int number : {SIGSEGV, SIGILL, SIGFPE, SIGBUS, SIGTRAP}) {
    if (sigaction(number, &action, nullptr) != 0) return false;
  }
  return true;
}

// Read, write, end and the bases are all that is left: a case that finds its way to another system call dies.
bool cage() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_read, 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_arch_prctl, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{static_cast<unsigned short>(std::size(program)), program};
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

long bare_call(long number, long first, u64 second, long third = 0) {
  long result = number;
  asm volatile("syscall" : "+a"(result) : "D"(first), "S"(second), "d"(third) : "rcx", "r11", "memory");
  return result;
}

void run_case(const CaseInput& input, CaseResult& result, native::DataArea& area) {
  Control& c = control();
  area.fill(input.window);
  native::DataArea::copy(c.gpr, input.gpr, sizeof c.gpr);
  c.rflags = input.rflags;
  c.rip = input.rip;
  c.fx_in = input.units ? &input.fx : nullptr;
  c.fx_out = input.units ? &result.fx : nullptr;
  c.ymm_in = input.vectors ? input.ymm_high : nullptr;
  c.ymm_out = input.vectors ? result.ymm_high : nullptr;
  c.present = &result;
  reinterpret_cast<void (*)()>(u64{kStub})();
  if (c.faulted == 0) {
    native::DataArea::copy(result.gpr, c.gpr_out, sizeof result.gpr);
    result.rflags = c.rflags_out;
    result.rip = result.cr2 = 0;
    result.vector = kCompleted;
    result.error_code = 0;
  }
  area.take(result);
}

}  // namespace

void child_main(const ChildOrders& orders) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  u8* const data_background = far_memory(kDataSize);
  if (data_background == nullptr || !set_up_memory(orders, data_background) || !set_up_signals() || !cage()) _exit(1);
  if (bare_call(SYS_arch_prctl, ARCH_SET_FS, kFsBase) != 0 || bare_call(SYS_arch_prctl, ARCH_SET_GS, kGsBase) != 0)
    bare_call(SYS_exit_group, 1, 0);
  native::DataArea area(at(kData), data_background);
  u32 count = 0;
  const u64 place = reinterpret_cast<u64>(&count);
  do {
    for (u32 i = 0; i < count; ++i) run_case(orders.inputs[i], orders.results[i], area);
    if (bare_call(SYS_write, orders.answers, place, sizeof count) != sizeof count) break;
  } while (bare_call(SYS_read, orders.orders, place, sizeof count) == sizeof count);
  for (;;) bare_call(SYS_exit_group, 0, 0);
}

}  // namespace relic86::native64
