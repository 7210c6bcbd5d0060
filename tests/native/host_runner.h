// Runs cases on this host's processor, in a child process that can do nothing but read its orders and answer them.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "tests/native/layout.h"

namespace relic86::native {

class HostRunner {
 public:
  static constexpr int kPatience = 5'000, kShortPatience = 50;  // ms

  // Room for `cases` cases a batch. Refused where the host carries out 64-bit code alone, as some hypervisors do.
  static Result<std::unique_ptr<HostRunner>> create(unsigned cases);
  ~HostRunner();
  HostRunner(const HostRunner&) = delete;
  HostRunner& operator=(const HostRunner&) = delete;

  std::span<u8> code() { return {code_, kCodeSize}; }  // as the child sees it at kCode
  std::span<CaseInput> inputs() { return {inputs_, capacity_}; }
  std::span<CaseResult> results() { return {results_, capacity_}; }

  // Starts the first `count` inputs; finish() waits for their results. false: the child died or hangs.
  void start(unsigned count);
  bool finish(int patience = kPatience);
  bool restart();  // a new child

 private:
  HostRunner() = default;
  bool map(unsigned cases);
  bool fork_child();
  bool runs_legacy_code();
  void end_child();

  u8* code_ = nullptr;
  CaseInput* inputs_ = nullptr;
  CaseResult* results_ = nullptr;
  unsigned capacity_ = 0;
  int code_file_ = -1;
  int orders_ = -1, answers_ = -1;
  int child_ = -1;
};

}  // namespace relic86::native
