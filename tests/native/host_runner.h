// Runs cases on this host's processor, in a child process that can do nothing but read its orders and answer them.
#pragma once

#include <memory>
#include <span>

#include "base/result.h"
#include "tests/native/child_process.h"
#include "tests/native/layout.h"
#include "tests/native/shared_memory.h"

namespace relic86::native {

class HostRunner {
 public:
  static constexpr int kPatience = 5'000, kShortPatience = 50;  // ms

  // Room for `cases` cases a batch. Refused where the host carries out 64-bit code alone, as some hypervisors do.
  static Result<std::unique_ptr<HostRunner>> create(unsigned cases);

  std::span<u8> code() { return code_.all(); }  // as the child sees it at kCode
  std::span<CaseInput> inputs() { return inputs_.all(); }
  std::span<CaseResult> results() { return results_.all(); }

  // Starts the first `count` inputs; finish() waits for their results. false: the child died or hangs.
  void start(unsigned count) { child_.order(count); }
  bool finish(int patience = kPatience) { return child_.answered(patience); }
  bool restart();  // a new child

 private:
  HostRunner() = default;
  bool map(unsigned cases);
  bool runs_legacy_code();

  SharedMemory<u8> code_;
  SharedMemory<CaseInput> inputs_;
  SharedMemory<CaseResult> results_;
  ChildProcess child_;
};

}  // namespace relic86::native
