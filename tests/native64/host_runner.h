// Runs cases of 64-bit code on this host's processor, in a child process that can do nothing but read its orders and
// answer them.
#pragma once

#include <memory>
#include <span>

#include "base/result.h"
#include "tests/native64/layout.h"

namespace relic86::native64 {

class HostRunner {
 public:
  static constexpr int kPatience = 5'000, kShortPatience = 50;  // ms

  // Room for `cases` cases a batch.
  static Result<std::unique_ptr<HostRunner>> create(unsigned cases);
  ~HostRunner();
  HostRunner(const HostRunner&) = delete;
  HostRunner& operator=(const HostRunner&) = delete;

  std::span<u8> code() { return {code_, kCodeSize}; }  // as the child sees it at kCode
  std::span<CaseInput> inputs() { return {inputs_, capacity_}; }
  std::span<CaseResult> results() { return {results_, capacity_}; }

  // Runs the first `count` inputs. False: the child died or hangs; it is a new one then.
  bool run(unsigned count, int patience = kPatience);

 private:
  HostRunner() = default;
  bool map(unsigned cases);
  bool fork_child();
  bool answered(int patience);
  void end_child();

  u8* code_ = nullptr;
  CaseInput* inputs_ = nullptr;
  CaseResult* results_ = nullptr;
  unsigned capacity_ = 0;
  int code_file_ = -1;
  int orders_ = -1, answers_ = -1;
  int child_ = -1;
};

}  // namespace relic86::native64
