// Executable memory for translations: W^X by two mappings of the same bytes, bounded.
#pragma once

#include <asmjit/core.h>

#include <memory>

#include "base/types.h"

namespace relic86::jit {

class CodeCache {
 public:
  // one_mapping: writable and executable at once, and private to the process: a forked copy of the machine has its own.
  explicit CodeCache(u64 limit_bytes, bool one_mapping = false);
  ~CodeCache();

  struct Placed {
    const u8* executable = nullptr;  // null: no memory
    u8* writable = nullptr;
    u32 size = 0;
  };
  Placed place(asmjit::CodeHolder& code);
  void release(const u8* executable, u32 size);

  u64 used() const { return used_; }
  bool full() const { return used_ > limit_; }

 private:
  struct Allocator;
  std::unique_ptr<Allocator> allocator_;
  u64 limit_;
  u64 used_ = 0;
};

// Memory for the code that is being made, which one CodeHolder after the other takes and gives back.
class CodeScratch {
 public:
  CodeScratch() = default;
  CodeScratch(const CodeScratch&) = delete;
  CodeScratch& operator=(const CodeScratch&) = delete;
  ~CodeScratch();

  // As long as it lives, the initialised holder's first section grows in the scratch memory. No emitter outlives it.
  class Loan {
   public:
    Loan(CodeScratch& scratch, asmjit::CodeHolder& to);
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    ~Loan();

   private:
    CodeScratch& scratch_;
    asmjit::CodeHolder& to_;
  };

 private:
  asmjit::CodeBuffer buffer_{};
};

}  // namespace relic86::jit
