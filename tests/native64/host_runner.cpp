#include "tests/native64/host_runner.h"

#include "tests/native64/child.h"

namespace relic86::native64 {

namespace {

// Linux's own segment for 32-bit programs is there even if it runs none.
bool has_compatibility_code() {
  u32 rights = native::kCode32;
  bool valid = false;
  asm("lar %0, %0" : "+r"(rights), "=@ccz"(valid));
  return valid;
}

}  // namespace

Result<std::unique_ptr<HostRunner>> HostRunner::create(unsigned cases, Hosts hosts) {
  std::unique_ptr<HostRunner> runner(new HostRunner);
  if (!runner->map(cases)) return Error{"native oracle: no memory to share with the child"};
  if (!runner->restart())
    return Error{"native oracle: the child could not take its memory below 4 GiB (vm.mmap_min_addr)"};
  if (hosts == Hosts::Real && !has_compatibility_code()) {
    return Error{
        "native oracle: Linux has no descriptor for 32-bit code here; a paravirtual host stands between programs and "
        "the processor, and what it answers is not the processor's answer (--paravirtual compares nevertheless)"};
  }
  return runner;
}

bool HostRunner::map(unsigned cases) {
  return code_.map_file("relic86-native64-code", kCodeSize) && inputs_.map(cases) && results_.map(cases);
}

bool HostRunner::restart() {
  const auto body = [this](const native::ChildProcess::Ends& ends) {
    child_main({code_.file(), ends.orders, ends.answers, inputs_.data(), results_.data()});
  };
  return child_.start(body, kPatience);
}

bool HostRunner::run(unsigned count, int patience) {
  child_.order(count);
  if (child_.answered(patience)) return true;
  (void)restart();
  return false;
}

}  // namespace relic86::native64
