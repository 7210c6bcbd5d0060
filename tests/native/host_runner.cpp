#include "tests/native/host_runner.h"

#include <algorithm>

#include "tests/native/guest_code.h"
#include "tests/native/host_child.h"

namespace relic86::native {

Result<std::unique_ptr<HostRunner>> HostRunner::create(unsigned cases) {
  std::unique_ptr<HostRunner> runner(new HostRunner);
  if (!runner->map(cases)) return Error{"native oracle: no memory to share with the child"};
  if (!runner->restart()) {
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

bool HostRunner::map(unsigned cases) {
  return code_.map_file("relic86-native-code", kCodeSize) && inputs_.map(cases) && results_.map(cases);
}

bool HostRunner::restart() {
  const auto body = [this](const ChildProcess::Ends& ends) {
    host_child_main({code_.file(), ends.orders, ends.answers, inputs_.data(), results_.data()});
  };
  return child_.start(body, kPatience);
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
      std::copy(idle.bytes.begin(), idle.bytes.end(), code().begin());
      inputs()[0] = idle_input(idle);
      start(1);
      if (!finish() || results()[0].vector != kCompleted) return false;
    }
  }
  return true;
}

}  // namespace relic86::native
