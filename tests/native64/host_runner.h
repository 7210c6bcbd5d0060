// Runs cases of 64-bit code on this host's processor, in a child process that can do nothing but read its orders and
// answer them.
#pragma once

#include <memory>
#include <span>

#include "base/result.h"
#include "tests/native/child_process.h"
#include "tests/native/shared_memory.h"
#include "tests/native64/layout.h"

namespace relic86::native64 {

class HostRunner {
 public:
  static constexpr int kPatience = 5'000, kShortPatience = 50;  // ms

  // Where a paravirtual host answers for the processor, faults and system instructions are the host's own.
  enum class Hosts : u8 { Real, Paravirtual };

  // Room for `cases` cases a batch. Hosts::Real refuses paravirtual hosts.
  static Result<std::unique_ptr<HostRunner>> create(unsigned cases, Hosts hosts = Hosts::Real);

  std::span<u8> code() { return code_.all(); }  // as the child sees it at kCode
  std::span<CaseInput> inputs() { return inputs_.all(); }
  std::span<CaseResult> results() { return results_.all(); }

  // Runs the first `count` inputs. False: the child died or hangs; it is a new one then.
  bool run(unsigned count, int patience = kPatience);

 private:
  HostRunner() = default;
  bool map(unsigned cases);
  bool restart();

  native::SharedMemory<u8> code_;
  native::SharedMemory<CaseInput> inputs_;
  native::SharedMemory<CaseResult> results_;
  native::ChildProcess child_;
};

}  // namespace relic86::native64
