#include "tests/native/host_runner.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "tests/native/guest_code.h"
#include "tests/native/host_child.h"

namespace relic86::native {

namespace {

void* shared_memory(u64 bytes) {
  void* const at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return at == MAP_FAILED ? nullptr : at;
}

}  // namespace

Result<std::unique_ptr<HostRunner>> HostRunner::create(unsigned cases) {
  std::unique_ptr<HostRunner> runner(new HostRunner);
  if (!runner->map(cases)) return Error{"native oracle: no memory to share with the child"};
  if (!runner->fork_child()) {
    return Error{
        "native oracle: the child could not take its memory below 4 GiB or its descriptors (modify_ldt, "
        "vm.mmap_min_addr)"};
  }
  if (!runner->runs_legacy_code()) {
    return Error{
        "native oracle: this host carries out no 16- and 32-bit code with descriptors of its own; what other hosts did "
        "is compared with --replay and --cases"};
  }
  return runner;
}

HostRunner::~HostRunner() {
  end_child();
  if (code_ != nullptr) munmap(code_, kCodeSize);
  if (inputs_ != nullptr) munmap(inputs_, sizeof(CaseInput) * capacity_);
  if (results_ != nullptr) munmap(results_, sizeof(CaseResult) * capacity_);
  if (code_file_ >= 0) close(code_file_);
}

bool HostRunner::map(unsigned cases) {
  capacity_ = cases;
  code_file_ = memfd_create("relic86-native-code", MFD_CLOEXEC);
  if (code_file_ < 0 || ftruncate(code_file_, kCodeSize) != 0) return false;
  void* const code = mmap(nullptr, kCodeSize, PROT_READ | PROT_WRITE, MAP_SHARED, code_file_, 0);
  if (code == MAP_FAILED) return false;
  code_ = static_cast<u8*>(code);
  inputs_ = static_cast<CaseInput*>(shared_memory(sizeof(CaseInput) * cases));
  results_ = static_cast<CaseResult*>(shared_memory(sizeof(CaseResult) * cases));
  return inputs_ != nullptr && results_ != nullptr;
}

bool HostRunner::fork_child() {
  int orders[2], answers[2];
  if (pipe(orders) != 0) return false;
  if (pipe(answers) != 0) return false;
  child_ = fork();
  if (child_ < 0) return false;
  if (child_ == 0) {
    close(orders[1]);
    close(answers[0]);
    host_child_main({code_file_, orders[0], answers[1], inputs_, results_});
  }
  close(orders[0]);
  close(answers[1]);
  orders_ = orders[1];
  answers_ = answers[0];
  return finish();  // the first answer says that all is set up
}

// A case that does nothing comes to its end in both sizes of code, whatever segment it holds.
bool HostRunner::runs_legacy_code() {
  for (const bool code16 : {false, true}) {
    for (const u16 data : {kFlat, kData16, kSmall, kExpandDown, kReadOnlyFlat}) {
      GuestCode idle;
      idle.code16 = code16;
      std::fill(std::begin(idle.segment), std::end(idle.segment), kFlat);
      idle.segment[kSlotCs] = code16 ? kCode16 : kCode32;
      idle.segment[kSlotEs] = data;
      idle.lay_out();
      std::copy(idle.bytes.begin(), idle.bytes.end(), code_);
      inputs_[0] = idle_input(idle);
      start(1);
      if (!finish() || results_[0].vector != kCompleted) return false;
    }
  }
  return true;
}

void HostRunner::end_child() {
  if (orders_ >= 0) close(orders_);
  if (answers_ >= 0) close(answers_);
  orders_ = answers_ = -1;
  if (child_ <= 0) return;
  kill(child_, SIGKILL);
  waitpid(child_, nullptr, 0);
  child_ = -1;
}

bool HostRunner::restart() {
  end_child();
  return fork_child();
}

void HostRunner::start(unsigned count) {
  const u32 order = count;
  if (write(orders_, &order, sizeof order) != sizeof order) end_child();
}

bool HostRunner::finish(int patience) {
  pollfd ready{answers_, POLLIN, 0};
  u32 answer = 0;
  if (answers_ >= 0 && poll(&ready, 1, patience) == 1 && read(answers_, &answer, sizeof answer) == sizeof answer) {
    return true;
  }
  end_child();
  return false;
}

}  // namespace relic86::native
