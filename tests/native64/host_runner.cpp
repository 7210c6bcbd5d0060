#include "tests/native64/host_runner.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/native64/child.h"

namespace relic86::native64 {

namespace {

void* shared_memory(u64 bytes) {
  void* const at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return at == MAP_FAILED ? nullptr : at;
}

// Linux's own segment for 32-bit programs is there even if it runs none.
bool has_compatibility_code() {
  u32 rights = native::kCode32;
  bool valid = false;
  asm("lar %0, %0" : "+r"(rights), "=@ccz"(valid));
  return valid;
}

}  // namespace

Result<std::unique_ptr<HostRunner>> HostRunner::create(unsigned cases) {
  std::unique_ptr<HostRunner> runner(new HostRunner);
  if (!runner->map(cases)) return Error{"native oracle: no memory to share with the child"};
  if (!runner->fork_child())
    return Error{"native oracle: the child could not take its memory below 4 GiB (vm.mmap_min_addr)"};
  if (!has_compatibility_code()) {
    return Error{
        "native oracle: Linux has no descriptor for 32-bit code here; a paravirtual host stands between programs and "
        "the processor, and what it answers is not the processor's answer"};
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
  code_file_ = memfd_create("relic86-native64-code", MFD_CLOEXEC);
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
    child_main({code_file_, orders[0], answers[1], inputs_, results_});
  }
  close(orders[0]);
  close(answers[1]);
  orders_ = orders[1];
  answers_ = answers[0];
  return answered(kPatience);  // the first answer says that all is set up
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

bool HostRunner::answered(int patience) {
  pollfd ready{answers_, POLLIN, 0};
  u32 answer = 0;
  return answers_ >= 0 && poll(&ready, 1, patience) == 1 && read(answers_, &answer, sizeof answer) == sizeof answer;
}

bool HostRunner::run(unsigned count, int patience) {
  const u32 order = count;
  if (write(orders_, &order, sizeof order) == sizeof order && answered(patience)) return true;
  end_child();
  (void)fork_child();
  return false;
}

}  // namespace relic86::native64
