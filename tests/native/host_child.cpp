// FS and GS are the cases' own here: after set-up nothing may touch thread-local data, so system calls are bare.
#include "tests/native/host_child.h"

#include <asm/ldt.h>
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
#include "tests/native/host_stub.h"

namespace relic86::native {

namespace {

constexpr u32 kHandlerPointer = kControl + 0x1F8;
constexpr u32 kSignalStackSize = 0x20000;
// Only the signal handler needs to find it: the case that runs.
constexpr u32 kPresentResult = kControl + 0x1F0;

HostControl& control() { return *reinterpret_cast<HostControl*>(u64{kControl}); }
u8* at(u32 address) { return reinterpret_cast<u8*>(u64{address}); }

bool take_memory(u32 address, u64 size, int protection, int file = -1) {
  const int flags = MAP_FIXED_NOREPLACE | MAP_POPULATE | (file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);
  return mmap(at(address), size, protection, flags, file, 0) == at(address);
}

// Above 4 GiB, out of the cases' reach.
u8* far_memory(u64 size) {
  void* const got = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  return got == MAP_FAILED ? nullptr : static_cast<u8*>(got);
}

bool set_up_memory(const ChildOrders& orders, u8* data_background) {
  constexpr int kReadWrite = PROT_READ | PROT_WRITE;
  if (!take_memory(kCode, kCodeSize, PROT_READ | PROT_EXEC, orders.code_file)) return false;
  if (!take_memory(kData, kDataSize, kReadWrite) || !take_memory(kReadOnly, 0x1000, kReadWrite)) return false;
  if (!take_memory(kStub, 0x1000, kReadWrite | PROT_EXEC) || !take_memory(kControl, 0x1000, kReadWrite)) return false;
  for (u32 i = 0; i < kDataSize; ++i) data_background[i] = *at(kData + i) = background(kData + i);
  for (u32 i = 0; i < 0x1000; ++i) *at(kReadOnly + i) = background(kReadOnly + i);
  std::memcpy(at(kStub), relic86_native_stub, static_cast<std::size_t>(relic86_native_stub_end - relic86_native_stub));
  control().default_mxcsr = 0x1F80;
  *reinterpret_cast<void (**)(void*)>(at(kHandlerPointer)) = &relic86_native_capture;
  return mprotect(at(kReadOnly), 0x1000, PROT_READ) == 0 && mprotect(at(kStub), 0x1000, PROT_READ | PROT_EXEC) == 0;
}

bool set_up_descriptors() {
  for (const LdtEntry& entry : kLdtEntries) {
    user_desc description{};
    description.entry_number = entry.index;
    description.base_addr = entry.base;
    description.limit = entry.limit;
    description.seg_32bit = entry.wide;
    description.contents = entry.code ? 2u : entry.expand_down ? 1u : 0u;
    description.read_exec_only = entry.read_only;
    description.limit_in_pages = entry.pages;
    description.seg_not_present = entry.absent;
    if (syscall(SYS_modify_ldt, 1, &description, sizeof description) != 0) return false;
  }
  return true;
}

bool set_up_signals() {
  const stack_t stack{far_memory(kSignalStackSize), 0, kSignalStackSize};
  if (stack.ss_sp == nullptr || sigaltstack(&stack, nullptr) != 0) return false;
  struct sigaction action {};
  action.sa_sigaction =
      reinterpret_cast<void (*)(int, siginfo_t*, void*)>(u64{stub_address(relic86_native_stub_signal)});
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  for (const int number : {SIGSEGV, SIGILL, SIGFPE, SIGBUS, SIGTRAP}) {
    if (sigaction(number, &action, nullptr) != 0) return false;
  }
  return true;
}

// Read, write and end are all that is left: a case that finds its way to a system call dies.
bool cage() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_read, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{static_cast<unsigned short>(std::size(program)), program};
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

long bare_call(long number, long first, const void* second, long third) {
  long result = number;
  asm volatile("syscall" : "+a"(result) : "D"(first), "S"(second), "d"(third) : "rcx", "r11", "memory");
  return result;
}

void run_case(const CaseInput& input, CaseResult& result, DataArea& area) {
  HostControl& c = control();
  area.fill(input.window);
  DataArea::copy(c.gpr, input.gpr, sizeof c.gpr);
  c.eflags = input.eflags;
  c.eip = input.eip;
  c.cs = input.segment[kSlotCs];
  c.es = input.segment[kSlotEs];
  c.ss = input.segment[kSlotSs];
  c.ds = input.segment[kSlotDs];
  c.fs = input.segment[kSlotFs];
  c.gs = input.segment[kSlotGs];
  c.fx_in = input.units ? &input.fx : nullptr;
  c.fx_out = input.units ? &result.fx : nullptr;
  c.ymm_in = input.vectors ? input.ymm_high : nullptr;
  c.ymm_out = input.vectors ? result.ymm_high : nullptr;
  *reinterpret_cast<CaseResult**>(at(kPresentResult)) = &result;
  const u8* const entry = input.vectors ? relic86_native_stub_vectors : relic86_native_stub;
  reinterpret_cast<void (*)()>(u64{stub_address(entry)})();
  if (c.faulted == 0) {
    DataArea::copy(result.gpr, c.gpr_out, sizeof result.gpr);
    result.eflags = static_cast<u32>(c.eflags_out);
    result.eip = 0;
    result.vector = kCompleted;
    result.error_code = result.cr2 = 0;
    result.segment[kSlotCs] = input.segment[kSlotCs];
    result.segment[kSlotSs] = c.segment_out[kSlotSs];
  }
  for (const SegmentSlot slot : {kSlotEs, kSlotDs, kSlotFs, kSlotGs}) result.segment[slot] = c.segment_out[slot];
  area.take(result);
}

}  // namespace

extern "C" void relic86_native_capture(void* context) {
  const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
  CaseResult& result = **reinterpret_cast<CaseResult**>(at(kPresentResult));
  constexpr int kOrder[8] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI};
  for (unsigned i = 0; i < 8; ++i) result.gpr[i] = static_cast<u32>(machine.gregs[kOrder[i]]);
  result.eflags = static_cast<u32>(machine.gregs[REG_EFL]);
  result.eip = static_cast<u32>(machine.gregs[REG_RIP]);
  result.vector = static_cast<u32>(machine.gregs[REG_TRAPNO]);
  result.error_code = static_cast<u32>(machine.gregs[REG_ERR]);
  result.cr2 = result.vector == 14 ? static_cast<u32>(machine.gregs[REG_CR2]) : 0;
  const u64 selectors = static_cast<u64>(machine.gregs[REG_CSGSFS]);
  result.segment[kSlotCs] = static_cast<u16>(selectors);
  result.segment[kSlotSs] = static_cast<u16>(selectors >> 48);
  if (control().fx_out != nullptr) DataArea::copy(&result.fx, machine.fpregs, sizeof result.fx);
  if (control().ymm_out != nullptr) take_upper_halves(machine.fpregs, result.ymm_high, sizeof result.ymm_high);
}

void host_child_main(const ChildOrders& orders) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  u8* const data_background = far_memory(kDataSize);
  if (data_background == nullptr || !set_up_memory(orders, data_background) || !set_up_descriptors() ||
      !set_up_signals() || !cage())
    _exit(1);
  DataArea area(at(kData), data_background);
  u32 count = 0;
  do {
    for (u32 i = 0; i < count; ++i) run_case(orders.inputs[i], orders.results[i], area);
    if (bare_call(SYS_write, orders.answers, &count, sizeof count) != sizeof count) break;
  } while (bare_call(SYS_read, orders.orders, &count, sizeof count) == sizeof count);
  for (;;) bare_call(SYS_exit_group, 0, nullptr, 0);
}

}  // namespace relic86::native
